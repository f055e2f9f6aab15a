"""What a step of detect says for the alerts log: changes and marks, and between them stills, which are columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self, overload

import numpy as np
import numpy.typing as npt

from engine.detect.changes import Change, Item, Mark, Still
from engine.detect.kernels.spelling import EPISODE_BYTES
from engine.detect.rows import F64, I64

KEY_BYTES: Final = 48
"""Of a community code: twelve characters."""
EPISODE: Final = np.dtype([("id", f"S{EPISODE_BYTES}"), ("key", f"S{KEY_BYTES}"), ("shadow", np.bool_)])
"""An open episode as a row of memory: its id, its key, whether its rule is a shadow."""
Named = npt.NDArray[np.void]


@dataclass(slots=True)
class Stills:
    """n stills in order: before which of the step's other items each stands, its time (ms), value (NaN: null), episode.

    `episode` [n] of EPISODE.
    """

    before: I64
    t: I64
    value: F64
    episode: Named

    @staticmethod
    def none() -> Stills:
        return Stills(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, EPISODE))

    def __len__(self) -> int:
        return len(self.t)

    def chosen(self, which: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]) -> Stills:
        """Return some of them, among some of the other items."""
        among = np.concatenate(([0], np.cumsum(others)))
        return Stills(among[self.before[which]], self.t[which], self.value[which], self.episode[which])

    def spelled(self) -> list[Still]:
        """Return them one by one."""
        rows = zip(self.episode.tolist(), self.t.tolist(), self.value.tolist(), strict=True)
        return [
            Still(name.decode(), t, None if value != value else value, key.decode(), shadow)
            for (name, key, shadow), t, value in rows
        ]


@dataclass(slots=True)
class Items(Sequence[Item]):
    """The items of a step in the order of the alerts log; gone through one by one they are objects, stills too."""

    spoken: list[Change | Mark] = field(default_factory=list)
    stills: Stills = field(default_factory=Stills.none)

    def __len__(self) -> int:
        return len(self.spoken) + len(self.stills)

    def __iter__(self) -> Iterator[Item]:
        said = 0
        for before, still in zip(self.stills.before.tolist(), self.stills.spelled(), strict=True):
            yield from self.spoken[said:before]
            said = before
            yield still
        yield from self.spoken[said:]

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return list(self)[index]

    def __iadd__(self, later: Items) -> Self:
        one, two = self.stills, later.stills
        if len(two):
            self.stills = Stills(
                np.concatenate((one.before, two.before + len(self.spoken))),
                np.concatenate((one.t, two.t)),
                np.concatenate((one.value, two.value)),
                np.concatenate((one.episode, two.episode)),
            )
        self.spoken += later.spoken
        return self

    @property
    def changes(self) -> list[Change]:
        """The changes among them."""
        return [item for item in self.spoken if isinstance(item, Change)]
