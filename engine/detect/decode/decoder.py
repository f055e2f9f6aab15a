"""Batches of raw records to columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.detect.batch import RecordBatch
from engine.detect.decode import far, scanner, slow
from engine.detect.decode.decoded import Decoded
from engine.detect.decode.reading import KindRange, ReadingCheck
from engine.detect.decode.rows import Rows
from engine.detect.decode.scan_attrs import Asked
from engine.detect.decode.scan_object import Shifts
from engine.detect.decode.scan_values import BD09, GCJ02
from engine.detect.decode.scanner import Holes, scan
from engine.detect.decode.vocabulary import Vocabulary
from geo import crs
from rules.columns import STRING, Column, Strings

if TYPE_CHECKING:
    from rules.plan import Plan

Heap = npt.NDArray[np.uint8]
_SPARE = 64
_WORD = 8
"""Bytes behind the last string that are written too."""


class Decoder:
    """Decode records under one plan; sensors and series get their numbers from the vocabulary, which grows."""

    def __init__(self, plan: Plan, vocabulary: Vocabulary, attrs: Sequence[str]) -> None:
        """Take the plan's kinds; `attrs` are the names of the attributes that are kept."""
        kinds = {kind.name: KindRange(number, kind.low, kind.high) for number, kind in enumerate(plan.kinds)}
        self._vocabulary = vocabulary
        self._attrs = tuple(sorted(set(attrs)))
        self._asked = Asked.of(self._attrs)
        self._shifts, self._holes = Shifts.empty(_SPARE), Holes.empty(_SPARE)
        self._checks = {offline: ReadingCheck(kinds, self._attrs, offline=offline) for offline in (False, True)}

    def decode(self, batch: RecordBatch, first: int = 0) -> Decoded:
        """Decode the records from `first` on, to the end of the batch or to a plan record, that one included."""
        rows, holes, heap = self._scan(batch, first)
        found = slow.SlowTexts()
        next_record = len(batch)
        if len(holes.row):
            rows, heap, next_record = self._fill(batch, rows, holes, heap, found)
        far_away, unknown = far.count(rows.reading, self._vocabulary)
        return Decoded(
            rows.reading,
            attrs={name: _column(rows, number, heap) for number, name in enumerate(self._attrs)},
            controls=found.controls,
            rejects=found.rejects,
            unknown_fields=unknown,
            far_from_registry=far_away,
            slow=len(holes.row),
            next_record=next_record,
        )

    def _scan(self, batch: RecordBatch, first: int) -> tuple[Rows, Holes, Heap]:
        """Scan all records from `first` on; returns the rows, places turned to WGS-84, and the heap of attributes."""
        records = len(batch)
        rows = Rows.empty(records - first + _SPARE, len(self._attrs))
        shifts, holes = self._shifts, self._holes
        size = int(batch.end[-1] - batch.start[first]) if self._attrs and first < records else 0
        heap = np.empty(size + _WORD, np.uint8)
        state = np.array([first, 0, 0, 0, 0], np.int64)
        offline = batch.log_time is None
        log_times = batch.start if batch.log_time is None else batch.log_time
        while True:
            why = scan(
                batch.data, batch.start, batch.end, batch.offset, log_times, offline, records,
                self._vocabulary.index, self._asked, rows, heap, shifts, holes, state,
            )  # fmt: skip
            if why == scanner.MORE_ROWS:
                rows = rows.resized(2 * len(rows.reading))
            elif why == scanner.MORE_SHIFTS:
                shifts = self._shifts = shifts.resized(2 * len(shifts.row))
            elif why == scanner.MORE_HOLES:
                holes = self._holes = holes.resized(2 * len(holes.row))
            elif why == scanner.MORE_NAMES:
                self._vocabulary.grow()
            else:
                break
        rows = rows.first(int(state[scanner.ROW]))
        if state[scanner.SHIFT]:
            _shift(rows, shifts, int(state[scanner.SHIFT]))
        return rows, holes.resized(int(state[scanner.HOLE])), heap[: state[scanner.HEAP]]

    def _fill(
        self, batch: RecordBatch, rows: Rows, holes: Holes, heap: Heap, found: slow.SlowTexts
    ) -> tuple[Rows, Heap, int]:
        """Put what the slow path finds into the holes, in log order; a plan record ends the rows."""
        check = self._checks[batch.log_time is None]
        next_record = len(batch)
        before = []
        for hole in range(len(holes.row)):
            accepted = slow.judge(batch, check, holes, hole, found)
            before += [int(holes.row[hole])] * accepted
            if found.controls and found.controls[-1].kind == "plan":
                next_record = found.controls[-1].record + 1
                rows = rows.first(int(holes.row[hole]))
                break
        if found.rows:
            places = np.array(before) + np.arange(len(before))
            rows = rows.spread(places)
            more = slow.write(batch, found.rows, places, rows, self._vocabulary, self._attrs, len(heap))
            if more:
                heap = np.concatenate((heap, np.frombuffer(more, np.uint8)))
        return rows, heap, next_record


def _shift(rows: Rows, shifts: Shifts, count: int) -> None:
    """Write the places that had to be turned to WGS-84."""
    for number, name in ((GCJ02, "gcj02"), (BD09, "bd09")):
        these = np.flatnonzero(shifts.crs[:count] == number)
        if len(these):
            row = shifts.row[these]
            place = rows.reading["lon"], rows.reading["lat"]
            place[0][row], place[1][row] = crs.quantize(*crs.to_wgs84(shifts.lon[these], shifts.lat[these], name))


def _column(rows: Rows, name: int, heap: npt.NDArray[np.uint8]) -> Column:
    tag = rows.attr_tag[name]
    text = Strings(heap, rows.attr_start[name], rows.attr_length[name]) if (tag == STRING).any() else None
    return Column(tag, rows.attr_num[name], text)
