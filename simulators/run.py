"""The player: a scenario and a seed in, an endless stream of batches out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson

from simulators import faults
from simulators.calls import Call, calls_in_minute
from simulators.ground import Ground
from simulators.lines import Writer
from simulators.network import Network, choose, original, read_registry
from simulators.readings import Readings, join
from simulators.scenario import Scenario
from simulators.streams import Streams, natures
from simulators.world import STEP_MS, World

MINUTE_MS = 60_000
WEAKEST_DB, DB_SPREAD = 58, 48
PHASE = 7
PRELUDE_STEP_MS = 60_000
REMEMBERED = ("rain.minute",)
"""Kinds whose readings depend on when the one before was sent: gauges count what fell since."""
EVENTS = ("waste.collected",)
"""Kinds that report only when something happens: no prelude makes them rarer."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Batch:
    """What comes in during ten seconds (of the prelude: a minute) of the player's time, up to `t_ms`, not included.

    lines: one reading each, ordered by arrival, without line end; arrives_ms: int64[len(lines)] ascending;
    truth: JSON lines; calls: by time.
    """

    t_ms: int
    lines: list[bytes]
    arrives_ms: Ints
    truth: list[bytes]
    calls: tuple[Call, ...]
    prelude: bool

    @property
    def ndjson(self) -> bytes:
        """All lines as one frame; empty if there are none."""
        return b"\n".join(self.lines) + b"\n" if self.lines else b""


