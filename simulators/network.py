"""The sensors that are played: rows of the city's registry, fewer or more of them if asked."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import nan
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geo.crs import to_wgs84
from simulators.errors import NetworkError
from simulators.streams import stream

COLUMNS = ("sensor", "kind", "lon", "lat", "crs", "department", "site", "since", "gateway")
NEVER_CUT = ("rain.minute", "water.level")
DOUBLE_REACH_DEG = 0.002


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One row of the registry: what one sensor observes of one kind."""

    sensor: str
    kind: str
    cells: tuple[str, ...] = field(compare=False)

    def cell(self, column: str) -> str:
        """Return a column's text, empty if it is not there."""
        return self.cells[COLUMNS.index(column)]


class Network:
    """Rows of sensors ordered by (sensor, kind); lon, lat: float64[n], nan for what moves."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(sorted(rows))
        self.sensor = tuple(row.sensor for row in self.rows)
        self.kind = tuple(row.kind for row in self.rows)
        self.site = tuple(row.cell("site") for row in self.rows)
        self.gateway = tuple(row.cell("gateway") for row in self.rows)
        self.names = tuple(f"{row.sensor}|{row.kind}" for row in self.rows)
        places = np.array([_place(row) for row in self.rows], dtype=np.float64).reshape(len(self.rows), 2)
        self.lon: npt.NDArray[np.float64] = places[:, 0]
        self.lat: npt.NDArray[np.float64] = places[:, 1]

    def __len__(self) -> int:
        return len(self.rows)

    def of_kind(self, kind: str) -> npt.NDArray[np.int64]:
        """Return the rows of a kind, int64[n] ascending."""
        return np.array([i for i, name in enumerate(self.kind) if name == kind], dtype=np.int64)

    def gateways(self) -> dict[str, str]:
        """Return the gateway of each sensor that has one; rows of one sensor name the same, or the first counts."""
        return {
            sensor: gateway
            for sensor, gateway in reversed(list(zip(self.sensor, self.gateway, strict=True)))
            if gateway
        }

    def write_registry(self, path: Path, *, drill: bool = False) -> None:
        """Write these rows in the registry format, so that an engine can know just the sensors that are played; as
        sensors of an exercise if `drill`."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*COLUMNS, "drill") if drill else COLUMNS)
            writer.writerows((*row.cells, "true") if drill else row.cells for row in self.rows)


def read_registry(path: Path) -> list[Row]:
    """Read a registry of sensors from CSV."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        if not {"sensor", "kind"} <= set(table.fieldnames or ()):
            raise NetworkError(f"{path.name}: must have the columns sensor and kind; got {table.fieldnames}")
        rows = [tuple((line.get(column) or "").strip() for column in COLUMNS) for line in table]
    return [Row(cells[0], cells[1], cells) for cells in rows]


def choose(rows: Sequence[Row], kinds: Iterable[str], count: int | None) -> Network:
    """Choose `count` rows of these kinds (None: all), the rare kinds first, so that few sensors still show every kind.

    Which ones stay depends on their names only; who is chosen for one kind is chosen first for its others.
    More than there are: doubles stand near the real ones, `<sensor>.2`.
    """
    known = set(kinds)
    playable = sorted(row for row in rows if row.kind in known)
    if not playable:
        raise NetworkError(f"no sensor of the registry has a kind of the scenario ({', '.join(sorted(known))})")
    if count is None:
        return Network(playable)
    if count <= 0:
        raise NetworkError(f"the number of sensors must be at least 1; got {count}")
    return Network(_fewer(playable, count) if count < len(playable) else _more(playable, count))


def _fewer(rows: Sequence[Row], count: int) -> list[Row]:
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    order = sorted(by_kind, key=lambda kind: (kind not in NEVER_CUT, len(by_kind[kind]), kind))
    chosen: list[Row] = []
    known: set[str] = set()
    for i, kind in enumerate(order):
        left = count - len(chosen)
        share = left if kind in NEVER_CUT else left // (len(order) - i)
        chosen += sorted(by_kind[kind], key=lambda row: (row.sensor not in known, _rank(row)))[:share]
        known.update(row.sensor for row in chosen)
    return chosen


def _rank(row: Row) -> bytes:
    return blake2b(row.sensor.encode(), digest_size=8).digest()


def _more(rows: Sequence[Row], count: int) -> list[Row]:
    grown = list(rows)
    while len(grown) < count:
        row = rows[len(grown) % len(rows)]
        number = len(grown) // len(rows) + 1
        name = f"{row.sensor[:58]}.{number}"
        cells = dict(zip(COLUMNS, row.cells, strict=True))
        if cells["lon"]:
            east, north = stream(0, f"double|{name}").uniform(-DOUBLE_REACH_DEG, DOUBLE_REACH_DEG, 2)
            cells["lon"] = f"{float(cells['lon']) + east:.7f}"
            cells["lat"] = f"{float(cells['lat']) + north:.7f}"
        cells["sensor"] = name
        grown.append(Row(name, row.kind, tuple(cells[column] for column in COLUMNS)))
    return grown


def original(sensor: str) -> str:
    """Return whose double a sensor is, its own name if it is none."""
    name, dot, number = sensor.rpartition(".")
    return name if dot and number.isdigit() else sensor


def _place(row: Row) -> tuple[float, float]:
    lon, lat, crs = row.cell("lon"), row.cell("lat"), row.cell("crs") or "wgs84"
    if not lon or not lat:
        return nan, nan
    try:
        if crs in ("wgs84", "cgcs2000"):
            return float(lon), float(lat)
        x, y = to_wgs84(np.array([float(lon)]), np.array([float(lat)]), crs)
    except ValueError as error:
        raise NetworkError(f"{row.sensor} {row.kind}: must have a place in degrees; got {lon}, {lat} {crs}") from error
    return float(x[0]), float(y[0])
