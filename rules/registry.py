"""The registry of sensors: one row a sensor and kind, in ascending order of both (spec/readings.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geo import NO_PLACE
from rules.partition import home_partition

__all__ = ["Registry", "Row", "home_partition"]


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One sensor and kind. Coordinates are WGS-84 in 1e-7 degrees; `since_ms` None: from the beginning."""

    sensor: str
    kind: str
    lon_e7: int = NO_PLACE
    lat_e7: int = NO_PLACE
    department: str = ""
    site: str = ""
    since_ms: int | None = None
    gateway: str = ""
    drill: bool = False

    @property
    def placed(self) -> bool:
        return self.lon_e7 != NO_PLACE


class Registry:
    """Rows in ascending order of (sensor, kind), which is unique.

    lon_e7, lat_e7: int32[rows], NO_PLACE where a row has no place.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows: tuple[Row, ...] = tuple(sorted(rows, key=lambda row: (row.sensor, row.kind)))
        self.lon_e7: npt.NDArray[np.int32] = np.array([row.lon_e7 for row in self.rows], np.int32)
        self.lat_e7: npt.NDArray[np.int32] = np.array([row.lat_e7 for row in self.rows], np.int32)
        self._index = {(row.sensor, row.kind): number for number, row in enumerate(self.rows)}
        if len(self._index) != len(self.rows):
            raise ValueError("two rows of a registry name one sensor and kind")
        self._home: dict[str, str] = {}
        self._homes: dict[int, npt.NDArray[np.int32]] = {}
        for row in self.rows:
            if row.gateway:
                self._home.setdefault(row.sensor, row.gateway)

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Registry) and self.rows == other.rows

    def __hash__(self) -> int:
        return hash(self.rows)

    @property
    def sensor(self) -> tuple[str, ...]:
        """The sensor of each row."""
        return tuple(row.sensor for row in self.rows)

    @property
    def kind(self) -> tuple[str, ...]:
        """The kind of each row."""
        return tuple(row.kind for row in self.rows)

    def find(self, sensor: str, kind: str) -> Row | None:
        """Return the row of a sensor and kind."""
        number = self._index.get((sensor, kind))
        return None if number is None else self.rows[number]

    def home_key(self, sensor: str) -> str:
        """Return the key under which a sensor's readings are sent: its gateway, else itself."""
        return self._home.get(sensor, sensor)

    def homes(self, partitions: int) -> npt.NDArray[np.int32]:
        """Return the home partition of each row; kept for the numbers of partitions that were asked for."""
        if partitions not in self._homes:
            homes = (self.home_partition(row.sensor, partitions) if partitions > 1 else 0 for row in self.rows)
            self._homes[partitions] = np.fromiter(homes, np.int32, len(self.rows))
        return self._homes[partitions]

    def home_partition(self, sensor: str, partitions: int) -> int:
        """Return the partition at which a sensor is at home."""
        return home_partition(self.home_key(sensor), partitions)
