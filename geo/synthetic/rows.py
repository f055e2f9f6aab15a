"""Rows of the registry: sensors at a site, at a place, or spread over the unit grids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from geo import E7
from geo.city import City, Drain, GasSite, LowPoint, RainGauge, Underpass

COLUMNS: Final = ("sensor", "kind", "lon", "lat", "crs", "department", "site", "since", "gateway")
Row = tuple[str, ...]
Site = Underpass | LowPoint | Drain | RainGauge | GasSite


def rows_at(site: Site, sensors: Sequence[tuple[str, str]], department: str, gateway: str) -> Iterator[Row]:
    """Rows of sensors at a site."""
    for sensor, kind in sensors:
        yield sensor, kind, f"{site.lon:.7f}", f"{site.lat:.7f}", "wgs84", department, site.name, "", gateway


def place_row(sensor: str, kind: str, lon_e7: int, lat_e7: int, department: str, site: str) -> Row:
    """One row of a sensor at a place."""
    return sensor, kind, f"{lon_e7 / E7:.7f}", f"{lat_e7 / E7:.7f}", "wgs84", department, site, "", ""


def spread(
    rng: np.random.Generator,
    city: City,
    kinds: Sequence[str],
    prefix: str,
    department: str,
    noun: str,
    count: int,
    behind_gateway: bool,
) -> Iterator[Row]:
    """Sensors in grids drawn at random, small grids (the built-up ones) more often."""
    grids = city.grids
    size = np.array([p["size_m"] for p in grids.properties], np.float64)
    weight = np.where(size <= 100, 1.0, np.where(size <= 200, 0.35, 0.03))
    rows = rng.choice(len(grids), count, p=weight / weight.sum())
    middle = grids.polygons.middles()[rows] + rng.integers(-2500, 2501, (count, 2))
    years = rng.integers(2021, 2026, count)
    for i, row in enumerate(rows.tolist()):
        sensor = f"{prefix}-{i + 1:05d}"
        place = grids.properties[row]
        gateway = f"GW-{place['community']}" if behind_gateway else ""
        lon, lat, crs, site = f"{middle[i, 0] / E7:.7f}", f"{middle[i, 1] / E7:.7f}", "wgs84", f"{place['name']}{noun}"
        if kinds == ("vehicle.position",):
            lon, lat, crs, site = "", "", "", f"{noun}{i + 1:03d}号"
        for kind in kinds:
            yield sensor, kind, lon, lat, crs, department, site, f"{years[i]}-06-01", gateway
