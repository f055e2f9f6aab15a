"""The town of the benchmark: 20,000 unit grids, 20,000 sensors, one zone set; all fixed by the seed."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

COLUMNS, ROWS = 200, 100
"""Unit grids from west to east and from north to south."""
CELL_E7 = 10_000
"""About 100 m."""
WEST_E7, NORTH_E7 = 1_205_000_000, 296_000_000
COUNTY = "330683"
SENSORS = 20_000
UNPLACED_PER_MILLE = 200


@dataclass(frozen=True, slots=True)
class KindShape:
    """How many per mille of the sensors are of a kind; its values in hundredths, usual ones and beyond a level."""

    name: str
    per_mille: int
    usual: tuple[int, int]
    crossing: tuple[int, int]


KINDS = (
    KindShape("gas.methane", 200, (0, 400), (1_000, 6_000)),
    KindShape("gas.pressure", 75, (200, 220), (60, 100)),
    KindShape("water.level", 125, (0, 200), (1_200, 4_000)),
    KindShape("rain.minute", 75, (0, 5), (800, 2_000)),
    KindShape("drain.level", 125, (2_000, 6_000), (9_500, 11_000)),
    KindShape("fire.smoke", 125, (0, 50), (400, 2_000)),
    KindShape("fire.residual_current", 100, (5_000, 15_000), (32_000, 70_000)),
    KindShape("fire.heat", 25, (1_500, 3_000), (7_000, 9_000)),
    KindShape("waste.fill", 100, (1_000, 7_000), (9_200, 11_000)),
    KindShape("vehicle.position", 50, (0, 6_000), (8_000, 12_000)),
)


@dataclass(frozen=True, slots=True)
class Town:
    """Sensors by number: id, number in `KINDS`, place in 1e-7 degrees, whether the registry has it."""

    ids: tuple[str, ...]
    kind: npt.NDArray[np.int64]
    lon_e7: npt.NDArray[np.int64]
    lat_e7: npt.NDArray[np.int64]
    placed: npt.NDArray[np.bool_]


def build(seed: int) -> Town:
    """Place the sensors."""
    random = np.random.default_rng([seed, 1])
    kind = np.repeat(np.arange(len(KINDS)), [SENSORS * shape.per_mille // 1000 for shape in KINDS])
    random.shuffle(kind)
    ids = tuple(f"{KINDS[number].name.replace('.', '-')}-{sensor:06d}" for sensor, number in enumerate(kind))
    lon = WEST_E7 + random.integers(0, COLUMNS * CELL_E7, SENSORS)
    lat = NORTH_E7 - random.integers(0, ROWS * CELL_E7, SENSORS)
    vehicle = next(number for number, shape in enumerate(KINDS) if shape.name == "vehicle.position")
    placed = (random.integers(0, 1000, SENSORS) >= UNPLACED_PER_MILLE) & (kind != vehicle)
    return Town(ids, kind, lon, lat, placed)


def write_registry(town: Town, path: Path) -> None:
    """Write the registry; vehicles are not in it."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("sensor", "kind", "lon", "lat", "crs"))
        for sensor, number in enumerate(town.kind):
            if KINDS[number].name == "vehicle.position":
                continue
            place = ("", "", "")
            if town.placed[sensor]:
                place = (f"{town.lon_e7[sensor] / 1e7:.7f}", f"{town.lat_e7[sensor] / 1e7:.7f}", "wgs84")
            rows.writerow((town.ids[sensor], KINDS[number].name, *place))


def write_grids(seed: int, path: Path) -> None:
    """Write the unit grids: quadrangles whose corners lie up to 15 m off a lattice, shared by their neighbours."""
    random = np.random.default_rng([seed, 2])
    corner_lon = WEST_E7 + CELL_E7 * np.arange(COLUMNS + 1) + random.integers(-1500, 1500, (ROWS + 1, COLUMNS + 1))
    corner_lat = (
        NORTH_E7 - CELL_E7 * np.arange(ROWS + 1)[:, None] + random.integers(-1500, 1500, (ROWS + 1, COLUMNS + 1))
    )
    features = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            ring = [
                [round(int(corner_lon[y, x]) / 1e7, 7), round(int(corner_lat[y, x]) / 1e7, 7)]
                for y, x in ((row, column), (row + 1, column), (row + 1, column + 1), (row, column + 1), (row, column))
            ]
            features.append(_feature({"code": _code(row, column)}, ring))
    _write(path, features)


def _code(row: int, column: int) -> str:
    """Communities of 20 by 20 grids, four of them a street."""
    community = row // 20 * 10 + column // 20
    return f"{COUNTY}{1 + community // 4:03d}{1 + community % 4:03d}{1 + row % 20 * 20 + column % 20:03d}"


def write_zones(seed: int, folder: Path) -> None:
    """Write the zone set that the shipped rules name: 200 underpasses of about 100 m."""
    random = np.random.default_rng([seed, 3])
    features = []
    for west, north in zip(random.integers(0, COLUMNS, 200), random.integers(0, ROWS, 200), strict=True):
        lon, lat = (WEST_E7 + CELL_E7 * int(west)) / 1e7, (NORTH_E7 - CELL_E7 * int(north)) / 1e7
        side = CELL_E7 / 1e7
        ring = [[lon, lat], [lon, lat - side], [lon + side, lat - side], [lon + side, lat], [lon, lat]]
        features.append(_feature({}, [[round(x, 7), round(y, 7)] for x, y in ring]))
    folder.mkdir(exist_ok=True)
    _write(folder / "underpasses.geojson", features)


def _feature(properties: dict[str, str], ring: list[list[float]]) -> dict[str, object]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def _write(path: Path, features: list[dict[str, object]]) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
