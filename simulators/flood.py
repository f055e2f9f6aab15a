"""A storm over the city: which places flood, what gauges, drains, road sensors and cameras see of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.ground import Ground
from simulators.network import original
from simulators.runoff import Basins
from simulators.scenario import Scenario, Water, draw
from simulators.storm import Rain
from simulators.streams import stream

TIP_MM = 0.1
HOUR_MS = 3_600_000
SEEN_CM = 3.0
SURE_CM = 12.0
TOLD_CM = 0.05
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Eye:
    """The sensors of one kind: their names, and where they are in metres, float64[n]."""

    sensors: tuple[str, ...]
    x: Floats
    y: Floats


Eyes = Mapping[str, Eye]


class Flood:
    """Rain, basins, and the sensors that look at them. Positions are numbers of sensors within their kind."""

    def __init__(self, scenario: Scenario, seed: int, ground: Ground, eyes: Eyes) -> None:
        assert scenario.storm is not None
        assert scenario.water is not None
        self.water: Water = scenario.water
        self.ground, self._frame = ground, ground.frame
        shapes = {"underpass": self.water.underpass, "road": self.water.road, "drain": self.water.drain}
        self.basins = Basins(seed, ground.low, [shapes[place.use] for place in ground.low])
        lon = np.array([place.lon for place in ground.low], dtype=np.float64)
        lat = np.array([place.lat for place in ground.low], dtype=np.float64)
        self.x, self.y = self._frame.to_metres(lon, lat)
        self.underpasses = np.array([i for i, p in enumerate(ground.low) if p.use == "underpass"], dtype=np.int64)
        self.of = {kind: self._basins_of(eyes[kind]) for kind in ("water.level", "drain.level") if kind in eyes}
        if "video.ponding" in eyes:
            self.of["video.ponding"] = self._in_sight(eyes["video.ponding"])
        self.target = self._pick(seed)
        centre = (0.0, 0.0) if self.target is None else (float(self.x[self.target]), float(self.y[self.target]))
        self.rain = Rain(scenario.storm, seed, centre)
        gauges = eyes.get("rain.minute", Eye((), np.zeros(0), np.zeros(0)))
        self.gauge_x, self.gauge_y = gauges.x, gauges.y
        self._waiting_mm = np.zeros(len(self.gauge_x))
        self.peak_cm = np.zeros(len(ground.low))
        self._pump_times = _pump_times(self.water, seed)

    def _basins_of(self, eye: Eye) -> Ints:
        """Return whose water each sensor sees, -1 for none; doubles see what their originals do."""
        owner = {sensor: i for i, place in enumerate(self.ground.low) for sensor in place.sensors}
        return np.array([owner.get(name, owner.get(original(name), -1)) for name in eye.sensors], dtype=np.int64)

    def _in_sight(self, eye: Eye) -> Ints:
        """Return which standing water each camera looks at, -1 for none."""
        open_air = np.array([i for i, p in enumerate(self.ground.low) if p.use != "drain"], dtype=np.int64)
        nearest, metres = nearest_of(eye.x, eye.y, self.x[open_air], self.y[open_air])
        return np.where(metres <= self.water.camera_reach_m, open_air[nearest] if len(open_air) else -1, -1)

    def _pick(self, seed: int) -> int | None:
        """Pick the underpass that the storm will find, among those that a sensor looks at."""
        watched = self.of.get("water.level", np.zeros(0, dtype=np.int64))
        choice = self.underpasses[np.isin(self.underpasses, watched)]
        return int(choice[int(stream(seed, "target").integers(len(choice)))]) if len(choice) else None

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Let it rain for `dt_ms`."""
        if self.target is not None:
            self.basins.pumps_left[self.target] = self._pumps(story_ms)
        rates = self.rain.rate(story_ms, np.concatenate([self.x, self.gauge_x]), np.concatenate([self.y, self.gauge_y]))
        self.basins.step(rates[: len(self.x)], dt_ms / 1_000.0)
        self.peak_cm = np.maximum(self.peak_cm, self.basins.depth_cm())
        self._waiting_mm += rates[len(self.x) :] * (dt_ms / HOUR_MS)

    def _pumps(self, story_ms: float) -> float:
        """Return the share of the pumps that runs where the storm is, at a time of the story."""
        fault, (fails_ms, runs_ms) = self.water.pump_fault, self._pump_times
        if fault is None or story_ms < fails_ms:
            return 1.0
        return fault.left if story_ms < runs_ms else fault.after

    def tip(self, position: Ints) -> Floats:
        """Return what these gauges count since their last report, in whole tips; the rest waits in the bucket."""
        tips = np.floor(self._waiting_mm[position] / TIP_MM + 1e-9)
        self._waiting_mm[position] -= tips * TIP_MM
        return np.asarray(tips * TIP_MM, dtype=np.float64)

    def see(
        self, kind: str, position: Ints, usual: Floats, reports: npt.NDArray[np.bool_]
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return what sensors of a kind see and whether they report, given what they would on a dry day."""
        if kind == "rain.minute":
            return self.tip(position), reports
        if kind == "water.level":
            basin = self.of[kind][position]
            return usual + np.where(basin >= 0, self.basins.depth_cm()[basin], 0.0), reports
        if kind == "drain.level":
            basin = self.of[kind][position]
            level = np.where(basin >= 0, self.basins.drain_percent()[basin], 0.0)
            return np.minimum(usual * np.clip(1.0 - level / 100.0, 0.0, 1.0) + level, 200.0), reports
        if kind == "video.ponding":
            basin = self.of[kind][position]
            depth = np.where(basin >= 0, self.basins.depth_cm()[basin], 0.0)
            sure = np.clip(usual + 0.93 * -np.expm1(-((depth / SURE_CM) ** 2)), 0.0, 0.99)
            return np.where(depth >= SEEN_CM, sure, usual), reports | (depth >= SEEN_CM)
        return usual, reports

    def truth(self, story_ms: float) -> list[dict[str, Any]]:
        """Return where water stands and how deep, what runs in its drain, and where the storm's core is."""
        depth, drain = self.basins.depth_cm(), self.basins.drain_percent()
        lon, lat = self._frame.to_degrees(self.x, self.y)
        rows: list[dict[str, Any]] = []
        for i in np.flatnonzero((depth > TOLD_CM) | (np.isin(np.arange(len(depth)), self.underpasses))).tolist():
            place = {"site": self.basins.names[i], "lon": round(float(lon[i]), 6), "lat": round(float(lat[i]), 6)}
            rows.append({"truth": "water.depth_cm", "v": round(float(depth[i]), 2), **place})
            rows.append({"truth": "drain.percent", "v": round(float(drain[i]), 1), **place})
        track = self.rain.tracks[0] if self.rain.tracks else None
        if track is not None:
            east, north = self._frame.to_degrees(*(np.array([v]) for v in track.centre(story_ms)))
            place = {"site": "storm", "lon": round(float(east[0]), 6), "lat": round(float(north[0]), 6)}
            rows.append({"truth": "storm.core_mm_h", "v": round(self.core_mm_h(story_ms), 1), **place})
        return rows

    def core_mm_h(self, story_ms: float) -> float:
        """Return the rain in the middle of the main cell, mm/h."""
        x, y = self.rain.tracks[0].centre(story_ms)
        return float(self.rain.rate(story_ms, np.array([x]), np.array([y]))[0])


def nearest_of(x: Floats, y: Floats, to_x: Floats, to_y: Floats) -> tuple[Ints, Floats]:
    """Return the nearest point of the second set to each of the first and its distance; 0 and inf without one."""
    if not len(to_x) or not len(x):
        return np.zeros(len(x), dtype=np.int64), np.full(len(x), np.inf)
    squared = (x[:, None] - to_x) ** 2 + (y[:, None] - to_y) ** 2
    nearest = np.argmin(squared, axis=1)
    return nearest.astype(np.int64), np.sqrt(squared[np.arange(len(x)), nearest])


def _pump_times(water: Water, seed: int) -> tuple[float, float]:
    """Draw when the pumps fail and when they run again, ms of the story."""
    if water.pump_fault is None:
        return 0.0, 0.0
    generator = stream(seed, "pumps")
    return draw(water.pump_fault.from_ms, generator), draw(water.pump_fault.until_ms, generator)
