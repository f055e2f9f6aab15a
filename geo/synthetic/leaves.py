"""The tiling: square blocks of 100 to 800 m on a lattice, bent a little, sharing every vertex."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from geo import crs
from geo.frame import LocalFrame
from geo.synthetic.ground import HALF_M
from geo.synthetic.noise import Noise

Floats = npt.NDArray[np.float64]
UNIT_M: Final = 100.0
SIDE: Final = int(2 * HALF_M / UNIT_M)  # lattice cells along a side of the square
_ROOT: Final = 16
_NO_LEAF: Final = -1
_OUTLINE: Final = 4  # the city's outline is followed by blocks of this size
Wanted = Callable[[Floats, Floats], npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Leaves:
    """The unit grids to be, in no order that matters.

    column, row, size: int64[n] in lattice cells. middle: float64[n, 2] metres, bent.
    owner: int32[SIDE, SIDE], the leaf of each lattice cell [row, column], -1 outside the city.
    rings: per leaf the open ring of (lon_e7, lat_e7), counter-clockwise; neighbours share vertices.
    """

    column: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    middle: Floats
    owner: npt.NDArray[np.int32]
    rings: list[list[tuple[int, int]]]


def divide(rng: np.random.Generator, frame: LocalFrame, wanted: Wanted) -> Leaves:
    """Split blocks until none is larger than what `wanted(x, y)` says (lattice cells; 0 = not in the city)."""
    blocks = [(c, r, _ROOT) for r in range(0, SIDE, _ROOT) for c in range(0, SIDE, _ROOT)]
    kept: list[tuple[int, int, int]] = []
    while blocks:
        corner = np.array(blocks, np.int64)
        smallest = _smallest_wanted(corner, wanted)
        halves: list[tuple[int, int, int]] = []
        for (c, r, size), limit in zip(blocks, smallest.tolist(), strict=True):
            if limit == 0:
                continue
            if size <= limit:
                kept.append((c, r, size))
                continue
            half = size // 2
            halves += [(c, r, half), (c + half, r, half), (c, r + half, half), (c + half, r + half, half)]
        blocks = halves
    return _bend(rng, frame, np.array(sorted(kept), np.int64))


def _smallest_wanted(blocks: npt.NDArray[np.int64], wanted: Wanted) -> npt.NDArray[np.int64]:
    """The least size asked for within each block, looked at in 5 x 5 places; 0 where its middle is outside."""
    c, r, size = blocks.T.astype(np.float64)
    share = np.linspace(0.1, 0.9, 5)
    x = (c[:, None, None] + size[:, None, None] * share[None, :, None]) * UNIT_M - HALF_M
    y = (r[:, None, None] + size[:, None, None] * share[None, None, :]) * UNIT_M - HALF_M
    asked = wanted(*np.broadcast_arrays(x, y)).reshape(len(blocks), -1)
    inside = asked > 0
    least = np.where(inside, asked, _ROOT).min(axis=1)
    straddles = inside.any(axis=1) & ~inside.all(axis=1)
    least = np.where(straddles, np.minimum(least, _OUTLINE), least)
    gone = ~inside.any(axis=1) | (straddles & (size <= _OUTLINE) & ~inside[:, asked.shape[1] // 2])
    return np.where(gone, 0, least).astype(np.int64)


def _bend(rng: np.random.Generator, frame: LocalFrame, blocks: npt.NDArray[np.int64]) -> Leaves:
    column, row, size = np.ascontiguousarray(blocks.T)
    owner = np.full((SIDE, SIDE), _NO_LEAF, np.int32)
    corner = np.zeros((SIDE + 1, SIDE + 1), np.bool_)
    for leaf, (c, r, s) in enumerate(blocks.tolist()):
        owner[r : r + s, c : c + s] = leaf
        corner[[r, r, r + s, r + s], [c, c + s, c, c + s]] = True
    x, y = _lattice(rng)
    lon, lat = frame.to_degrees(x, y)
    lon_e7, lat_e7 = crs.quantize(lon.ravel(), lat.ravel())
    place = list(zip(lon_e7.tolist(), lat_e7.tolist(), strict=True))
    rings = [_ring(c, r, s, corner, place) for c, r, s in blocks.tolist()]
    ends = [(row, column), (row, column + size), (row + size, column), (row + size, column + size)]
    middle = np.stack([sum(x[e] for e in ends) / 4, sum(y[e] for e in ends) / 4], axis=1)
    return Leaves(column, row, size, middle, owner, rings)


def _lattice(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Where the lattice's nodes lie: swung by a few hundred metres over kilometres, and shaken by up to 12 m each."""
    axis = -HALF_M + UNIT_M * np.arange(SIDE + 1)
    x, y = np.meshgrid(axis, axis)
    swing = [Noise(rng, 5200.0), Noise(rng, 5200.0), Noise(rng, 1700.0), Noise(rng, 1700.0)]
    shake = rng.uniform(-12.0, 12.0, (2, SIDE + 1, SIDE + 1))
    east = swing[0](x, y) * 420.0 + swing[2](x, y) * 55.0 + shake[0]
    north = swing[1](x, y) * 420.0 + swing[3](x, y) * 55.0 + shake[1]
    return x + east, y + north


def _ring(c: int, r: int, s: int, corner: npt.NDArray[np.bool_], place: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The leaf's border: every node on it that is a corner of any leaf."""
    nodes = [(r, c + i) for i in range(s)]
    nodes += [(r + i, c + s) for i in range(s)]
    nodes += [(r + s, c + s - i) for i in range(s)]
    nodes += [(r + s - i, c) for i in range(s)]
    return [place[a * (SIDE + 1) + b] for a, b in nodes if corner[a, b]]
