"""Casework on city.alerts: one worker applies it, the others stand by; the cursor in the database decides.

The agent hands its events over one by one; they are applied in batches, in a thread. An event below the cursor is
skipped. Above it, the reader goes back to the cursor, whatever the group's offsets say: a database restored from a
backup is led on by the log itself. What the log no longer has stops casework with the command that goes on, and detect
does not notice. Offsets that hold the log's own marks or what was compacted away are no gap: the log is asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from engine.casework.errors import CursorLost, OffsetGap, PlanUnknown, StoreAway
from engine.casework.service import AlertRecord, Applied, Casework
from engine.runtime.errors import TryAgain
from engine.runtime.gaps import Gap
from engine.runtime.kafka.asking import fingerprint_of
from engine.runtime.kafka.cursors import forget_record, known_record, note_record
from engine.runtime.kafka.places import Bookmark, Verdict, place
from engine.runtime.log import Stream

QUEUED = 4_096
BATCH = 512
NOTE_S = 5.0
KNOWN = "alerts:known"
TRIES = 5
LONGEST_PAUSE_S = 10.0
STALE = -1
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class NotRecorded(TryAgain):
    """A record that can neither be applied nor set aside."""


class AlertsLog(Protocol):
    """What is asked of the log beside the stream of events; each may raise BrokerAway."""

    async def bounds(self) -> tuple[int, int]:
        """Return the first offset kept and the one behind the last."""
        ...

    async def next_offset(self, position: int) -> int:
        """Return the offset of the first record written at or behind a position; the end if there is none."""
        ...

    async def fingerprint(self, offset: int) -> str:
        """Return by what the record at an offset is known again, empty if there is none."""
        ...


class Observer(Protocol):
    """Who counts what casework did; called after the commit."""

    def applied(self, records: Sequence[AlertRecord], applied: Applied, seconds: float) -> None:
        """Take note of one committed batch."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How casework is: `position` is the next offset to apply; `lag` in records, null where it is not known."""

    owned: bool
    position: int | None
    lag: int | None
    refusal: str
    away: str


