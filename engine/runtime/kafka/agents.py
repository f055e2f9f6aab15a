"""The agents: casework on city.alerts, commands on city.commands; one event at a time, in order.

An agent that let an exception through would lose the event: what they call retries, sets aside, or ends the process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

from faust.types import TP

from engine.casework.service import AlertRecord
from engine.runtime.errors import TryAgain
from engine.runtime.kafka.app import App, make_app
from engine.runtime.kafka.casework import Caseworking
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.commands import Commands
from engine.runtime.kafka.topics import Topics

COMMIT_S = 5.0
LONGEST_REBALANCE_S = 120.0
REBUILDS = 3
CALM_S = 600.0
STOP_S = 15.0
_log = logging.getLogger(__name__)


class AgentsFailed(TryAgain):
    """The Faust app ended again and again."""


class Agents:
    """Host the Faust app: start it, make it anew when it crashed or hangs, give up after three times."""

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        group: str,
        caseworking: Caseworking,
        commands: Commands,
        *,
        session_ms: int,
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._group = group
        self._caseworking = caseworking
        self._commands = commands
        self._session_ms = session_ms
        self._app: App | None = None
        self._rebuild = asyncio.Event()
        self._failed: asyncio.Future[None] | None = None
        self.assigned: frozenset[TP] = frozenset()

    def rebuild(self) -> None:
        """Make the app anew."""
        self._rebuild.set()

    async def run(self) -> None:
        """Run until cancelled; raises AgentsFailed, and what an agent could neither do nor set aside."""
        loop = asyncio.get_running_loop()
        rebuilt: list[float] = []
        while True:
            self._rebuild.clear()
            self._failed = loop.create_future()
            app = self._make()
            try:
                await app.start()
                await self._until_it_fails(app)
            finally:
                self._leave(self.assigned)
                await self._stop(app)
            rebuilt = [at for at in rebuilt if loop.time() - at < CALM_S] + [loop.time()]
            if len(rebuilt) > REBUILDS:
                raise AgentsFailed(f"the agents failed {len(rebuilt)} times in {CALM_S:g} s")
            _log.warning("the agents begin anew")
            await asyncio.sleep(1.0)

    async def _until_it_fails(self, app: App) -> None:
        """Return when the app is to be made anew; raise what an agent raised."""
        crashed: asyncio.Future[Any] = asyncio.ensure_future(app.wait_until_stopped())
        asked: asyncio.Future[Any] = asyncio.ensure_future(self._rebuild.wait())
        failed: asyncio.Future[Any] | None = self._failed
        assert failed is not None
        waiting_since: float | None = None
        try:
            while True:
                done, _ = await asyncio.wait(
                    [crashed, asked, failed], timeout=COMMIT_S, return_when=asyncio.FIRST_COMPLETED
                )
                if failed in done:
                    failed.result()
                if done or app.crashed:
                    _log.warning("the agents' app ended: %s", app.crash_reason or "it was stuck")
                    return
                now = asyncio.get_running_loop().time()
                waiting_since = (waiting_since or now) if app.rebalancing else None
                if waiting_since is not None and now - waiting_since > LONGEST_REBALANCE_S:
                    _log.warning("the agents' group has not settled for %g s", LONGEST_REBALANCE_S)
                    return
                await self._commit(app)
        finally:
            crashed.cancel()
            asked.cancel()

    async def _commit(self, app: App) -> None:
        """Tell the group how far we are; for lag tools, nothing depends on it."""
        at = {TP(self._topics.commands, one): offset for one, offset in self._commands.positions.items()}
        if self._caseworking.position is not None:
            at[TP(self._topics.alerts, 0)] = self._caseworking.position
        ours = {tp: offset for tp, offset in at.items() if tp in self.assigned}
        if ours and not app.rebalancing:
            await consumer_of(app)._commit(ours)

    async def _stop(self, app: App) -> None:
        self._app = None
        try:
            await asyncio.wait_for(asyncio.shield(app.stop()), STOP_S)
        except TimeoutError:
            _log.warning("the agents did not leave their group in %g s; it does without them", STOP_S)

    # ---- the app

    def _make(self) -> App:
        app = self._app = make_app(self._connection, self._group, session_ms=self._session_ms)
        app.agent(app.topic(self._topics.alerts, acks=False), name="casework", concurrency=1)(self._casework)
        app.agent(app.topic(self._topics.commands, acks=False), name="commands", concurrency=1)(self._command)
        assigning: Any = app.on_partitions_assigned
        assigning.connect(self._take_over)
        return app

    async def _casework(self, stream: Any) -> None:
        async for event in stream.events():
            with self._guarded():
                message = event.message
                await self._caseworking.take(
                    AlertRecord(message.offset, message.value or b"", round(message.timestamp * 1000))
                )

    async def _command(self, stream: Any) -> None:
        async for event in stream.events():
            with self._guarded():
                message = event.message
                log_time = round(message.timestamp * 1000)
                await self._commands.take(message.partition, message.offset, message.value or b"", log_time)

    def _guarded(self) -> _Guard:
        return _Guard(self._failed)

    async def _take_over(self, _app: App, assigned: set[TP], **_more: Any) -> None:
        """Begin with what is ours now. What stays ours is begun anew too: Faust goes where the group's offsets say."""
        self._leave(self.assigned - assigned)
        self.assigned = frozenset(assigned)
        for tp in sorted(self.assigned):
            self._begin(tp)

    def _begin(self, tp: TP) -> None:
        if tp.topic == self._topics.alerts:
            self._caseworking.begin(partial(self._seek, tp))
        else:
            self._commands.begin(tp.partition, partial(self._seek, tp))

    def _leave(self, gone: Iterable[TP]) -> None:
        for tp in gone:
            if tp.topic == self._topics.alerts:
                self._caseworking.end()
            else:
                self._commands.end(tp.partition)
        self.assigned -= frozenset(gone)

    async def _seek(self, tp: TP, offset: int) -> None:
        """Let the agent's reader go on at an offset; Faust first goes where the group's offsets say."""
        app = self._app
        while app is not None and (app.rebalancing or not consumer_of(app).flow_active):
            await asyncio.sleep(0.05)
            app = self._app
        if app is None or tp not in self.assigned:
            raise TryAgain(f"{tp.topic}/{tp.partition} is no longer ours")
        await app.consumer.seek_wait({tp: offset})


def consumer_of(app: App) -> Any:
    """Return what reads for the app; its protocol leaves out what we need."""
    return app.consumer


class _Guard:
    """Hand what an agent raises to whoever waits for it: the process ends, the event is not lost."""

    def __init__(self, failed: asyncio.Future[None] | None) -> None:
        self._failed = failed

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, Exception) and self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)
