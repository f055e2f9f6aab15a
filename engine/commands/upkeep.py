"""What is let go of in the case store now and then: lines of the audit that are old enough, failed logins."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import OperationalError

from engine.casework import audit, logins
from engine.casework.errors import StoreAway
from engine.casework.store import Store
from engine.clock import wall_clock_ms

PERIOD_S = 3600.0
_log = logging.getLogger(__name__)


def upkeep(store: Store, keep_ms: int, stopping: threading.Event) -> None:
    """Let go until `stopping` is set: at once, and then once an hour."""
    while True:
        try:
            now = wall_clock_ms()
            gone = audit.trim(store, now, keep_ms)
            logins.trim(store, now)
        except (StoreAway, OperationalError) as fault:
            _log.debug("upkeep waits: %s", fault)
        else:
            if gone:
                _log.info("audit: %d lines older than %d days are gone", gone, keep_ms // 86_400_000)
        if stopping.wait(PERIOD_S):
            return
