"""Run the property tests against each mutant; exit 1 if one survives, 2 if the list is not true.

`python -m tests.mutants [WORD …]` takes only the mutants whose names hold one of the words.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import LIST, Mutant, Stale, listed
from tests.mutants.trial import prepare, tried

ROOT = Path(__file__).parents[2]
SURVIVED = 0


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant: the test that killed it, or none; `said` is what pytest printed."""

    mutant: Mutant | None
    killer: str | None
    seconds: float
    said: str

    @property
    def line(self) -> str:
        name = "(nothing changed)" if self.mutant is None else self.mutant.name
        return f"{name:<56}  {self.killer or 'SURVIVED':<60} {self.seconds:7.1f} s"


def fates(mutants: Sequence[Mutant | None], folder: Path, at_once: int) -> Iterator[Fate]:
    """Try mutants out, each in a process of its own, a few at once; None is the engine as it is."""
    waiting = list(mutants)[::-1]
    running: dict[int, tuple[Mutant | None, float, Path]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            mutant, report = waiting.pop(), folder / f"{len(waiting)}.txt"
            child = os.fork()
            if child == 0:
                tried(mutant, ROOT, report)
            running[child] = (mutant, time.monotonic(), report)
        child, status = os.wait()
        mutant, began, report = running.pop(child)
        yield Fate(mutant, killed_by(status, report), time.monotonic() - began, report.read_text(errors="replace"))


def killed_by(status: int, report: Path) -> str | None:
    """Return the test that failed, None if all passed. Raises RuntimeError if the tests could not run."""
    if os.WIFSIGNALED(status):
        return f"no end (signal {os.WTERMSIG(status)})"
    if os.waitstatus_to_exitcode(status) == SURVIVED:
        return None
    said = report.read_text(errors="replace")
    for line in said.splitlines():
        if line.startswith("FAILED tests/property/"):
            return line.removeprefix("FAILED tests/property/").split(" ")[0]
    raise RuntimeError(f"the tests did not run:\n{said[-4000:]}")


def main(words: list[str]) -> int:
    mutants = listed(LIST.read_text())
    for mutant in mutants:
        try:
            mutant.applied(ROOT)
        except Stale as stale:
            print(f"the list of mutants is not true any more: {stale}", file=sys.stderr)
            return 2
    chosen = [m for m in mutants if not words or any(word in m.name for word in words)]
    prepare()
    survived = []
    with tempfile.TemporaryDirectory(prefix="tongguan-mutants-") as folder:
        for fate in fates([None, *chosen], Path(folder), os.cpu_count() or 1):
            print(fate.line, flush=True)
            if fate.mutant is None and fate.killer is not None:
                print(f"the tests fail without a mutant:\n{fate.said[-4000:]}", file=sys.stderr)
                return 2
            if fate.mutant is not None and fate.killer is None:
                survived.append(fate.mutant)
    print(f"\n{len(chosen)} mutants, {len(chosen) - len(survived)} killed, {len(survived)} survived")
    for mutant in survived:
        print(f"survived: {mutant.name}: {mutant.path}: {mutant.before!r} -> {mutant.after!r}")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
