"""One small mistake, as an exact replacement in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
