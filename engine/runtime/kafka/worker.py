"""One worker: telemetry on its share of the readings, and its turn at what one worker does at a time.

Telemetry needs nothing but the log; casework, commands, relay and charts wait while the database is away. Whatever ends
by itself ends the process, which is started again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from engine.casework.duty import RosterFile
from engine.casework.errors import StoreAway
from engine.casework.plans import StoredPlans
from engine.casework.service import AlertRecord, Applied, Casework, Settings
from engine.casework.store import Store
from engine.clock import wall_clock_ms
from engine.runtime.config import Config, duration_ms, size_bytes
from engine.runtime.crashpoints import CrashPoint, crash_point
from engine.runtime.errors import ConfigFault, RuntimeFault, TryAgain
from engine.runtime.gaps import Gap
from engine.runtime.kafka import events, means
from engine.runtime.kafka.accepted import accepted
from engine.runtime.kafka.agents import Agents
from engine.runtime.kafka.asking import Asked
from engine.runtime.kafka.casework import Caseworking, Standing
from engine.runtime.kafka.checks import schema_faults, settings_faults, topic_faults
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.commands import Commands
from engine.runtime.kafka.forgetting import Forgetting
from engine.runtime.kafka.leases import Lease, UnderLease
from engine.runtime.kafka.places import Watchdog
from engine.runtime.kafka.plans import DatabasePlans, PlanWriter, Repeater, plan_in_force
from engine.runtime.kafka.relay import CasesTopic, Relay
from engine.runtime.kafka.sending import Sender
from engine.runtime.kafka.status import PartitionStatus
from engine.runtime.kafka.telemetry import Telemetry
from engine.runtime.kafka.ticks import Ticker
from engine.runtime.kafka.topics import Topics
from engine.runtime.kafka.values import KeptValues
from engine.runtime.notify.posting import posters_of
from engine.runtime.notify.telling import Telling

STORE_THREADS = 8
LOOK_S = 5.0
BEAT_S = 1.0
STUCK_S = 60.0
_log = logging.getLogger(__name__)


class Observer(means.Observer, Protocol):
    """Who counts what the worker does."""

    def applied(self, records: Sequence[AlertRecord], applied: Applied, seconds: float) -> None:
        """Take note of one batch of casework."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """How a destination of the outbox is: messages that wait, and tries in a row that failed."""

    waiting: int
    failed: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """How a worker is. `destinations` are told while this worker relays."""

    ready: bool
    refusals: tuple[str, ...]
    partitions: tuple[PartitionStatus, ...]
    casework: Standing
    commands: dict[str, int]
    ticking: bool
    relaying: bool
    destinations: dict[str, Told]
    rebuilt: int
    away: tuple[str, ...]
    """What does not answer."""


class Worker:
    """One worker under these settings. Opening raises ConfigFault with every fault of them."""

    def __init__(self, config: Config, observer: Observer, *, clock: Callable[[], int] = wall_clock_ms) -> None:
        faults = settings_faults(config)
        if faults:
            raise ConfigFault(faults)
        self.config = config
        self.name = config.name or socket.gethostname()
        self.topics = Topics(config.topic_prefix)
        self.connection = Connection.from_config(config)
        self.store = Store.connect(config.database)
        self._observer = observer
        self._clock = clock
        self._player = config.log_time == "record"
        self._threads = ThreadPoolExecutor(STORE_THREADS, "store")
        self._tasks: list[asyncio.Task[None]] = []
        self._started = False
        self._beat = time.monotonic()

    # ---- life

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; raises what ended it otherwise (see errors.py for its exit code)."""
        try:
            await self._check()
            await self._compose()
            await self.telemetry.start()
            try:
                self._start_tasks()
                self._started = True
                _log.info("worker %s works for group %s", self.name, self._group)
                await self._until(stopping)
            finally:
                await self._stop()
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self.store.close()

    async def _check(self) -> None:
        """Raise ConfigFault with all that is wrong, or what is away."""
        faults, away = [], None
        for look in (
            lambda: asyncio.get_running_loop().run_in_executor(self._threads, schema_faults, self.store),
            lambda: topic_faults(self.connection, self.config),
        ):
            try:
                faults += await look()
            except (StoreAway, TryAgain) as fault:
                away = fault
            except RuntimeFault as fault:
                faults.append(str(fault))
        if faults:
            raise ConfigFault(faults)
        if away is not None:
            raise away

    @property
    def _group(self) -> str:
        return f"{self.config.topic_prefix}{self.config.group}"

    async def _compose(self) -> None:
        config, topics, threads = self.config, self.topics, self._threads
        self.plans = DatabasePlans(self.store)
        self.telemetry = Telemetry(
            self.connection,
            topics,
            self.store,
            self.plans,
            self._observer,
            name=self.name,
            group=self._group,
            limits=means.Limits(
                checkpoint_s=duration_ms(config.checkpoint_every) / 1000,
                waiting_bytes=size_bytes(config.waiting_size),
                player=self._player,
            ),
            session_ms=duration_ms(config.session_timeout),
            clock=self._clock,
        )
        casework = Casework(
            self.store,
            StoredPlans(self.store),
            Settings(partitions=await self.telemetry.agreed(), first_offset=0),
            before_commit=lambda: crash_point(CrashPoint.CASEWORK_BEFORE),
            after_commit=lambda: crash_point(CrashPoint.CASEWORK_AFTER),
        )
        names = ("ticks", "plans", "cases", "quarantine")
        self.senders = {name: Sender(self.connection, f"tongguan-{name}") for name in names}
        self._compose_relay(casework)
        self.caseworking = Caseworking(
            casework, Asked(self.connection, topics.alerts), self._gaps, threads, self._observer, self.relay.wake
        )
        self.commands = Commands(
            casework,
            topics.commands,
            lambda partition: Asked(self.connection, topics.commands, partition),
            self._gaps,
            self.senders["quarantine"],
            topics.quarantine,
            threads,
        )
        self.agents = Agents(
            self.connection,
            topics,
            f"{self._group}-agents",
            self.caseworking,
            self.commands,
            session_ms=duration_ms(config.session_timeout),
        )
        self.ticker = Ticker(self.senders["ticks"], topics.readings, self._owns_first, self._clock)
        writer = PlanWriter(self.store, self.senders["plans"], topics.readings, self._log_times, threads)
        self.repeater = Repeater(self.store, writer, self._owns_first, time.monotonic, threads)
        now = await asyncio.get_running_loop().run_in_executor(threads, plan_in_force, self.store)
        if now is None:
            _log.warning("no plan is in force yet: nothing is judged before `tongguan plan set`")
        else:
            await asyncio.get_running_loop().run_in_executor(threads, self.plans.get, now.digest)

    def _compose_relay(self, casework: Casework) -> None:
        holder = f"{self.name}/{uuid4().hex[:8]}"
        lease, values_lease = (Lease(self.store, name, holder) for name in ("relay", "values"))
        roster = RosterFile(Path(self.config.duty) if self.config.duty else None, self.config.tz)
        now_ms = (lambda: casework.clock() or self._clock()) if self._player else self._clock
        posters = posters_of(self.config.webhooks, roster, now_ms, self.config.tz)
        cases = CasesTopic(self.senders["cases"], self.topics.cases, events.of_cases(self.config.topic_prefix))
        telling = Telling(casework, [cases, *posters], lambda: lease.held, self._threads)
        self.relay = Relay(casework, telling, self._threads)
        names = [cases.name, *(one.name for one in posters)]
        self.forgetting = Forgetting(self.store, names, lambda: lease.held, self._threads)
        self.relaying = UnderLease(lease, "the relay of the outbox", self.relay.run, self._threads)
        values = KeptValues(self.connection, self.topics.sensors, casework, self._threads)
        self.keeping = UnderLease(values_lease, "values for charts", values.run, self._threads)

    def _start_tasks(self) -> None:
        caseworking, agents = self.caseworking, self.agents
        watch = Watchdog(
            "city.alerts", caseworking.waits_for, caseworking.end_of_log, caseworking.seek_again, agents.rebuild
        )
        work: dict[str, Awaitable[None]] = {
            "agents": agents.run(),
            "casework": caseworking.run(),
            "watch casework": watch.run(LOOK_S),
            "plan": self.repeater.run(),
            "relay": self.relaying.run(),
            "values": self.keeping.run(),
            "outbox": self.forgetting.run(),
            "beat": self._beats(),
        }
        if not self._player:
            work["ticks"] = self.ticker.run()
        for name, one in work.items():
            task: asyncio.Task[None] = asyncio.ensure_future(one)
            task.set_name(name)
            self._tasks.append(task)

    async def _until(self, stopping: asyncio.Event) -> None:
        """Wait until told to stop, or something ended by itself."""
        told: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
        watched: list[asyncio.Future[None]] = [*self._tasks, self.telemetry.failed]
        try:
            await asyncio.wait([told, *watched], return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
        for one in watched:
            if one.done():
                one.result()
                raise TryAgain(f"{one.get_name() if isinstance(one, asyncio.Task) else 'telemetry'} ended by itself")

    async def _stop(self) -> None:
        """Hand everything over: agents and relay leave, telemetry keeps its state and leaves."""
        _log.info("worker %s stops", self.name)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.telemetry.stop()
        for sender in self.senders.values():
            with suppress(Exception):
                await sender.stop()

    # ---- what the parts ask

    def _owns_first(self) -> bool:
        return 0 in self.telemetry.assigned

    def _gaps(self) -> Sequence[Gap]:
        with self.store.read() as db:
            return accepted(db)

    async def _log_times(self, partitions: list[int]) -> list[int]:
        """Give plan records their time: the machine's, or on a player's clock the log's last."""
        if not self._player:
            return [self._clock()] * len(partitions)
        return [await Asked(self.connection, self.topics.readings, one).last_log_time() for one in partitions]

    async def _beats(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(BEAT_S)

    # ---- what is going on

    def alive(self) -> bool:
        """Return False when the loop has not moved for a minute; from any thread."""
        return time.monotonic() - self._beat < STUCK_S

    def status(self) -> WorkerStatus | None:
        """Return how the worker is, None before it started; cheap, from any thread."""
        if not self._started:
            return None
        partitions = tuple(self.telemetry.status())
        casework = self.caseworking.standing()
        refusals = [one.refusal.text for one in partitions if one.refusal is not None]
        refusals += [text for text in (casework.refusal, *self.commands.refusals.values()) if text]
        telling = self.relay.telling
        destinations = {name: Told(telling.waiting(name), one.failed) for name, one in telling.progress.items()}
        return WorkerStatus(
            ready=not refusals,
            refusals=tuple(refusals),
            partitions=partitions,
            casework=casework,
            commands=dict(self.commands.counts),
            ticking=self.ticker.ticking,
            relaying=self.relaying.held,
            destinations=destinations if self.relaying.held else {},
            rebuilt=self.telemetry.rebuilt,
            away=tuple(text for text in (self.telemetry.away, casework.away) if text),
        )
