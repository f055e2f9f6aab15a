"""The last known value of each sensor and kind, for people; after a restart from the last hour of city.sensors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

import msgspec

from engine.detect.last_values import LastValue
from engine.runtime.errors import RuntimeFault
from engine.runtime.journal import Journal
from engine.runtime.log import Stream, read_through

HOUR_MS = 3_600_000
BATCH_BYTES = 1 << 20
_decoder = msgspec.json.Decoder(list[LastValue])
_log = logging.getLogger(__name__)


class LastKnown:
    """Last values by (sensor, kind); any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], LastValue] = {}

    def learn(self, values: Iterable[LastValue]) -> None:
        """Take note of values; the later one of a sensor and kind holds."""
        with self._lock:
            for value in values:
                known = self._values.get((value.sensor, value.kind))
                if known is None or known.t <= value.t:
                    self._values[value.sensor, value.kind] = value

    def get(self, sensor: str, kind: str) -> LastValue | None:
        """Return the last known value."""
        return self._values.get((sensor, kind))

    def all(self) -> list[LastValue]:
        """Return every last known value."""
        with self._lock:
            return list(self._values.values())

    def remember(self, journal: Journal, stopping: threading.Event) -> None:
        """Learn what the last hour of the stream says; a fault is logged, since nothing is decided by it."""
        try:
            position = journal.offset_before(Stream.SENSORS, 0, journal.last_log_time(Stream.SENSORS, 0) - HOUR_MS)
            end = journal.end(Stream.SENSORS, 0)
            for records in read_through(journal, Stream.SENSORS, 0, position, end, limit_bytes=BATCH_BYTES):
                for value in records.values:
                    self.learn(_decoder.decode(value))
                if stopping.is_set():
                    return
        except (RuntimeFault, msgspec.DecodeError) as error:
            _log.warning("last values of city.sensors: %s", error)
