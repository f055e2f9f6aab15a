"""What a caller says of a file of features, and how many features none may exceed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_FEATURES: Final = 200_000


@dataclass(frozen=True, slots=True)
class How:
    """How a file is to be read: all that a caller may say of it.

    declared: its coordinate system; assume: what stands in for none, for callers whose files have been imported
    already; lat_first: positions are (lat, lon), or (northing, easting); layer: of a GeoPackage with several;
    encoding: of the attribute text of a Shapefile.
    """

    declared: str | None = None
    assume: str | None = None
    lat_first: bool = False
    layer: str | None = None
    encoding: str | None = None
