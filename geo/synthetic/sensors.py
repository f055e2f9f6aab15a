"""The registry: which sensors stand where, in the columns of readings.

Sensors of sites come first; the rest is spread over the built-up grids by share, so that any number of rows can be had.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import numpy as np

from geo import E7
from geo.city import City, Drain, GasSite, LowPoint, RainGauge, Underpass

COLUMNS: Final = ("sensor", "kind", "lon", "lat", "crs", "department", "site", "since", "gateway")
Row = tuple[str, ...]
T = TypeVar("T")

# kind(s), id prefix, department, what stands there, share of the rows that sites leave over, behind a gateway?
_SPREAD: Final = (
    (("fire.smoke",), "FS", "fire", "烟感", 0.30, True),
    (("fire.smoke", "fire.heat"), "FH", "fire", "烟温复合探测器", 0.12, True),
    (("fire.residual_current",), "FR", "fire", "电气火灾探测器", 0.18, True),
    (("fire.hydrant_pressure",), "HP", "fire", "消火栓", 0.07, False),
    (("waste.fill",), "WF", "sanitation", "垃圾桶", 0.14, False),
    (("waste.fill", "waste.weight"), "WW", "sanitation", "垃圾投放点", 0.05, False),
    (("video.smoke", "video.flame"), "VS", "emergency", "高点监控", 0.02, True),
    (("video.dumping", "video.waste_overflow", "video.vendor"), "VU", "urban", "市容监控", 0.04, True),
    (("video.lane_blocked", "video.spill", "video.ponding"), "VT", "traffic", "道路监控", 0.03, True),
    (("vehicle.position",), "VP", "sanitation", "环卫车", 0.05, False),
)


def registry(city: City, rows: int, seed: int) -> bytes:
    """The registry as CSV bytes with about `rows` rows, some of each sort at least. Same arguments, same bytes."""
    rng = np.random.default_rng([seed, 0x5E45])
    out = _of_sites(city, rows)
    left = max(0, rows - len(out))
    for kinds, prefix, department, noun, share, gateway in _SPREAD:
        count = max(1, round(left * share / len(kinds)))
        out += _spread(rng, city, kinds, prefix, department, noun, count, gateway)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(out))
    return text.getvalue().encode()


def _of_sites(city: City, rows: int) -> list[Row]:
    """Sensors of the sites; with few rows, of the first sites of each sort."""
    share = min(1.0, rows / 3000)
    out: list[Row] = []
    for underpass in city.underpasses:
        out += _rows(underpass, [(s, "water.level") for s in underpass.sensors], "drainage", "")
    for gauge in _first(city.rain_gauges, share):
        out += _rows(gauge, [(gauge.sensor, "rain.minute")], "water", "")
    for low in _first(city.low_points, share):
        out += _rows(low, [(low.sensor, "water.level")], "drainage", "")
    for drain in _first(city.drains, share):
        out += _rows(drain, [(drain.sensor, "drain.level")], "drainage", f"GW-DR-{int(drain.id[2:]) % 12:02d}")
    for gas in city.gas_sites[:24]:
        out += _rows(gas, [(gas.sensors[0], "gas.pressure"), (gas.sensors[1], "gas.methane")], "gas", f"GW-{gas.id}")
    for gas in _first(city.gas_sites[24:], share):
        out += _rows(gas, [(gas.sensors[0], "gas.methane")], "gas", f"GW-{gas.regulator}")
    return out


Site = Underpass | LowPoint | Drain | RainGauge | GasSite


def _first(sites: Sequence[T], share: float) -> Sequence[T]:
    return sites[: max(1, round(len(sites) * share))]


def _rows(site: Site, sensors: Sequence[tuple[str, str]], department: str, gateway: str) -> Iterator[Row]:
    for sensor, kind in sensors:
        yield sensor, kind, f"{site.lon:.7f}", f"{site.lat:.7f}", "wgs84", department, site.name, "", gateway


def _spread(
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
