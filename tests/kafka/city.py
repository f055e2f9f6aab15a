"""A small city on a real broker and a real database, with workers that are processes of their own.

    with City(broker, database, tmp_path) as city:
        city.set_plan()
        one, two = city.start("w1"), city.start("w2")
        city.feed([city.reading("GM-1", "gas.methane", 40)])
        city.settle()                      # everything written so far is judged, applied and relayed
        one.kill()                         # or stop(), freeze(), thaw()
        city.settle()
        assert city.changes() == city.expected()
        assert city.recomputed() == []

On the machine's clock (`log_time="commit"`) the workers write the ticks; on a player's clock ("record") `feed` brings
the log time of each reading, and `tick` writes them. Everything that waits has a deadline and says what it waited for.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

import msgspec
from aiokafka import TopicPartition
from sqlalchemy import func, select, text

from engine.casework import schema
from engine.casework.log_schema import checkpoint_head, destination
from engine.casework.plans import StoredPlans
from engine.casework.replay import recompute_and_compare
from engine.casework.service import AlertRecord, Settings
from engine.detect.batch import RecordBatch
from engine.detect.changes import encode
from engine.detect.detector import Detector
from engine.runtime.config import Config
from engine.runtime.export import reading_line
from engine.runtime.kafka.topics import Topics
from engine.runtime.readings import tick_record
from rules.load import LIBRARY
from rules.partition import home_partition
from rules.plan import Plan
from tests.kafka.worker_process import Finished, WorkerProcess
from tests.parts.broker import Broker
from tests.parts.nursery import Nursery
from tests.parts.ports import free_ports
from tests.parts.postgres import Database

PATIENCE_S = 240.0
NURSERY = Nursery()
DRAIN_RULE = """
id: flood.drain_watch
version: {version}
title: 排水管满溢
source: "a rule of the tests"
reads: drain.level
levels:
  yellow: {{set: ">= {yellow}", clear: "< 80"}}
  red: {{set: ">= 110", clear: "< 100"}}
