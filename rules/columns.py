"""What an expression reads and answers: columns with a tag a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from geo.zones import ZoneSet

NULL, BOOL, NUMBER, STRING = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Strings:
    """UTF-8 strings in one heap; row i is `heap[start[i] : start[i] + length[i]]`.

    heap: uint8[h], start: int64[n], length: int32[n] (0 where the row is no string).
    """

    heap: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int32]

    def text(self, row: int) -> str:
        """Return one row; for messages and tests."""
        start = int(self.start[row])
        return bytes(self.heap[start : start + int(self.length[row])]).decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Column:
    """n values, each null, boolean, number or string.

    tag: uint8[n] of NULL, BOOL, NUMBER, STRING. num: float64[n], finite; booleans are 0 or 1, and rows that are neither
    boolean nor number are 0. text: None when no row is a string.
    """

    tag: npt.NDArray[np.uint8]
    num: npt.NDArray[np.float64]
    text: Strings | None = None

    @staticmethod
    def numbers(values: npt.ArrayLike) -> Column:
        """Build a column of finite numbers without nulls."""
        num = np.asarray(values, np.float64)
        return Column(np.full(num.shape, NUMBER, np.uint8), num)

    @staticmethod
    def nulls(n: int) -> Column:
        """Build a column of n nulls, e.g. for an attribute that no reading has."""
        return Column(np.zeros(n, np.uint8), np.zeros(n, np.float64))

    @staticmethod
    def of(values: list[bool | float | int | str | None]) -> Column:
        """Build a column from Python values; for tests and constants, never for readings."""
        tag = np.zeros(len(values), np.uint8)
        num = np.zeros(len(values), np.float64)
        start = np.zeros(len(values), np.int64)
        length = np.zeros(len(values), np.int32)
        heap = bytearray()
        for row, value in enumerate(values):
            if isinstance(value, bool):
                tag[row], num[row] = BOOL, value
            elif isinstance(value, str):
                raw = value.encode("utf-8", "surrogatepass")
                tag[row], start[row], length[row] = STRING, len(heap), len(raw)
                heap += raw
            elif value is not None:
                tag[row], num[row] = NUMBER, value
        text = Strings(np.frombuffer(bytes(heap), np.uint8), start, length) if (tag == STRING).any() else None
        return Column(tag, num, text)

    def value(self, row: int) -> bool | float | str | None:
        """Return one row as a Python value; for messages and tests."""
        match int(self.tag[row]):
            case 1:
                return bool(self.num[row])
            case 2:
                return float(self.num[row])
            case 3 if self.text is not None:
                return self.text.text(row)
        return None


class Columns(Protocol):
    """n readings as an expression sees them. `lon_e7`, `lat_e7` are the sensor's place; `geo.NO_PLACE` is null."""

    @property
    def n(self) -> int: ...
    @property
    def t(self) -> npt.NDArray[np.int64]: ...
    @property
    def v(self) -> npt.NDArray[np.float64]: ...
    @property
    def lon_e7(self) -> npt.NDArray[np.int32]: ...
    @property
    def lat_e7(self) -> npt.NDArray[np.int32]: ...

    def attr(self, name: str) -> Column:
        """The attribute of that name; null where a reading has none."""

    def sensor(self) -> Column: ...
    def kind(self) -> Column: ...
    def zone(self, name: str) -> ZoneSet: ...
