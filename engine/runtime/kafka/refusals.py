"""What detect refuses to pass over on a partition, in words, with the one command that goes on knowingly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.runtime.gaps import command
from engine.runtime.log import Stream

DATABASE = "--database URL"


class Reason(StrEnum):
    """Why a partition stands still."""

    PLAN_MISSING = "plan_missing"
    NO_PLAN = "no_plan"
    WAITING = "waiting"
    TRIMMED = "trimmed"
    RECREATED = "recreated"
    DAMAGED = "damaged"
    PARTITIONS_ADDED = "partitions_added"
    LOG_TIME = "log_time"
    DATABASE_AWAY = "database_away"


GAPS = frozenset({Reason.NO_PLAN, Reason.TRIMMED, Reason.RECREATED, Reason.DAMAGED})
"""What `tongguan gap accept` goes on from."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a partition stands before offset `first`; `text` is for people, `last` ends what would be passed over.

    Unless it `blocks`, the partition looks further into the log.
    """

    reason: Reason
    partition: int
    text: str
    first: int = 0
    last: int = -1
    blocks: bool = True


def plan_missing(partition: int, offset: int, digest: str) -> Refusal:
    """Refuse to follow a plan that is not stored here."""
    return Refusal(
        Reason.PLAN_MISSING,
        partition,
        f"city.readings/{partition} 停在位点 {offset} 之前：方案 {digest[:12]} 未入库，请用 `tongguan plan set` 存入 / "
        f"stands before offset {offset}: plan {digest} is not stored; store it with `tongguan plan set`",
        offset,
    )


def waits_for_plan(partition: int, first: int) -> Refusal:
    """Refuse to judge readings under no plan; no plan record stands behind them yet."""
    return Refusal(
        Reason.NO_PLAN,
        partition,
        f"city.readings/{partition} 还没有方案，请执行 `tongguan plan set` / "
        f"has no plan yet from offset {first} on; run `tongguan plan set`",
        first,
        blocks=False,
    )


def no_plan(partition: int, first: int, last: int) -> Refusal:
    """Refuse to pass over readings that stand before the first plan record."""
    how = command(Stream.READINGS, partition, first, last, DATABASE)
    return Refusal(
        Reason.NO_PLAN,
        partition,
        f"city.readings/{partition} 位点 {first}–{last} 早于第一条方案记录；确认跳过请执行 `{how}` / "
        f"offsets {first} to {last} stand before the first plan record; to pass over them knowingly: `{how}`",
        first,
        last,
    )


def trimmed(partition: int, position: int, start: int) -> Refusal:
    """Refuse to pass over what the log no longer keeps."""
    how = command(Stream.READINGS, partition, position, start - 1, DATABASE)
    return Refusal(
        Reason.TRIMMED,
        partition,
        f"city.readings/{partition} 应从位点 {position} 读起，日志只保留 {start} 以后；"
        f"确认跳过请执行 `{how}` / "
        f"is to be read from offset {position}, the log is kept from {start} only; to go on knowingly: `{how}`",
        position,
        start - 1,
    )


def recreated(partition: int, position: int, start: int, found: str) -> Refusal:
    """Refuse a log that is not the one that the checkpoint was taken of; `found` says by what it was known."""
    how = command(Stream.READINGS, partition, position, start - 1, DATABASE)
    return Refusal(
        Reason.RECREATED,
        partition,
        f"city.readings/{partition} 不是检查点（位点 {position}）所读的日志（{found}）；"
        f"确认从 {start} 重新开始请执行 `{how}` / "
        f"is not the log of the checkpoint at {position} ({found}): recreated, truncated, or the database is of "
        f"another moment; to begin again at {start} knowingly: `{how}`",
        position,
        start - 1,
    )


def damaged(partition: int, first: int, last: int, what: str) -> Refusal:
    """Refuse to pass over records that are not what was written."""
    how = command(Stream.READINGS, partition, first, last, DATABASE)
    return Refusal(
        Reason.DAMAGED,
        partition,
        f"city.readings/{partition} 位点 {first} 起的记录已损坏（{what}）；确认跳过请执行 `{how}` / "
        f"is damaged from offset {first} on ({what}); to pass over it knowingly: `{how}`",
        first,
        last,
    )


def partitions_added(partition: int, known: int) -> Refusal:
    """Refuse a partition that the log had not when it was first met: sensors would move between partitions."""
    how = command(Stream.READINGS, partition, 0, -1, DATABASE)
    return Refusal(
        Reason.PARTITIONS_ADDED,
        partition,
        f"city.readings/{partition} 是后加的分区（原有 {known} 个）：设备会换分区，拒绝读取；"
        f"请换 topic_prefix 用 `tongguan topics create` 另建主题；确认其中没有换来的设备，读取请执行 `{how}` / "
        f"was added later (the log had {known} partitions): sensors would move between partitions; it is not read. "
        "Go on in topics made by `tongguan topics create` under another topic_prefix; or, where no sensor moved to it, "
        f"to read it knowingly: `{how}`",
    )


def log_time(partition: int) -> Refusal:
    """Refuse a log that lets its writers say when a record came."""
    return Refusal(
        Reason.LOG_TIME,
        partition,
        f"city.readings/{partition} 的记录没有 LogAppendTime；"
        f"`tongguan doctor` 给出修正办法，仿真时钟请用 --log-time record / "
        f"has records without LogAppendTime; `tongguan doctor` says how to mend the topic, a player's log is read with "
        "--log-time record",
    )


def too_much_waits(partition: int, waiting_bytes: int) -> Refusal:
    """Refuse to hold more readings that wait for their order."""
    mib = waiting_bytes >> 20
    return Refusal(
        Reason.WAITING,
        partition,
        f"city.readings/{partition} 停止读取：等待排序的读数达 {mib} MiB，未丢失任何数据；"
        f"请调大 waiting_size 后重启 / is not read further: {mib} MiB of readings wait for the watermark; nothing is "
        "lost; start again with a larger waiting_size",
    )


def database_away(partition: int, why: str) -> Refusal:
    """Wait for the database that has the checkpoint of a partition just taken over."""
    return Refusal(
        Reason.DATABASE_AWAY,
        partition,
        f"city.readings/{partition} 等待数据库中的检查点 / waits for its checkpoint: {why}; "
        "`tongguan doctor` looks at the database",
    )
