"""Commands: moves and reports of other systems, from city.commands, by the same function as people's.

Each is answered for once: its `id` is the idempotency key of its actor, so that a command that comes again does nothing
again. A cursor a partition is kept behind what was done; a restored database goes back to its own. What is malformed or
refused goes to city.quarantine with its reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
import orjson

from engine.casework.counter import Report
from engine.casework.errors import Refused, StoreAway
from engine.casework.people import TOKEN_ROLES, Actor, Role
from engine.casework.service import Casework
from engine.runtime.errors import TryAgain
from engine.runtime.gaps import Gap
from engine.runtime.kafka.asking import Asked
from engine.runtime.kafka.cursors import cursor_of, keep_cursor
from engine.runtime.kafka.events import of_row
from engine.runtime.kafka.places import Bookmark, Verdict, place
from engine.runtime.kafka.sending import Record, Sender
from engine.runtime.log import Stream
from engine.runtime.raw import raw_text

TRIES = 5
RECORD_TRIES = 30
LONGEST_PAUSE_S = 10.0
LARGEST_BYTES = 64 << 10
_ROLES = frozenset({*TOKEN_ROLES, Role.CITIZEN})
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class CommandActor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who commands: as of a token."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    role: Role
    area: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,15}$")] = ""
    department: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One record of city.commands: `case` and `move`, or `report`. `t` in ms, at most its log time."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    actor: CommandActor
    case: str | None = None
    move: str | None = None
    args: dict[str, Any] = {}
    version: int | None = None
    report: Report | None = None
    t: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Malformed(Exception):
    """A record that is no command; says why."""


class NotRecorded(TryAgain):
    """A command that can neither be done nor set aside."""


_decoder = msgspec.json.Decoder(Command)


def parse(value: bytes) -> Command:
    """Return the command of a record. Raises Malformed."""
    if len(value) > LARGEST_BYTES:
        raise Malformed(f"at most {LARGEST_BYTES} bytes; got {len(value)}")
    try:
        command = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from error
    if command.actor.role not in _ROLES:
        raise Malformed(f"actor.role must be one of {', '.join(sorted(_ROLES))}; got {command.actor.role}")
    if (command.report is None) == (command.case is None or command.move is None):
        raise Malformed("must have either case and move, or report")
    return command


class Commands:
    """Carry out city.commands; `counts` by outcome: done, malformed, refused, failed."""

    def __init__(
        self,
        casework: Casework,
        topic: str,
        asked: Callable[[int], Asked],
        gaps: Callable[[], Sequence[Gap]],
        sender: Sender,
        quarantine: str,
        threads: Executor,
    ) -> None:
        self._casework = casework
        self._topic = topic
        self._asked = asked
        self._gaps = gaps
        self._sender = sender
        self._quarantine = quarantine
        self._threads = threads
        self._books: dict[int, Bookmark] = {}
        self._seeks: dict[int, Callable[[int], Awaitable[None]]] = {}
        self._finding: dict[int, asyncio.Task[None]] = {}
        self.refusals: dict[int, str] = {}
        self.away = ""
        self.counts: Counter[str] = Counter(done=0, malformed=0, refused=0, failed=0)

    @property
    def positions(self) -> dict[int, int]:
        """Return the next offset of each partition that is ours."""
        return {one: book.wanted for one, book in self._books.items() if book.wanted is not None}

    def begin(self, partition: int, seek: Callable[[int], Awaitable[None]]) -> None:
        """Take a partition over, or set its reader anew: to where the database stands, as soon as that is known."""
        self.end(partition)
        self._books[partition] = Bookmark()
        self._seeks[partition] = seek
        self._finding[partition] = asyncio.ensure_future(self._find(partition, seek))

    def end(self, partition: int) -> None:
        """Leave a partition to another worker."""
        if partition in self._finding:
            self._finding.pop(partition).cancel()
        self._books.pop(partition, None)
        self._seeks.pop(partition, None)
        self.refusals.pop(partition, None)

    async def _find(self, partition: int, seek: Callable[[int], Awaitable[None]]) -> None:
        pause = 0.1
        while True:
            try:
                if await self._found(partition, seek):
                    return
            except (StoreAway, TryAgain) as fault:
                self._tell_away(str(fault))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _found(self, partition: int, seek: Callable[[int], Awaitable[None]]) -> bool:
        kept = await self._in_thread(partial(cursor_of, self._casework.store, _name(partition)))
        asked = self._asked(partition)
        start, end = await asked.bounds()
        gaps = await self._in_thread(self._gaps)
        found = place(Stream.COMMANDS, partition, start if kept is None else kept, start, end, gaps)
        self._tell_refusal(partition, found.refusal)
        if found.refusal:
            return False
        position = await asked.next_offset(found.position)
        await seek(position)
        self._books[partition].set(position)
        self._tell_away("")
        return True

    async def take(self, partition: int, offset: int, value: bytes, log_time: int) -> None:
        """Carry out one command and move the cursor; returns when that is durable. Raises NotRecorded."""
        book = self._books.get(partition)
        verdict = book.judge(offset) if book is not None else Verdict.PASS
        if verdict is Verdict.LOST:
            _log.info("%s/%d: offset %d came too early; the cursor decides", self._topic, partition, offset)
            self.begin(partition, self._seeks[partition])
        if verdict is not Verdict.TAKE:
            return
        reason, detail = await self._outcome(partition, offset, value, log_time)
        if reason:
            await self._set_aside(partition, offset, reason, detail, value)
        self.counts[reason.partition(":")[0] or "done"] += 1
        await self._patiently(partial(keep_cursor, self._casework.store, _name(partition), offset + 1))

    async def _outcome(self, partition: int, offset: int, value: bytes, log_time: int) -> tuple[str, str]:
        """Carry the command out; return the reason why it was not, empty if it was."""
        try:
            command = parse(value)
        except Malformed as fault:
            return "malformed", str(fault)
        failed, pause = 0, 0.1
        while True:
            try:
                await self._patiently(lambda: self._carry_out(command, log_time))
                return "", ""
            except Refused as fault:
                return f"refused:{fault.code}", fault.detail
            except Exception as fault:  # noqa: BLE001 - the edge that quarantines
                failed += 1
                _log.exception("%s/%d: offset %d failed", self._topic, partition, offset)
                if failed == TRIES:
                    return "failed", f"{type(fault).__name__}: {fault}"
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _carry_out(self, command: Command, log_time: int) -> None:
        said = command.actor
        actor = Actor(name=said.name, role=said.role, area=said.area, department=said.department)
        t_ms = log_time if command.t is None else min(command.t, log_time)
        if command.report is not None:
            report = msgspec.structs.replace(command.report, source="commands")
            self._casework.report(report, actor, idempotency_key=command.id, t_ms=t_ms)
            return
        self._casework.move(
            str(command.case),
            str(command.move),
            actor,
            args=command.args,
            expected_version=command.version,
            idempotency_key=command.id,
            t_ms=t_ms,
        )

    async def _set_aside(self, partition: int, offset: int, reason: str, detail: str, value: bytes) -> None:
        said = {"reason": reason, "detail": detail, "topic": Stream.COMMANDS, "partition": partition}
        row = orjson.dumps(said | {"offset": offset, "index": 0} | raw_text(value))
        _log.warning("%s/%d: offset %d goes to quarantine: %s: %s", self._topic, partition, offset, reason, detail)
        for number in range(RECORD_TRIES):
            try:
                await self._sender.send([Record(self._quarantine, row, headers=of_row(self._quarantine, row))])
                return
            except TryAgain as fault:
                self._tell_away(str(fault))
            await asyncio.sleep(min(0.1 * 2**number, LONGEST_PAUSE_S))
        raise NotRecorded(f"{self._topic}/{partition}: offset {offset} cannot be set aside: {self.away}")

    async def _patiently(self, work: Callable[[], _T]) -> _T:
        """Do something with the database, however long it is away."""
        pause = 0.1
        while True:
            try:
                done = await self._in_thread(work)
                self._tell_away("")
                return done
            except StoreAway as fault:
                self._tell_away(str(fault))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _tell_refusal(self, partition: int, text: str) -> None:
        if text and self.refusals.get(partition) != text:
            _log.error("commands stand still: %s", text)
        if text:
            self.refusals[partition] = text
        else:
            self.refusals.pop(partition, None)

    def _tell_away(self, text: str) -> None:
        if text and not self.away:
            _log.warning("commands wait: %s", text)
        self.away = text

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _name(partition: int) -> str:
    return f"commands:{partition}"
