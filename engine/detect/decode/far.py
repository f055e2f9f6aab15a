"""How many readings say a place that is not where the registry has their sensor."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.decode.rows import Rows
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


def count(rows: Rows, vocabulary: Vocabulary) -> int:
    """Count the rows over `FAR_M` from the fixed place of their series, on the sphere."""
    index = vocabulary.index
    return int(count_far(rows.series, rows.lon_e7, rows.lat_e7, index.series_lon_e7, index.series_lat_e7))


_int32 = types.int32[::1]


@compiled(types.int64(_int32, _int32, _int32, _int32, _int32))
def count_far(series: Int32, lon_e7: Int32, lat_e7: Int32, fixed_lon_e7: Int32, fixed_lat_e7: Int32) -> int:
    """The same from arrays."""
    far = 0
    for row in range(len(series)):
        fixed = fixed_lon_e7[series[row]]
        if fixed == NO_PLACE or lon_e7[row] == NO_PLACE:
            continue
        east = np.int64(lon_e7[row]) - fixed
        north = np.int64(lat_e7[row]) - fixed_lat_e7[series[row]]
        if abs(east) <= _SURELY_NEAR_E7 and abs(north) <= _SURELY_NEAR_E7:
            continue
        flat = math.cos(lat_e7[row] * _RADIANS) * math.cos(fixed_lat_e7[series[row]] * _RADIANS)
        chord = math.sin(north * _RADIANS / 2) ** 2 + flat * math.sin(east * _RADIANS / 2) ** 2
        far += 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(chord, 1.0))) > FAR_M
    return far