class Caseworking:
    """Apply city.alerts while it is this worker's; `seek` moves the agent's reader, `wake` is called after commits."""

    def __init__(
        self,
        casework: Casework,
        log: AlertsLog,
        gaps: Callable[[], Sequence[Gap]],
        threads: Executor,
        observer: Observer,
        wake: Callable[[], None],
    ) -> None:
        self._casework = casework
        self._log = log
        self._gaps = gaps
        self._threads = threads
        self._observer = observer
        self._wake = wake
        self._seek: Callable[[int], Awaitable[None]] | None = None
        self._queue: asyncio.Queue[tuple[int, AlertRecord]] = asyncio.Queue(QUEUED)
        self._term = 0  # rises whenever what is queued no longer holds
        self._bookmark = Bookmark()
        self._busy = False
        self._noted_at = -NOTE_S
        self._changed = asyncio.Event()
        self._end: int | None = None
        self.position: int | None = None
        self.refusal = ""
        self.away = ""

    def standing(self) -> Standing:
        """Return how casework is."""
        lag = None if self._end is None or self.position is None else max(0, self._end - self.position)
        return Standing(self._seek is not None, self.position, lag, self.refusal, self.away)

    # ---- what the agent tells

    def begin(self, seek: Callable[[int], Awaitable[None]]) -> None:
        """Take city.alerts over."""
        self._seek = seek
        self._lose("taken over")

    def end(self) -> None:
        """Leave city.alerts to another worker; what is queued is dropped, the cursor knows where to go on."""
        if self._seek is not None:
            _log.info("city.alerts goes to another worker")
        self._seek = None
        self.refusal = self.away = ""
        self.position = self._end = None
        self._lose("")

    async def take(self, record: AlertRecord) -> None:
        """Take an event; returns when there is room for it."""
        wanted, verdict = self._bookmark.wanted, self._bookmark.judge(record.offset)
        if verdict is Verdict.TAKE:
            await self._queue.put((self._term, record))
        elif verdict is Verdict.LOST:
            self._lose(f"offset {record.offset} came, {wanted} was to come")

    def _lose(self, why: str) -> None:
        """Forget where the agent stands: the cursor is asked and the reader set anew."""
        if why:
            _log.info("city.alerts: %s; the cursor decides", why)
        self._term += 1
        self._bookmark.lose()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait((STALE, AlertRecord(-1, b"", 0)))  # wakes who waits for an event that no longer comes
        self._changed.set()

    # ---- the work

    async def run(self) -> None:
        """Work until cancelled; raises NotRecorded."""
        pause = 0.1
        while True:
            if self._seek is None:
                await self._changed.wait()
                self._changed.clear()
            elif self._bookmark.wanted is None:
                if await self._find():
                    pause = 0.1
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                term, batch = await self._batch()
                self._busy = term == self._term
                if self._busy:
                    await self._apply(batch, term)
                self._busy = False

    async def _find(self) -> bool:
        """Set the reader where the database stands, if the log has that; False to ask again later."""
        term, seek = self._term, self._seek
        assert seek is not None
        try:
            wanted = await self._in_thread(self._casework.cursor) + 1
            start, end = await self._log.bounds()
            gaps = await self._in_thread(self._gaps)
            same = await self._same_log(start, end)
            found = place(Stream.ALERTS, 0, wanted, start, end, gaps, same=same)
            self._tell_refusal(found.refusal)
            if found.refusal or term != self._term:
                return False
            if found.position != wanted or not same:
                await self._accept(wanted, found.position, gaps)
                wanted = found.position
            there = await self._log.next_offset(wanted) if wanted < end else end
            if there != wanted:
                _log.warning("city.alerts: at offsets %d to %d nothing was written", wanted, there - 1)
                await self._in_thread(partial(self._casework.go_to, wanted - 1, there - 1))
                wanted = there
            await seek(wanted)
        except (StoreAway, TryAgain) as fault:
            self._tell_away(str(fault))
            return False
        except CursorLost:
            return False
        if term != self._term:
            return False
        self._tell_away("")
        self.position, self._end = wanted, end
        self._bookmark.set(wanted)
        _log.info("casework goes on at offset %d of city.alerts (kept from %d to %d)", wanted, start, end)
        return True

    async def _same_log(self, start: int, end: int) -> bool:
        """Tell whether the log still has the record by which it is known: a topic made anew has another one there."""
        known = await self._in_thread(partial(known_record, self._casework.store, KNOWN))
        if known is None or not start <= known[0] < end:
            return True
        return await self._log.fingerprint(known[0]) == known[1]

    async def _note(self, record: AlertRecord) -> None:
        """Keep now and then by what the log is known; the database away, it is done later."""
        if record.gap_from is not None or time.monotonic() - self._noted_at < NOTE_S:
            return
        fingerprint = fingerprint_of(record.log_time, record.value)
        with suppress(StoreAway):
            await self._in_thread(partial(note_record, self._casework.store, KNOWN, record.offset, fingerprint))
            self._noted_at = time.monotonic()

    async def _accept(self, wanted: int, on: int, gaps: Sequence[Gap]) -> None:
        """Go on behind a gap that somebody answers for: it is kept in quarantine, and a case tells the supervisor."""
        _log.warning("city.alerts: from offset %d to %d by an accepted gap", wanted, on)
        if any(gap.first == wanted > gap.last for gap in gaps):
            await self._in_thread(partial(self._casework.go_to, wanted - 1, on - 1))
            await self._in_thread(partial(forget_record, self._casework.store, KNOWN))
            return
        why = "; ".join(f"{gap.actor}: {gap.reason}" for gap in gaps if gap.covers(wanted))
        log_time = max((gap.at_ms for gap in gaps if gap.covers(wanted)), default=0)
        record = AlertRecord(on - 1, why.encode(), log_time, gap_from=wanted)
        await self._once([record])

    async def _batch(self) -> tuple[int, list[AlertRecord]]:
        term, record = await self._queue.get()
        batch = [record]
        while len(batch) < BATCH and not self._queue.empty():
            other, record = self._queue.get_nowait()
            if other != term:
                term, batch = other, []
            batch.append(record)
        return term, batch

    async def _apply(self, batch: list[AlertRecord], term: int) -> None:
        """Apply a batch, however long the database is away; other faults are tried a few times, then set aside."""
        failed, pause = 0, 0.1
        while term == self._term:
            try:
                await self._once(batch)
            except StoreAway as fault:
                self._tell_away(str(fault))
            except (CursorLost, OffsetGap) as fault:
                self._lose(str(fault))
                return
            except PlanUnknown as fault:
                self._tell_refusal(
                    f"city.alerts 停在位点 {fault.offset} 之前：方案 {fault.short} 未入库，请用 `tongguan plan "
                    f"set` 存入 / {fault}: `tongguan plan set`"
                )
            except Exception as fault:  # noqa: BLE001 - the edge that quarantines
                failed += 1
                _log.exception("casework failed on offsets %d to %d", batch[0].offset, batch[-1].offset)
                if failed == TRIES:
                    await self._one_by_one(batch, str(fault))
                    return
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _once(self, batch: Sequence[AlertRecord]) -> None:
        began = time.perf_counter()
        applied = await self._in_thread(lambda: self._casework.apply(batch))
        self._tell_away("")
        self._tell_refusal("")
        self.position = applied.cursor + 1
        self._end = max(self._end or 0, self.position)
        self._observer.applied(batch, applied, time.perf_counter() - began)
        self._wake()
        await self._note(batch[-1])

    async def _one_by_one(self, batch: list[AlertRecord], why: str) -> None:
        """Find the record on which casework fails, and set it aside: it opens a case for the supervisor."""
        for record in batch:
            try:
                if len(batch) > 1:
                    await self._once([record])
                    continue
            except StoreAway:
                self._lose("the database went away")
                return
            except Exception as fault:  # noqa: BLE001 - the edge that quarantines
                why = str(fault)
            try:
                await self._in_thread(partial(self._casework.set_aside, record, why))
            except StoreAway:
                self._lose("the database went away")
                return
            except Exception as fault:
                raise NotRecorded(f"city.alerts: offset {record.offset} cannot be set aside: {fault}") from fault

    # ---- what the watchdog asks

    def waits_for(self) -> int | None:
        """Return the offset that is to come next, None while there is nothing to wait for or the cause is known."""
        if self._seek is None or self._bookmark.wanted is None or self.refusal or self.away or self._busy:
            return None
        return self._bookmark.wanted

    async def end_of_log(self) -> int:
        """Return where the log ends. Raises BrokerAway."""
        _, self._end = await self._log.bounds()
        return self._end

    def seek_again(self) -> None:
        """Let the cursor decide anew."""
        self._lose("nothing comes")

    # ---- telling once

    def _tell_refusal(self, text: str) -> None:
        if text and text != self.refusal:
            _log.error("casework stands still: %s", text)
        elif not text and self.refusal:
            _log.info("casework goes on")
        self.refusal = text

    def _tell_away(self, text: str) -> None:
        if text and not self.away:
            _log.warning("casework waits: %s", text)
        elif not text and self.away:
            _log.info("casework goes on")
        self.away = text

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
