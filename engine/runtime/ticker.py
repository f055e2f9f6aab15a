"""The beat of a live log: a tick a second into every partition, so that timers fire when all sensors are silent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from engine.runtime.readings import Readings

PERIOD_S = 1.0


def tick_until(stopping: threading.Event, partitions: Sequence[Readings], clock: Callable[[], int]) -> None:
    """Append ticks of the clock's time (ms) until `stopping` is set; off where a player writes its own."""
    while not stopping.wait(PERIOD_S):
        now = clock()
        for readings in partitions:
            readings.tick(now)
