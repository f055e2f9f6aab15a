"""How well rules find what truly happened: one run of a scenario, its physical truth beside the alerts.

The truth is made by the simulators from physics alone (simulators/hazards.py); here stands only which hazard each rule
is for. The whole city lives; listened to are the sensors that a hazard reached, and others of the same kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import orjson

from engine.detect.batch import read_lines
from engine.detect.changes import Change
from engine.detect.detector import Detector
from engine.detect.offline import PlanFiles, build_plan
from geo.city import City
from rules.load import LIBRARY
from rules.plan import Plan
from simulators.ground import Ground, ground_of
from simulators.hazards import HAZARDS, Happened, happened
from simulators.lines import tick
from simulators.network import Network, choose
from simulators.run import Simulation
from simulators.scenario import Scenario

MINUTE_MS = 60_000
EARLY_MS, LATE_MS = 2 * MINUTE_MS, 15 * MINUTE_MS
CURVE = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9)
FOR: Mapping[str, tuple[str, str]] = {
    "device.battery_low": ("battery empty", ""),
    "device.silent": ("sensor without power", ""),
    "device.stuck": ("sensor stuck", ""),
    "fire.cable_temperature": ("cable joint hot", ""),
    "fire.charging_place": ("battery cell hot", ""),
    "fire.flame_seen": ("flames in view", ""),
    "fire.heat": ("heat", ""),
    "fire.heat_rise": ("heat rises", ""),
    "fire.hydrant_pressure": ("hydrant pressure", ""),
    "fire.lane_blocked": ("lane blocked", "fire_lane"),
    "fire.residual_current": ("insulation leaks", ""),
    "fire.smoke": ("smoke", ""),
    "fire.smoke_seen": ("smoke in view", ""),
    "flood.drain_surcharge": ("drain full", ""),
    "flood.pump_not_running": ("sump not pumped", ""),
    "flood.rain_intensity": ("violent rain", ""),
    "flood.rainstorm_12h": ("rain of 12 hours", ""),
    "flood.rainstorm_3h": ("rain of 3 hours", ""),
    "flood.rainstorm_6h": ("rain of 6 hours", ""),
    "flood.rising_fast": ("water rises quickly", "!underpasses"),
    "flood.road_ponding": ("water on the road", "!underpasses"),
    "flood.underpass_ponding": ("water on the road", "underpasses"),
    "flood.underpass_rising_fast": ("water rises quickly", "underpasses"),
    "flood.video_ponding": ("water in view", ""),
    "gas.methane_leak": ("gas in a closed space", ""),
    "gas.methane_rise": ("gas gathers quickly", ""),
    "gas.outdoor_methane": ("gas in the open air", ""),
    "gas.pressure_drop": ("gas pressure falls", ""),
    "gas.pressure_rise": ("gas pressure rises", ""),
    "gas.sensor_silent": ("gas sensor without power", ""),
    "gas.underground_methane": ("gas in a closed space", ""),
    "gas.well_methane": ("gas in a closed space", ""),
    "muck.dumping": ("truck tips", ""),
    "muck.hours": ("truck by day", ""),
    "muck.off_corridor": ("truck off its roads", ""),
    "muck.spill": ("load on the road", ""),
    "order.parking": ("car on the sidewalk", "sidewalks"),
    "order.stall": ("stall", "no_vending"),
    "waste.bin_full": ("bin full", ""),
    "waste.collection_missed": ("round did not come", ""),
    "waste.drop_hours": ("drop outside the hours", ""),
    "waste.dumping_seen": ("waste dumped", "no_dumping"),
    "waste.full_too_long": ("bin full for hours", ""),
    "waste.overflow_seen": ("waste heaps", ""),
}
"""By rule the hazard that it is for, and the zone in which (with `!`: outside which) it counts; others: not judged."""
VIDEO = {hazard.of.removeprefix("view."): name for name, hazard in HAZARDS.items() if hazard.of.startswith("view.")}
"""By kind of video what it looks for."""
SEEN = next(iter(HAZARDS[name].grave for name in VIDEO.values()))
"""Share of a close view that counts as something in view."""


class Alert(msgspec.Struct, frozen=True):
    """An alert of a sensor, from when to when, ms."""

    sensor: str
    kind: str
    begins: int
    ends: int


class Score(msgspec.Struct):
    """What came of one rule. Alerts: right, grey or neither; occasions: found or not, grey ones apart; delays in s.

    wrong, missed: which, for people.
    """

    alerts: int = 0
    right: int = 0
    grey_alerts: int = 0
    occasions: int = 0
    found: int = 0
    grey: int = 0
    delays_s: list[float] = msgspec.field(default_factory=list)
    wrong: list[str] = msgspec.field(default_factory=list)
    missed: list[str] = msgspec.field(default_factory=list)

    def add(self, other: Score) -> None:
        """Count another run's in."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Frames(msgspec.Struct):
    """Frames of one kind of video by confidence (CURVE): with something in view, and with nothing."""

    shown: int = 0
    camera_days: float = 0.0
    sure: list[int] = msgspec.field(default_factory=lambda: [0] * len(CURVE))
    mistaken: list[int] = msgspec.field(default_factory=lambda: [0] * len(CURVE))

    def add(self, other: Frames) -> None:
        """Count another run's in."""
        self.shown, self.camera_days = self.shown + other.shown, self.camera_days + other.camera_days
        self.sure = [a + b for a, b in zip(self.sure, other.sure, strict=True)]
        self.mistaken = [a + b for a, b in zip(self.mistaken, other.mistaken, strict=True)]


