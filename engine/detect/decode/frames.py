"""Where the readings of a record begin and end, found by brackets and quotes alone.

A record is one JSON value (an object is one reading, an array a frame), or a frame of one object a line.
A frame is split without believing its parts: each is judged by itself, so that a broken one does not take the others
along.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.detect.decode.reasons import Reason, Refusal, got

LARGEST_RECORD_BYTES = 1 << 20
MOST_READINGS = 10_000

WHITE = b" \t\n\r"
_NOT_WHITE = re.compile(rb"[^ \t\n\r]")
_STRUCTURE = re.compile(rb'"(?:[^"\\\n]|\\[^\n])*"|["\[\]{},]')

Span = tuple[int, int]
"""First byte, one past the last."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The texts in a record that are to be judged, without white space around them."""

    spans: list[Span]
    framed: bool


def split(text: bytes) -> Parts:
    """Find the readings of a record.

    Raises `Refusal`: frame_too_large (over `LARGEST_RECORD_BYTES` or `MOST_READINGS`), or bad_json for an array whose
    parts cannot be told.
    """
    if len(text) > LARGEST_RECORD_BYTES:
        raise Refusal(Reason.FRAME_TOO_LARGE, f"record: at most {LARGEST_RECORD_BYTES} bytes; got {len(text)}")
    start, end = trimmed(text, 0, len(text))
    if text[start : start + 1] == b"[":
        parts = _array(text, start, end)
    elif text[start : start + 1] == b"{" and value_end(text, start, end) == end:
        parts = Parts([(start, end)], framed=False)
    else:
        parts = _lines(text, start, end)
    if len(parts.spans) > MOST_READINGS:
        raise Refusal(Reason.FRAME_TOO_LARGE, f"record: at most {MOST_READINGS} readings; got {len(parts.spans)}")
    return parts


def trimmed(text: bytes, start: int, end: int) -> Span:
    """Leave out the JSON white space around a span; an empty one stays at its start."""
    found = _NOT_WHITE.search(text, start, end)
    if found is None:
        return start, start
    while text[end - 1] in WHITE:
        end -= 1
    return found.start(), end


def value_end(text: bytes, start: int, end: int) -> int:
    """Return where the brackets opened at `start` are all closed again, or -1.

    A quote that its line does not close ends the search.
    """
    depth = 0
    for token in _STRUCTURE.finditer(text, start, end):
        mark = token[0]
        if mark in (b"{", b"["):
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
        elif mark == b'"':
            return -1
    return -1


def _array(text: bytes, start: int, end: int) -> Parts:
    """Split at the commas of the outermost level."""
    spans: list[Span] = []
    depth = 0
    begin = start + 1
    closed = -1
    for token in _STRUCTURE.finditer(text, start, end):
        mark = token[0]
        if mark in (b"{", b"["):
            depth += 1
        elif mark == b"," and depth == 1:
            spans.append(trimmed(text, begin, token.start()))
            begin = token.end()
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                closed = token.end() if mark == b"]" else -1
                break
        elif mark == b'"':
            break
    if closed != end:
        raise Refusal(Reason.BAD_JSON, f"frame: must be a closed array; got {_tail(text[start:end])}")
    last = trimmed(text, begin, end - 1)
    if spans or last[0] < last[1]:
        spans.append(last)
    if any(first == after for first, after in spans):
        raise Refusal(
            Reason.BAD_JSON, f"frame: must have a reading between its commas; got none at one of {len(spans)}"
        )
    return Parts(spans, framed=True)


def _lines(text: bytes, start: int, end: int) -> Parts:
    """Split at newlines if any line is an object by itself; else it is one text, and bad."""
    spans: list[Span] = []
    whole_lines = 0
    begin = start
    while begin < end:
        newline = text.find(b"\n", begin, end)
        after = end if newline < 0 else newline
        span = trimmed(text, begin, after)
        begin = after + 1
        if span[0] < span[1]:
            spans.append(span)
            whole_lines += text[span[0] : span[0] + 1] == b"{" and value_end(text, *span) == span[1]
    if len(spans) > 1 and whole_lines:
        return Parts(spans, framed=True)
    return Parts([(start, end)], framed=False)


def _tail(text: bytes) -> str:
    return got(text[-20:])
