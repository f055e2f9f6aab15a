"""The journal as lines: readings as `tongguan detect` takes them, changes as it prints them.

A line a record of city.readings, and a blank one for each that the log has let go of or lost: line numbers are offsets.
Each reading and control record gets the journal's log time as `log_t`, behind its own fields, where the last of
duplicate keys counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import orjson

from engine.detect.decode.frames import Span, split, value_end
from engine.detect.decode.reasons import Refusal
from engine.runtime.log import Log, Records, Stream, read_through

BATCH_BYTES = 1 << 20


def lines_of(log: Log, stream: str, partition: int = 0) -> Iterator[bytes]:
    """Yield the records of a stream from the first kept one to the present end, without their newlines."""
    done, end = log.start(stream, partition) - 1, log.end(stream, partition)
    if stream == Stream.READINGS:
        yield from repeat(b"", done)
    for records in read_through(log, stream, partition, done, end, limit_bytes=BATCH_BYTES):
        yield from _lines(records, stream, done)
        done = int(records.offset[-1])


def _lines(records: Records, stream: str, done: int) -> Iterator[bytes]:
    columns = zip(records.offset.tolist(), records.values, records.log_time.tolist(), strict=True)
    for offset, value, log_time in columns:
        if stream == Stream.READINGS:
            yield from repeat(b"", offset - done - 1)
            yield reading_line(value, log_time)
            done = offset
        elif stream != Stream.ALERTS or b'"change"' in value:
            yield value


def reading_line(record: bytes, log_time: int) -> bytes:
    """Return a record of city.readings on one line: judged with the log time inside it as it was with it outside.

    A reading or control record stays one, a frame becomes an array; what cannot be parsed stays as it is, its newlines
    turned into vertical tabs, which no JSON text may hold.
    """
    try:
        parts = split(record)
    except Refusal:
        return _closed(record)
    texts = [_with_log_time(record, span, log_time) for span in parts.spans]
    if parts.framed:
        return b"[" + b",".join(map(_as_element, texts)) + b"]"
    return _as_string(record) if _is_broken_plan(record) else texts[0] or b"null"


def _with_log_time(record: bytes, span: Span, log_time: int) -> bytes:
    text = record[span[0] : span[1]]
    if not (text.startswith(b"{") and text.endswith(b"}")) or value_end(text, 0, len(text)) != len(text):
        return text.replace(b"\n", b"\v")
    inner = text[1:-1]
    comma = b"," if inner.strip(b" \t\r\n") else b""
    return b"{" + inner.replace(b"\n", b" ") + comma + b'"log_t":%d}' % log_time


def _as_element(text: bytes) -> bytes:
    """Keep a text that stays one element of an array; any other becomes a string, which is as little a reading."""
    try:
        spans = split(b"[" + text + b"]").spans
    except Refusal:
        spans = []
    return text if len(spans) == 1 else _as_string(text)


def _as_string(text: bytes) -> bytes:
    return orjson.dumps(text.decode("utf-8", "replace"))


def _closed(record: bytes) -> bytes:
    """Keep a record that cannot be split one that cannot; where its newlines alone made it so, it becomes a string."""
    closed = record.replace(b"\n", b"\v") or b"null"
    try:
        split(closed)
    except Refusal:
        return closed
    return closed if closed == b"null" else _as_string(record)


def _is_broken_plan(record: bytes) -> bool:
    """Tell a plan record whose digest is none: rejected in the log, but offline the digest is not looked at."""
    if len(record) > 1000:
        return False
    try:
        found = orjson.loads(record)
    except orjson.JSONDecodeError:
        return False
    digest = found.get("digest") if isinstance(found, dict) and found.get("kind") == "plan" else ""
    return digest != "" and not (
        isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    )
