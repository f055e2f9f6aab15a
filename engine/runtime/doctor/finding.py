"""What a look at one thing found."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class State(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARN = "warn"
    """It works, and will not always."""
    FAIL = "fail"
    """Something does not work, or what was promised does not hold."""


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, what was seen, and what to type where it is not well."""

    check: str
    state: State
    said: str
    mend: str = ""


def ok(check: str, said: str) -> Finding:
    """Return that all is well."""
    return Finding(check, State.OK, said)


def warn(check: str, said: str, mend: str) -> Finding:
    """Return what will not always work."""
    return Finding(check, State.WARN, said, mend)


def fail(check: str, said: str, mend: str) -> Finding:
    """Return what does not work."""
    return Finding(check, State.FAIL, said, mend)


CREATE: Final = "tongguan topics create"
