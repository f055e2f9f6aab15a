"""Where things are: coordinate systems, unit-grid codes, grids, zones and the shipped city.

Inside Tongguan a place is a pair of WGS-84 whole numbers of 1e-7 degrees ("e7"), lon_e7 and lat_e7, int32.
`NO_PLACE` in both stands for "no place".
"""

from typing import Final

NO_PLACE: Final = -(2**31)
"""Both coordinates of a thing whose place is unknown; below every place on earth."""

E7: Final = 10_000_000
"""Units in a degree."""
