"""The bridge: what comes over MQTT goes to the log, or onto disk while the log is away; then it is acknowledged.

As long as the spool is empty, messages go straight to the log. When the log does not take them they go behind what
waits on disk, and a second task brings that over in order. With no room on disk nothing is acknowledged any more: the
broker keeps the messages. At-least-once throughout; detect drops what comes twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from engine.runtime.bridge.payloads import Message
from engine.runtime.bridge.sinks import Away, Sent, Sink
from engine.runtime.bridge.source import Batch, Source
from engine.runtime.bridge.spool import Spool
from engine.runtime.errors import DiskFull, LogFailed, Overloaded

_log = logging.getLogger("tongguan.bridge")
RETRY_S = 1.0
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Figures:
    """What the bridge has done since its start, and what holds it up now (null: nothing does)."""

    messages: int = 0
    acknowledged: int = 0
    readings: int = 0
    refused: int = 0
    log_away: str | None = None
    no_room: str | None = None


class Bridge:
    """One source, one sink, one spool between them."""

    def __init__(self, source: Source, sink: Sink, spool: Spool) -> None:
        self.source = source
        self.spool = spool
        self.figures = Figures()
        self._sink = sink

    async def run(self, ended: asyncio.Event) -> None:
        """Bridge until `ended` is set. Raises what neither side gets over by itself."""
        tasks = [asyncio.create_task(work, name=name) for name, work in (
            ("receive", self._receive()), ("forward", self._forward()), ("end", ended.wait()),
        )]  # fmt: skip
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._sink.close()

    async def _receive(self) -> None:
        async for batch in self.source.batches():
            self.figures.messages += len(batch.messages)
            await self._make_safe(batch)

    async def _make_safe(self, batch: Batch) -> None:
        """Bring all of a batch to the log or onto disk, in order, and acknowledge what is there.

        Where it does not fit on disk, as much of it as does is taken; then there is a pause.
        """
        left = list(batch.messages)
        most, try_log = len(left), True
        while left:
            part = left[:most]
            try:
                if self.spool.messages or not try_log or not await self._straight(part):
                    try_log = False
                    await self.spool.append(part)
            except (Overloaded, DiskFull, LogFailed) as fault:
                if len(part) > 1:
                    most = len(part) // 2
                    continue
                self._held_up(str(fault))
                await asyncio.sleep(RETRY_S)
                try_log = True
                continue
            batch.acknowledge(len(part))
            self.figures.acknowledged += len(part)
            self._room()
            most *= 2
            del left[: len(part)]

    async def _straight(self, messages: Sequence[Message]) -> bool:
        try:
            await self._keep(await self._sink.send(messages))
        except Away as away:
            self._away(str(away))
            return False
        self._back()
        return True

    async def _forward(self) -> None:
        pause_s = RETRY_S
        while True:
            messages, position = await self.spool.waiting()
            try:
                sent = await self._sink.send(messages)
                await self._keep(sent)
            except Away as away:
                self._away(str(away))
                await asyncio.sleep(away.retry_after_s or pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = RETRY_S
            self._back()
            await self.spool.sent(position)

    async def _keep(self, sent: Sent) -> None:
        """Count what is durable; what was refused for good is kept in the spool's file, and said."""
        self.figures.readings += sent.readings
        while sent.refused:
            try:
                await self.spool.keep_refused(sent.refused)
                break
            except (DiskFull, LogFailed) as fault:
                self._held_up(str(fault))
                await asyncio.sleep(RETRY_S)
        self.figures.refused += len(sent.refused)
        for reason, text in sent.refused[:3]:
            _log.error("refused (%s), kept in the spool: %r", reason, text[:200])

    def _away(self, reason: str) -> None:
        if self.figures.log_away is None:
            _log.warning("the log is away (%s): messages are kept on disk", reason)
        self.figures.log_away = reason

    def _back(self) -> None:
        if self.figures.log_away is not None:
            _log.warning("the log takes readings again; %d messages wait on disk", self.spool.messages)
            self.figures.log_away = None

    def _room(self) -> None:
        if self.figures.no_room is not None:
            _log.warning("there is room: messages are acknowledged again")
            self.figures.no_room = None

    def _held_up(self, reason: str) -> None:
        if self.figures.no_room is None:
            _log.error("no room (%s): nothing is acknowledged, the MQTT broker keeps the messages", reason)
        self.figures.no_room = reason