class Measured(msgspec.Struct):
    """What came of one run, by rule and by kind of video."""

    scores: dict[str, Score]
    frames: dict[str, Frames]


def measure(scenario: Scenario, city: City, seed: int, sensors: int | None, rules: Path = LIBRARY) -> Measured:
    """Play a scenario and judge what the rules said of it; `sensors`: how many beside those that matter, None: all."""
    ground = ground_of(city)
    whole = Simulation(scenario, ground, seed)
    truth = happened(whole)
    heard = _heard(whole.network, truth, scenario, sensors)
    frames = {kind: Frames() for kind in VIDEO}
    simulation = Simulation(scenario, ground, seed, heard=heard)
    with TemporaryDirectory(prefix="tongguan-quality-") as folder:
        registry = Path(folder) / "sensors.csv"
        Network(row for row, name in zip(whole.network.rows, whole.network.names, strict=True)
                if name in heard).write_registry(registry)  # fmt: skip
        plan = build_plan(PlanFiles(rules, registry=registry, zones=city.zones_path)).plan
        alerts = _alerts(plan, _Stream(simulation, heard, frames), scenario)
    scores = {}
    for rule in plan.rules:
        if rule.id in FOR:
            name, zone = FOR[rule.id]
            mine = [h for h in truth if h.hazard == name and any(fnmatch(h.kind, kind) for kind in rule.reads)]
            score = judged(alerts.get(rule.id, []), _within(mine, zone, whole.network, ground))
            run = f"{scenario.name} {seed} "
            score.wrong, score.missed = [run + one for one in score.wrong], [run + one for one in score.missed]
            scores[rule.id] = score
    return Measured(scores, frames)


def judged(alerts: Sequence[Alert], truth: Sequence[Happened]) -> Score:
    """Return how alerts meet what happened, by sensor and time."""
    score = Score(alerts=len(alerts))
    by_sensor: dict[tuple[str, str], list[Happened]] = {}
    for one in truth:
        by_sensor.setdefault((one.sensor, one.kind), []).append(one)
    answers: dict[Happened, list[Alert]] = {}
    for alert in alerts:
        near = [h for h in by_sensor.get((alert.sensor, alert.kind), ()) if _meet(alert, h)]
        began = [h for h in near if h.begins - EARLY_MS <= alert.begins <= h.ends + LATE_MS]
        for one in near:
            answers.setdefault(one, []).append(alert)
        if any(h.grave for h in began):
            score.right += 1
        elif began:
            score.grey_alerts += 1
        else:
            score.wrong.append(f"{alert.sensor} {alert.begins}")
    for one in truth:
        score.grey += not one.grave
        score.occasions += one.grave
        if one.grave and one in answers:
            score.found += 1
            score.delays_s.append(max(min(a.begins for a in answers[one]) - one.begins, 0) / 1_000.0)
        elif one.grave:
            score.missed.append(f"{one.sensor} {one.begins} {one.peak:.2f}")
    return score


