"""A scenario told anew every day: when its time is over, the next day's begins, drawn from the next seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from simulators.ground import Ground
from simulators.part import Danger
from simulators.run import Batch, Simulation
from simulators.scenario import Scenario

DAY_MS = 86_400_000


class Days:
    """Days in a row of one city; the first is the scenario itself, and all have the same sensors.

    A day lasts from its `starts` to the next one's, a day later (a longer story takes its days). Its prelude lies in
    the day before and is gone through without output.
    """

    def __init__(self, scenario: Scenario, ground: Ground, seed: int, sensors: int | None = None) -> None:
        self._scenario, self._ground, self._seed, self._sensors = scenario, ground, seed, sensors
        self._every_ms = -(-scenario.lasts_ms // DAY_MS) * DAY_MS
        self._number = 0
        self.today = Simulation(scenario, ground, seed, sensors)

    def danger(self, lon: float, lat: float, about: tuple[str, ...] = ()) -> Danger:
        """Return the physical danger at a place, now."""
        return self.today.world.danger(lon, lat, about)

    def batches(self, *, after_ms: int | None = None) -> Iterator[Batch]:
        """Yield the batches that end after `after_ms` (default: all), day after day, without end."""
        if after_ms is not None:
            self._turn_to((after_ms - self._scenario.starts_ms) // self._every_ms)
        while True:
            ends_ms = self.today.scenario.starts_ms + self._every_ms
            for batch in self.today.batches(after_ms=after_ms):
                yield batch
                if batch.t_ms >= ends_ms:
                    break
            after_ms = ends_ms
            self._turn_to(self._number + 1)

    def _turn_to(self, number: int) -> None:
        if number > self._number:
            scenario = replace(self._scenario, starts_ms=self._scenario.starts_ms + number * self._every_ms)
            self._number = number
            self.today = Simulation(scenario, self._ground, self._seed + number, self._sensors)
