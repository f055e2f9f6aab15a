"""A contender's processes: started in a session of their own, watched through /proc, ended as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
END_S = 15.0


@dataclass(frozen=True, slots=True)
class Command:
    """What is started, where, and with which environment beside this one's."""

    words: tuple[str, ...]
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)


class Tree:
    """A started command with all its children."""

    def __init__(self, command: Command, log: Path) -> None:
        with log.open("wb") as out:
            self._first = subprocess.Popen(
                command.words, cwd=command.cwd, env={**os.environ, **command.env}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ended(self) -> int | None:
        """Return the exit code of the first process; None while it runs."""
        return self._first.poll()

    def cpu_s(self) -> float:
        """CPU seconds of all its processes and threads so far, user and system, ended children included."""
        return cpu_s({self._first.pid})

    def end(self) -> None:
        """End all of its processes, and wait until none is left."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal(number)
            until = time.monotonic() + END_S
            while time.monotonic() < until:
                self._first.poll()
                if not self._members():
                    return
                time.sleep(0.05)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._first.pid, number)
        except ProcessLookupError:
            return

    def _members(self) -> list[int]:
        return [pid for pid, stat in _stats().items() if stat.session == self._first.pid and stat.state != "Z"]


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    session: int
    state: str
    cpu_s: float


def cpu_s(roots: set[int]) -> float:
    """CPU seconds so far of processes, all they started and all in their sessions, user and system."""
    stats = _stats()
    tree: set[int] = set()
    for pid in stats:
        line, at = [], pid
        while at in stats and at not in tree and at not in line:
            line.append(at)
            if at in roots or stats[at].session in roots:
                break
            at = stats[at].parent
        if at in tree or at in roots or (at in stats and stats[at].session in roots):
            tree.update(line)
    return sum(stats[pid].cpu_s for pid in tree)


def _stats() -> dict[int, _Stat]:
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - one listing in every sample
        if not entry.isdigit():
            continue
        try:
            text = Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        rest = text[text.rindex(")") + 2 :].split()
        used = sum(int(number) for number in rest[11:15]) * TICK_S
        found[int(entry)] = _Stat(int(rest[1]), int(rest[3]), rest[0], used)
    return found
