"""Gas out of a pipe: it seeps through the soil, gathers in wells, blows away, and the pipe loses pressure.

The hole opens over `grows`. Gas reaches the wells late (first order, `soil_delay`) and less with distance. A well is a
stirred tank: what comes in by the soil and with the outside air, less what its ventilation takes; ventilation grows
with the wind. Outside, a Gaussian plume near the ground (Briggs' open-country class C widths). Pressure falls along
the pipe with the square of the flow up to the leak. Shut, the section empties; mended, it fills again.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import atan2, cos, exp, pi, sin
from typing import Any

import numpy as np
import numpy.typing as npt

from geo.frame import LocalFrame
from simulators.flood import Eye
from simulators.ground import GasPlace, Ground
from simulators.network import original
from simulators.scenario import Leak, draw
from simulators.streams import stream
from simulators.wind import Breeze

HOUR_MS = 3_600_000
LEL_SHARE = 0.05
"""Share of methane in air at the lower explosive limit (5 %vol)."""
FULL_SCALE = 150.0
STATION_M = 2_500.0
SECTION_M = 400.0
PIPE_WIDTH_M = 400.0
BESIDE_M = 20.0
SMALLEST_M3 = 1.0
USUAL_M3 = 8.0
EMPTIES_MS = 8 * 60_000
TOLD_LEL = 0.1
Floats = npt.NDArray[np.float64]


class Seepage:
    """One leak, beside well number `hole`; wells: the methane sensors, gauges: the pressure sensors."""

    def __init__(self, leak: Leak, seed: int, ground: Ground, hole: int, wells: Eye, gauges: Eye) -> None:
        generator = stream(seed, "leak")
        self._leak = leak
        self.begins_ms = draw(leak.begins_ms, generator)
        self.full_m3_h = draw(leak.rate_m3_h, generator)
        self._grows_ms = draw(leak.grows_ms, generator)
        self._delay_ms = draw(leak.soil_delay_ms, generator)
        reach, share = draw(leak.reach_m, generator), draw(leak.found_share, generator)
        self._flow = draw(leak.pipe_flow_m3_h, generator)
        self._loss = draw(leak.pipe_loss_kpa_km, generator)
        self.shut_ms = self.begins_ms + draw(leak.isolated_after_ms, generator)
        self.mended_ms = self.begins_ms + draw(leak.mended_after_ms, generator)
        east, north = generator.uniform(-BESIDE_M, BESIDE_M, 2)
        self.at = float(wells.x[hole] + east), float(wells.y[hole] + north)
        self.names = wells.sensors
        self._east, self._north = wells.x - self.at[0], wells.y - self.at[1]
        self._share = share * np.exp(-0.5 * (np.hypot(self._east, self._north) / reach) ** 2)
        rooms = {sensor: place for place in ground.gas for sensor in place.sensors}
        found = [rooms.get(name, rooms.get(original(name))) for name in wells.sensors]
        self._volume_m3 = np.array([max(p.volume_m3, SMALLEST_M3) if p else USUAL_M3 for p in found], dtype=np.float64)
        self._still_changes_h = np.array([p.air_changes_h if p else 1.0 for p in found], dtype=np.float64)
        self._in_air = np.zeros(len(found))
        self.peak_lel = np.zeros(len(found))
        self.soil_m3_h = 0.0
        self._along_pipe(ground, found[hole], gauges, float(generator.random()))

    @classmethod
    def near(cls, leak: Leak, seed: int, ground: Ground, eyes: Mapping[str, Eye]) -> Seepage | None:
        """Make the leak beside a valve well that the seed picks, or any watched room; None if nothing is watched."""
        wells, none = eyes.get("gas.methane"), Eye((), np.zeros(0), np.zeros(0))
        if wells is None:
            return None
        valves = {sensor for place in ground.gas if place.use == "valve_well" for sensor in place.sensors}
        choice = [i for i, name in enumerate(wells.sensors) if name in valves] or list(range(len(wells.sensors)))
        hole = choice[int(stream(seed, "hole").integers(len(choice)))]
        return cls(leak, seed, ground, hole, wells, eyes.get("gas.pressure", none))

    def _along_pipe(self, ground: Ground, well: GasPlace | None, gauges: Eye, turn: float) -> None:
        """Lay the pipe from the regulator that feeds the well to the leak and beyond, and find the gauges along it."""
        feeds = next((p for p in ground.gas if well is not None and p.name == well.regulator), None)
        bearing = 2 * pi * turn
        if feeds is not None:
            x, y = ground.frame.to_metres(feeds.lon, feeds.lat)
            bearing = atan2(self.at[0] - float(x), self.at[1] - float(y))
        east, north = gauges.x - self.at[0], gauges.y - self.at[1]
        along = east * sin(bearing) + north * cos(bearing)
        across = east * cos(bearing) - north * sin(bearing)
        self._near_pipe = np.exp(-0.5 * (across / PIPE_WIDTH_M) ** 2) * (along > -STATION_M)
        self._run_km = np.clip(np.minimum(along, 0.0) + STATION_M, 0.0, STATION_M) / 1_000.0
        self._in_section = (np.abs(along) < SECTION_M) & (np.abs(across) < PIPE_WIDTH_M)
        self._emptied = 0.0

    def rate_m3_h(self, story_ms: float) -> float:
        """Return what leaves the pipe now, in m³/h."""
        grown = min(max((story_ms - self.begins_ms) / self._grows_ms, 0.0), 1.0)
        left = 1.0 if story_ms < self.shut_ms else exp(-(story_ms - self.shut_ms) / EMPTIES_MS)
        return self.full_m3_h * grown * left * (story_ms < self.mended_ms)

    def step(self, story_ms: float, dt_ms: float, breeze: Breeze) -> None:
        """Go on by `dt_ms` (at most about a minute)."""
        speed, hours = breeze.speed_m_s(story_ms), dt_ms / HOUR_MS
        self.soil_m3_h += (self.rate_m3_h(story_ms) - self.soil_m3_h) * -np.expm1(-dt_ms / self._delay_ms)
        changes = self._still_changes_h + self._leak.wind_air_changes_h * speed
        outside = self._plume(self.soil_m3_h / 3_600.0, speed, breeze.to_rad(story_ms))
        enters = self._share * self.soil_m3_h / self._volume_m3
        self._in_air += hours * (enters * (1.0 - self._in_air) + changes * (outside - self._in_air))
        self.peak_lel = np.maximum(self.peak_lel, self.methane_lel())
        shut = self.shut_ms <= story_ms < self.mended_ms
        self._emptied += ((1.0 if shut else 0.0) - self._emptied) * -np.expm1(-dt_ms / EMPTIES_MS)

    def _plume(self, m3_s: float, speed: float, to_rad: float) -> Floats:
        """Return the share of gas in the outside air at the wells."""
        along = self._east * sin(to_rad) + self._north * cos(to_rad)
        across = self._east * cos(to_rad) - self._north * sin(to_rad)
        x = np.maximum(along, 5.0)
        wide, high = 0.11 * x / np.sqrt(1.0 + 0.0001 * x), 0.08 * x / np.sqrt(1.0 + 0.0002 * x)
        share = m3_s / (pi * max(speed, 0.3) * wide * high) * np.exp(-0.5 * (across / wide) ** 2)
        return np.where(along > 0.0, np.minimum(share, 0.02), 0.0)

    def methane_lel(self) -> Floats:
        """Return the methane in the wells, %LEL, at most what an instrument can say."""
        return np.minimum(100.0 * self._in_air / LEL_SHARE, FULL_SCALE)

    def see(self, kind: str, position: npt.NDArray[np.int64], usual: Floats, story_ms: float) -> Floats:
        """Return what sensors of a kind see, given what they would without the leak; `position` is within the kind."""
        if kind == "gas.methane":
            return np.minimum(usual + self.methane_lel()[position], FULL_SCALE)
        return self.pressure(story_ms, usual, position) if kind == "gas.pressure" else usual

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return the leak's rate, what comes through the soil, and the methane of every well that has any."""
        x, y = np.append(self._east + self.at[0], self.at[0]), np.append(self._north + self.at[1], self.at[1])
        lon, lat = (np.round(degrees, 6).tolist() for degrees in frame.to_degrees(x, y))
        spot = {"site": "leak", "lon": lon[-1], "lat": lat[-1]}
        rows: list[dict[str, Any]] = [{"truth": "leak.rate_m3_h", "v": round(self.rate_m3_h(story_ms), 3), **spot}]
        rows.append({"truth": "soil.flow_m3_h", "v": round(float(self.soil_m3_h), 3), **spot})
        methane = self.methane_lel()
        for i in np.flatnonzero(methane > TOLD_LEL).tolist():
            place = {"site": self.names[i], "lon": lon[i], "lat": lat[i]}
            rows.append({"truth": "well.methane_lel", "v": round(float(methane[i]), 2), **place})
        return rows

    def pressure(self, story_ms: float, usual_kpa: Floats, position: npt.NDArray[np.int64]) -> Floats:
        """Return the pressure at these gauges in kPa, given the usual one."""
        extra = (1.0 + self.rate_m3_h(story_ms) / self._flow) ** 2 - 1.0
        falls = (self._loss * self._run_km * extra * self._near_pipe)[position]
        left = 1.0 - 0.97 * self._emptied * self._in_section[position]
        return np.asarray(np.maximum((usual_kpa - falls) * left, 0.0), dtype=np.float64)
