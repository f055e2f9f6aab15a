"""Wind over the roofs, for any moment, without a memory."""

from __future__ import annotations

from math import pi, radians, sin

from simulators.scenario import Wind, draw
from simulators.streams import stream

HOUR_MS = 3_600_000


class Breeze:
    """The wind of one seed."""

    def __init__(self, wind: Wind, seed: int) -> None:
        generator = stream(seed, "wind")
        self._wind = wind
        self._speed = draw(wind.speed_m_s, generator)
        self._from = draw(wind.from_deg, generator)
        self._phase = [2 * pi * float(phase) for phase in generator.random(4)]

    def _wave(self, story_ms: float, hours: float, phase: float) -> float:
        return sin(2 * pi * ((story_ms / (hours * HOUR_MS)) % 1.0) + phase)

    def speed_m_s(self, story_ms: float) -> float:
        """Return the speed in m/s, never below a tenth of the mean."""
        gusts = 0.6 * self._wave(story_ms, 0.07, self._phase[0]) + 0.4 * self._wave(story_ms, 0.83, self._phase[1])
        return self._speed * max(0.1, 1.0 + self._wind.gust * gusts)

    def to_rad(self, story_ms: float) -> float:
        """Return where it blows to, in radians clockwise from north."""
        turn = 0.7 * self._wave(story_ms, 3.1, self._phase[2]) + 0.3 * self._wave(story_ms, 0.4, self._phase[3])
        return radians(self._from + 180.0 + self._wind.turns_deg * turn)
