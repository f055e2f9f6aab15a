"""The ground: a basin where three rivers meet a fourth that leaves to the north, hills around it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from geo.frame import LocalFrame
from geo.synthetic.noise import Noise
from geo.terrain import Terrain

Floats = npt.NDArray[np.float64]
HALF_M: Final = 19_200.0
CELL_M: Final = 60.0
_COARSE: Final = 5

# Courses in metres from the middle, and the level of the bed in metres above the sea at both ends. They are drawn after
# the lie of the land there (the Shan 剡溪 and its feeders), loosely.
_COURSES: Final = (
    (
        ((-6000, -20000), (-5000, -13000), (-3500, -8000), (-1500, -4500), (200, -1500), (900, 800), (1500, 4000)),
        (46.0, 13.0),
    ),
    (((1500, 4000), (3000, 8000), (3800, 13000), (4500, 20000)), (13.0, 7.0)),
    (((-20000, -6500), (-13500, -6900), (-9000, -5200), (-5500, -3300), (-1000, -3400)), (75.0, 19.5)),
    (((20000, -7500), (12500, -5800), (7500, -4000), (3500, -2000), (300, -1300)), (70.0, 17.0)),
    (((-16000, 6800), (-9500, 4900), (-5500, 4300), (-1500, 3300), (1350, 3200)), (90.0, 13.8)),
)


@dataclass(frozen=True, slots=True)
class River:
    """One course from source to mouth: metres float64[n, 2], and the level of its bed at each point."""

    line: Floats
    bed_m: Floats


def rivers(rng: np.random.Generator) -> list[River]:
    """The courses with bends in them."""
    bend = Noise(rng, 1500.0)
    out = []
    for course, (source_m, mouth_m) in _COURSES:
        line = _densely(np.array(course, np.float64), 150.0)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        share = along / along[-1]
        ends = np.minimum(1.0, 6 * np.minimum(share, 1 - share))  # courses still meet where they met
        heading = np.gradient(line, axis=0)
        heading /= np.hypot(heading[:, 0], heading[:, 1])[:, None]
        side = bend(line[:, 0], line[:, 1]) * 320.0 * ends
        line = line + np.stack([-heading[:, 1], heading[:, 0]], axis=1) * side[:, None]
        out.append(River(line, source_m + (mouth_m - source_m) * share))
    return out


def _densely(course: Floats, step_m: float) -> Floats:
    parts = []
    for a, b in pairwise(course):
        count = max(1, int(np.hypot(*(b - a)) / step_m))
        parts.append(a + (b - a) * (np.arange(count) / count)[:, None])
    return np.concatenate([*parts, course[-1:]])


def terrain(rng: np.random.Generator, frame: LocalFrame, courses: list[River]) -> Terrain:
    """Elevations over the whole square, float32 rounded to decimetres."""
    nodes = int(2 * HALF_M / CELL_M) + 1
    axis = -HALF_M + CELL_M * np.arange(nodes)
    x, y = np.meshgrid(axis, axis)
    low, away = _valleys(x, y, courses)
    ridges = _ridges(rng, x, y)
    rim = np.hypot(x, y * 0.9)
    hills = np.clip((away - 1800.0) / 6000.0, 0.0, 1.0) ** 1.3 * np.clip((rim - 4500.0) / 7000.0, 0.0, 1.0)
    ripple = Noise(rng, 420.0)(x, y) * 0.55 + Noise(rng, 1100.0)(x, y) * 1.1
    height = low + 4.5 * (1 - np.exp(-away / 110.0)) + 0.0022 * away + hills * (120.0 + 560.0 * ridges) + ripple
    rounded = np.rint(height * 10.0) / 10.0
    return Terrain(rounded.astype(np.float32), frame, -HALF_M, -HALF_M, CELL_M)


def _valleys(x: Floats, y: Floats, courses: list[River]) -> tuple[Floats, Floats]:
    """Level of the bed of the rivers that matter at each node, and the distance to the nearest river."""
    lines = shapely.MultiLineString([river.line for river in courses])
    shapely.prepare(lines)
    nearest = shapely.distance(shapely.points(x, y), lines)
    coarse = x[::_COARSE, ::_COARSE], y[::_COARSE, ::_COARSE]
    level, weight = np.zeros(coarse[0].shape), np.zeros(coarse[0].shape)
    for river in courses:
        for (px, py), bed in zip(river.line, river.bed_m, strict=True):
            pull = 1.0 / (np.hypot(coarse[0] - px, coarse[1] - py) + 80.0) ** 3
            level += pull * bed
            weight += pull
    return _finely(level / weight), np.asarray(nearest, np.float64)


def _finely(coarse: Floats) -> Floats:
    """Bilinear between every _COARSE-th node."""
    share = np.arange(_COARSE) / _COARSE
    for _ in range(2):
        steps = coarse[:-1, None, :] * (1 - share)[:, None] + coarse[1:, None, :] * share[:, None]
        coarse = np.concatenate([steps.reshape(-1, coarse.shape[1]), coarse[-1:]]).T
    return coarse


def _ridges(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """0 in valleys, 1 on crests; ranges with spurs."""
    total, share = np.zeros(x.shape), 1.0
    for wave_m in (9000.0, 4200.0, 1900.0, 850.0):
        total += share * (1.0 - np.abs(Noise(rng, wave_m)(x, y)))
        share *= 0.45
    lowest, highest = total.min(), total.max()
    return np.asarray((total - lowest) / (highest - lowest), np.float64)
