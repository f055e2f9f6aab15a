"""Unit-grid codes 单元网格编码: 15 digits = 6 county + 3 street + 3 community + 3 serial (GB/T 30428.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from geo.errors import BadCode

LENGTH: Final = 15
MAX_SERIAL: Final = 999


class StreetClass(Enum):
    """What the street part of a code says (GB/T 10114): its range of numbers, and the name of the class."""

    SUBDISTRICT = "街道"
    TOWN = "镇"
    TOWNSHIP = "乡"
    OTHER = "类似乡级单位"


@dataclass(frozen=True, slots=True, order=True)
class GridCode:
    """A parsed unit-grid code; `str()` gives the 15 digits back."""

    county: str
    street: str
    community: str
    serial: int

    def __str__(self) -> str:
        return f"{self.county}{self.street}{self.community}{self.serial:03d}"

    @property
    def street_code(self) -> str:
        """9 digits: the street with its county."""
        return self.county + self.street

    @property
    def community_code(self) -> str:
        """12 digits: the community with its street and county."""
        return self.county + self.street + self.community

    @property
    def street_class(self) -> StreetClass:
        """001-099 subdistrict, 100-199 town, 200-399 township, above that units beside them (farms, zones)."""
        number = int(self.street)
        if number < 100:
            return StreetClass.SUBDISTRICT
        if number < 200:
            return StreetClass.TOWN
        return StreetClass.TOWNSHIP if number < 400 else StreetClass.OTHER


def parse(code: str) -> GridCode:
    """Parse a 15-digit unit-grid code.

    Raises BadCode if it is not 15 ASCII digits, or if a part of it is 000 (street, community, serial) or the county
    does not begin with a province (11-82).
    """
    fault = problem(code)
    if fault is not None:
        raise BadCode(fault)
    return GridCode(code[:6], code[6:9], code[9:12], int(code[12:]))


def problem(code: object) -> str | None:
    """Say what is wrong with a code, or None."""
    if not isinstance(code, str) or len(code) != LENGTH or not (code.isascii() and code.isdigit()):
        return f"a unit-grid code is {LENGTH} digits; got {code!r}"
    if not 11 <= int(code[:2]) <= 82:
        return f"the county part must begin with a province, 11-82; got {code[:6]} in {code}"
    for name, part in (("street", code[6:9]), ("community", code[9:12]), ("serial", code[12:])):
        if part == "000":
            return f"the {name} part counts from 001; got {part} in {code}"
    return None


def generate(community: str, lon_e7: npt.ArrayLike, lat_e7: npt.ArrayLike, row_e7: int) -> list[str]:
    """Give each grid of one community (12 digits) its code: serials run from west to east, rows from north to south.

    lon_e7, lat_e7 are the grids' middles, [n]. A row takes what lies less than `row_e7` south of its northernmost
    middle. The answer follows the order of the input. Raises BadCode for a community that is not 12 digits, and for
    more than 999 grids.
    """
    lon, lat = np.asarray(lon_e7, np.int64), np.asarray(lat_e7, np.int64)
    if lon.size > MAX_SERIAL:
        raise BadCode(f"a community has at most {MAX_SERIAL} unit grids; got {lon.size} in {community}")
    fault = problem(f"{community}001")
    if fault is not None:
        raise BadCode(fault)
    codes = [""] * lon.size
    for serial, position in enumerate(reading_order(lon, lat, row_e7), start=1):
        codes[position] = f"{community}{serial:03d}"
    return codes


def row_height(heights_e7: npt.ArrayLike) -> int:
    """The height of a row of grids for `generate`: nine tenths of a middling grid's height, in whole numbers."""
    return int(np.median(np.asarray(heights_e7, np.int64)) * 9 // 10)


def reading_order(lon: npt.NDArray[np.int64], lat: npt.NDArray[np.int64], row_e7: int) -> list[int]:
    """Positions in the order of a page: rows from north to south, in each row from west to east."""
    southward = np.lexsort((lon, -lat))
    order: list[int] = []
    row: list[int] = []
    for position in southward.tolist():
        if row and lat[row[0]] - lat[position] >= row_e7:
            order += sorted(row, key=lambda p: (lon[p], -lat[p], p))
            row = []
        row.append(position)
    return order + sorted(row, key=lambda p: (lon[p], -lat[p], p))
