"""How far detect is behind the readings log: records, bytes, and for how long."""

from __future__ import annotations

import threading
import time
from collections import deque

GRAIN_S = 0.25


class Backlog:
    """Counted as readings are appended and judged; any thread may ask.

    `bytes_` is what was already waiting at the start.
    """

    def __init__(self, end: int, judged: int, bytes_: int) -> None:
        self._lock = threading.Lock()
        self._end = end
        self._judged = judged
        self._bytes = bytes_
        self._arrivals: deque[tuple[int, float]] = deque()
        if end > judged:
            self._arrivals.append((end, time.monotonic()))

    def appended(self, offset: int, bytes_: int) -> None:
        """Count records up to `offset`, `bytes_` of them, that are in the log now."""
        now = time.monotonic()
        with self._lock:
            self._end = max(self._end, offset)
            self._bytes += bytes_
            # one note a quarter of a second: enough to tell how long the oldest waits
            if not self._arrivals or now - self._arrivals[-1][1] > GRAIN_S:
                self._arrivals.append((offset, now))

    def judged(self, offset: int, bytes_: int) -> None:
        """Count records up to `offset`, `bytes_` of them, that detect has judged and committed."""
        with self._lock:
            self._judged = max(self._judged, offset)
            self._bytes -= bytes_
            while self._arrivals and self._arrivals[0][0] <= self._judged:
                self._arrivals.popleft()

    @property
    def bytes(self) -> int:
        """Bytes of readings not judged yet."""
        return max(0, self._bytes)

    @property
    def records(self) -> int:
        """Records not judged yet."""
        return max(0, self._end - self._judged)

    def behind_s(self) -> float:
        """Return how long, in seconds of the machine's clock, the oldest record has waited; 0 when none waits."""
        with self._lock:
            return time.monotonic() - self._arrivals[0][1] if self._arrivals and self.records else 0.0
