"""Released readings of one kind, as rules and their expressions see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from engine.detect.decode.rows import Table
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.order import Released
from engine.detect.rows import F64, I32, I64, U8, taken
from geo.zones import ZoneSet
from rules.columns import NULL, STRING, Column, Strings
from rules.expression.compile import Expression
from rules.plan import Plan


@dataclass(slots=True)
class KindRows:
    """n readings of one kind in order of release, each a kernels.order.RELEASED; `Columns` for expressions."""

    kind_name: str
    table: Table
    released: Released
    vocabulary: Vocabulary
    plan: Plan
    _attrs: dict[str, Column] = field(default_factory=dict)
    _answers: dict[Expression, U8] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.table)

    @property
    def t(self) -> I64:
        return np.ascontiguousarray(self.table["t"])

    @property
    def v(self) -> F64:
        return np.ascontiguousarray(self.table["v"])

    @property
    def lon_e7(self) -> I32:
        return np.ascontiguousarray(self.table["lon"])

    @property
    def lat_e7(self) -> I32:
        return np.ascontiguousarray(self.table["lat"])

    def attr(self, name: str) -> Column:
        found = self._attrs.get(name)
        if found is None:
            found = self._attrs[name] = taken(self.released.attr(name), self.released.order[self.table["row"]])
        return found

    def answer(self, where: Expression) -> U8:
        """Return 1 where a condition holds, 0 where it does not, 2 where it is null; found once for all rules."""
        found = self._answers.get(where)
        if found is None:
            column = where.evaluate(self)
            found = (column.num != 0).astype(np.uint8)
            found[column.tag == NULL] = 2
            self._answers[where] = found
        return found

    def sensor(self) -> Column:
        index = self.vocabulary.index
        sensor = index.series_sensor[self.table["series"]]
        heap = index.words.view(np.uint8)
        return strings(heap, index.sensor_start[sensor] * 8, index.sensor_length[sensor])

    def kind(self) -> Column:
        name = np.frombuffer(self.kind_name.encode(), np.uint8).copy()
        return strings(name, np.zeros(self.n, np.int64), np.full(self.n, len(name), np.int32))

    def zone(self, name: str) -> ZoneSet:
        return self.plan.zones[name]


def strings(heap: U8, start: I64, length: I32) -> Column:
    n = len(start)
    return Column(np.full(n, STRING, np.uint8), np.zeros(n), Strings(heap, start, length))


def by_kind(seen: Table, released: Released, vocabulary: Vocabulary, plan: Plan) -> Iterator[KindRows]:
    """Cut released rows, which stand together by kind, into those of each kind of the plan."""
    end = np.cumsum(released.kinds).tolist()
    for name, first, after in zip(vocabulary.kind_names, [0, *end], end, strict=False):
        if first < after:
            yield KindRows(name, seen[first:after], released, vocabulary, plan)
