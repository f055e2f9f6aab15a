"""A reader whose cursor is in the database: where it goes on in the log, or why it does not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from engine.runtime.errors import TryAgain
from engine.runtime.gaps import Gap, command
from engine.runtime.kafka.refusals import DATABASE

GRACE_S = 2.0
STRIKES = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Read on from `position`; `refusal`, if any, says why not, with the command that goes on."""

    position: int
    refusal: str = ""


def place(
    stream: str, partition: int, position: int, start: int, end: int, gaps: Sequence[Gap], *, same: bool = True
) -> Place:
    """Find where to go on: `position` is the next offset wanted, the log has those from `start` to before `end`.

    A log that begins behind the position was trimmed; one that ends before it, or is not the `same` as before, was made
    anew, or it is the database that is of another time.
    """
    if same and start <= position <= end:
        return Place(position)
    ours = [gap for gap in gaps if (gap.stream, gap.partition) == (stream, partition)]
    how = command(stream, partition, position, start - 1, DATABASE)
    if same and position < start:
        accepted = [gap.last for gap in ours if gap.covers(position)]
        if accepted:
            return place(stream, partition, max(accepted) + 1, start, end, ())
        return Place(
            position,
            f"{stream}/{partition} 应从位点 {position} 读起，日志只保留 {start} 以后；确认跳过请执行 `{how}` / "
            f"is to be read from offset {position}, the log is kept from {start} only; to go on knowingly: `{how}`",
        )
    if any(gap.first == position > gap.last for gap in ours):
        return Place(start)
    return Place(
        position,
        f"{stream}/{partition} 现有位点 {start} 至 {end}，数据库已处理到 {position}，两者不符："
        f"主题被重建，或数据库来自别的时刻；确认从 {start} 重新开始请执行 `{how}` / "
        f"has offsets {start} to {end}, the database stands at {position} of another log: the topic was made anew or "
        f"cut off, or the database is of another time; to begin again at {start} "
        f"knowingly: `{how}`",
    )


class Verdict(Enum):
    """What to do with an event."""

    TAKE = auto()
    """It is the next one."""
    PASS = auto()
    """It was done before, or is left over from before a seek."""
    LOST = auto()
    """Something is missing before it: the cursor decides where to go on."""


class Bookmark:
    """The offset that is to come next; None while that is being found out."""

    def __init__(self) -> None:
        self.wanted: int | None = None
        self._set_at = 0.0

    def set(self, wanted: int) -> None:
        """Say what the reader was set to bring next."""
        self.wanted = wanted
        self._set_at = time.monotonic()

    def lose(self) -> None:
        """Forget it."""
        self.wanted = None

    def judge(self, offset: int) -> Verdict:
        """Judge an event; just after a seek what was under way is passed."""
        if self.wanted is None or offset < self.wanted:
            return Verdict.PASS
        if offset == self.wanted:
            self.wanted += 1
            return Verdict.TAKE
        return Verdict.PASS if time.monotonic() - self._set_at < GRACE_S else Verdict.LOST


class Stuck(TryAgain):
    """Records are there, and nothing that was tried brings them to their reader."""


@dataclass(frozen=True, slots=True)
class Watchdog:
    """Look whether a reader moves while the log has something for it: else seek again, read anew, and give up.

    `position` gives the next offset, None while the reader knows what it waits for; `end` is asked for on a connection
    of its own.
    """

    what: str
    position: Callable[[], int | None]
    end: Callable[[], Awaitable[int]]
    seek_again: Callable[[], None]
    read_anew: Callable[[], None]

    async def run(self, period_s: float) -> None:
        """Look until cancelled. Raises Stuck."""
        strikes, before = 0, self.position()
        while True:
            await asyncio.sleep(period_s)
            now = self.position()
            if now is None or now != before:
                strikes, before = 0, now
                continue
            try:
                end = await self.end()
            except TryAgain as fault:
                _log.warning("%s: %s", self.what, fault)
                continue
            if end <= now or self.position() != now:
                strikes = 0
                continue
            strikes += 1
            _log.warning("%s: offset %d does not come, the log ends at %d", self.what, now, end)
            if strikes >= STRIKES:
                raise Stuck(f"{self.what}: nothing was read since offset {now}; the log ends at {end}")
            (self.seek_again if strikes == 1 else self.read_anew)()
