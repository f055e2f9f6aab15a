"""Gas out of a pipe: it seeps through the soil, gathers in wells, blows away, and the pipe loses pressure.

The hole opens over `grows`. Gas reaches the wells late (first order, `soil_delay`) and less with distance. A well is a
stirred tank: what comes in by the soil and with the outside air, less what its ventilation takes; ventilation grows
with the wind. Outside, a Gaussian plume near the ground (Briggs' open-country class C widths). Pressure falls along
the pipe with the square of the flow up to the leak; a pipe that bursts sends a wave along it, which comes back damped.
Shut, the section empties; mended, it fills again.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import atan2, cos, exp, pi, sin
from typing import Any

import numpy as np
import numpy.typing as npt

from geo.frame import LocalFrame
from simulators.ground import GasPlace, Ground
from simulators.network import original
from simulators.part import NOBODY, Eye, Eyes, Glance, Part, Sights, Told, nearest_of, row
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
SOUND_M_MS = 0.43
"""Speed of sound in methane, metres in a ms."""
OUTDOOR = "gas.methane_outdoor"
CHAMBERS = ("gas.methane", "gas.methane_well", "gas.methane_underground")
"""Kinds whose sensors hang in a room, well or other space, which is a tank of its own."""
SOIL = {"valve_well": 1.0, "kitchen": 0.25, "basement": 0.8, "underground": 0.7}
NEAR_M, FED_M, WATCHED = 40.0, 900.0, 8
COMPANY = {OUTDOOR: 1.0, "gas.methane_underground": 1.0, "gas.methane_well": 1.0}
MIXING_M2_S = 0.4
"""How well eddies spread gas close to where it comes out of the ground."""
AIR_LAG_MS = 60_000
WAVE_DIES_MS = 40_000.0
Floats = npt.NDArray[np.float64]


class Chambers:
    """All spaces that a methane sensor hangs in, kinds one after the other; arrays are float64[n]."""

    def __init__(self, ground: Ground, eyes: Eyes) -> None:
        kinds = [kind for kind in CHAMBERS if kind in eyes]
        self.begin = dict(zip(kinds, np.cumsum([0, *(len(eyes[kind].x) for kind in kinds)]).tolist(), strict=False))
        names = [name for kind in kinds for name in eyes[kind].sensors]
        sites = [eyes[kind].site(i) for kind in kinds for i in range(len(eyes[kind].x))]
        x, y = (np.concatenate([np.zeros(0), *(getattr(eyes[kind], axis) for kind in kinds)]) for axis in "xy")
        self.eye = Eye(tuple(names), x, y, tuple(sites))
        rooms = {sensor: place for place in ground.gas for sensor in place.sensors}
        found = [rooms.get(name, rooms.get(original(name))) for name in names]
        self.places: list[GasPlace | None] = found
        of = [kind for kind in kinds for _ in eyes[kind].x]
        self.use = [p.use if p else OTHER_USE.get(kind, "basement") for p, kind in zip(found, of, strict=True)]
        self.volume_m3 = np.array([max(p.volume_m3, SMALLEST_M3) if p else USUAL_M3 for p in found], dtype=np.float64)
        self.still_changes_h = np.array([p.air_changes_h if p else 1.0 for p in found], dtype=np.float64)

    def __len__(self) -> int:
        return len(self.eye.sensors)

    def with_use(self, *uses: str) -> list[int]:
        """Return the chambers that are used so."""
        return [i for i, use in enumerate(self.use) if use in uses]


OTHER_USE = {"gas.methane_well": "valve_well", "gas.methane_underground": "underground"}


class Seepage(Part):
    """One leak beside chamber number `hole`; gauges: the pressure sensors; open_air: methane sensors outside."""

    about = "gas"
    touches = (*CHAMBERS, OUTDOOR, "gas.pressure")

    def __init__(
        self, leak: Leak, seed: int, ground: Ground, hole: int, chambers: Chambers, gauges: Eye, open_air: Eye
    ) -> None:
        generator = stream(seed, "leak")
        self._leak, self.chambers, wells = leak, chambers, chambers.eye
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
        self.names, self.site = wells.sensors, wells.site(hole)
        self._east, self._north = wells.x - self.at[0], wells.y - self.at[1]
        soil = np.array([SOIL.get(use, 1.0) for use in chambers.use])
        self._share = share * soil * np.exp(-0.5 * (np.hypot(self._east, self._north) / reach) ** 2)
        self._in_air = np.zeros(len(chambers))
        self.peak_lel = np.zeros(len(chambers))
        self.soil_m3_h = 0.0
        self._open_air = open_air
        self.outdoor_lel = np.zeros(len(open_air.x))
        self._along_pipe(ground, chambers.places[hole], gauges, float(generator.random()))

    @classmethod
    def near(cls, leak: Leak, seed: int, ground: Ground, eyes: Eyes) -> Seepage | None:
        """Make the leak beside a valve well that the seed picks, or any watched room; None if nothing is watched.

        The pick is among the wells around which most is watched: other spaces, the open air, the pressure.
        """
        chambers = Chambers(ground, eyes)
        if not len(chambers):
            return None
        choice = np.array(chambers.with_use("valve_well") or list(range(len(chambers))))
        around = [(eyes[kind], weight) for kind, weight in COMPANY.items() if kind in eyes]
        x, y = chambers.eye.x[choice], chambers.eye.y[choice]
        company = np.array([float(_fed_within(ground, chambers.places[i], FED_M)) for i in choice.tolist()])
        for eye, weight in around:
            company += weight * np.exp(-nearest_of(x, y, eye.x, eye.y)[1] / NEAR_M)
        choice = choice[np.argsort(-company, kind="stable")[:WATCHED]]
        hole = int(choice[int(stream(seed, "hole").integers(len(choice)))])
        return cls(leak, seed, ground, hole, chambers, eyes.get("gas.pressure", NOBODY), eyes.get(OUTDOOR, NOBODY))

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
        self._distance_m = np.hypot(east, north)
        self._run_km = np.clip(np.minimum(along, 0.0) + STATION_M, 0.0, STATION_M) / 1_000.0
        self._in_section = (np.abs(along) < SECTION_M) & (np.abs(across) < PIPE_WIDTH_M)
        self._emptied = 0.0

    def rate_m3_h(self, story_ms: float) -> float:
        """Return what leaves the pipe now, in m³/h."""
        grown = min(max((story_ms - self.begins_ms) / self._grows_ms, 0.0), 1.0)
        left = 1.0 if story_ms < self.shut_ms else exp(-(story_ms - self.shut_ms) / EMPTIES_MS)
        return self.full_m3_h * grown * left * (story_ms < self.mended_ms)

    def blow(self, breeze: Breeze) -> Seepage:
        """Give it the wind; returns itself."""
        self._breeze = breeze
        return self

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Go on by `dt_ms` (at most about a minute)."""
        breeze = self._breeze
        speed, hours = breeze.speed_m_s(story_ms), dt_ms / HOUR_MS
        self.soil_m3_h += (self.rate_m3_h(story_ms) - self.soil_m3_h) * -np.expm1(-dt_ms / self._delay_ms)
        changes = self.chambers.still_changes_h + self._leak.wind_air_changes_h * speed
        to_rad, m3_s = breeze.to_rad(story_ms), self.soil_m3_h / 3_600.0
        outside = plume(m3_s, speed, to_rad, self._east, self._north)
        east, north = self._open_air.x - self.at[0], self._open_air.y - self.at[1]
        there = 100.0 * plume(m3_s, speed, to_rad, east, north) / LEL_SHARE
        self.outdoor_lel += (there - self.outdoor_lel) * -np.expm1(-dt_ms / AIR_LAG_MS)
        enters = self._share * self.soil_m3_h / self.chambers.volume_m3
        self._in_air += hours * (enters * (1.0 - self._in_air) + changes * (outside - self._in_air))
        self.peak_lel = np.maximum(self.peak_lel, self.methane_lel())
        shut = self.shut_ms <= story_ms < self.mended_ms
        self._emptied += ((1.0 if shut else 0.0) - self._emptied) * -np.expm1(-dt_ms / EMPTIES_MS)

    def methane_lel(self) -> Floats:
        """Return the methane in all chambers, %LEL, at most what an instrument can say."""
        return np.minimum(100.0 * self._in_air / LEL_SHARE, FULL_SCALE)

    def see(self, glance: Glance) -> None:
        """Add the methane that hangs there, or take from the pressure."""
        if glance.kind in self.chambers.begin:
            methane = self.methane_lel()[self.chambers.begin[glance.kind] + glance.position]
            glance.v = np.minimum(glance.v + glance.gain * methane, FULL_SCALE)
        elif glance.kind == OUTDOOR:
            glance.v = np.minimum(glance.v + glance.gain * self.outdoor_lel[glance.position], FULL_SCALE)
        elif glance.kind == "gas.pressure":
            glance.v = self.pressure(glance.story_ms, glance.v, glance.position)

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return the leak's rate, what comes through the soil, and the methane wherever there is any."""
        rows = [row("leak.rate_m3_h", self.rate_m3_h(story_ms), "leak", *self.at, frame, 3)]
        rows.append(row("soil.flow_m3_h", float(self.soil_m3_h), "leak", *self.at, frame, 3))
        methane = self.methane_lel()
        for i in np.flatnonzero(methane > TOLD_LEL).tolist():
            x, y = self._east[i] + self.at[0], self._north[i] + self.at[1]
            rows.append(row("well.methane_lel", methane[i], self.names[i], x, y, frame))
        for i in np.flatnonzero(self.outdoor_lel > TOLD_LEL).tolist():
            x, y = self._open_air.x[i], self._open_air.y[i]
            rows.append(row("air.methane_lel", self.outdoor_lel[i], self._open_air.sensors[i], x, y, frame))
        return rows

    def sights(self) -> Sights | None:
        """Return what people smell: the methane of every chamber."""
        return Sights(self.chambers.eye.x, self.chambers.eye.y, self.methane_lel())

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return the methane of every chamber, and around the leak itself."""
        eye, now = self.chambers.eye, self.methane_lel()
        most = int(np.argmax(self.peak_lel))
        x, y = np.append(eye.x, self.at[0]), np.append(eye.y, self.at[1])
        return x, y, np.append(now, now[most]), np.append(self.peak_lel, self.peak_lel[most])

    def told(self) -> Iterable[Told]:
        """Tell of the leak, the valve and the repair."""
        rate = f"{self.full_m3_h:.0f}"
        zh = f"{self.site}旁的燃气管线开始泄漏，最大每小时{rate}立方米，燃气经土壤进入附近井室。"
        yield Told(self.begins_ms, zh, f"a gas main beside {self.site} begins to leak, up to {rate} m³/h.")
        yield Told(self.shut_ms, f"{self.site}管段关阀，管内压力下降。", f"the section at {self.site} is shut off.")
        zh = f"{self.site}漏点修复，管段恢复供气，井室逐渐通风散尽。"
        yield Told(self.mended_ms, zh, f"the leak at {self.site} is mended; wells air slowly.")

    def pressure(self, story_ms: float, usual_kpa: Floats, position: npt.NDArray[np.int64]) -> Floats:
        """Return the pressure at these gauges in kPa, given the usual one."""
        extra = (1.0 + self.rate_m3_h(story_ms) / self._flow) ** 2 - 1.0
        falls = (self._loss * self._run_km * extra * self._near_pipe)[position]
        falls += self._wave_kpa(story_ms)[position]
        left = 1.0 - 0.97 * self._emptied * self._in_section[position]
        return np.asarray(np.maximum((usual_kpa - falls) * left, 0.0), dtype=np.float64)

    def _wave_kpa(self, story_ms: float) -> Floats:
        """Return how far the wave of the burst pulls the pressure down at each gauge: it travels, comes back, dies."""
        since = story_ms - self.begins_ms - self._distance_m / SOUND_M_MS
        period = 4.0 * STATION_M / SOUND_M_MS
        swing = np.cos(2 * pi * since / period) * np.exp(-np.maximum(since, 0.0) / WAVE_DIES_MS)
        return np.asarray(self._leak.wave_kpa * self._near_pipe * swing * (since >= 0.0), dtype=np.float64)


def _fed_within(ground: Ground, well: GasPlace | None, metres: float) -> bool:
    """Tell whether the regulator that feeds a well is near it, so that its gauge feels a leak."""
    feeds = next((p for p in ground.gas if well is not None and p.name == well.regulator), None)
    if feeds is None or well is None:
        return False
    (x, y), (to_x, to_y) = ground.frame.to_metres(well.lon, well.lat), ground.frame.to_metres(feeds.lon, feeds.lat)
    return bool(np.hypot(x - to_x, y - to_y) <= metres)


def plume(m3_s: float, speed: float, to_rad: float, from_east: Floats, from_north: Floats) -> Floats:
    """Return the share of gas in the outside air at places east and north of a leak, in metres; wind in m/s."""
    along = from_east * sin(to_rad) + from_north * cos(to_rad)
    across = from_east * cos(to_rad) - from_north * sin(to_rad)
    x = np.maximum(along, 5.0)
    wide, high = 0.11 * x / np.sqrt(1.0 + 0.0001 * x), 0.08 * x / np.sqrt(1.0 + 0.0002 * x)
    share = m3_s / (pi * max(speed, 0.3) * wide * high) * np.exp(-0.5 * (across / wide) ** 2)
    spreads = m3_s / (2 * pi * MIXING_M2_S * (1.0 + speed) * np.maximum(np.hypot(from_east, from_north), 3.0))
    return np.asarray(np.where(along > 0.0, np.minimum(share, 0.02), 0.0) + spreads, dtype=np.float64)
