"""The city as it is: weather, water and gas moving on in steps of ten seconds, and what every sensor would see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators import everyday
from simulators.calls import Sights
from simulators.flood import Eye, Flood
from simulators.ground import Ground
from simulators.network import Network
from simulators.scenario import Scenario
from simulators.seepage import Seepage
from simulators.wind import Breeze

STEP_MS = 10_000
DEPOTS_WITHIN_M = 2_500.0
MOVING = "vehicle.position"
DANGER_WITHIN_M = 150.0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Danger:
    """What threatens at a place: water in cm, gas in %LEL, or none; now, and the most that there has been."""

    what: str
    now: float
    peak: float


class World:
    """One seed's city. `now_ms` is the player's time up to which it has moved; it never goes back.

    What is seen here is true but for the instrument's noise; faults come later. Rows are those of the network.
    """

    def __init__(self, scenario: Scenario, seed: int, ground: Ground, network: Network) -> None:
        self.scenario, self.ground, self.network = scenario, ground, network
        self.now_ms = (scenario.starts_ms - scenario.prelude.lasts_ms) // STEP_MS * STEP_MS
        self.frame = ground.frame
        x, y = self.frame.to_metres(network.lon, network.lat)
        self._groups = everyday.prepare(scenario, seed, network.names, network.kind)
        self._position = np.zeros(len(network), dtype=np.int64)
        for rows, _ in self._groups.values():
            self._position[rows] = np.arange(len(rows))
        names = np.array(network.sensor)
        self.eyes = {k: Eye(tuple(names[rows].tolist()), x[rows], y[rows]) for k, (rows, _) in self._groups.items()}
        self.breeze = Breeze(scenario.wind, seed)
        self.flood = Flood(scenario, seed, ground, self.eyes) if scenario.storm is not None else None
        self.gas = Seepage.near(scenario.leak, seed, ground, self.eyes) if scenario.leak is not None else None

    @property
    def story_ms(self) -> float:
        """Return the time of the story: 0 where it is worth watching from."""
        return float(self.now_ms - self.scenario.starts_ms)

    def rows(self, kind: str) -> Ints:
        """Return the rows of a kind, int64[n] ascending."""
        return self._groups[kind][0] if kind in self._groups else np.zeros(0, dtype=np.int64)

    def advance(self, to_ms: int) -> None:
        """Let time pass, in whole steps, until `to_ms`."""
        while self.now_ms + STEP_MS <= to_ms:
            if self.flood is not None:
                self.flood.step(self.story_ms, STEP_MS)
            if self.gas is not None:
                self.gas.step(self.story_ms, STEP_MS, self.breeze)
            self.now_ms += STEP_MS

    def measure(
        self, kind: str, rows: Ints, t_ms: Ints, normal: Floats, chance: Floats
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return what these rows of one kind see now, float64[n] as the instrument rounds it, and who reports at all.

        `normal`: draws of the noise; `chance` in [0, 1). A row stands at most once in a call.
        """
        signal, position = self.scenario.signals[kind], self._position[rows]
        nature, offset_h = self._groups[kind][1][position], self.scenario.utc_offset_h
        seen, reports = everyday.course(signal, nature, t_ms, offset_h, normal), chance < signal.chance
        if kind == "waste.fill":
            seen = np.clip(seen + everyday.fill(self.scenario.bins, nature, t_ms, offset_h), signal.low, signal.high)
        elif kind == MOVING:
            speed = everyday.drive(self.scenario.vehicles, nature, t_ms)[2]
            seen = np.clip(seen + speed - signal.mean, signal.low, signal.high)
        if self.flood is not None:
            seen, reports = self.flood.see(kind, position, seen, reports)
        if self.gas is not None:
            seen = self.gas.see(kind, position, seen, self.story_ms)
        return np.round(seen, signal.decimals), reports

    def moving(self, kind: str, rows: Ints, t_ms: Ints) -> tuple[Floats, Floats]:
        """Return where these rows of one kind are in degrees, nan for what stands still."""
        if kind != MOVING:
            return np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        nature = self._groups[kind][1][self._position[rows]]
        x, y, _ = everyday.drive(self.scenario.vehicles, nature, t_ms)
        depot = DEPOTS_WITHIN_M * (2.0 * nature[:, 4:6] - 1.0)
        return self.frame.to_degrees(x + depot[:, 0], y + depot[:, 1])

    def truth(self) -> list[dict[str, Any]]:
        """Return what is so now, physically: one row a quantity and place."""
        rows: list[dict[str, Any]] = [] if self.flood is None else self.flood.truth(self.story_ms)
        return rows if self.gas is None else rows + self.gas.truth(self.story_ms, self.frame)

    def sights(self) -> Sights:
        """Return what citizens may call about: underpasses by depth in cm, wells by %LEL."""
        if self.flood is not None:
            which = self.flood.underpasses
            lon, lat = self.frame.to_degrees(self.flood.x[which], self.flood.y[which])
            return Sights(lon, lat, self.flood.basins.depth_cm()[which])
        if self.gas is not None:
            rows = self.rows("gas.methane")
            return Sights(self.network.lon[rows], self.network.lat[rows], self.gas.methane_lel())
        return Sights(np.zeros(0), np.zeros(0), np.zeros(0))

    def danger(self, lon: float, lat: float) -> Danger:
        """Return the physical danger around a place: the nearest standing water or room with gas that has had any."""
        x, y = (float(metres) for metres in self.frame.to_metres(lon, lat))
        if self.flood is not None:
            peak, now = self.flood.peak_cm, self.flood.basins.depth_cm()
            return _nearest("water", self.flood.x - x, self.flood.y - y, now, peak)
        if self.gas is not None:
            wells = self.eyes["gas.methane"]
            return _nearest("gas", wells.x - x, wells.y - y, self.gas.methane_lel(), self.gas.peak_lel)
        return Danger("none", 0.0, 0.0)


def _nearest(what: str, east: Floats, north: Floats, now: Floats, peak: Floats) -> Danger:
    metres = np.where(peak > 0.0, np.hypot(east, north), np.inf)
    if not len(metres) or metres.min() > DANGER_WITHIN_M:
        return Danger("none", 0.0, 0.0)
    nearest = int(np.argmin(metres))
    return Danger(what, float(now[nearest]), float(peak[nearest]))
