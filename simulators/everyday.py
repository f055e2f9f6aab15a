"""The ordinary course of every sensor: a value for any moment, without a memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sin

import numpy as np
import numpy.typing as npt

from simulators.scenario import Bins, Scenario, Signal, Vehicles
from simulators.streams import stream

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
QUICK_MS = 50 * 60_000
SLOW_MS = 4 * HOUR_MS
NATURE = 8
NOISE_LIMIT = 3.0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def natures(seed: int, names: Sequence[str]) -> Floats:
    """Return what makes each sensor itself, float64[n, NATURE] in [0, 1)."""
    table = np.empty((len(names), NATURE))
    for i, name in enumerate(names):
        table[i] = stream(seed, f"nature|{name}").random(NATURE)
    return table


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


def _use(hour: Floats) -> Floats:
    """Return the share of a day's waste that has come by an hour of the day (0..24): little at night, most by day."""
    wave = np.sin((hour - 3.0) * (2 * pi / 24.0)) - sin(-pi / 4)
    return np.asarray(hour / 24.0 - 0.6 / (2 * pi) * wave, dtype=np.float64)


def fill(bins: Bins, nature: Floats, t_ms: Ints, utc_offset_h: float) -> Floats:
    """Return how full bins are in %, float64[n]: since their last round, by the rhythm of the day."""
    local = t_ms + round(utc_offset_h * HOUR_MS)
    day, hour = local // DAY_MS, (local % DAY_MS) / HOUR_MS
    total = day + _use(hour)
    late = nature[:, 1] * bins.round_lasts_ms / HOUR_MS
    emptied = np.full(len(t_ms), -np.inf)
    for back in (1, 0):
        for round_hour in sorted(bins.rounds_at_hour):
            came = day - back + (round_hour + late) / 24.0
            whole = np.floor(came)
            since = whole + _use((came - whole) * 24.0)
            emptied = np.where(came * 24.0 <= day * 24.0 + hour, since, emptied)
    per_day = bins.fills_per_day.low + nature[:, 0] * (bins.fills_per_day.high - bins.fills_per_day.low)
    left = bins.left_after.low + nature[:, 2] * (bins.left_after.high - bins.left_after.low)
    return np.asarray(left + per_day * (total - emptied), dtype=np.float64)


def drive(vehicles: Vehicles, nature: Floats, t_ms: Ints) -> tuple[Floats, Floats, Floats]:
    """Return where vehicles are, metres east and north of their depot, and their speed in km/h, each float64[n].

    Each runs a closed figure around the depot.
    """
    reach = vehicles.reach_m.low + nature[:, 0] * (vehicles.reach_m.high - vehicles.reach_m.low)
    lap = vehicles.lap_ms * (0.8 + 0.4 * nature[:, 1])
    angle = 2 * pi * ((t_ms / lap + nature[:, 2]) % 1.0)
    tilt = 2 * pi * nature[:, 3]
    x, y = reach * np.sin(angle), 0.6 * reach * np.sin(2.0 * angle + tilt)
    turn = 2 * pi / (lap / HOUR_MS)
    speed = np.hypot(reach * np.cos(angle), 1.2 * reach * np.cos(2.0 * angle + tilt)) * turn / 1_000.0
    return x, y, np.asarray(speed, dtype=np.float64)


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
