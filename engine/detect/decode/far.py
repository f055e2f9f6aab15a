"""How many readings say a place that is not where the registry has their sensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.rows import READINGS, Table
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.kernels.compiled import compiled
from geo import E7, NO_PLACE

Int32 = npt.NDArray[np.int32]

FAR_M = 200.0
EARTH_RADIUS_M = 6_371_008.8
"""Mean radius, IUGG."""
_RADIANS = math.pi / 180 / E7
_SURELY_NEAR_E7 = 9_000
"""Both coordinates closer than this (100 m at most) is nearer than `FAR_M` anywhere."""


def count(table: Table, vocabulary: Vocabulary) -> tuple[int, int]:
    """Count the rows over `FAR_M` from the fixed place of their series, on the sphere, and the unknown fields."""
    index = vocabulary.index
    far, unknown = count_far(table, index.series_lon_e7, index.series_lat_e7)
    return int(far), int(unknown)


_int32 = types.int32[::1]


TWO: Any = types.UniTuple


@compiled(TWO(types.int64, 2)(READINGS, _int32, _int32))
def count_far(table: Table, fixed_lon_e7: Int32, fixed_lat_e7: Int32) -> tuple[int, int]:
    """The same from arrays."""
    far = unknown = 0
    for i in range(len(table)):
        row = table[i]
        unknown += row["unknown"]
        fixed = fixed_lon_e7[np.uint64(row["series"])]
        if fixed == NO_PLACE or row["lon"] == NO_PLACE:
            continue
        east = np.int64(row["lon"]) - fixed
        north = np.int64(row["lat"]) - fixed_lat_e7[np.uint64(row["series"])]
        if abs(east) <= _SURELY_NEAR_E7 and abs(north) <= _SURELY_NEAR_E7:
            continue
        flat = math.cos(row["lat"] * _RADIANS) * math.cos(fixed_lat_e7[row["series"]] * _RADIANS)
        chord = math.sin(north * _RADIANS / 2) ** 2 + flat * math.sin(east * _RADIANS / 2) ** 2
        far += 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(chord, 1.0))) > FAR_M
    return far, unknown
