"""What detect said of a batch, as records of the streams that it goes to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import orjson

from engine.detect.changes import Mark, encode
from engine.detect.last_values import LastValue
from engine.detect.output import LateRow, Output, RejectRow
from engine.runtime.log import Append, Entry, Stream
from engine.runtime.raw import raw_text


def appends_of(output: Output, last: Sequence[LastValue], partition: int, log_time: int | None) -> list[Append]:
    """Return the appends of one step; `log_time` in ms, None for the log's clock.

    Last values go together, an array a step: there are many, and nothing is decided by them.
    """
    alerts: list[Entry] = []
    shadow: list[Entry] = []
    for item in output.items:
        if isinstance(item, Mark):
            alerts.append(Entry(encode(item), None, log_time, item))
        else:
            (shadow if item.shadow else alerts).append(Entry(encode(item), item.key, log_time, item))
    sensors = [Entry(msgspec.json.encode(last), None, log_time)] if last else []
    said = [Append(Stream.ALERTS, 0, alerts), Append(Stream.SHADOW, 0, shadow)]
    told = [*said, *put_aside(output, partition, log_time), Append(Stream.SENSORS, 0, sensors)]
    return [append for append in told if append.entries]


def put_aside(output: Output, partition: int, log_time: int | None) -> list[Append]:
    """Return what goes to the late store and to quarantine.

    Both have one partition, as city.alerts has; a record names the partition that it came from.
    """
    late = [_row(row, partition, log_time) for row in output.late]
    rejects = [_row(row, partition, log_time) for row in output.rejects]
    told = Append(Stream.LATE, 0, late), Append(Stream.QUARANTINE, 0, rejects)
    return [append for append in told if append.entries]


def _row(row: LateRow | RejectRow, partition: int, log_time: int | None) -> Entry:
    """Return a row of the late store or the quarantine, named by (topic, partition, offset, index)."""
    said: dict[str, object] = {"reason": row.reason}
    if isinstance(row, RejectRow):
        said["detail"] = row.detail
    said |= {"topic": Stream.READINGS, "partition": partition, "offset": row.offset, "index": row.index}
    return Entry(orjson.dumps(said | raw_text(row.raw)), None, log_time)
