"""What a file's coordinates are counted in: which declarations are understood, and the way from each to WGS-84.

Degrees: one of `geo.crs.NAMES`. Metres: a projected system (`EPSG:4549`, or its definition in a .prj) whose datum is
WGS-84 or CGCS2000. Beijing 54 and Xi'an 80 are refused: their way to CGCS2000 is known to surveyors only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from geo import crs

if TYPE_CHECKING:
    from pyproj import CRS

Floats = npt.NDArray[np.float64]

KNOWN: Final = f"EPSG:4326, CRS84, EPSG:4490 or one of {', '.join(crs.NAMES)}"
_EPSG: Final = {"4326": "wgs84", "4490": "cgcs2000"}
_OTHER_NAMES: Final = {"crs84": "wgs84", "wgs84": "wgs84", "cgcs2000": "cgcs2000", "gcj02": "gcj02", "bd09": "bd09"}
_LONGEST: Final = 16_384
_MARGIN_DEG: Final = 1.0
_EARTH_M: Final = 1e8


class UnusableCrs(ValueError):
    """A coordinate system that is declared but cannot be turned to WGS-84; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class SourceCrs:
    """A declared coordinate system: one of `geo.crs.NAMES`, or a projected one with its definition."""

    name: str
    definition: str = ""

    @property
    def projected(self) -> bool:
        """Whether coordinates are metres east and north."""
        return bool(self.definition)

    def same(self, other: SourceCrs) -> bool:
        """Whether both give the same places, at our accuracy."""
        alike = {"wgs84", "cgcs2000"}
        return self.name == other.name or {self.name, other.name} <= alike

    def to_wgs84(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """(lon, lat) in WGS-84 degrees; not finite where a place lies outside of what a projection can say."""
        if not self.projected:
            return crs.to_wgs84(x, y, self.name)
        from pyproj import Transformer

        source = _parsed(self.definition)
        lon, lat = Transformer.from_crs(source, source.geodetic_crs, always_xy=True).transform(x, y)
        return np.asarray(lon, np.float64), np.asarray(lat, np.float64)

    def misplaced(self, x: Floats, y: Floats) -> str | None:
        """Why the places of a file can't be right, or None: all swapped, or outside of where a projection holds."""
        if not x.size:
            return None
        if not self.projected:
            china = (x >= 3) & (x <= 54) & (y >= 73) & (y <= 136)
            return "lon comes first, then lat; are they swapped? if so, say --lat-first" if china.all() else None
        if self._holds(x, y):
            return None
        hint = "; are they swapped? if so, say --lat-first" if self._holds(y, x) else ""
        return f"easting comes first, then northing, where {self.name} is used{hint}"

    def _holds(self, x: Floats, y: Floats) -> bool:
        area = _parsed(self.definition).area_of_use
        if np.abs(x).max() > _EARTH_M or np.abs(y).max() > _EARTH_M:
            return False
        lon, lat = self.to_wgs84(x, y)
        west, south, east, north = (area.west, area.south, area.east, area.north) if area else (73.0, 3.0, 136.0, 54.0)
        m = _MARGIN_DEG
        return bool(
            ((lon >= west - m) & (lon <= east + m) & (lat >= south - m) & (lat <= north + m)).all()
        )  # not finite: no


def declared(text: str) -> SourceCrs:
    """What a name, an EPSG code, or a definition (WKT) declares. Raises UnusableCrs."""
    last = text.lower().replace("_", "").replace("-", "").split(":")[-1].split("/")[-1]
    name = _OTHER_NAMES.get(last) or _EPSG.get(last)
    if name is not None:
        return SourceCrs(name)
    number = re.fullmatch(r"(?:.*[:/])?(\d{4,6})", text.strip(), re.DOTALL)
    if (number is None and not text.lstrip()[:1].isalpha()) or ("[" not in text and number is None):
        raise UnusableCrs(f"must name {KNOWN}, or a projection such as EPSG:4549")
    return _from_definition(f"EPSG:{number[1]}" if number else text)


def _from_definition(text: str) -> SourceCrs:
    found = _parsed(text)
    base = found.geodetic_crs
    datum = _datum(base) if base is not None else None
    if datum is None:
        raise UnusableCrs(
            f"{found.name}: only data on WGS-84 or CGCS2000 can be read; let the surveyors turn it to CGCS2000"
        )
    if found.is_geographic:
        return SourceCrs(datum)
    if not found.is_projected or any(axis.unit_conversion_factor != 1.0 for axis in found.axis_info[:2]):
        raise UnusableCrs(f"{found.name}: must be degrees, or a projection in metres")
    code = found.to_authority()
    return SourceCrs(":".join(code) if code else found.name, text)


def _parsed(text: str) -> CRS:
    from pyproj import CRS  # takes its time to load
    from pyproj.exceptions import CRSError

    if len(text) > _LONGEST:
        raise UnusableCrs(f"a definition has at most {_LONGEST} characters")
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise UnusableCrs(f"is not known to PROJ: {str(error)[:120]}") from error


def _datum(base: Any) -> str | None:
    """wgs84 or cgcs2000 by the name of a geodetic system's datum, None for any other."""
    text = f"{base.name} {base.datum.name if base.datum else ''}".lower().replace("_", " ")
    greenwich = base.prime_meridian is None or base.prime_meridian.longitude == 0.0
    if not greenwich:
        return None
    if ("china" in text and "2000" in text) or "cgcs2000" in text:
        return "cgcs2000"
    return "wgs84" if "wgs 84" in text or "wgs 1984" in text or "world geodetic system 1984" in text else None
