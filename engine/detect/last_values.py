"""The last value of each sensor, for people and charts, never for decisions (spec/alerts.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numba
import numpy as np
import numpy.typing as npt
from numba import types

from engine.detect.changes import LEVEL_WORDS
from engine.detect.decode.rows import Table
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.episodes import Episodes
from engine.detect.kernels import layout as at
from engine.detect.kernels.compiled import NEVER, compiled
from engine.detect.kernels.order import JUDGEMENT, SEEN
from engine.detect.rows import F64, I32, U8
from engine.detect.rule_state import Matrix
from geo import NO_PLACE
from geo.grids import GridSet

EVERY_MS: Final = 60_000


class LastValue(msgspec.Struct, frozen=True, gc=False):
    """One record of `city.sensors`."""

    sensor: str
    kind: str
    t: int
    v: float
    lon: float | None
    lat: float | None
    grid: str | None
    level: str | None


LAST: Final = np.dtype(
    [
        ("t", np.int64),
        ("v", np.float64),
        ("series", np.int32),
        ("lon", np.int32),  # the sensor's place, 1e-7 degrees
        ("lat", np.int32),
        ("level", np.int8),  # a LevelName
    ],
    align=True,
)
"""A last value as a row of memory."""
TOLD: Any = numba.from_dtype(LAST)[::1]


@dataclass(frozen=True, slots=True)
class LastValues:
    """Last values in order of release, `rows` [n] of LAST."""

    rows: Table
    vocabulary: Vocabulary
    grids: GridSet | None

    def __len__(self) -> int:
        return len(self.rows)

    def records(self) -> list[LastValue]:
        """Spell the values out."""
        names, grids = self.vocabulary.names, self._grids()
        return [
            LastValue(
                *names(series), t, v, None if lon == NO_PLACE else lon / 1e7, None if lon == NO_PLACE else lat / 1e7,
                grid, LEVEL_WORDS[level],
            )
            for (t, v, series, lon, lat, level), grid in zip(self.rows.tolist(), grids, strict=True)
        ]  # fmt: skip

    def _grids(self) -> list[str | None]:
        """Locate the places."""
        grids = self.grids
        if grids is None:
            return [None] * len(self)
        lon, lat = (np.ascontiguousarray(self.rows[name]) for name in ("lon", "lat"))
        return [grids.code_of(row) for row in grids.locate(lon, lat).tolist()]


@compiled(types.void(SEEN, types.uint8[::1], types.int32[::1], types.int64[:, ::1], types.float64[::1]))
def choose(rows: Table, chosen: U8, place: I32, kept: Matrix, kept_v: F64) -> None:
    """Choose good rows a minute or more after the last told of their series, beside those chosen before (by a change).

    `rows` stand by kind, in order of release; `chosen` and `place`, where each stands, are by number in the order of
    release. `kept` [series, 4] is updated: `t` of the last told, then `t`, `lon` and `lat` of the last good row, and
    `kept_v`, its `v`.
    """
    for j in range(len(rows)):
        one = rows[j]
        i = one["row"]
        if one["flag"] & JUDGEMENT:
            chosen[i] = 0
            continue
        s = one["series"]
        kept[s, 1] = one["t"]
        kept[s, 2] = one["lon"]
        kept[s, 3] = one["lat"]
        kept_v[s] = one["v"]
        if chosen[i] or one["t"] - kept[s, 0] >= EVERY_MS:
            chosen[i] = 1
            place[i] = j
            kept[s, 0] = one["t"]


@compiled(types.void(SEEN, types.uint8[::1], types.int32[::1], types.int8[::1], TOLD))
def gather(rows: Table, chosen: U8, place: I32, levels: npt.NDArray[np.int8], told: Table) -> None:
    """Write the chosen rows in order of release; `levels` by series, none beyond its end."""
    n = 0
    for i in range(len(chosen)):
        if not chosen[i]:
            continue
        one = rows[place[i]]
        to = told[n]
        s = one["series"]
        to["t"] = one["t"]
        to["v"] = one["v"]
        to["series"] = s
        to["lon"] = one["lon"]
        to["lat"] = one["lat"]
        to["level"] = levels[s] if s < len(levels) else 0
        n += 1


class Values:
    """Which readings were told last, and the last good reading of each series."""

    def __init__(self) -> None:
        self.kept: Matrix = np.full((1024, 4), NEVER, np.int64)
        self.v: F64 = np.zeros(1024)

    def restore(self, kept: Matrix, v: F64) -> None:
        """Take over the rows of a snapshot."""
        self._room(len(v))
        self.kept[: len(v)] = kept
        self.v[: len(v)] = v

    def _room(self, series: int) -> None:
        if series > len(self.v):
            more = max(series, 2 * len(self.v)) - len(self.v)
            self.kept = np.concatenate((self.kept, np.full((more, 4), NEVER, np.int64)))
            self.v = np.concatenate((self.v, np.zeros(more)))

    def tell(self, rows: Table, told: Matrix, episodes: Episodes, grids: GridSet | None) -> LastValues:
        """Choose what is told of released rows and of the sensors that changed; the level is that after the step."""
        vocabulary = episodes.vocabulary
        self._room(vocabulary.count)
        changes = told[told[:, at.O_CODE] <= at.CLEARED]
        chosen = np.zeros(len(rows), np.uint8)
        chosen[changes[changes[:, at.O_PHASE] == at.READING, at.O_ROW]] = 1
        place = np.empty(len(rows), np.int32)
        choose(rows, chosen, place, self.kept, self.v)
        timed = np.unique(changes[changes[:, at.O_PHASE] == at.TIMER, at.O_SERIES])
        timed = timed[self.kept[timed, 1] != NEVER]
        n = int(np.count_nonzero(chosen))
        found = np.empty(n + len(timed), LAST)
        gather(rows, chosen, place, episodes.level, found)
        if len(timed):
            rest = found[n:]
            rest["series"], rest["v"], rest["level"] = timed, self.v[timed], episodes.levels_of(timed)
            rest["t"], rest["lon"], rest["lat"] = self.kept[timed, 1], self.kept[timed, 2], self.kept[timed, 3]
        return LastValues(found, vocabulary, grids)
