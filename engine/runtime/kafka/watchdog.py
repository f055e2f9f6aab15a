"""Whether partitions move while the log has more for them, told from two sides that cannot be wrong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.runtime.errors import TryAgain

LOOKS = 3
TRIES = 3

Places = Mapping[int, tuple[int, int]]
"""Of each partition that may move: the next offset to fetch, and the next to judge."""


class Wedged(TryAgain):
    """Partitions that do not move though everything was made anew."""


@dataclass(slots=True)
class Watchdog:
    """Count the looks at which a partition stood still behind the log's end, and the consumers made anew for it."""

    _before: dict[int, tuple[int, int]] = field(default_factory=dict)
    _looks: dict[int, int] = field(default_factory=dict)
    _tries: dict[int, int] = field(default_factory=dict)

    def look(self, places: Places, ends: Mapping[int, int]) -> list[int]:
        """Return the partitions for which a new consumer is due. Raises Wedged when that did not help `TRIES` times."""
        due = []
        for number, place in places.items():
            if self._before.get(number) != place or place[1] >= ends.get(number, 0):
                self._looks[number] = 0
                if self._before.get(number, place) != place:
                    self._tries[number] = 0
                continue
            self._looks[number] += 1
            if self._looks[number] >= LOOKS:
                self._looks[number] = 0
                self._tries[number] = self._tries.get(number, 0) + 1
                due.append(number)
        self._before = dict(places)
        given_up = [number for number in due if self._tries[number] > TRIES]
        if given_up:
            raise Wedged(f"city.readings: partitions {given_up} do not move after {TRIES} new consumers")
        return due
