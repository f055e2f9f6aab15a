"""Open episodes, and the words for what the kernels found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.detect.changes import (
    CAUSE_WORDS,
    CHANGE_WORDS,
    LEVEL_WORDS,
    NO_KEY,
    Change,
    Evidence,
    Item,
    Mark,
    Still,
    episode_id,
)
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.kernels import layout as at
from engine.detect.kernels.compiled import NEVER
from engine.detect.rows import I64
from engine.detect.rule_state import Matrix, RuleState, Told
from geo import NO_PLACE
from geo.grids import GridSet
from rules.plan import Plan

MARK = 6
AFTER = 2
"""Phase of a mark: after the timers and readings at its place."""
COMMUNITY_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Episode:
    """An open episode: its id, the community code of its raise or "-", and its level now."""

    id: str
    key: str
    level: int


class Episodes:
    """The open episodes of one partition, by (rule id, series)."""

    def __init__(self, partition: int, vocabulary: Vocabulary) -> None:
        self.partition = partition
        self.vocabulary = vocabulary
        self.open: dict[tuple[str, int], Episode] = {}
        self.levels: dict[int, dict[str, int]] = {}
        """Open level by rule id, by series; without shadow rules."""
        self._names: dict[int, tuple[str, str]] = {}

    def words(self, told: Told, rules: Sequence[RuleState], plan: Plan) -> list[Item]:
        """Turn placed outputs into items, in the order of the alerts log."""
        if told.n == 0:
            return []
        out = told.out[: told.n]
        _settle(out, self.vocabulary)
        order = self._ordered(out)
        out = out[order]
        value = out.view(np.float64)[:, at.O_VALUE]
        grids = _codes(plan.grids, out)
        values = [None if x != x else x for x in value.tolist()]
        items: list[Item] = []
        for row, x, grid in zip(out.tolist(), values, grids, strict=True):
            code = row[at.O_CODE]
            if code == MARK:
                items.append(Mark(row[at.O_T], self.partition, plan.short))
                continue
            rule = rules[row[at.O_RULE]]
            if code == at.STILL:
                items.append(self._still(row, x, rule))
            else:
                items.append(self._change(row, x, grid, rule, plan.short))
        return items

    def _ordered(self, out: Matrix) -> I64:
        """Order by place in the log; timers of one place by (due, rule, sensor, kind)."""
        rank = np.zeros(len(out), np.int64)
        timers = np.flatnonzero(out[:, at.O_PHASE] == at.TIMER)
        if len(timers) > 1:
            series, number = np.unique(out[timers, at.O_SERIES], return_inverse=True)
            names = [self.names(s) for s in series.tolist()]
            by_name = np.array(sorted(range(len(names)), key=names.__getitem__))
            place = np.empty(len(names), np.int64)
            place[by_name] = np.arange(len(names))
            rank[timers] = place[number]
        return np.lexsort((rank, out[:, at.O_RULE], out[:, at.O_DUE], out[:, at.O_PHASE], out[:, at.O_EVENT]))

    def names(self, series: int) -> tuple[str, str]:
        """Return sensor and kind of a series that is told of."""
        found = self._names.get(series)
        if found is None:
            sensor = self.vocabulary.sensor_name(int(self.vocabulary.series_sensor[series]))
            found = self._names[series] = (sensor, self.vocabulary.series_kind_name(series))
        return found

    def _still(self, row: list[int], value: float | None, rule: RuleState) -> Still:
        episode = self.open[rule.rule.id, row[at.O_SERIES]]
        still = Still(episode.id, row[at.O_T], value)
        still.__dict__.update(key=episode.key, shadow=rule.shadow)
        return still

    def _change(self, row: list[int], value: float | None, grid: str | None, rule: RuleState, short: str) -> Change:
        series, code, level = row[at.O_SERIES], row[at.O_CODE], row[at.O_LEVEL]
        sensor, kind = self.names(series)
        name = rule.rule.id
        if code == at.RAISED_:
            key = NO_KEY if grid is None else grid[:COMMUNITY_DIGITS]
            episode = Episode(episode_id(name, sensor, kind, row[at.O_RAISED]), key, level)
        else:
            before = self.open[name, series]
            episode = Episode(before.id, before.key, level)
        self.note(name, series, episode, shadow=rule.shadow)
        seq, since, first, last = row[at.O_SEQ], row[at.O_SINCE], row[at.O_FIRST], row[at.O_LAST]
        placed = row[at.O_LON] != NO_PLACE
        change = Change(
            id=f"{episode.id}:{seq}",
            episode=episode.id,
            seq=seq,
            change=CHANGE_WORDS[code],
            cause=CAUSE_WORDS[row[at.O_CAUSE]],
            rule=name,
            rule_version=rule.rule.version,
            sensor=sensor,
            kind=kind,
            level=LEVEL_WORDS[level],
            previous=LEVEL_WORDS[row[at.O_PREVIOUS]],
            t=row[at.O_T],
            since=None if since == NEVER else since,
            value=value,
            lon=row[at.O_LON] / 1e7 if placed else None,
            lat=row[at.O_LAT] / 1e7 if placed else None,
            grid=grid,
            evidence=Evidence(
                self.partition,
                None if first == at.NO_OFFSET else first,
                None if last == at.NO_OFFSET else last,
            ),
            plan=short,
            shadow=rule.shadow,
        )
        change.__dict__["key"] = episode.key
        return change

    def note(self, rule: str, series: int, episode: Episode, *, shadow: bool) -> None:
        """Keep the episode if it is still open, else forget it."""
        if episode.level:
            self.open[rule, series] = episode
            if not shadow:
                self.levels.setdefault(series, {})[rule] = episode.level
            return
        del self.open[rule, series]
        if not shadow:
            levels = self.levels[series]
            del levels[rule]
            if not levels:
                del self.levels[series]

    def counted(self) -> dict[tuple[str, str], int]:
        """Count open episodes by (rule, level)."""
        counts = Counter((rule, LEVEL_WORDS[episode.level] or "") for (rule, _), episode in self.open.items())
        return dict(sorted(counts.items()))

    def level(self, series: int) -> int:
        """Return the highest open level of a series."""
        return max(self.levels.get(series, {}).values(), default=0)


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
