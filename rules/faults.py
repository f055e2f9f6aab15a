"""A fault: one thing wrong in one file, said so that its author finds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One broken rule of a configuration file; `line` and `column` count from 1 (0: the file as a whole)."""

    file: str
    line: int
    column: int
    key: str
    rule: str
    got: str

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.key}: {self.rule}; got {self.got}"
        return text.encode("utf-8", "backslashreplace").decode()  # a file's name may hold any bytes


def listing(faults: list[Fault] | tuple[Fault, ...]) -> str:
    """Return the faults, one a line, in order of file, line and column."""
    return "\n".join(str(fault) for fault in sorted(faults))
