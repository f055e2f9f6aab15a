"""The ordinary course of every sensor: a value for any moment, without a memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np
import numpy.typing as npt

from simulators.scenario import Scenario, Signal
from simulators.streams import natures

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
QUICK_MS = 50 * 60_000
SLOW_MS = 4 * HOUR_MS
NOISE_LIMIT = 3.0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def course(signal: Signal, nature: Floats, t_ms: Ints, utc_offset_h: float, normal: Floats) -> Floats:
    """Return values of one kind at their moments: float64[n]; `normal` are the draws of the noise.

    Within `low`..`high` of the signal.
    """
    hour = (t_ms % DAY_MS) / HOUR_MS + utc_offset_h
    values = signal.mean + signal.spread * (2.0 * nature[:, 0] - 1.0)
    values += signal.daily * np.cos((hour - signal.peak_hour) * (2 * pi / 24.0))
    if signal.wander:
        quick = (t_ms % (QUICK_MS * 1_000)) * (2 * pi / QUICK_MS) * (0.7 + 0.6 * nature[:, 1])
        slow = (t_ms % (SLOW_MS * 1_000)) * (2 * pi / SLOW_MS) * (0.7 + 0.6 * nature[:, 2])
        values += 0.5 * signal.wander * (np.sin(quick + 6.28 * nature[:, 3]) + np.sin(slow + 6.28 * nature[:, 4]))
    values += signal.noise * np.clip(normal, -NOISE_LIMIT, NOISE_LIMIT)
    return np.asarray(np.clip(values, signal.low, signal.high), dtype=np.float64)


def prepare(
    scenario: Scenario, seed: int, names: Sequence[str], kinds: Sequence[str]
) -> dict[str, tuple[Ints, Floats]]:
    """Return by kind (sorted) the rows and natures of its sensors."""
    table = natures(seed, names)
    groups: dict[str, tuple[Ints, Floats]] = {}
    for kind in scenario.signals:
        rows = np.array([i for i, name in enumerate(kinds) if name == kind], dtype=np.int64)
        if len(rows):
            groups[kind] = (rows, table[rows])
    return groups
