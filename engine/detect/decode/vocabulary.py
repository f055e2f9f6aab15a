"""Dense numbers for kinds, sensors and series = (sensor, kind).

Kinds are numbered as the plan lists them. Sensors and series are numbered as they are first seen, the registry's first,
and keep their numbers for the life of the vocabulary, also when the plan changes. Nothing told outside depends on a
number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from engine.detect.batch import PADDING_BYTES
from engine.detect.decode import tables
from engine.detect.decode.tables import SENSORS, SERIES, Index
from geo import NO_PLACE

if TYPE_CHECKING:
    from rules.plan import Plan

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

Snapshot = dict[str, npt.NDArray[Any]]
_SMALLEST = 1024


class Vocabulary:
    """The numbers of one partition's kinds, sensors and series; arrays are views that a later insertion may replace."""

    def __init__(self, plan: Plan) -> None:
        self._orphans: dict[int, str] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._index = _empty_index()
        self.adopt(plan)

    @property
    def count(self) -> int:
        """Number of series."""
        return int(self._index.used[SERIES])

    @property
    def sensor_count(self) -> int:
        return int(self._index.used[SENSORS])

    @property
    def series_sensor(self) -> Int32:
        """[count] sensor number of each series."""
        return self._index.series_sensor[: self.count]

    @property
    def series_kind(self) -> Int32:
        """[count] kind number of each series; -1 if the plan has no such kind."""
        return self._index.series_kind[: self.count]

    @property
    def series_lon_e7(self) -> Int32:
        """[count] fixed place, 1e-7 degrees; NO_PLACE if the registry gives none.

        The place of the registry's row, else that of the same sensor's first row (by kind) with a place.
        """
        return self._index.series_lon_e7[: self.count]

    @property
    def series_lat_e7(self) -> Int32:
        return self._index.series_lat_e7[: self.count]

    @property
    def series_registered(self) -> Bool:
        """[count] whether the registry has a row for the sensor and kind."""
        return self._index.series_registered[: self.count]

    @property
    def index(self) -> Index:
        """The arrays as kernels take them."""
        return self._index

    @property
    def kind_names(self) -> tuple[str, ...]:
        return self._kind_names

    def kind_name(self, kind: int) -> str:
        return self._kind_names[kind]

    def series_kind_name(self, series: int) -> str:
        """Return the name of a series' kind, also of one that the plan no longer has."""
        kind = int(self._index.series_kind[series])
        return self._orphans[series] if kind < 0 else self._kind_names[kind]

    def sensor_name(self, sensor: int) -> str:
        start = int(self._index.sensor_start[sensor]) * 8
        length = int(self._index.sensor_length[sensor])
        return self._index.words.view(np.uint8)[start : start + length].tobytes().decode("ascii")

    def names(self, series: int) -> tuple[str, str]:
        """Return the names of a series' sensor and kind; they are kept, for those who ask again and again."""
        found = self._names.get(series)
        if found is None:
            sensor = self.sensor_name(int(self._index.series_sensor[series]))
            found = self._names[series] = (sensor, self.series_kind_name(series))
        return found

    def series_of(self, sensor: str, kind: str) -> int:
        """Return the number of a series, or -1; for tests and messages, since it looks at all of them."""
        for series in range(self.count):
            if self.series_kind_name(series) == kind and self.sensor_name(int(self.series_sensor[series])) == sensor:
                return series
        return -1

    def adopt(self, plan: Plan) -> None:
        """Take over the kinds and the registry of a plan; numbers of sensors and series stay."""
        names = {series: self.series_kind_name(series) for series in range(self.count)} if self.count else {}
        self._kind_names = tuple(kind.name for kind in plan.kinds)
        number = {name: kind for kind, name in enumerate(self._kind_names)}
        self._index = self._index._replace(**_kind_arrays(plan))
        for series, name in names.items():
            self._index.series_kind[series] = number.get(name, -1)
        self._orphans = {series: name for series, name in names.items() if name not in number}
        tables.rebuild(self._index)
        self._register(plan)

    def _register(self, plan: Plan) -> None:
        index = self._index
        for place in (index.sensor_lon_e7, index.sensor_lat_e7, index.series_lon_e7, index.series_lat_e7):
            place[:] = NO_PLACE
        index.series_registered[:] = False
        rows = list(plan.registry.rows)
        number = {name: kind for kind, name in enumerate(self._kind_names)}
        series = self.number([row.sensor.encode() for row in rows], [number[row.kind] for row in rows])
        index = self._index
        index.series_registered[series] = True
        lon = np.array([row.lon_e7 for row in rows], np.int32)
        lat = np.array([row.lat_e7 for row in rows], np.int32)
        placed = lon != NO_PLACE
        sensor = index.series_sensor[series]
        index.sensor_lon_e7[sensor[placed][::-1]] = lon[placed][::-1]
        index.sensor_lat_e7[sensor[placed][::-1]] = lat[placed][::-1]
        every = index.series_sensor[: self.count]
        index.series_lon_e7[: self.count] = index.sensor_lon_e7[every]
        index.series_lat_e7[: self.count] = index.sensor_lat_e7[every]
        index.series_lon_e7[series[placed]] = lon[placed]
        index.series_lat_e7[series[placed]] = lat[placed]

    def number(self, sensors: Sequence[bytes], kinds: Sequence[int]) -> Int32:
        """Return the series numbers of sensor names and kind numbers, adding those not seen before."""
        length = np.fromiter((len(sensor) for sensor in sensors), np.int32, len(sensors))
        start = np.cumsum(length, dtype=np.int64) - length
        data = np.frombuffer(b"".join([*sensors, bytes(PADDING_BYTES)]), np.uint8)
        kind = np.array(kinds, np.int32)
        numbers = np.empty(len(sensors), np.int32)
        done = 0
        while True:
            done = tables.number_series(self._index, data, start, length, kind, numbers, done)
            if done == len(sensors):
                return numbers
            self.grow()

    def grow(self) -> None:
        """Double the room for sensors and series."""
        self._resize(2 * len(self._index.sensor_start))

    def _resize(self, capacity: int) -> None:
        old, new = self._index, _empty_index(capacity)
        sensors, series, words = (int(used) for used in old.used)
        new.used[:] = old.used
        new.words[:words] = old.words[:words]
        for name in ("sensor_start", "sensor_length", "sensor_lon_e7", "sensor_lat_e7"):
            getattr(new, name)[:sensors] = getattr(old, name)[:sensors]
        for name in ("series_sensor", "series_kind", "series_lon_e7", "series_lat_e7", "series_registered"):
            getattr(new, name)[:series] = getattr(old, name)[:series]
        self._index = new._replace(**{name: getattr(old, name) for name in old._fields if name.startswith("kind_")})
        tables.rebuild(self._index)

    def snapshot(self) -> Snapshot:
        """Return what a restored vocabulary needs beside the plan: names and series, as arrays of its own."""
        index = self._index
        sensors, series, words = (int(used) for used in index.used)
        names = sorted(set(self._orphans.values()))
        kind = index.series_kind[:series].copy()
        for orphan, name in self._orphans.items():
            kind[orphan] = -1 - names.index(name)
        return {
            "words": index.words[:words].copy(),
            "sensor_length": index.sensor_length[:sensors].copy(),
            "series_sensor": index.series_sensor[:series].copy(),
            "series_kind": kind,
            "orphan_kinds": np.frombuffer("\n".join(names).encode(), np.uint8).copy(),
        }

    @classmethod
    def restore(cls, plan: Plan, arrays: Snapshot) -> Self:
        """Build the vocabulary that `snapshot` was taken of, under the same plan."""
        self = cls.__new__(cls)
        length, series_sensor, kind = arrays["sensor_length"], arrays["series_sensor"], arrays["series_kind"]
        size_words = (length.astype(np.int64) + 7) // 8
        capacity = _SMALLEST
        while capacity < max(len(length), len(kind)):
            capacity *= 2
        index = _empty_index(capacity)
        index.used[:] = len(length), len(kind), len(arrays["words"])
        index.words[: len(arrays["words"])] = arrays["words"]
        index.sensor_start[: len(length)] = np.cumsum(size_words) - size_words
        index.sensor_length[: len(length)] = length
        index.series_sensor[: len(kind)] = series_sensor
        index.series_kind[: len(kind)] = np.maximum(kind, -1)
        names = arrays["orphan_kinds"].tobytes().decode().split("\n")
        self._orphans = {int(series): names[-1 - int(kind[series])] for series in np.flatnonzero(kind < 0)}
        self._kind_names = tuple(kind.name for kind in plan.kinds)
        self._names = {}
        self._index = index
        self.adopt(plan)
        return self