case: {{category: "0405", department: drainage, auto: report, close: sensor}}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it is in the log."""

    partition: int
    offset: int
    t_ms: int
    key: str | None
    value: bytes
    headers: dict[str, bytes]

    @property
    def said(self) -> Any:
        return json.loads(self.value)


@dataclass
class City:
    """One city: topics under a prefix of its own, a database, a plan, and its workers by name."""

    broker: Broker
    database: Database
    folder: Path
    partitions: int = 4
    log_time: str = "commit"
    settings: dict[str, Any] = field(default_factory=dict)
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    nurseries: dict[str, Nursery] = field(default_factory=dict)
    """Where workers are born that are not of this release, by their names."""
    _numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.config: Config = self.broker.config(
            partitions=self.partitions,
            log_time=self.log_time,
            database=self.database.url,
            rules=str(self.folder / "rules"),
            registry=str(self.folder / "registry.csv"),
            checkpoint_every="1s",
            session_timeout="6s",
            metrics_port=0,
            **self.settings,
        )
        self.topics: Topics = self.broker.create_topics(self.config)
        self.write_rules()
        self.write_registry(("GM-1", "GM-2", "GM-3", "GM-4"), ("DL-1", "DL-2", "DL-3", "DL-4"))
        self.write_settings()

    def use(self, database: Database) -> None:
        """Go on with another database: that of a backup."""
        self.database = database
        self.config = msgspec.structs.replace(self.config, database=database.url)
        self.write_settings()

    def write_settings(self) -> None:
        """Write tongguan.toml as `config` and `settings` say."""
        given = {**{name: getattr(self.config, name) for name in self._given()}, **self.settings}
        (self.folder / "tongguan.toml").write_text(
            "\n".join(f"{name} = {json.dumps(value)}" for name, value in given.items())
        )

    @staticmethod
    def _given() -> tuple[str, ...]:
        return (
            *("broker", "topic_prefix", "single_node", "partitions", "log_time", "database", "rules", "registry"),
            *("checkpoint_every", "session_timeout"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        for worker in self.workers.values():
            if worker.alive:
                worker.kill()
        if kind is not None:
            for worker in self.workers.values():
                print(f"---- {worker.name}\n{worker.log[-6000:]}", file=sys.stderr)

    # ---- files of the plan

    def write_rules(self, *, yellow: int = 90, version: int = 1) -> None:
        """Write the rule files: the shipped methane rule, and one for drains whose yellow level can be moved."""
        folder = self.folder / "rules"
        (folder / "gas").mkdir(parents=True, exist_ok=True)
        (folder / "flood").mkdir(parents=True, exist_ok=True)
        (folder / "gas" / "methane_leak.yaml").write_bytes((LIBRARY / "gas" / "methane_leak.yaml").read_bytes())
        (folder / "flood" / "drain_watch.yaml").write_text(DRAIN_RULE.format(yellow=yellow, version=version), "utf-8")

    def write_registry(self, gas: Iterable[str], drains: Iterable[str]) -> None:
        """Write the registry: sensors of methane and of drains, all at one place."""
        rows = [f"{name},gas.methane,120.8,29.6,gas" for name in gas]
        rows += [f"{name},drain.level,120.8,29.6,drainage" for name in drains]
        (self.folder / "registry.csv").write_text("\n".join(["sensor,kind,lon,lat,department", *rows, ""]), "utf-8")

    # ---- commands and workers

    def run(self, *arguments: str, check: bool = True) -> Finished:
        """Run `tongguan …` with the city's settings, and wait for its end."""
        log = self.folder / f"command-{next(self._numbers)}.log"
        child = NURSERY.start(arguments, self._environment(), self.folder, log)
        done = Finished(child.wait(PATIENCE_S), log.read_text("utf-8"))
        assert done.returncode == 0 or not check, f"{arguments}: {done.returncode}\n{done.said}"
        return done

    def set_plan(self, *arguments: str) -> str:
        """Put the plan of the files in force and return what the command says."""
        return self.run("plan", "set", *arguments).said

    def start(self, name: str, *, wait: bool = True, **environment: str) -> WorkerProcess:
        """Start a worker; it is working (its metrics answer) on return, unless `wait` is False."""
        (port,) = free_ports(1)
        log_file = self.folder / f"{name}.log"
        arguments = ("worker", "--name", name, "--metrics-port", str(port))
        nursery = self.nurseries.get(name, NURSERY)
        process = nursery.start(arguments, self._environment() | environment, self.folder, log_file)
        worker = self.workers[name] = WorkerProcess(name, process, port, log_file)
        if wait:
            self.until(lambda: worker.ready()["code"] == 200 or not worker.alive, f"{name} works")
            assert worker.alive, worker.log
        return worker

    def stop(self) -> None:
        """End all workers in good order."""
        alive = [worker for worker in self.workers.values() if worker.alive]
        for worker in alive:
            worker.signal(signal.SIGTERM)
        for worker in alive:
            assert worker.process.wait(PATIENCE_S) == 0, worker.log

    def owner(self, what: str) -> WorkerProcess:
        """Return the worker that has the turn at casework, ticks or relay, as soon as one has it."""
        found: list[WorkerProcess] = []

        def look() -> bool:
            found[:] = [worker for worker in self.workers.values() if worker.alive and worker.owns(what)]
            return len(found) == 1

        self.until(look, f"one worker has {what}")
        return found[0]

    @staticmethod
    def until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + patience_s
        while not true():
            assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
            time.sleep(0.1)

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("TONGGUAN_")}

    # ---- what goes in

    def reading(self, sensor: str, kind: str, value: float, t_ms: int | None = None, **more: Any) -> dict[str, Any]:
        """Return a reading; observed now if no time is given."""
        return {"sensor": sensor, "kind": kind, "t": t_ms if t_ms is not None else now_ms(), "v": value, **more}

    def feed(self, readings: Iterable[dict[str, Any]]) -> None:
        """Append readings, each to the home partition of its sensor; `log_t` is the player's time."""
        rows = []
        for reading in readings:
            said = dict(reading)
            log_t = said.pop("log_t", said["t"] if self.log_time == "record" else None)
            partition = home_partition(said["sensor"], self.partitions)
            rows.append((partition, said["sensor"].encode(), json.dumps(said).encode(), log_t))
        self.write(self.topics.readings, rows)

    def tick(self, t_ms: int) -> None:
        """Append a tick to every partition, as a player does."""
        value = tick_record(t_ms).value
        self.write(self.topics.readings, [(one, b"#tick", value, t_ms) for one in range(self.partitions)])

    def write(self, topic: str, rows: Sequence[tuple[int | None, bytes | None, bytes, int | None]]) -> None:
        """Append (partition, key, value, timestamp) to a topic."""

        async def sent() -> None:
            async with self.broker.connection.opened(self.broker.connection.producer(linger_ms=5)) as producer:
                futures = [
                    await producer.send(topic, value, key=key, partition=partition, timestamp_ms=t)
                    for partition, key, value, t in rows
                ]
                await asyncio.gather(*futures)

        asyncio.run(sent())

    # ---- what comes out

    def records(self, topic: str) -> list[Row]:
        """Return everything that is in a topic, by partition and offset."""

        async def read() -> list[Row]:
            consumer = self.broker.connection.consumer()
            async with self.broker.connection.opened(consumer):
                partitions = [TopicPartition(topic, one) for one in sorted(await _partitions(consumer, topic))]
                consumer.assign(partitions)
                starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
                found: list[Row] = []
                for tp in partitions:
                    consumer.seek(tp, starts[tp])
                while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                    for rows in (await consumer.getmany(timeout_ms=500)).values():
                        found += [_row(row) for row in rows]
                return sorted(found, key=lambda row: (row.partition, row.offset))

        return asyncio.run(read())

    def ends(self, topic: str) -> dict[int, int]:
        """Return the end of each partition."""

        async def read() -> dict[int, int]:
            consumer = self.broker.connection.consumer()
            async with self.broker.connection.opened(consumer):
                partitions = [TopicPartition(topic, one) for one in await _partitions(consumer, topic)]
                return {tp.partition: end for tp, end in (await consumer.end_offsets(partitions)).items()}

        return asyncio.run(read())

    def changes(self, topic: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """Return the changes of city.alerts by episode, each once, without their evidence."""
        found: dict[str, dict[int, dict[str, Any]]] = {}
        for row in self.records(topic or self.topics.alerts):
            said = row.said
            if "change" in said:
                said.pop("evidence")
                known = found.setdefault(said["episode"], {}).setdefault(said["seq"], said)
                assert known == said, "a change was told twice, and not the same"
        return {episode: [rows[seq] for seq in sorted(rows)] for episode, rows in sorted(found.items())}

    def expected(self, plan: Plan | None = None) -> dict[str, list[dict[str, Any]]]:
        """Return what one detector says offline of the readings that are in the log, under one plan."""
        rows = sorted(self.records(self.topics.readings), key=lambda row: row.t_ms)
        lines = [reading_line(row.value, row.t_ms) for row in rows if b'"kind":"plan"' not in row.value]
        detector = Detector(offline_plan=plan or self.plan(), marks=False)
        output = detector.step(RecordBatch.from_lines(b"\n".join(lines) + b"\n"))
        found: dict[str, list[dict[str, Any]]] = {}
        for item in output.items:
            said = json.loads(encode(item))
            said.pop("evidence")
            found.setdefault(said["episode"], []).append(said)
        return dict(sorted(found.items()))

    def plan(self) -> Plan:
        """Return the plan in force."""
        with self.database.store.read() as db:
            (digest,) = db.execute(text("SELECT digest FROM plan_now")).one()
        plan = StoredPlans(self.database.store).plan(digest)
        assert plan is not None
        return plan

    def cases(self) -> list[dict[str, Any]]:
        """Return the rows of all cases, in order of their ids."""
        with self.database.store.read() as db:
            return [dict(row._mapping) for row in db.execute(select(schema.cases).order_by(schema.cases.c.id))]

    def quarantined(self) -> list[str]:
        """Return why casework could not process records of city.alerts, in their order."""
        with self.database.store.read() as db:
            columns = schema.quarantine.c
            return list(db.execute(select(columns.reason).order_by(columns.offset)).scalars())

    def alert_records(self) -> list[AlertRecord]:
        """Return city.alerts as casework gets it."""
        return [AlertRecord(row.offset, row.value, row.t_ms) for row in self.records(self.topics.alerts)]

    def recomputed(self) -> list[str]:
        """Run the alerts log and people's moves through an empty store; return in what the result differs.

        On the machine's clock the workers are stopped first: the log and the cases go on as long as they live.
        """
        if self.log_time == "commit":
            self.stop()
        settings = Settings(partitions=self.partitions, first_offset=0)
        return recompute_and_compare(self.database.store, self.alert_records(), settings)

    # ---- waiting

    def cursor(self) -> int:
        """Return the last applied offset of city.alerts, -1 for none."""
        with self.database.store.read() as db:
            found = db.execute(select(schema.cursor.c.offset)).scalar_one_or_none()
        return -1 if found is None else int(found)

    def judged(self) -> dict[int, int]:
        """Return the position of each partition's newest checkpoint: what was said up to there is in the log."""
        with self.database.store.read() as db:
            rows = db.execute(select(checkpoint_head.c.partition, checkpoint_head.c.position))
            return {row.partition: row.position for row in rows}

    def relayed(self) -> bool:
        """Tell whether the outbox has been told to every destination."""
        with self.database.store.read() as db:
            pending = db.execute(select(func.count()).where(schema.outbox.c.position.is_(None))).scalar_one()
            last = db.execute(select(func.max(schema.outbox.c.position))).scalar_one() or 0
            names = destination.c.name.startswith("webhook:") | (destination.c.name == "city.cases")
            told = db.execute(select(destination.c.position).where(names)).scalars().all()
        return not pending and bool(told) and all(at >= last for at in told)

    def settle(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until everything that is in the log now is judged, applied and relayed."""
        ends = self.ends(self.topics.readings)
        self.until(
            lambda: all(self.judged().get(one, 0) >= end for one, end in ends.items()),
            f"checkpoints at {ends}",
            patience_s,
        )
        end = self.ends(self.topics.alerts)[0]
        self.until(lambda: self.cursor() >= end - 1, f"casework at {end - 1}", patience_s)
        self.until(self.relayed, "the outbox is told", patience_s)


def now_ms() -> int:
    """The machine's time."""
    return time.time_ns() // 1_000_000


async def _partitions(consumer: Any, topic: str) -> set[int]:
    consumer.subscribe([topic])
    await consumer.topics()
    deadline = time.monotonic() + PATIENCE_S
    while not (found := consumer.partitions_for_topic(topic)):
        assert time.monotonic() < deadline, topic
        await asyncio.sleep(0.05)
    consumer.unsubscribe()
    return set(found)


def _row(row: Any) -> Row:
    key = row.key.decode() if row.key is not None else None
    return Row(row.partition, row.offset, row.timestamp, key, row.value, dict(row.headers))
