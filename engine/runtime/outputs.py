"""What detect said of a batch, as records of the streams that it goes to."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import orjson

from engine.detect.changes import Change, encode
from engine.detect.detector import LateRow, Output, RejectRow
from engine.runtime.log import Append, Entry, Stream


def appends_of(output: Output, partition: int, log_time: int | None) -> list[Append]:
    """Return the appends of one step; `log_time` in ms, None for the log's clock."""
    alerts: list[Entry] = []
    shadow: list[Entry] = []
    for item in output.items:
        is_change = isinstance(item, Change)
        entry = Entry(encode(item), item.key if is_change else None, log_time)
        (shadow if is_change and item.shadow else alerts).append(entry)
    late = [_row(row, partition, log_time) for row in output.late]
    rejects = [_row(row, partition, log_time) for row in output.rejects]
    streams: Sequence[tuple[Stream, list[Entry]]] = (
        (Stream.ALERTS, alerts),
        (Stream.SHADOW, shadow),
        (Stream.LATE, late),
        (Stream.QUARANTINE, rejects),
    )
    # alerts, quarantine and late have one partition each; a record names the partition that it came from
    return [Append(stream, 0, entries) for stream, entries in streams if entries]


def _row(row: LateRow | RejectRow, partition: int, log_time: int | None) -> Entry:
    """Return a row of the late store or the quarantine, named by (topic, partition, offset, index)."""
    said: dict[str, object] = {"reason": row.reason}
    if isinstance(row, RejectRow):
        said["detail"] = row.detail
    said |= {"topic": Stream.READINGS, "partition": partition, "offset": row.offset, "index": row.index}
    return Entry(orjson.dumps(said | raw_text(row.raw)), None, log_time)


def raw_text(raw: bytes) -> dict[str, str]:
    """Return `raw`, or `raw_base64` where the bytes are no UTF-8."""
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode()}


def raw_bytes(row: Mapping[str, object]) -> bytes:
    """Return the bytes that `raw_text` kept."""
    if "raw" in row:
        return str(row["raw"]).encode()
    return base64.b64decode(str(row["raw_base64"]))
