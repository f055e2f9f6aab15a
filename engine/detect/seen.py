"""Released readings of one kind, as rules and their expressions see them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.kernels import order as kernels
from engine.detect.rows import F64, I32, I64, U8, Rows, taken
from geo.zones import ZoneSet
from rules.columns import STRING, Column, Strings
from rules.plan import Plan


@dataclass(slots=True)
class KindRows:
    """n readings of one kind in order of release; an engine.detect `Columns` for expressions.

    `clock` is the timer clock at each, `flag` its judgement and whether its place is its own (kernels.order), `row` its
    number in the order of release, `local` the number of its series in the kind.
    """

    kind_name: str
    row: I32
    series: I32
    local: I32
    t: I64
    v: F64
    clock: I64
    offset: I64
    lon_e7: I32
    lat_e7: I32
    flag: U8
    rows: Rows
    vocabulary: Vocabulary
    plan: Plan
    attrs: dict[str, Column] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.t)

    def attr(self, name: str) -> Column:
        found = self.attrs.get(name)
        if found is None:
            column = self.rows.attrs.get(name)
            found = Column.nulls(self.n) if column is None else taken(column, self.row)
            self.attrs[name] = found
        return found

    def sensor(self) -> Column:
        index = self.vocabulary.index
        sensor = index.series_sensor[self.series]
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


def grouped(
    rows: Rows, clock: I64, flag: U8, local: I32, count: I64, vocabulary: Vocabulary, plan: Plan
) -> dict[str, KindRows]:
    """Bring released rows together by kind; `count` [kinds + 1] is 0 for kinds that nobody asks for."""
    end = np.cumsum(count)
    place = np.where(count > 0, end - count, -1)
    n = int(end[-1])
    row, series, local_, lon, lat = (np.empty(n, np.int32) for _ in range(5))
    t, clock_, offset = (np.empty(n, np.int64) for _ in range(3))
    v, flag_ = np.empty(n), np.empty(n, np.uint8)
    kernels.group(
        rows.kind, place, rows.series, local, rows.t, rows.v, clock, rows.offset, rows.lon, rows.lat, flag,
        row, series, local_, t, v, clock_, offset, lon, lat, flag_,
    )  # fmt: skip
    groups = {}
    for kind in np.flatnonzero(count).tolist():
        name = vocabulary.kind_names[kind]
        of = slice(int(end[kind] - count[kind]), int(end[kind]))
        groups[name] = KindRows(
            name, row[of], series[of], local_[of], t[of], v[of], clock_[of], offset[of], lon[of], lat[of], flag_[of],
            rows, vocabulary, plan,
        )  # fmt: skip
    return groups
