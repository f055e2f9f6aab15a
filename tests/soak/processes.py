"""What processes cost, as /proc tells it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of memory, seconds of CPU so far, threads and open files of some processes together."""

    rss: int
    cpu_s: float
    threads: int
    files: int

    @classmethod
    def of(cls, pids: Iterable[int]) -> Usage:
        """Return what these cost; one that has ended costs nothing any more."""
        rss = threads = files = ticks = 0
        for pid in pids:
            with suppress(OSError):
                fields = _fields(pid)
                ticks += int(fields[11]) + int(fields[12])
                threads += int(fields[17])
                rss += int(fields[21]) * PAGE
                files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(rss, ticks / TICKS, threads, files)


def children_of(pid: int) -> set[int]:
    """Return the processes below one, at any depth."""
    parents: dict[int, int] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                parents[int(path.name)] = int(_fields(int(path.name))[1])
    found: set[int] = set()
    new = {pid}
    while new:
        new = {one for one, parent in parents.items() if parent in new} - found
        found |= new
    return found


def _fields(pid: int) -> list[str]:
    """Return the fields of stat behind the name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