def _meet(alert: Alert, truth: Happened) -> bool:
    return alert.begins <= truth.ends + LATE_MS and truth.begins - EARLY_MS <= alert.ends


def _within(truth: Sequence[Happened], zone: str, network: Network, ground: Ground) -> list[Happened]:
    """Return what happened in (with `!`: outside) a zone."""
    if not zone:
        return list(truth)
    inside = ground.inside(zone.removeprefix("!"), network.lon, network.lat)
    there = {name for name, within in zip(network.names, inside.tolist(), strict=True) if within}
    return [h for h in truth if (f"{h.sensor}|{h.kind}" in there) is not zone.startswith("!")]


def _heard(network: Network, truth: Iterable[Happened], scenario: Scenario, sensors: int | None) -> set[str]:
    """Return the sensors that are listened to: all that something reached, and others of the same kinds.

    All cameras are among them; nothing happened: others of all kinds.
    """
    kinds = {h.kind for h in truth} or set(scenario.signals)
    others = choose(network.rows, kinds, sensors).names
    cameras = (n for n, k in zip(network.names, network.kind, strict=True) if k in kinds and k.startswith("video."))
    return {*others, *cameras, *(f"{h.sensor}|{h.kind}" for h in truth)}


def _alerts(plan: Plan, stream: _Stream, scenario: Scenario) -> dict[str, list[Alert]]:
    """Return by rule what is said of a run."""
    detector = Detector(offline_plan=plan)
    changes = [c for batch in read_lines(stream) for c in detector.step(batch).items.changes]
    changes += detector.finish().items.changes
    end = scenario.starts_ms + scenario.lasts_ms
    open_: dict[str, Change] = {}
    found: dict[str, list[Alert]] = {}
    for change in changes:
        if change.change == "raised":
            open_[change.episode] = change
        elif change.change == "cleared" and change.episode in open_:
            begun = open_.pop(change.episode)
            found.setdefault(begun.rule, []).append(Alert(begun.sensor, begun.kind, begun.t, change.t))
    for begun in open_.values():
        found.setdefault(begun.rule, []).append(Alert(begun.sensor, begun.kind, begun.t, max(end, begun.t)))
    return found


class _Stream:
    """A run as what `read_lines` reads; counts what cameras say beside what they have in view."""

    def __init__(self, simulation: Simulation, heard: set[str], frames: Mapping[str, Frames]) -> None:
        self._simulation, self._frames = simulation, frames
        self._until = simulation.scenario.starts_ms + simulation.scenario.lasts_ms
        self._batches, self._rest = simulation.batches(truth=False), b""
        eyes = {k: e for k, e in simulation.world.eyes.items() if any(f"{n}|{k}" in heard for n in e.sensors)}
        self._cameras = {
            kind: {name: i for i, name in enumerate(eyes[kind].sensors)} for kind in frames if kind in eyes
        }

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end."""
        while len(self._rest) < size and (more := self._more()):
            self._rest += more
        out, self._rest = self._rest[:size], self._rest[size:]
        return out

    def _more(self) -> bytes:
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
                seen = float(apparent[kind][self._cameras[kind][reading["sensor"]]])
                if seen >= SEEN or seen <= 0.0:
                    column = self._frames[kind].sure if seen >= SEEN else self._frames[kind].mistaken
                    for i, least in enumerate(CURVE):
                        column[i] += reading["v"] >= least
        if t_ms % MINUTE_MS == 0:
            for kind in self._cameras:
                self._frames[kind].shown += int((apparent[kind] >= SEEN).sum())
                self._frames[kind].camera_days += len(apparent[kind]) / 1440.0
