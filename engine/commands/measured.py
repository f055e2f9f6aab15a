"""How well rules find what is true: the same city seen by real instruments and by perfect ones.

Perfect instruments have no noise, drift, error of scale, bad place or fault; what the rules say of their readings is
what is true. Cameras are different: there the truth is what stands in a camera's view for as long as the rule asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson

from engine.detect.batch import read_lines
from engine.detect.changes import Change
from engine.detect.detector import Detector
from engine.detect.offline import PlanFiles, build_plan
from geo.city import City
from rules.load import LIBRARY
from simulators.ground import Ground, ground_of
from simulators.lines import tick
from simulators.run import Simulation
from simulators.scenario import Scenario

MINUTE_MS = 60_000
NEAR_MS = 5 * MINUTE_MS
BEFORE_MS = 20 * MINUTE_MS
IN_VIEW = 0.4
CURVE = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9)
VIDEO: Mapping[str, tuple[str, int, str]] = {
    "fire.flame_seen": ("video.flame", 6, ""),
    "fire.smoke_seen": ("video.smoke", 6, ""),
    "fire.lane_blocked": ("video.lane_blocked", 12, "fire_lane"),
    "flood.video_ponding": ("video.ponding", 8, ""),
    "muck.spill": ("video.spill", 8, ""),
    "order.parking": ("video.parking", 16, "sidewalks"),
    "order.stall": ("video.vendor", 12, "no_vending"),
    "waste.dumping_seen": ("video.dumping", 6, "no_dumping"),
    "waste.overflow_seen": ("video.waste_overflow", 12, ""),
}
"""Rules on video: the kind, for how many minutes a thing must stand in view, and in which zone cameras count."""


@dataclass(frozen=True, slots=True)
class Episode:
    """From when to when something was so at a sensor, ms; `since`: when it began to be so."""

    since: int
    begins: int
    ends: int


@dataclass(slots=True)
class Score:
    """What came of one rule: alerts and how many were right, true occasions and how many were found, delays in s."""

    alerts: int = 0
    right: int = 0
    occasions: int = 0
    found: int = 0
    delays_s: list[float] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Count another run's in."""
        self.alerts, self.right = self.alerts + other.alerts, self.right + other.right
        self.occasions, self.found = self.occasions + other.occasions, self.found + other.found
        self.delays_s += other.delays_s


@dataclass(slots=True)
class Frames:
    """Frames of one kind of video by confidence (CURVE): with something in view, and with nothing."""

    shown: int = 0
    camera_days: float = 0.0
    sure: list[int] = field(default_factory=lambda: [0] * len(CURVE))
    mistaken: list[int] = field(default_factory=lambda: [0] * len(CURVE))

    def add(self, other: Frames) -> None:
        """Count another run's in."""
        self.shown, self.camera_days = self.shown + other.shown, self.camera_days + other.camera_days
        self.sure = [a + b for a, b in zip(self.sure, other.sure, strict=True)]
        self.mistaken = [a + b for a, b in zip(self.mistaken, other.mistaken, strict=True)]


def perfect(scenario: Scenario) -> Scenario:
    """Return the same scenario seen by perfect instruments."""
    plain = {k: replace(s, noise=0.0, wander=0.0, gain=0.0, placed=0.0) for k, s in scenario.signals.items()}
    return replace(scenario, signals=plain, faults=())


