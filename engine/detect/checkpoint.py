"""Snapshots: everything of a partition that the log before the cursor has left behind, as bytes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from engine.detect.decode.rows import READING
from engine.detect.decode.vocabulary import Vocabulary
from engine.detect.episodes import Episode, Episodes
from engine.detect.errors import CheckpointUnreadable
from engine.detect.kernels.layout import M_POOL, SERIES
from engine.detect.last_values import Values
from engine.detect.rows import Rows
from engine.detect.rule_state import RuleState
from engine.detect.state import State
from rules.columns import Column, Strings
from rules.plan import Plan

FORMAT: Final = 1
COLUMNS: Final = ("series", "kind", "t", "u", "log_time", "v", "lon", "lat", "offset", "index", "stale")
"""What is kept of a waiting row beside its text."""


class Array(msgspec.Struct, frozen=True):
    """A numpy array."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class WaitingColumn(msgspec.Struct, frozen=True):
    tag: Array
    num: Array
    heap: Array | None
    start: Array | None
    length: Array | None


class WaitingRows(msgspec.Struct, frozen=True):
    columns: dict[str, Array]
    heap: Array
    end: Array
    attrs: dict[str, WaitingColumn]


class RuleSnapshot(msgspec.Struct, frozen=True):
    digest: str
    state: Array
    window: Array
    pool: Array
    meta: Array


class OpenEpisode(msgspec.Struct, frozen=True):
    rule: str
    series: int
    episode: Episode


class ValuesSnapshot(msgspec.Struct, frozen=True):
    kept: Array
    v: Array


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A state (engine.detect.state)."""

    format: int = FORMAT
    partition: int
    plan: str
    cursor: int
    released: int
    offline: bool
    awaits_start: bool
    watermark: int
    newest: int
    waiting: list[WaitingRows]
    vocabulary: dict[str, Array]
    last: Array
    rules: dict[str, RuleSnapshot]
    episodes: list[OpenEpisode]
    values: ValuesSnapshot | None
    partitions: int = 1


def snapshot(state: State) -> bytes:
    """Return a state as bytes."""
    count = state.vocabulary.count
    values = state.values
    kept = Snapshot(
        partition=state.partition,
        plan=state.plan.digest,
        cursor=state.cursor,
        released=state.released,
        offline=state.offline,
        awaits_start=state.awaits_start,
        watermark=state.order.watermark,
        newest=state.order.newest,
        waiting=[pack_rows(part) for part in state.order.waiting],
        vocabulary={name: packed(array) for name, array in state.vocabulary.snapshot().items()},
        last=packed(state.series.last[:count]),
        rules={rule.rule.id: _pack_rule(rule) for rule in state.rules},
        episodes=[OpenEpisode(rule, series, episode) for (rule, series), episode in state.episodes.open.items()],
        partitions=state.partitions,
        values=None if values is None else ValuesSnapshot(packed(values.kept[:count]), packed(values.v[:count])),
    )
    return msgspec.msgpack.encode(kept)


def restored(snapshot: Snapshot, plan: Plan) -> State:
    """Build the state of a snapshot again, under the plan that it was taken under."""
    vocabulary = Vocabulary.restore(plan, {name: unpacked(array) for name, array in snapshot.vocabulary.items()})
    state = State(snapshot.partition, plan, vocabulary, Episodes(snapshot.partition, vocabulary))
    state.cursor, state.released, state.partitions = snapshot.cursor, snapshot.released, snapshot.partitions
    state.offline, state.awaits_start = snapshot.offline, snapshot.awaits_start
    state.order.watermark, state.order.newest = snapshot.watermark, snapshot.newest
    state.order.waiting = [unpack_rows(rows) for rows in snapshot.waiting]
    state.adopt(plan)
    state.series.last[: len(unpacked(snapshot.last))] = unpacked(snapshot.last)
    for rule in state.rules:
        _unpack_rule(rule, snapshot.rules[rule.rule.id], state)
    for one in snapshot.episodes:
        state.episodes.enter(one.rule, one.series, one.episode)
    if snapshot.values is not None:
        state.values = Values()
        state.values.restore(unpacked(snapshot.values.kept), unpacked(snapshot.values.v))
    return state


def _pack_rule(rule: RuleState) -> RuleSnapshot:
    slots, panes = rule.slot_count, int(rule.meta[M_POOL])
    return RuleSnapshot(
        rule.digest,
        packed(rule.state[:slots]),
        packed(rule.window[:slots]),
        packed(rule.pool[:panes]),
        packed(rule.meta),
    )


def _unpack_rule(rule: RuleState, kept: RuleSnapshot, state: State) -> None:
    if rule.digest != kept.digest:
        raise CheckpointUnreadable(f"a snapshot of rule {rule.rule.id} under another digest")
    rule.state, rule.window = unpacked(kept.state), unpacked(kept.window)
    rule.pool, rule.meta = unpacked(kept.pool), unpacked(kept.meta)
    series = rule.state[:, SERIES]
    for name in rule.rule.reads:
        kind = state.vocabulary.kind_names.index(name)
        slots = np.flatnonzero(state.vocabulary.series_kind[series] == kind)
        rule.enter(name, state.series.local[series[slots]], slots.astype(np.int32), state.series.of_kind(name))


def packed(array: npt.NDArray[Any]) -> Array:
    return Array(array.dtype.str, array.shape, np.ascontiguousarray(array).tobytes())


def unpacked(array: Array) -> npt.NDArray[Any]:
    return np.frombuffer(array.data, np.dtype(array.dtype)).reshape(array.shape).copy()


def decode(data: bytes) -> Snapshot:
    """Read a snapshot. Raises CheckpointUnreadable."""
    try:
        number = msgspec.msgpack.decode(data, type=_Format).format
        if number != FORMAT:
            raise CheckpointUnreadable(f"a snapshot of format {number}; this release reads {FORMAT}")
        return msgspec.msgpack.decode(data, type=Snapshot)
    except (msgspec.DecodeError, ValueError) as error:
        raise CheckpointUnreadable(f"these bytes are no snapshot: {error}") from error


class _Format(msgspec.Struct):
    format: int


def pack_rows(rows: Rows) -> WaitingRows:
    """Pack rows that wait, with their texts."""
    rows = Rows.join([rows])
    return WaitingRows(
        {name: packed(rows.table[name]) for name in COLUMNS},
        packed(rows.heap),
        packed(rows.table["raw_start"] + rows.table["raw_length"]),
        {name: _pack_column(column) for name, column in rows.attrs.items()},
    )


def unpack_rows(packed_rows: WaitingRows) -> Rows:
    end = unpacked(packed_rows.end)
    start = np.concatenate((np.zeros(1, np.int64), end[:-1])) if len(end) else end
    table = np.zeros(len(end), READING)
    for name in COLUMNS:
        table[name] = unpacked(packed_rows.columns[name])
    table["raw_start"], table["raw_length"] = start, end - start
    return Rows(table, unpacked(packed_rows.heap), {n: _unpack_column(c) for n, c in packed_rows.attrs.items()})


def _pack_column(column: Column) -> WaitingColumn:
    text = column.text
    if text is None:
        return WaitingColumn(packed(column.tag), packed(column.num), None, None, None)
    return WaitingColumn(
        packed(column.tag), packed(column.num), packed(text.heap), packed(text.start), packed(text.length)
    )


def _unpack_column(column: WaitingColumn) -> Column:
    text = None
    if column.heap is not None and column.start is not None and column.length is not None:
        text = Strings(unpacked(column.heap), unpacked(column.start), unpacked(column.length))
    return Column(unpacked(column.tag), unpacked(column.num), text)
