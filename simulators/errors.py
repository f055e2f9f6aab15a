"""What a simulator refuses.

SimulatorError
├── ScenarioError      refuse to start: the scenario file, with every fault named
├── NetworkError       refuse to start: the sensors' registry cannot be played
└── SinkError          stop: readings cannot be delivered
    └── SinkBusy       stop for now: the other side was busy or away for too long
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SimulatorError(Exception):
    """Anything that a simulator cannot do."""


@dataclass(frozen=True, slots=True)
class ScenarioFault:
    """One fault of a scenario: where, what should stand there, what came. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    key: str
    rule: str
    got: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.key}: {self.rule}; got {self.got}"


class ScenarioError(SimulatorError):
    """A scenario with faults, all of them, ordered by place."""

    def __init__(self, faults: Sequence[ScenarioFault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line, fault.column, fault.key)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class NetworkError(SimulatorError):
    """The sensors' registry cannot be played."""


class SinkError(SimulatorError):
    """Readings cannot be delivered."""


class SinkBusy(SinkError):
    """The other side was busy or away for longer than we wait; later it may go."""
