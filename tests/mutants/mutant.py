"""Small mistakes, each an exact replacement in one file, as `mutants.txt` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("mutants.txt")


class Stale(Exception):
    """The text to replace does not stand exactly once in the file: the list must follow the engine."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`before` stands exactly once in `path` (from the top of the tree) and becomes `after`."""

    name: str
    path: str
    before: str
    after: str

    def applied(self, root: Path) -> str:
        """Return the file's text with the mistake in it. Raises Stale."""
        text = (root / self.path).read_text()
        if text.count(self.before) != 1:
            raise Stale(f"{self.name}: {self.path} has {text.count(self.before)} times {self.before!r}")
        return text.replace(self.before, self.after)


def listed(text: str) -> list[Mutant]:
    """Read `= name`, `@ file`, then the lines to replace, each behind a `-`, and those to stand there, behind a `+`."""
    mutants = []
    for block in text.split("\n= ")[1:]:
        name, place, *lines = block.split("\n")
        before, after = ("\n".join(line[1:] for line in lines if line.startswith(sign)) for sign in "-+")
        mutants.append(Mutant(name, place.removeprefix("@ "), before, after))
    return mutants
