"""How many readings say a place that is not where the registry has their sensor."""

from __future__ import annotations

import numpy as np

from engine.detect.decode.rows import Rows
from engine.detect.decode.vocabulary import Vocabulary
from geo import E7, NO_PLACE

FAR_M = 200.0
EARTH_RADIUS_M = 6_371_008.8
"""Mean radius, IUGG."""
_SURELY_NEAR_E7 = 9_000
"""Both coordinates closer than this (100 m at most) is nearer than `FAR_M` anywhere."""


def count(rows: Rows, vocabulary: Vocabulary) -> int:
    """Count the rows over `FAR_M` from the fixed place of their series, on the sphere."""
    fixed_lon = vocabulary.series_lon_e7[rows.series].astype(np.int64)
    fixed_lat = vocabulary.series_lat_e7[rows.series].astype(np.int64)
    east, north = rows.lon_e7 - fixed_lon, rows.lat_e7 - fixed_lat
    both = (fixed_lon != NO_PLACE) & (rows.lon_e7 != NO_PLACE)
    doubtful = np.flatnonzero(both & ((np.abs(east) > _SURELY_NEAR_E7) | (np.abs(north) > _SURELY_NEAR_E7)))
    if len(doubtful) == 0:
        return 0
    lat, fixed = (np.radians(place[doubtful] / E7) for place in (rows.lat_e7, fixed_lat))
    half_east, half_north = (np.radians(step[doubtful] / E7) / 2 for step in (east, north))
    chord = np.sin(half_north) ** 2 + np.cos(lat) * np.cos(fixed) * np.sin(half_east) ** 2
    return int((2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(chord, 1.0))) > FAR_M).sum())
