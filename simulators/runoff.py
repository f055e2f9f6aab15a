"""Water on the ground: rain runs off, drains take what they can, the rest stands in the low places.

Per place, volumes in m³. Rain on the catchment: a part seeps away, the rest passes two equal linear reservoirs (Nash
1957; their delay together is the time of concentration) into the drain. The drain is a store that empties by a
Manning-like law and is full at `pipe`; what does not fit stands on the road. Standing water falls back into the drain
as room appears, is pumped, and what rises over the crest (a sill, a side outlet) leaves for the next street like over a
weir. Depth h and volume V of standing water:
V = storage · (h / 1 m)^shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simulators.ground import LowPlace
from simulators.scenario import Basin, draw
from simulators.streams import stream

Floats = npt.NDArray[np.float64]
MM_HA = 10.0
"""m³ of one mm on one hectare"""
PIPE_HEIGHT_CM = 80.0
WEIR_M_S = 1.7
MANNING = 5.0 / 3.0


class Basins:
    """Many low places at once; all arrays are float64[n], a row a place."""

    def __init__(self, seed: int, places: Sequence[LowPlace], shapes: Sequence[Basin]) -> None:
        self.names = tuple(place.name for place in places)
        self.area_ha: Floats = np.array([place.catchment_ha for place in places], dtype=np.float64)
        self.runoff: Floats = np.array([place.runoff for place in places], dtype=np.float64)
        drawn = [_draw(seed, place.name, shape) for place, shape in zip(places, shapes, strict=True)]
        table = np.array(drawn, dtype=np.float64).reshape(len(drawn), 9)
        delay_ms, drain, pipe, pump, self.pump_from_m, storage, self.shape, crest, width = table.T
        self.reservoir_s = np.maximum(delay_ms / 2_000.0, 1.0)
        effective = self.area_ha * self.runoff * MM_HA
        self.drain_m3_s = drain * effective / 3_600.0
        self.pump_m3_s = pump * effective / 3_600.0
        self.pipe_m3 = pipe * effective
        self.storage_m3 = storage * effective
        self.crest_m = crest / 100.0
        self.width_m = width * self.area_ha * self.runoff
        self.pumps_left = np.ones(len(places))
        zero = np.zeros(len(places))
        self.first, self.second, self.pipe, self.pond = zero.copy(), zero.copy(), zero.copy(), zero.copy()
        self.fallen, self.seeped, self.drained, self.pumped, self.spilled = (zero.copy() for _ in range(5))

    def step(self, rain_mm_h: Floats, seconds: float) -> None:
        """Let rain fall for some seconds (at most the shortest time constant, about a minute)."""
        rain = rain_mm_h * self.area_ha * (MM_HA * seconds / 3_600.0)
        runs = rain * self.runoff
        self.fallen += rain
        self.seeped += rain - runs
        self.first += runs
        share = -np.expm1(-seconds / self.reservoir_s)
        passed = self.first * share
        self.first -= passed
        self.second += passed
        arrives = self.second * share
        self.second -= arrives
        self._pipes(arrives, seconds)
        self._pond(seconds)

    def _pipes(self, arrives: Floats, seconds: float) -> None:
        self.pipe += arrives
        flows = self.drain_m3_s * seconds * np.minimum(self.pipe / self.pipe_m3, 1.0) ** MANNING
        flows = np.minimum(flows, self.pipe)
        self.pipe -= flows
        self.drained += flows
        over = np.maximum(self.pipe - self.pipe_m3, 0.0)
        back = np.minimum(np.maximum(self.pipe_m3 - self.pipe, 0.0), self.pond)
        self.pipe += back - over
        self.pond += over - back

    def _pond(self, seconds: float) -> None:
        on = self.depth_m() > self.pump_from_m
        pumped = np.where(on, np.minimum(self.pond, self.pump_m3_s * self.pumps_left * seconds), 0.0)
        self.pond -= pumped
        self.pumped += pumped
        head = np.maximum(self.depth_m() - self.crest_m, 0.0)
        brim = self.storage_m3 * self.crest_m**self.shape
        over = np.minimum(WEIR_M_S * self.width_m * head**1.5 * seconds, np.maximum(self.pond - brim, 0.0))
        self.pond -= over
        self.spilled += over

    def depth_m(self) -> Floats:
        """Return how deep the water stands, in metres."""
        return np.asarray((self.pond / self.storage_m3) ** (1.0 / self.shape), dtype=np.float64)

    def depth_cm(self) -> Floats:
        """Return how deep the water stands, in cm."""
        return self.depth_m() * 100.0

    def drain_percent(self) -> Floats:
        """Return the drain's level in % of its section; above 100 it stands in the shaft, to 200 at most."""
        filled = 100.0 * self.pipe / self.pipe_m3
        return np.asarray(np.minimum(filled + 100.0 * self.depth_cm() / PIPE_HEIGHT_CM, 200.0), dtype=np.float64)

    def imbalance_m3(self) -> Floats:
        """Return what fell less what seeped, left, or still is here: zero but for rounding."""
        gone = self.seeped + self.drained + self.pumped + self.spilled
        return np.asarray(self.fallen - gone - self.first - self.second - self.pipe - self.pond, dtype=np.float64)


def _draw(seed: int, name: str, basin: Basin) -> list[float]:
    generator = stream(seed, f"basin|{name}")
    return [
        draw(basin.concentration_ms, generator),
        draw(basin.drain_mm_h, generator),
        draw(basin.pipe_mm, generator),
        draw(basin.pump_mm_h, generator),
        basin.pump_from_cm / 100.0,
        draw(basin.storage_mm, generator),
        draw(basin.shape, generator),
        draw(basin.crest_cm, generator),
        draw(basin.crest_m_ha, generator),
    ]
