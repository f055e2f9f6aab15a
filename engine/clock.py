"""The machine's clock. Whatever decides gets it as an argument; it is read where a process is put together."""

from __future__ import annotations

import time


def wall_clock_ms() -> int:
    """Return the machine's time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000
