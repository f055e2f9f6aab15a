"""What geo refuses.

GeoError                 refuse to start
├── UnknownCrs           a coordinate system that is not one of geo.crs.NAMES
├── BadCode              a text that is not a unit-grid code
└── FileRefused          a file with faults; all of them are in `.faults`
"""

from collections.abc import Sequence
from dataclasses import dataclass


class GeoError(ValueError):
    """Any refusal of this room."""


class UnknownCrs(GeoError):
    """A coordinate system that is not one of `geo.crs.NAMES`."""


class BadCode(GeoError):
    """A text that is not a unit-grid code; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file: where, which rule, and what came."""

    file: str
    where: str
    rule: str
    got: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: {self.rule}; got {self.got}" if self.got else f"{place}: {self.rule}"


class FileRefused(GeoError):
    """A file that is not loaded; `faults` names everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