class Simulation:
    """One run. The same scenario, city, seed and number of sensors give the same bytes.

    `batches` can be taken once; `world` is then as of the last batch.
    """

    def __init__(
        self,
        scenario: Scenario,
        ground: Ground,
        seed: int,
        sensors: int | None = None,
        heard: Collection[str] | None = None,
    ) -> None:
        """`heard`: names (`sensor|kind`) of the only rows whose readings are wanted; the city is the same."""
        self.scenario, self.seed = scenario, seed
        self.network = choose(read_registry(ground.registry), scenario.signals, sensors)
        self.world = World(scenario, seed, ground, self.network)
        self.faults = faults.faults_of(scenario, self.network, seed)
        self._streams = Streams(seed, self.network.names)
        phases = natures(seed, self.network.names)[:, PHASE]
        wanted = np.array([heard is None or name in heard for name in self.network.names], dtype=np.bool_)
        rows = {kind: (of := self.world.rows(kind))[wanted[of]] for kind in scenario.signals}
        self._timetable = {kind: _by_phase(of, phases) for kind, of in rows.items() if len(of)}
        self._writer = Writer(self.network, scenario.signals, _sites(self.network, ground), seed)
        self._waiting: Readings | None = None

    def batches(self, *, after_ms: int | None = None, log_t: bool = False, truth: bool = True) -> Iterator[Batch]:
        """Yield the batches that end after `after_ms` (default: all); what lies before is gone through without output.

        log_t: each reading says when it came in; truth: whether batches tell it.
        """
        first = self.world.now_ms
        while True:
            t_ms = self.world.now_ms
            until = t_ms + self._step_ms(t_ms)
            self.world.advance(until)
            if after_ms is not None and until <= after_ms:
                self._pass(t_ms, until)
                continue
            readings = self._arriving(t_ms, until, self.scenario.signals)
            yield Batch(
                t_ms=until,
                lines=self._writer.write(readings, log_t=log_t),
                arrives_ms=readings.arrives_ms,
                truth=self._truth(until, first=t_ms == first) if truth else [],
                calls=self._calls(t_ms, until),
                prelude=t_ms < self.scenario.starts_ms,
            )

    def _step_ms(self, t_ms: int) -> int:
        return PRELUDE_STEP_MS if t_ms + PRELUDE_STEP_MS <= self.scenario.starts_ms else STEP_MS

    def _pass(self, t_ms: int, until: int) -> None:
        """Go through a step without output; only what leaves a mark on later readings is done."""
        self._arriving(t_ms, until, self.scenario.signals if self.faults else REMEMBERED)

    def _every_ms(self, kind: str, t_ms: int) -> int:
        prelude = self.scenario.prelude
        every = self.scenario.signals[kind].every_ms
        slow = t_ms < self.scenario.starts_ms and kind not in prelude.whole and kind not in EVENTS
        return max(prelude.every_ms, every) if slow else every

    def _arriving(self, t_ms: int, until: int, kinds: Iterable[str]) -> Readings:
        """Return what arrives in the step from `t_ms`, by order of arrival."""
        parts = [part for kind in kinds for part in self._sent(kind, t_ms, until)]
        readings = join(parts) if parts else _none()
        for fault in self.faults:
            readings = fault.apply(readings)
        if self._waiting is not None:
            readings = join([self._waiting, readings])
        later = readings.arrives_ms >= until
        self._waiting = readings.take(later) if later.any() else None
        return (readings.take(~later) if later.any() else readings).in_order()

    def _sent(self, kind: str, t_ms: int, until: int) -> Iterator[Readings]:
        """Yield what sensors of a kind send in the step from `t_ms`; each sensor has its own second of the minute."""
        if kind not in self._timetable:
            return
        rows, phases = self._timetable[kind]
        every = self._every_ms(kind, t_ms)
        number, into = divmod(t_ms, every)
        step = until - t_ms
        while into > -step:
            begin, end = np.searchsorted(phases, [into / every, (into + step) / every]).tolist()
            if end > begin:
                due = np.floor(phases[begin:end] * every).astype(np.int64)
                yield self._report(kind, rows[begin:end], t_ms + due - into, number)
            number, into = number + 1, into - every

    def _report(self, kind: str, rows: Ints, t_ms: Ints, number: int) -> Readings:
        normal, uniform = self._streams.draw(rows, number)
        glance = self.world.measure(kind, rows, t_ms, normal, uniform[0], uniform[6:8])
        lon, lat = self.world.moving(kind, glance)
        weak = (WEAKEST_DB + DB_SPREAD * uniform[1]).astype(np.int64)
        lanes = uniform[2 : 2 + faults.LANES].T
        readings = Readings(rows, t_ms, t_ms, glance.v, lon, lat, weak, glance.more, normal, lanes)
        return readings if glance.reports.all() else readings.take(glance.reports)

    def _truth(self, until: int, *, first: bool) -> list[bytes]:
        """Return what is true at the end of a step, if a minute ends there."""
        if until % MINUTE_MS >= STEP_MS and not first:
            return []
        rows = faults.truth(self.faults, self.network) if first else []
        return [orjson.dumps({"t": until, **row}) for row in rows + self.world.truth()]

    def _calls(self, t_ms: int, until: int) -> tuple[Call, ...]:
        """Return the calls of the minute that ends in this step."""
        minute = t_ms // MINUTE_MS
        if minute == until // MINUTE_MS or t_ms < self.scenario.starts_ms:
            return ()
        world, seed = self.world, self.seed
        found = [
            call
            for calls in self.scenario.calls
            for call in calls_in_minute(calls, seed, minute, world.sights(calls.about), world.frame)
        ]
        return tuple(sorted(found, key=lambda call: (call.t, call.contact)))


def _by_phase(rows: Ints, phases: Floats) -> tuple[Ints, Floats]:
    order = np.argsort(phases[rows], kind="stable")
    return rows[order], phases[rows][order]


def _sites(network: Network, ground: Ground) -> list[str]:
    """Return what `attrs.site` says of each row: a water level sensor stands in an underpass or on a road."""
    uses = {sensor: place.use for place in ground.low for sensor in place.sensors}
    rows = zip(network.sensor, network.kind, strict=True)
    return [uses.get(original(name), uses.get(name, "")) if kind == "water.level" else "" for name, kind in rows]


def _none() -> Readings:
    whole, real = np.zeros(0, dtype=np.int64), np.zeros(0)
    more, lanes = np.zeros((0, 2)), np.zeros((0, faults.LANES))
    return Readings(whole, whole, whole, real, real, real, whole, more, real, lanes)
