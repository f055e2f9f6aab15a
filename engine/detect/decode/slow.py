"""The slow path over the texts that the scanner declined: what they are, and their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.detect.batch import RecordBatch
from engine.detect.decode import frames
from engine.detect.decode.decoded import Control, Reject
from engine.detect.decode.reading import ControlText, Reading, ReadingCheck, Scalar
from engine.detect.decode.reasons import Refusal
from engine.detect.decode.rows import Rows
from engine.detect.decode.scanner import FRAME_PART, WHOLE_RECORD, Holes
from engine.detect.decode.vocabulary import Vocabulary
from geo import NO_PLACE, crs
from rules.columns import BOOL, NULL, NUMBER, STRING


@dataclass(frozen=True, slots=True)
class SlowRow:
    """One accepted reading with its place in the batch."""

    record: int
    index: int
    raw_start: int
    raw_end: int
    log_time: int
    reading: Reading


@dataclass(slots=True)
class SlowTexts:
    """What the declined texts turned out to be."""

    rows: list[SlowRow] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def judge(batch: RecordBatch, check: ReadingCheck, holes: Holes, hole: int, found: SlowTexts) -> int:
    """Judge the text or texts of one hole; return how many readings were accepted."""
    record = int(holes.record[hole])
    before = len(found.rows)
    start, end = int(holes.start[hole]), int(holes.end[hole])
    if holes.shape[hole] != WHOLE_RECORD:
        framed = bool(holes.shape[hole] == FRAME_PART)
        _judge(batch, check, record, int(holes.part[hole]), (start, end), framed, found)
        return len(found.rows) - before
    text = batch.data[start:end].tobytes()
    try:
        parts = frames.split(text)
    except Refusal as refusal:
        found.rejects.append(Reject(record, 0, refusal.reason, refusal.detail, text))
        return 0
    for index, (first, after) in enumerate(parts.spans):
        _judge(batch, check, record, index, (start + first, start + after), parts.framed, found)
    return len(found.rows) - before


def _judge(
    batch: RecordBatch,
    check: ReadingCheck,
    record: int,
    index: int,
    span: frames.Span,
    framed: bool,
    found: SlowTexts,
) -> None:
    text = batch.data[span[0] : span[1]].tobytes()
    try:
        said = check.judge(text, framed=framed)
    except Refusal as refusal:
        found.rejects.append(Reject(record, index, refusal.reason, refusal.detail, text))
        return
    log_time = _log_time(batch, record, said)
    if isinstance(said, ControlText):
        found.controls.append(Control(record, said.kind, said.t, said.digest, log_time))
    else:
        found.rows.append(SlowRow(record, index, span[0], span[1], log_time, said))


def _log_time(batch: RecordBatch, record: int, said: Reading | ControlText) -> int:
    if batch.log_time is not None:
        return int(batch.log_time[record])
    return said.t if said.log_t is None else said.log_t


def write(
    batch: RecordBatch,
    found: Sequence[SlowRow],
    position: npt.NDArray[np.int64],
    rows: Rows,
    vocabulary: Vocabulary,
    names: Sequence[str],
    heap_used: int,
) -> bytes:
    """Write accepted readings into the rows at `position`; return what comes behind `heap_used` bytes of heap."""
    readings = [row.reading for row in found]
    kinds = [reading.kind for reading in readings]
    records = [row.record for row in found]
    columns = {
        "record": records,
        "offset": batch.offset[records],
        "index": [row.index for row in found],
        "raw_start": [row.raw_start for row in found],
        "raw_length": [row.raw_end - row.raw_start for row in found],
        "log_time": [row.log_time for row in found],
        "kind": kinds,
        "series": vocabulary.number([reading.sensor.encode() for reading in readings], kinds),
        "t": [reading.t for reading in readings],
        "v": [reading.v for reading in readings],
        "unknown": [reading.unknown_fields for reading in readings],
    }
    for name, column in columns.items():
        rows.reading[name][position] = column
    _write_places(readings, position, rows)
    heap = bytearray()
    for number, name in enumerate(names):
        for place, reading in zip(position, readings, strict=True):
            _write_attr(rows, number, int(place), reading.attrs.get(name), heap, heap_used)
    return bytes(heap)


def _write_places(readings: Sequence[Reading], position: npt.NDArray[np.int64], rows: Rows) -> None:
    place = rows.reading["lon"], rows.reading["lat"]
    place[0][position] = place[1][position] = NO_PLACE
    for name in {reading.crs for reading in readings if reading.lon is not None}:
        here = [row for row, reading in enumerate(readings) if reading.lon is not None and reading.crs == name]
        lon = np.array([readings[row].lon for row in here], np.float64)
        lat = np.array([readings[row].lat for row in here], np.float64)
        place[0][position[here]], place[1][position[here]] = crs.quantize(*crs.to_wgs84(lon, lat, name))


def _write_attr(rows: Rows, name: int, row: int, value: Scalar, heap: bytearray, heap_used: int) -> None:
    tag, number, start, length = NULL, 0.0, 0, 0
    if isinstance(value, bool):
        tag, number = BOOL, float(value)
    elif isinstance(value, float):
        tag, number = NUMBER, value
    elif isinstance(value, bytes):
        tag, start, length = STRING, heap_used + len(heap), len(value)
        heap += value
    rows.attr_tag[name, row] = tag
    rows.attr_num[name, row] = number
    rows.attr_start[name, row] = start
    rows.attr_length[name, row] = length
