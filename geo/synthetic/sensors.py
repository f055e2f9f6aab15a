"""The registry: which sensors stand where, in the columns of readings.

Sensors of sites come first; the rest is spread over the built-up grids by share, so that any number of rows can be had.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np

from geo.city import City
from geo.synthetic.further_sensors import further_rows
from geo.synthetic.rows import COLUMNS, Row, rows_at, spread

_FIRST: Final = 5000 / 6700  # the share of the rows that came first; the others stand in further_sensors.py
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
    out = _first_rows(city, round(rows * _FIRST), seed)
    out += further_rows(city, out, rows * _FIRST / 5000, seed)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(out))
    return text.getvalue().encode()


def _first_rows(city: City, rows: int, seed: int) -> list[Row]:
    rng = np.random.default_rng([seed, 0x5E45])
    out = _of_sites(city, rows)
    left = max(0, rows - len(out))
    for kinds, prefix, department, noun, share, gateway in _SPREAD:
        count = max(1, round(left * share / len(kinds)))
        out += spread(rng, city, kinds, prefix, department, noun, count, gateway)
    return out


def _of_sites(city: City, rows: int) -> list[Row]:
    """Sensors of the sites; with few rows, of the first sites of each sort."""
    share = min(1.0, rows / 3000)
    out: list[Row] = []
    for underpass in city.underpasses:
        out += rows_at(underpass, [(s, "water.level") for s in underpass.sensors], "drainage", "")
    for gauge in _first(city.rain_gauges, share):
        out += rows_at(gauge, [(gauge.sensor, "rain.minute")], "water", "")
    for low in _first(city.low_points, share):
        out += rows_at(low, [(low.sensor, "water.level")], "drainage", "")
    for drain in _first(city.drains, share):
        out += rows_at(drain, [(drain.sensor, "drain.level")], "drainage", f"GW-DR-{int(drain.id[2:]) % 12:02d}")
    heads = [gas for gas in city.gas_sites if gas.use == "regulator"]
    for gas in heads:
        out += rows_at(gas, [(gas.sensors[0], "gas.pressure"), (gas.sensors[1], "gas.methane")], "gas", f"GW-{gas.id}")
    for gas in _first(city.gas_sites[len(heads) :], share):
        out += rows_at(gas, [(gas.sensors[0], "gas.methane")], "gas", f"GW-{gas.regulator}")
    return out


def _first(sites: Sequence[T], share: float) -> Sequence[T]:
    return sites[: max(1, round(len(sites) * share))]
