"""Last values into the case store, for charts and for the story of a case; nothing is decided by them.

Of a sensor without an open alert one value in five minutes of event time is kept, of one with an alert every value.
The cursor `values` moves after the store has them: a crash between repeats some, and the store keeps each once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

import msgspec

from engine.casework.service import Casework
from engine.casework.values import SensorValue
from engine.detect.changes import LEVEL_WORDS
from engine.detect.last_values import LastValue
from engine.runtime.log import CursorMove, Log, Stream

READER = "values"
PERIOD_S = 2.0
TRIM_MS = 3_600_000
EVERY_MS = 300_000
BATCH_BYTES = 1 << 20
_decoder = msgspec.json.Decoder(list[LastValue])


class Chosen:
    """Which last values are worth keeping, and when those that are old are to go."""

    def __init__(self) -> None:
        self._kept_at: dict[tuple[str, str], int] = {}
        self._trimmed_at = 0

    def of(self, values: Iterable[LastValue]) -> Iterable[SensorValue]:
        """Yield those to be kept."""
        for value in values:
            key = (value.sensor, value.kind)
            before = self._kept_at.get(key)
            if value.level is None and before is not None and 0 <= value.t - before < EVERY_MS:
                continue
            self._kept_at[key] = value.t
            yield SensorValue(value.sensor, value.kind, value.t, value.v, LEVEL_WORDS.index(value.level))

    def trim_due(self, now_ms: int) -> int | None:
        """Return the time by which to trim, once an hour of event time."""
        if now_ms - self._trimmed_at < TRIM_MS:
            return None
        self._trimmed_at = now_ms
        return now_ms


class Keeping:
    """Follow city.sensors into the case store."""

    def __init__(self, log: Log, casework: Casework) -> None:
        self._log = log
        self._casework = casework
        self._chosen = Chosen()
        self.position = max(log.cursor(READER, 0), log.start(Stream.SENSORS, 0) - 1)

    def run(self, stopping: threading.Event) -> None:
        """Keep values every two seconds until `stopping` is set."""
        while not stopping.wait(PERIOD_S):
            while not stopping.is_set() and self.step():
                pass

    def step(self) -> bool:
        """Keep a batch; False when there was none."""
        self.position = max(self.position, self._log.start(Stream.SENSORS, 0) - 1)
        records = self._log.read(Stream.SENSORS, 0, self.position, limit_bytes=BATCH_BYTES)
        if not len(records):
            return False
        chosen = [value for record in records.values for value in self._chosen.of(_decoder.decode(record))]
        self._casework.keep_values(chosen)
        done = int(records.offset[-1])
        self._log.commit([], [CursorMove(READER, 0, None, done)]).result()
        self.position = done
        now = self._chosen.trim_due(max((value.t for value in chosen), default=0))
        if now is not None:
            self._casework.trim_values(now_ms=now)
        return True
