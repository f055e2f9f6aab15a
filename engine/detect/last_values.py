"""The last value of each sensor, for people and charts, never for decisions (spec/alerts.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import msgspec
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
from engine.detect.rows import F64, I32, I64, U8, rows_of
from engine.detect.rule_state import Matrix
from geo import NO_PLACE
from geo.grids import GridSet

EVERY_MS: Final = 60_000
_encode = msgspec.json.Encoder().encode


class LastValue(msgspec.Struct, frozen=True):
    """One record of `city.sensors`."""

    sensor: str
    kind: str
    t: int
    v: float
    lon: float | None
    lat: float | None
    grid: str | None
    level: str | None


@dataclass(frozen=True, slots=True)
class LastValues:
    """n last values in order of release; `grid` is a row of the plan's grids or -1, `level` a LevelName."""

    series: I32
    t: I64
    v: F64
    lon_e7: I32
    lat_e7: I32
    grid: I32
    level: npt.NDArray[np.int8]
    vocabulary: Vocabulary
    grids: GridSet | None

    def __len__(self) -> int:
        return len(self.series)

    def latest(self) -> LastValues:
        """Return the last value of each series only."""
        n = len(self)
        series, back = np.unique(self.series[::-1], return_index=True)
        if len(series) == n:
            return self
        last = np.sort(n - 1 - back)
        return replace(
            self,
            series=self.series[last],
            t=self.t[last],
            v=self.v[last],
            lon_e7=self.lon_e7[last],
            lat_e7=self.lat_e7[last],
            grid=self.grid[last],
            level=self.level[last],
        )

    def records(self) -> list[LastValue]:
        """Spell the values out."""
        names, codes = self.vocabulary.names, None if self.grids is None else self.grids.code_of
        placed = (self.lon_e7 != NO_PLACE).tolist()
        lon, lat = (self.lon_e7 / 1e7).tolist(), (self.lat_e7 / 1e7).tolist()
        columns = (self.series, self.t, self.v, self.grid, self.level)
        return [
            LastValue(
                *names(series), t, v, lon[i] if placed[i] else None, lat[i] if placed[i] else None,
                None if codes is None else codes(grid), LEVEL_WORDS[level],
            )
            for i, (series, t, v, grid, level) in enumerate(zip(*(c.tolist() for c in columns), strict=True))
        ]  # fmt: skip

    def encode(self) -> list[tuple[bytes, bytes]]:
        """Return key `sensor|kind` and value of each record of `city.sensors`."""
        return [(f"{one.sensor}|{one.kind}".encode(), _encode(one)) for one in self.records()]


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
        of_rows = rows_of(rows, place[np.flatnonzero(chosen)])
        timed = np.unique(changes[changes[:, at.O_PHASE] == at.TIMER, at.O_SERIES])
        timed = timed[self.kept[timed, 1] != NEVER]
        series = np.concatenate((of_rows["series"], timed)).astype(np.int32)
        lon = np.concatenate((of_rows["lon"], self.kept[timed, 2])).astype(np.int32)
        lat = np.concatenate((of_rows["lat"], self.kept[timed, 3])).astype(np.int32)
        return LastValues(
            series=series,
            t=np.concatenate((of_rows["t"], self.kept[timed, 1])),
            v=np.concatenate((of_rows["v"], self.v[timed])),
            lon_e7=lon,
            lat_e7=lat,
            grid=np.full(len(series), -1, np.int32) if grids is None else grids.locate(lon, lat),
            level=episodes.levels_of(series),
            vocabulary=vocabulary,
            grids=grids,
        )
