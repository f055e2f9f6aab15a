"""Rain in time and space: steady rain with ripples, and storm cells that travel."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np
import numpy.typing as npt

from simulators.scenario import Cell, Storm, draw
from simulators.streams import stream

HOUR_MS = 3_600_000
WAVES = 6
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Track:
    """One cell as the seed drew it. It passes over (x, y) in metres at `arrives_ms` of the story."""

    peak_mm_h: float
    arrives_ms: float
    east_m_h: float
    north_m_h: float
    x: float
    y: float
    along_m: float
    across_m: float
    lifetime_ms: float

    def centre(self, story_ms: float) -> tuple[float, float]:
        """Return where its middle is, in metres."""
        hours = (story_ms - self.arrives_ms) / HOUR_MS
        return self.x + hours * self.east_m_h, self.y + hours * self.north_m_h

    def rate(self, story_ms: float, x: Floats, y: Floats) -> Floats:
        """Return its rain in mm/h at points in metres."""
        centre_x, centre_y = self.centre(story_ms)
        speed = float(np.hypot(self.east_m_h, self.north_m_h))
        east, north = self.east_m_h / speed, self.north_m_h / speed
        along = ((x - centre_x) * east + (y - centre_y) * north) / self.along_m
        across = ((y - centre_y) * east - (x - centre_x) * north) / self.across_m
        life = ((story_ms - self.arrives_ms) / self.lifetime_ms) ** 2
        return self.peak_mm_h * np.asarray(np.exp(-0.5 * (along * along + across * across + life)), dtype=np.float64)


class Rain:
    """The rain of a storm; the same seed gives the same rain at every place."""

    def __init__(self, storm: Storm, seed: int, target: tuple[float, float]) -> None:
        generator = stream(seed, "storm")
        self._storm = storm
        self._steady = draw(storm.steady_mm_h, generator)
        heading = float(generator.random())
        self.tracks = tuple(self._track(cell, heading, generator, target) for cell in storm.cells)
        waves = generator.random((WAVES, 4))
        length, bearing = 1_500.0 + 4_500.0 * waves[:, 0], 2 * pi * waves[:, 1]
        self._wave_x = 2 * pi / length * np.cos(bearing)
        self._wave_y = 2 * pi / length * np.sin(bearing)
        self._wave_t = 2 * pi / ((0.3 + 0.7 * waves[:, 2]) * HOUR_MS)
        self._phase = 2 * pi * waves[:, 3]

    def _track(self, cell: Cell, heading: float, generator: np.random.Generator, target: tuple[float, float]) -> Track:
        """Draw a cell; all cells of a storm share one `heading` (0..1 of their span), as they ride on one wind."""
        degrees = cell.heading_deg.low + heading * (cell.heading_deg.high - cell.heading_deg.low)
        east, north = sin(radians(degrees)), cos(radians(degrees))
        speed = 1_000.0 * draw(cell.speed_km_h, generator)
        beside = draw(cell.beside_m, generator)
        return Track(
            peak_mm_h=draw(cell.peak_mm_h, generator),
            arrives_ms=draw(cell.arrives_ms, generator),
            east_m_h=speed * east,
            north_m_h=speed * north,
            x=target[0] + beside * north,
            y=target[1] - beside * east,
            along_m=1_000.0 * draw(cell.length_km, generator),
            across_m=1_000.0 * draw(cell.width_km, generator),
            lifetime_ms=draw(cell.lifetime_ms, generator),
        )

    def rate(self, story_ms: float, x: Floats, y: Floats) -> Floats:
        """Return the rain in mm/h at points in metres, at a time in ms from the story's start."""
        phase = self._phase - self._wave_t * story_ms
        waves = np.cos(np.outer(x, self._wave_x) + np.outer(y, self._wave_y) + phase)
        texture = 1.0 + self._storm.ripple * waves.sum(axis=1) / WAVES**0.5 / 2**0.5
        steady = self._steady if self._storm.begins_ms <= story_ms < self._storm.ends_ms else 0.0
        total = np.full(len(x), steady)
        for track in self.tracks:
            total += track.rate(story_ms, x, y)
        return np.asarray(total * np.clip(texture, 0.2, 1.8), dtype=np.float64)
