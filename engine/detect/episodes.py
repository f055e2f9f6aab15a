"""Open episodes, and the words for what the kernels found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from engine.detect.changes import (
    CAUSE_WORDS,
    CHANGE_WORDS,
    LEVEL_WORDS,
    NO_KEY,
    Change,
    Evidence,
    Mark,
    episode_id,
)
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.errors import DetectError
from engine.detect.items import EPISODE, Items, Named, Stills
from engine.detect.kernels import layout as at
from engine.detect.kernels.compiled import NEVER
from engine.detect.rows import I32, I64
from engine.detect.rule_state import Matrix, RuleState, Told
from geo import NO_PLACE
from geo.grids import GridSet
from rules.plan import Plan

T = TypeVar("T", bound=np.generic)

MARK = 6
AFTER = 2
"""Phase of a mark: after the timers and readings at its place."""
COMMUNITY_DIGITS = 12
NONE = np.zeros(0, np.int32)


class Episode(msgspec.Struct, frozen=True, gc=False):
    """An open episode: its id, the community code of its raise or "-", its level now, whether its rule is a shadow."""

    id: str
    key: str
    level: int
    shadow: bool


class Episodes:
    """The open episodes of one partition, by (rule id, series); without `marks` neither marks nor stills are told."""

    def __init__(self, partition: int, vocabulary: Vocabulary, *, marks: bool = True) -> None:
        self.marks = marks
        self.partition = partition
        self.vocabulary = vocabulary
        self.open: dict[tuple[str, int], Episode] = {}
        self.level: npt.NDArray[np.int8] = np.zeros(1024, np.int8)
        """By series: the highest level of its open episodes, without shadow rules; 0 for none."""
        self._levels: dict[int, dict[str, int]] = {}
        self._named: Named = np.zeros(1024, EPISODE)
        """What stills need to know of the open episodes."""
        self._place: dict[str, I32] = {}
        """By rule and series: one past the row of the episode in `_named`; 0 for none."""
        self._free: list[int] = list(range(1024, 0, -1))
        self._left: list[int] = []
        """Rows of episodes that were closed, which a still of the same step may want."""

    def enter(self, rule: str, series: int, episode: Episode) -> None:
        """Open an episode, or give an open one its level."""
        if (rule, series) not in self.open:
            self._name(rule, series, episode)
        self.open[rule, series] = episode
        if not episode.shadow:
            levels = self._levels.setdefault(series, {})
            levels[rule] = episode.level
            self.level = _grown(self.level, series)
            self.level[series] = max(levels.values())

    def _name(self, rule: str, series: int, episode: Episode) -> None:
        """Give an episode that opens a row of memory."""
        if not self._free:
            size = len(self._named)
            self._named = np.concatenate((self._named, np.zeros(size, EPISODE)))
            self._free = list(range(2 * size, size, -1))
        place = self._place[rule] = _grown(self._place.get(rule, NONE), series)
        place[series] = self._free.pop()
        self._named[place[series] - 1] = (episode.id.encode(), episode.key.encode(), episode.shadow)

    def _close(self, rule: str, series: int) -> Episode:
        episode = self.open.pop((rule, series))
        place = self._place[rule]
        self._left.append(int(place[series]))
        place[series] = 0
        if not episode.shadow:
            levels = self._levels[series]
            del levels[rule]
            self.level[series] = max(levels.values(), default=0)
        return episode

    def levels_of(self, series: I32) -> npt.NDArray[np.int8]:
        """Return the highest open level of each series, 0 for none."""
        known = series < len(self.level)
        return np.where(known, self.level[np.where(known, series, 0)], 0).astype(np.int8)

    def words(self, told: Told, rules: Sequence[RuleState], plan: Plan) -> Items:
        """Turn placed outputs into items, in the order of the alerts log."""
        out = told.out[: told.n]
        if not self.marks:
            out = out[out[:, at.O_CODE] <= at.CLEARED]
        if len(out) == 0:
            return Items()
        _settle(out, self.vocabulary)
        out = out[self._ordered(out)]
        still = out[:, at.O_CODE] == at.STILL
        quiet, spoken = out[still], out[~still]
        before = np.cumsum(~still)[still]
        place = self._places(quiet, rules)
        # of an episode that begins or ends in this step a still is named when it is its turn
        ends = (spoken[:, at.O_CODE] == at.RAISED_) | (spoken[:, at.O_CODE] == at.CLEARED)
        late = np.flatnonzero(np.isin(_whose(quiet), _whose(spoken[ends]))) if len(quiet) else NONE
        waits = np.column_stack((before, quiet[:, at.O_RULE], quiet[:, at.O_SERIES]))[late[::-1]].tolist()
        named: list[int] = []
        values = [None if x != x else x for x in spoken.view(np.float64)[:, at.O_VALUE].tolist()]
        grids = _codes(plan.grids, spoken)
        short = plan.short
        items: list[Change | Mark] = []
        for row, x, grid in zip(spoken.tolist(), values, grids, strict=True):
            while waits and waits[-1][0] <= len(items):
                _, rule, series = waits.pop()
                named.append(self._place[rules[rule].rule.id].item(series))
            if row[at.O_CODE] == MARK:
                items.append(Mark(row[at.O_T], self.partition, short))
            else:
                items.append(self._change(row, x, grid, rules[row[at.O_RULE]], short))
        named += [self._place[rules[rule].rule.id].item(series) for _, rule, series in reversed(waits)]
        place[late] = named
        times = np.ascontiguousarray(quiet[:, at.O_T])
        heard = np.ascontiguousarray(quiet.view(np.float64)[:, at.O_VALUE])
        if not place.all():
            raise DetectError("a still of an episode that is not open")
        stills = Stills(before, times, heard, self._named[place - 1])
        self._free += self._left
        self._left = []
        return Items(items, stills)

    def _places(self, quiet: Matrix, rules: Sequence[RuleState]) -> I32:
        """Return the rows of the episodes of stills, as things are now."""
        place = np.zeros(len(quiet), np.int32)
        for number in np.unique(quiet[:, at.O_RULE]).tolist():
            rows = np.flatnonzero(quiet[:, at.O_RULE] == number)
            places = self._place.get(rules[number].rule.id, NONE)
            rows = rows[quiet[rows, at.O_SERIES] < len(places)]
            place[rows] = places[quiet[rows, at.O_SERIES]]
        return place

    def _ordered(self, out: Matrix) -> I64:
        """Order by place in the log; timers of one place by (due, rule, sensor, kind)."""
        rank = np.zeros(len(out), np.int64)
        timers = np.flatnonzero(out[:, at.O_PHASE] == at.TIMER)
        if len(timers) > 1:
            series, number = np.unique(out[timers, at.O_SERIES], return_inverse=True)
            names = [self.vocabulary.names(s) for s in series.tolist()]
            place = np.empty(len(names), np.int64)
            place[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
            rank[timers] = place[number]
        return np.lexsort((rank, out[:, at.O_RULE], out[:, at.O_DUE], out[:, at.O_PHASE], out[:, at.O_EVENT]))

    def _change(self, row: list[int], value: float | None, grid: str | None, state: RuleState, short: str) -> Change:
        # in the order of kernels.layout
        _, _, _, _, series, code, cause, level, previous, t, since, first, last, _, lon, lat, raised, seq, _, _ = row
        rule = state.rule
        sensor, kind = self.vocabulary.names(series)
        if code == at.RAISED_:
            key = NO_KEY if grid is None else grid[:COMMUNITY_DIGITS]
            episode = Episode(episode_id(rule.id, sensor, kind, raised), key, level, state.shadow)
            self.enter(rule.id, series, episode)
        elif code == at.CLEARED:
            episode = self._close(rule.id, series)
        else:
            before = self.open[rule.id, series]
            episode = Episode(before.id, before.key, level, before.shadow)
            self.enter(rule.id, series, episode)
        placed = lon != NO_PLACE
        change = Change(
            f"{episode.id}:{seq}",
            episode.id,
            seq,
            CHANGE_WORDS[code],
            CAUSE_WORDS[cause],
            rule.id,
            rule.version,
            sensor,
            kind,
            LEVEL_WORDS[level],
            LEVEL_WORDS[previous],
            t,
            None if since == NEVER else since,
            value,
            lon / 1e7 if placed else None,
            lat / 1e7 if placed else None,
            grid,
            Evidence(
                self.partition,
                None if first == at.NO_OFFSET else first,
                None if last == at.NO_OFFSET else last,
            ),
            short,
            episode.shadow,
        )
        change.__dict__["key"] = episode.key
        return change

    def counted(self) -> dict[tuple[str, str], int]:
        """Count open episodes by (rule, level)."""
        counts = Counter((rule, LEVEL_WORDS[episode.level] or "") for (rule, _), episode in self.open.items())
        return dict(sorted(counts.items()))


def _grown(by_series: npt.NDArray[T], series: int) -> npt.NDArray[T]:
    """Return an array that has a place for a series."""
    if series < len(by_series):
        return by_series
    return np.concatenate((by_series, np.zeros(max(series + 1, 1024), by_series.dtype)))


def _whose(out: Matrix) -> I64:
    """Return a number for the rule and the series of each output."""
    whose: I64 = out[:, at.O_RULE] << 32 | out[:, at.O_SERIES]
    return whose


def mark(told: Told, event: int, watermark: int) -> None:
    """Add a mark at a place in the order of releases."""
    told.room(1)
    row = told.out[told.n]
    row[:] = 0
    row[at.O_EVENT], row[at.O_PHASE], row[at.O_CODE], row[at.O_T] = event, AFTER, MARK, watermark
    row[at.O_LON] = row[at.O_LAT] = NO_PLACE
    told.n += 1


def _codes(grids: GridSet | None, out: Matrix) -> list[str | None]:
    """Locate the places of outputs."""
    if grids is None:
        return [None] * len(out)
    rows = grids.locate(out[:, at.O_LON].astype(np.int32), out[:, at.O_LAT].astype(np.int32))
    return [grids.code_of(row) for row in rows.tolist()]


def _settle(out: Matrix, vocabulary: Vocabulary) -> None:
    """Give timers of fixed sensors the place of the registry."""
    timers = np.flatnonzero(out[:, at.O_PHASE] == at.TIMER)
    series = out[timers, at.O_SERIES]
    lon = vocabulary.series_lon_e7[series]
    fixed = lon != NO_PLACE
    out[timers[fixed], at.O_LON] = lon[fixed]
    out[timers[fixed], at.O_LAT] = vocabulary.series_lat_e7[series][fixed]
