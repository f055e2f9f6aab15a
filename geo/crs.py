"""Coordinate systems of Chinese city data, and whole-number coordinates.

`wgs84` and `cgcs2000` are equal at our accuracy. `gcj02` (state maps, phones) lies 200-700 m off, `bd09` (Baidu)
further. Both are functions of the WGS-84 place; their inverses have no closed form and are iterated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from geo import E7, NO_PLACE
from geo.errors import UnknownCrs

if TYPE_CHECKING:
    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int32]

NAMES: Final = ("wgs84", "cgcs2000", "gcj02", "bd09")

_SAME: Final = frozenset({"wgs84", "cgcs2000"})


def check(crs: str) -> str:
    """Return `crs` if it is one of `NAMES`.

    Raises UnknownCrs otherwise.
    """
    if crs not in NAMES:
        raise UnknownCrs(f"crs must be one of {', '.join(NAMES)}; got {crs!r}")
    return crs


def to_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike, crs: str) -> tuple[Floats, Floats]:
    """Turn degrees in `crs` to WGS-84 degrees (CGCS2000 is taken as equal), float64 of the given shape.

    Exact to 1e-9 degrees against `from_wgs84`. Outside China nothing is shifted. NaN stays NaN.
    Each point's result depends on that point alone. Raises UnknownCrs.
    """
    return _convert(lon, lat, crs, forward=False)


def from_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike, crs: str) -> tuple[Floats, Floats]:
    """Turn WGS-84 degrees to degrees in `crs`, float64 of the given shape. Raises UnknownCrs."""
    return _convert(lon, lat, crs, forward=True)


def _convert(lon: npt.ArrayLike, lat: npt.ArrayLike, crs: str, *, forward: bool) -> tuple[Floats, Floats]:
    x, y = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    if check(crs) in _SAME:
        return x.copy(), y.copy()
    kernel = _kernel(forward)
    flat_x, flat_y = kernel(np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel(), crs == "bd09")
    return flat_x.reshape(x.shape), flat_y.reshape(x.shape)


def _kernel(forward: bool) -> Callable[[Floats, Floats, bool], tuple[Floats, Floats]]:
    from geo import shift  # compiled code is loaded by those who shift only

    return shift.forward if forward else shift.inverse


def quantize(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Ints, Ints]:
    """Round degrees to whole numbers of 1e-7 degrees, (int32[n], int32[n]); both 1-d, of one length.

    The exact value of each double is rounded half to even, as Python's `round(x, 7)`. A pair of which one is not finite
    or that is off the earth (beyond 180 or 90 degrees before rounding) becomes (NO_PLACE, NO_PLACE).
    """
    x, y = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    with np.errstate(invalid="ignore"):
        here = (np.abs(x) <= 180.0) & (np.abs(y) <= 90.0)
    out_x = np.where(here, _round_e7(np.where(here, x, 0.0)), NO_PLACE).astype(np.int32)
    out_y = np.where(here, _round_e7(np.where(here, y, 0.0)), NO_PLACE).astype(np.int32)
    return out_x, out_y


def _round_e7(x: Floats) -> Floats:
    """Nearest whole number to the exact product x * 10**7, half to even."""
    product = x * E7
    nearest = np.rint(product)
    doubtful = np.abs(np.abs(product - nearest) - 0.5) < 1e-6  # the product itself was rounded by at most 2e-7
    if doubtful.any():
        nearest[doubtful] = _round_exactly(x[doubtful])
    return nearest


def _round_exactly(x: Floats) -> Floats:
    """The same from the product as an unrounded sum of two doubles (Dekker 1971)."""
    product = x * E7
    low = _product_error(x, float(E7), product)
    floor = np.floor(product)
    over_half = (product - floor - 0.5) + low
    tie_to_even = (over_half == 0.0) & (np.mod(floor, 2.0) == 1.0)
    return np.where((over_half > 0.0) | tie_to_even, floor + 1.0, floor)


def _product_error(a: Floats, b: float, product: Floats) -> Floats:
    splitter = 134217729.0  # 2**27 + 1
    a_high = a * splitter - (a * splitter - a)
    a_low = a - a_high
    b_high = b * splitter - (b * splitter - b)
    b_low = b - b_high
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def degrees(e7: npt.ArrayLike) -> Floats:
    """Whole numbers of 1e-7 degrees as the nearest float64 degrees; NO_PLACE becomes NaN."""
    whole = np.asarray(e7, np.int64)
    return np.where(whole == NO_PLACE, np.nan, whole / E7)
