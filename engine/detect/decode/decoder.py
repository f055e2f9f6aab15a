"""Batches of raw records to columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.detect.batch import RecordBatch
from engine.detect.decode import far, slow
from engine.detect.decode.decoded import Decoded
from engine.detect.decode.reading import KindRange, ReadingCheck
from engine.detect.decode.rows import WHOLE_RECORD, Rows
from engine.detect.decode.vocabulary import Vocabulary
from rules.columns import STRING, Column, Strings

if TYPE_CHECKING:
    from rules.plan import Plan


class Decoder:
    """Decode records under one plan; sensors and series get their numbers from the vocabulary, which grows."""

    def __init__(self, plan: Plan, vocabulary: Vocabulary, attrs: Sequence[str]) -> None:
        """Take the plan's kinds; `attrs` are the names of the attributes that are kept."""
        kinds = {kind.name: KindRange(number, kind.low, kind.high) for number, kind in enumerate(plan.kinds)}
        self._vocabulary = vocabulary
        self._attrs = tuple(sorted(set(attrs)))
        self._checks = {offline: ReadingCheck(kinds, self._attrs, offline=offline) for offline in (False, True)}

    def decode(self, batch: RecordBatch, first: int = 0) -> Decoded:
        """Decode the records from `first` on, to the end of the batch or to the first plan record, that one included."""
        rows, heap = self._scan(batch, first)
        holes = np.flatnonzero(rows.series < 0)
        found = slow.SlowTexts()
        next_record = len(batch)
        if len(holes):
            rows, heap, next_record = self._fill(batch, rows, heap, holes, found)
        return Decoded(
            **{name: getattr(rows, name) for name in rows._fields[:11]},
            attrs={name: _column(rows, number, heap) for number, name in enumerate(self._attrs)},
            controls=found.controls,
            rejects=found.rejects,
            unknown_fields=int(rows.unknown.sum()),
            far_from_registry=far.count(rows, self._vocabulary),
            slow=len(holes),
            next_record=next_record,
        )

    def _scan(self, batch: RecordBatch, first: int) -> tuple[Rows, npt.NDArray[np.uint8]]:
        rows = Rows.empty(len(batch) - first, len(self._attrs))
        rows.series[:] = WHOLE_RECORD
        rows.record[:] = np.arange(first, len(batch))
        return rows, np.empty(0, np.uint8)

    def _fill(
        self,
        batch: RecordBatch,
        rows: Rows,
        heap: npt.NDArray[np.uint8],
        holes: npt.NDArray[np.int64],
        found: slow.SlowTexts,
    ) -> tuple[Rows, npt.NDArray[np.uint8], int]:
        """Put what the slow path finds into the holes, in log order; a plan record ends the rows."""
        check = self._checks[batch.log_time is None]
        next_record = len(batch)
        taken = np.ones(len(rows.series), np.int64)
        for hole in holes:
            taken[hole] = slow.judge_hole(batch, check, rows, int(hole), found)
            if found.controls and found.controls[-1].kind == "plan":
                next_record = found.controls[-1].record + 1
                rows, taken = rows.first(int(hole)), taken[:hole]
                holes = holes[holes < hole]
                break
        position = _positions(holes, taken)
        if (taken != 1).any():
            rows = rows.taken(np.repeat(np.arange(len(taken)), taken))
        if found.rows:
            more = slow.write(found.rows, position, rows, self._vocabulary, self._attrs, len(heap))
            if more:
                heap = np.concatenate((heap, np.frombuffer(more, np.uint8)))
        return rows, heap, next_record


def _positions(holes: npt.NDArray[np.int64], taken: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the final rows of the readings that came out of the holes."""
    first = (np.cumsum(taken) - taken)[holes]
    count = taken[holes]
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(first, count) + within


def _column(rows: Rows, name: int, heap: npt.NDArray[np.uint8]) -> Column:
    tag = rows.attr_tag[name]
    text = Strings(heap, rows.attr_start[name], rows.attr_length[name]) if (tag == STRING).any() else None
    return Column(tag, rows.attr_num[name], text)
