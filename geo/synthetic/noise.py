"""Smooth seeded fields over the plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Noise:
    """A smooth field between -1 and 1, its hills about `wave_m` apart, over ±`reach_m` around the middle."""

    def __init__(self, rng: np.random.Generator, wave_m: float, reach_m: float = 24_000.0) -> None:
        self._wave_m = wave_m
        self._reach_m = reach_m
        nodes = int(np.ceil(2 * reach_m / wave_m)) + 3
        self._node = rng.uniform(-1.0, 1.0, (nodes, nodes))

    def __call__(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
        """The field at metres (x, y)."""
        across, up = self._place(x), self._place(y)
        c, r = np.floor(across).astype(np.intp), np.floor(up).astype(np.intp)
        fx, fy = _ease(across - c), _ease(up - r)
        south = self._node[r, c] * (1 - fx) + self._node[r, c + 1] * fx
        north = self._node[r + 1, c] * (1 - fx) + self._node[r + 1, c + 1] * fx
        return np.asarray(south * (1 - fy) + north * fy, np.float64)

    def _place(self, metres: npt.ArrayLike) -> Floats:
        return (np.clip(np.asarray(metres, np.float64), -self._reach_m, self._reach_m) + self._reach_m) / self._wave_m


def _ease(t: Floats) -> Floats:
    return t * t * (3.0 - 2.0 * t)
