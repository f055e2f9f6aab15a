"""Errors of this room. All are of the kind "refuse to start"; a faulty rule is not an error but a row of faults.

RulesError
├── Refused                 a file is refused; every fault of it is in `faults`
│   ├── KindsRefused        the city's kinds
│   ├── CatalogueRefused    the city's categories and departments
│   └── RegistryRefused     the registry of sensors
├── PlanUnreadable          bytes that are no plan, of another format, or of another version of the semantics
└── ExpressionError         a faulty expression: `at` is the offset in its text (the loader turns it into a fault)
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.faults import Fault, listing


class RulesError(Exception):
    """Anything that this room refuses."""


class Refused(RulesError):
    """A file that cannot be used."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(listing(tuple(faults)))
        self.faults = tuple(sorted(faults))


class KindsRefused(Refused):
    """A kinds file with faults."""


class CatalogueRefused(Refused):
    """A file of categories and departments with faults."""


class RegistryRefused(Refused):
    """A registry with faults."""


class PlanUnreadable(RulesError):
    """Stored bytes from which no plan can be built."""


class ExpressionError(RulesError):
    """A syntax or type error of an expression; `at` counts characters from 0."""

    def __init__(self, at: int, rule: str, got: str) -> None:
        super().__init__(f"at {at}: {rule}; got {got}")
        self.at = at
        self.rule = rule
        self.got = got
