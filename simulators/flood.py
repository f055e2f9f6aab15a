"""A storm over the city: which places flood, what gauges, drains, road sensors and cameras see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import cos, pi, sin
from typing import Any

import numpy as np

from geo.frame import LocalFrame
from simulators.ground import Ground, LowPlace
from simulators.network import original
from simulators.part import NOBODY, Eye, Eyes, Floats, Glance, Ints, Mask, Part, Sights, Thing, Told, nearest_of, row
from simulators.runoff import Basins
from simulators.scenario import Scenario, Water, draw
from simulators.storm import Rain
from simulators.streams import stream

TIP_MM = 0.1
HOUR_MS = 3_600_000
TOLD_CM = 0.05
SPOT_M = (15.0, 45.0)
"""How far from a camera of the roads the low spot is that it looks at."""
WIDE_CM = 12.0
"""Water this deep and wide fills a close view."""


class Flood(Part):
    """Rain, basins, and the sensors that look at them. Positions are numbers of sensors within their kind."""

    about = "water"
    touches = ("water.level", "drain.level")

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        ground: Ground,
        eyes: Eyes,
        powered: Callable[[Floats, Floats], Mask] = lambda x, _: np.ones(len(x), dtype=np.bool_),
    ) -> None:
        assert scenario.storm is not None
        assert scenario.water is not None
        self.water: Water = scenario.water
        self.ground, self._frame = ground, ground.frame
        shapes = {"underpass": self.water.underpass, "road": self.water.road, "drain": self.water.drain}
        self.low = (*ground.low, *_spots(seed, eyes.get("video.ponding", NOBODY), ground))
        self.basins = Basins(seed, self.low, [shapes[place.use] for place in self.low])
        lon = np.array([place.lon for place in self.low], dtype=np.float64)
        lat = np.array([place.lat for place in self.low], dtype=np.float64)
        self.x, self.y = self._frame.to_metres(lon, lat)
        self.underpasses = np.array([i for i, p in enumerate(self.low) if p.use == "underpass"], dtype=np.int64)
        self.of = {kind: self._basins_of(eyes[kind]) for kind in ("water.level", "drain.level") if kind in eyes}
        self._seen = self._in_sight(eyes.get("video.ponding", NOBODY))
        self._powered = powered
        self.target = self._pick(seed)
        centre = (0.0, 0.0) if self.target is None else (float(self.x[self.target]), float(self.y[self.target]))
        self.rain = Rain(scenario.storm, seed, centre)
        gauges = eyes.get("rain.minute", NOBODY)
        self.gauge_x, self.gauge_y, self._gauges = gauges.x, gauges.y, gauges.sensors
        self._waiting_mm = np.zeros(len(self.gauge_x))
        self.peak_cm = np.zeros(len(self.low))
        self._pump_times = _pump_times(self.water, seed)

    def _basins_of(self, eye: Eye) -> Ints:
        """Return whose water each sensor sees, -1 for none; doubles see what their originals do."""
        owner = {sensor: i for i, place in enumerate(self.low) for sensor in place.sensors}
        return np.array([owner.get(name, owner.get(original(name), -1)) for name in eye.sensors], dtype=np.int64)

    def _in_sight(self, eye: Eye) -> Ints:
        """Return the standing water that some camera looks at."""
        open_air = np.array([i for i, p in enumerate(self.low) if p.use != "drain"], dtype=np.int64)
        _, metres = nearest_of(self.x[open_air], self.y[open_air], eye.x, eye.y)
        return open_air[metres <= self.water.camera_reach_m]

    def _pick(self, seed: int) -> int | None:
        """Pick the underpass that the storm will find, among those that a sensor looks at."""
        watched = self.of.get("water.level", np.zeros(0, dtype=np.int64))
        choice = self.underpasses[np.isin(self.underpasses, watched)]
        return int(choice[int(stream(seed, "target").integers(len(choice)))]) if len(choice) else None

    def step(self, story_ms: float, dt_ms: int) -> None:
        """Let it rain for `dt_ms`."""
        self.basins.pumps_left[:] = self._powered(self.x, self.y)
        if self.target is not None:
            self.basins.pumps_left[self.target] *= self._pumps(story_ms)
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

    def see(self, glance: Glance) -> None:
        """Add the water that stands or runs there."""
        if glance.kind == "rain.minute":
            glance.v = self.tip(glance.position)
        elif glance.kind == "water.level":
            basin = self.of[glance.kind][glance.position]
            glance.v += glance.gain * np.where(basin >= 0, self.basins.depth_cm()[basin], 0.0)
        elif glance.kind == "drain.level":
            basin = self.of[glance.kind][glance.position]
            level = np.where(basin >= 0, self.basins.drain_percent()[basin], 0.0)
            usual = glance.v * np.clip(1.0 - level / 100.0, 0.0, 1.0)
            glance.v = np.minimum(usual + glance.gain * level, 200.0)

    def things(self) -> list[Thing]:
        """Return the water that cameras look at."""
        depth = self.basins.depth_cm()
        return [
            Thing("video.ponding", float(self.x[i]), float(self.y[i]), min(float(depth[i]) / WIDE_CM, 2.0))
            for i in self._seen.tolist()
            if depth[i] > TOLD_CM
        ]

    def sights(self) -> Sights | None:
        """Return the underpasses and how deep the water stands in them, cm."""
        which = self.underpasses
        return Sights(self.x[which], self.y[which], self.basins.depth_cm()[which])

    def dangers(self) -> tuple[Floats, Floats, Floats, Floats] | None:
        """Return where water stands or stood, cm."""
        return self.x, self.y, self.basins.depth_cm(), self.peak_cm

    def told(self) -> Iterable[Told]:
        """Tell of the storm and of the pumps."""
        if not self.rain.tracks or self.target is None:
            return
        track, site = self.rain.tracks[0], self.basins.names[self.target]
        zh = f"雷雨云团过境，{site}上空雨强约每小时{track.peak_mm_h:.0f}毫米。"
        yield Told(track.arrives_ms, zh, f"a storm cell passes over {site}, about {track.peak_mm_h:.0f} mm/h.")
        if self.water.pump_fault is not None:
            fails, runs = self._pump_times
            yield Told(fails, f"{site}泵站停机，积水上涨。", f"the pumps of {site} stop; water rises.")
            yield Told(runs, f"{site}部分水泵恢复，积水回落。", f"some pumps of {site} run again; water falls.")

    def truth(self, story_ms: float, frame: LocalFrame) -> list[dict[str, Any]]:
        """Return where water stands and how deep, what runs in its drain, the rain at gauges, the storm's core."""
        depth, drain = self.basins.depth_cm(), self.basins.drain_percent()
        rows: list[dict[str, Any]] = []
        for i in np.flatnonzero((depth > TOLD_CM) | (np.isin(np.arange(len(depth)), self.underpasses))).tolist():
            at = float(self.x[i]), float(self.y[i])
            rows.append(row("water.depth_cm", depth[i], self.basins.names[i], *at, frame))
            rows.append(row("drain.percent", drain[i], self.basins.names[i], *at, frame, 1))
        rates = self.rain.rate(story_ms, self.gauge_x, self.gauge_y)
        for i in np.flatnonzero(rates > TOLD_CM).tolist():
            at = float(self.gauge_x[i]), float(self.gauge_y[i])
            gauge = {"sensor": self._gauges[i], "kind": "rain.minute"}
            rows.append(row("rain.mm_h", rates[i], self._gauges[i], *at, frame) | gauge)
        if self.rain.tracks:
            centre = self.rain.tracks[0].centre(story_ms)
            rows.append(row("storm.core_mm_h", self.core_mm_h(story_ms), "storm", *centre, frame, 1))
        return rows

    def core_mm_h(self, story_ms: float) -> float:
        """Return the rain in the middle of the main cell, mm/h."""
        x, y = self.rain.tracks[0].centre(story_ms)
        return float(self.rain.rate(story_ms, np.array([x]), np.array([y]))[0])


def _pump_times(water: Water, seed: int) -> tuple[float, float]:
    """Draw when the pumps fail and when they run again, ms of the story."""
    if water.pump_fault is None:
        return 0.0, 0.0
    generator = stream(seed, "pumps")
    return draw(water.pump_fault.from_ms, generator), draw(water.pump_fault.until_ms, generator)


def _spots(seed: int, cameras: Eye, ground: Ground) -> list[LowPlace]:
    """Return the low spot of the road that each camera looks at; no sensor stands in it."""
    found = []
    for i, name in enumerate(cameras.sensors):
        generator = stream(seed, f"spot {name}")
        away, turn = float(generator.uniform(*SPOT_M)), 2 * pi * float(generator.random())
        lon, lat = ground.frame.to_degrees(cameras.x[i] + away * sin(turn), cameras.y[i] + away * cos(turn))
        area, runoff = float(generator.uniform(0.3, 1.5)), float(generator.uniform(0.75, 0.9))
        found.append(LowPlace(f"{cameras.site(i)}前", "road", float(lon), float(lat), area, runoff, ()))
    return found