def _aligned(words: int) -> npt.NDArray[np.uint64]:
    """Allocate zeros from the beginning of a cache line on."""
    room = np.zeros(words + 7, np.uint64)
    first = -(room.ctypes.data // 8) % 8
    return room[first : first + words]


def _empty_index(capacity: int = _SMALLEST) -> Index:
    return Index(
        used=np.zeros(3, np.int64),
        words=np.zeros((capacity + 1) * tables.LONGEST_SENSOR_WORDS, np.uint64),
        sensor_start=np.zeros(capacity, np.int64),
        sensor_length=np.zeros(capacity, np.int32),
        sensor_lon_e7=np.full(capacity, NO_PLACE, np.int32),
        sensor_lat_e7=np.full(capacity, NO_PLACE, np.int32),
        sensor_table=np.zeros(2 * tables.SLOTS_PER_TEXT * capacity, np.uint64),
        series_sensor=np.zeros(capacity, np.int32),
        series_kind=np.zeros(capacity, np.int32),
        series_lon_e7=np.full(capacity, NO_PLACE, np.int32),
        series_lat_e7=np.full(capacity, NO_PLACE, np.int32),
        series_registered=np.zeros(capacity, np.bool_),
        series_table=_aligned(tables.SERIES_ENTRY * tables.SLOTS_PER_SERIES * capacity),
        kind_words=np.zeros(1, np.uint64),
        kind_start=np.zeros(1, np.int64),
        kind_length=np.zeros(1, np.int32),
        kind_table=np.zeros(2, np.uint64),
        kind_low=np.zeros(1, np.float64),
        kind_high=np.zeros(1, np.float64),
    )


def _kind_arrays(plan: Plan) -> dict[str, npt.NDArray[Any]]:
    names = [kind.name.encode() for kind in plan.kinds]
    words = b"".join(name.ljust(-len(name) // 8 * -8, b"\0") for name in names)
    length = np.array([len(name) for name in names], np.int32)
    size = (length.astype(np.int64) + 7) // 8
    start = np.cumsum(size) - size
    kind_words = np.frombuffer(words + bytes(8), np.uint64).copy()
    slots = 8
    while slots < tables.SLOTS_PER_TEXT * len(names):
        slots *= 2
    table = np.zeros(2 * slots, np.uint64)
    tables.enter_texts(table, kind_words, start, length)
    return {
        "kind_words": kind_words,
        "kind_start": start,
        "kind_length": length,
        "kind_table": table,
        "kind_low": np.array([kind.low for kind in plan.kinds], np.float64),
        "kind_high": np.array([kind.high for kind in plan.kinds], np.float64),
    }
