"""A small town to rain on: two underpasses, a road, a drain, gauges, wells, bins, a vehicle and a camera."""

from __future__ import annotations

from pathlib import Path

import pytest

from geo.frame import LocalFrame
from simulators.ground import GasPlace, Ground, LowPlace

LON, LAT = 120.82, 29.60
EVERY_KIND = (
    "fire.smoke", "fire.heat", "fire.residual_current", "fire.hydrant_pressure", "waste.fill", "waste.weight",
    "video.flame", "video.smoke", "video.lane_blocked", "video.waste_overflow", "video.dumping", "video.vendor",
    "video.spill", "video.ponding",
)  # fmt: skip


def write_registry(path: Path) -> Path:
    """Write the small town's sensors."""
    lines = ["sensor,kind,lon,lat,crs,department,site,since,gateway"]

    def row(sensor: str, kind: str, east: float, north: float, gateway: str) -> None:
        lines.append(f"{sensor},{kind},{LON + east:.7f},{LAT + north:.7f},wgs84,drainage,,,{gateway}")

    for i in range(2):
        row(f"wl-u{i}", "water.level", 0.03 * i, 0.0, f"gw-{i}")
        row(f"rg-{i}", "rain.minute", 0.03 * i, 0.002, f"gw-{i}")
        row(f"gm-{i}", "gas.methane", 0.0004 * i, 0.01, f"gw-{i}")
        row(f"gp-{i}", "gas.pressure", 0.0, 0.006 - 0.02 * i, f"gw-{i}")
    row("wl-r0", "water.level", 0.01, 0.01, "gw-0")
    row("dl-0", "drain.level", 0.011, 0.01, "gw-1")
    for i, kind in enumerate(EVERY_KIND):
        row(f"s-{i:02}", kind, 0.0003 * (i - 13), 0.0, f"gw-{i % 2}")
    lines.append("v-0,vehicle.position,,,,sanitation,,,")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def town(registry: Path) -> Ground:
    """The small town with this registry."""
    low = tuple(
        LowPlace(f"underpass {i}", "underpass", LON + 0.03 * i, LAT, 4.0 + i, 0.82, (f"wl-u{i}",)) for i in range(2)
    )
    low += (LowPlace("road", "road", LON + 0.01, LAT + 0.01, 1.0, 0.85, ("wl-r0",)),)
    low += (LowPlace("drain", "drain", LON + 0.011, LAT + 0.01, 2.0, 0.8, ("dl-0",)),)
    gas = (
        GasPlace("regulator", "regulator", LON, LAT + 0.006, 60.0, 5.0, "regulator", ("gp-0",)),
        GasPlace("well", "valve_well", LON, LAT + 0.01, 4.0, 0.4, "regulator", ("gm-0",)),
        GasPlace("cellar", "basement", LON + 0.0004, LAT + 0.01, 200.0, 0.5, "regulator", ("gm-1",)),
    )
    return Ground("small town", LocalFrame.around(LON, LAT), low, gas, registry)


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """The small town."""
    return town(write_registry(tmp_path_factory.mktemp("town") / "sensors.csv"))