class _Seen:
    """A simulation as a stream of bytes; beside it, what each camera has in view, minute by minute."""

    def __init__(self, simulation: Simulation, frames: Mapping[str, Frames]) -> None:
        self._simulation, self._frames = simulation, frames
        scenario = simulation.scenario
        self._until = scenario.starts_ms + scenario.lasts_ms
        self._batches = simulation.batches()
        self.minutes: list[int] = []
        self.view: dict[str, list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {}
        self._cameras = {
            kind: {name: i for i, name in enumerate(eye.sensors)}
            for kind, eye in simulation.world.eyes.items()
            if kind.startswith("video.")
        }

    def more(self) -> bytes:
        """Return the next minute or so, nothing at the end of the story."""
        parts: list[bytes] = []
        for batch in self._batches:
            if batch.t_ms > self._until:
                break
            parts.append(batch.ndjson + tick(batch.t_ms) + b"\n")
            if not batch.prelude:
                self._look(batch.t_ms, batch.lines)
            if len(parts) >= 12:
                break
        return b"".join(parts)

    def _look(self, t_ms: int, lines: list[bytes]) -> None:
        apparent = self._simulation.world.cameras.apparent
        for line in lines:
            if b'"kind":"video.' in line:
                reading = orjson.loads(line)
                kind = reading["kind"]
                if kind in self._frames:
                    seen = apparent[kind][self._cameras[kind][reading["sensor"]]]
                    column = self._frames[kind].sure if seen >= IN_VIEW else self._frames[kind].mistaken
                    for i, line_of in enumerate(CURVE):
                        column[i] += (seen >= IN_VIEW or seen <= 0.0) and reading["v"] >= line_of
        if t_ms % MINUTE_MS == 0:
            self.minutes.append(t_ms)
            for kind in self._cameras:
                self.view.setdefault(kind, []).append(apparent[kind].copy())
                if kind in self._frames:
                    self._frames[kind].shown += int((apparent[kind] >= IN_VIEW).sum())
                    self._frames[kind].camera_days += len(apparent[kind]) / 1440.0


def measure(
    scenario: Scenario, city: City, seed: int, sensors: int | None
) -> tuple[dict[str, Score], dict[str, Frames]]:
    """Play a scenario twice and compare; return by rule what came of it, and by kind of video its frames."""
    ground = ground_of(city)
    frames = {kind: Frames() for kind, _, _ in VIDEO.values()}
    with TemporaryDirectory(prefix="tongguan-quality-") as folder:
        simulation = Simulation(scenario, ground, seed, sensors)
        seen = _Seen(simulation, frames)
        said = _judged(simulation, seen, city, Path(folder))
        beside = Simulation(perfect(scenario), ground, seed, sensors)
        true = _judged(beside, _Seen(beside, {}), city, Path(folder))
    stuck = _stuck(simulation)
    scores: dict[str, Score] = {}
    for rule in sorted({*said, *true, *VIDEO}):
        mine, truly = said.get(rule, {}), true.get(rule, {})
        if rule in VIDEO:
            scores[rule] = _video_score(rule, mine, seen, simulation, ground)
        else:
            scores[rule] = compared(mine, truly if rule != "device.stuck" else stuck)
    return scores, frames


Episodes = Mapping[str, list[Episode]]


def _judged(simulation: Simulation, stream: _Seen, city: City, folder: Path) -> dict[str, dict[str, list[Episode]]]:
    """Return by rule and sensor what the library says of a run."""
    registry = folder / "sensors.csv"
    simulation.network.write_registry(registry)
    plan = build_plan(PlanFiles(LIBRARY, registry=registry, zones=city.zones_path)).plan
    detector = Detector(offline_plan=plan)
    changes = [c for batch in read_lines(_Reader(stream)) for c in detector.step(batch).items if isinstance(c, Change)]
    changes += [c for c in detector.finish().items if isinstance(c, Change)]
    end = simulation.scenario.starts_ms + simulation.scenario.lasts_ms
    found: dict[str, dict[str, list[Episode]]] = {}
    for change in changes:
        of = found.setdefault(change.rule, {}).setdefault(f"{change.sensor}|{change.kind}", [])
        if change.change == "raised":
            of.append(Episode(change.since if change.since is not None else change.t, change.t, end))
        elif change.change == "cleared" and of:
            of[-1] = replace(of[-1], ends=change.t)
    return found


class _Reader:
    """A run as what `read_lines` reads."""

    def __init__(self, stream: _Seen) -> None:
        self._stream, self._rest = stream, b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end."""
        while len(self._rest) < size and (more := self._stream.more()):
            self._rest += more
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


def compared(said: Episodes, true: Episodes) -> Score:
    """Return how what was said meets what is true, by sensor and time."""
    score = Score()
    for sensor in sorted({*said, *true}):
        mine, truly = said.get(sensor, []), true.get(sensor, [])
        score.alerts += len(mine)
        score.occasions += len(truly)
        score.right += sum(any(_meet(one, other) for other in truly) for one in mine)
        for one in truly:
            answers = [other for other in mine if _meet(other, one)]
            if answers:
                score.found += 1
                score.delays_s.append(max(answers[0].begins - one.since, 0) / 1_000.0)
    return score


def _meet(one: Episode, other: Episode) -> bool:
    return one.begins <= other.ends + NEAR_MS and other.begins <= one.ends + NEAR_MS


def _stuck(simulation: Simulation) -> dict[str, list[Episode]]:
    """Return which sensors were stuck, long enough to be seen before the end."""
    end = simulation.scenario.starts_ms + simulation.scenario.lasts_ms
    found: dict[str, list[Episode]] = {}
    for fault in simulation.faults:
        if fault.fault.fault == "stuck" and end - fault.from_ms >= 190 * MINUTE_MS:
            for i in np.flatnonzero(fault.rows).tolist():
                name = f"{simulation.network.sensor[i]}|{simulation.network.kind[i]}"
                found[name] = [Episode(fault.from_ms, fault.from_ms, min(fault.until_ms, end))]
    return found


def _video_score(rule: str, said: Episodes, seen: _Seen, simulation: Simulation, ground: Ground) -> Score:
    """Compare alerts of cameras with what stood in their view."""
    kind, lasts, zone = VIDEO[rule]
    score = Score(alerts=sum(len(episodes) for episodes in said.values()))
    eye = simulation.world.eyes.get(kind)
    if eye is None or not seen.view.get(kind):
        return score
    view, minutes = np.array(seen.view[kind]), seen.minutes
    lon, lat = ground.frame.to_degrees(eye.x, eye.y)
    counts = ground.inside(zone, lon, lat) if zone else np.ones(len(eye.x), dtype=np.bool_)
    for camera, name in enumerate(eye.sensors):
        mine = said.get(f"{name}|{kind}", [])
        shown = [minutes[i] for i in np.flatnonzero(view[:, camera] > 0.0).tolist()]
        score.right += sum(any(one.begins - BEFORE_MS <= t <= one.begins + MINUTE_MS for t in shown) for one in mine)
        for one in _runs(view[:, camera], minutes, lasts) if counts[camera] else ():
            score.occasions += 1
            answers = [other for other in mine if one.since <= other.begins <= one.ends + NEAR_MS]
            if answers or any(_meet(other, one) for other in mine):
                score.found += 1
                score.delays_s += [(answers[0].begins - one.since) / 1_000.0] if answers else []
    return score


def _runs(view: np.ndarray[tuple[int, ...], np.dtype[np.float64]], minutes: list[int], lasts: int) -> Iterator[Episode]:
    """Yield when something stood in view for long enough without a break."""
    begin: int | None = None
    for i, there in enumerate([*(view >= IN_VIEW).tolist(), False]):
        if there and begin is None:
            begin = i
        elif not there and begin is not None:
            if i - begin >= lasts:
                yield Episode(minutes[begin], minutes[begin], minutes[i - 1])
            begin = None
