"""A city whose parts are broken on purpose while a long story is told to it, and what is right afterwards.

What must hold: every change that `tongguan detect` says of the story is in city.alerts, in the order of each sensor,
none else, and none in other words (a change may be said again); the cases are those that follow from city.alerts;
city.cases has every message of every case in order. Which faults come when is drawn from a seed; each is counted.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from engine.casework import schema
from tests.kafka.city import City
from tests.kafka.long_story import LongStory, Verdict, judged
from tests.parts.broker import Broker
from tests.parts.nursery import Nursery
from tests.parts.postgres import Database

AGAIN = 75
SETTLE_S = 600.0


class Supervisor:
    """Starts again each wanted worker that has ended, as a service manager does."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._lock = threading.Lock()
        self._wanted: set[str] = set()
        self._frozen: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")
        self.starts = 0
        self.exits: Counter[int] = Counter()

    def __enter__(self) -> Supervisor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def want(self, *names: str) -> None:
        """Have exactly these workers from now on; others are ended in good order."""
        with self._lock:
            gone, self._wanted = self._wanted - set(names), set(names)
        for name in sorted(gone):
            if name in self._city.workers and self._city.workers[name].alive:
                self._city.workers[name].signal(15)

    def running(self) -> list[str]:
        """Return the names of the workers that could be hit now."""
        with self._lock:
            wanted = sorted(self._wanted - self._frozen)
        return [name for name in wanted if name in self._city.workers and self._city.workers[name].alive]

    def freeze(self, name: str) -> None:
        """Stop a worker in its tracks."""
        with self._lock:
            self._frozen.add(name)
        self._city.workers[name].freeze()

    def thaw(self, name: str) -> None:
        """Let it go on as if nothing had been."""
        self._city.workers[name].thaw()
        with self._lock:
            self._frozen.discard(name)

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            with self._lock:
                wanted = sorted(self._wanted)
            for name in wanted:
                worker = self._city.workers.get(name)
                if worker is None or not worker.alive:
                    if worker is not None:
                        self.exits[worker.process.returncode] += 1
                    self.starts += 1
                    self._city.start(name, wait=False)


@dataclass
class Faults:
    """The faults that can be made, counted as they are made; times in seconds."""

    city: City
    supervisor: Supervisor
    dice: random.Random
    made: Counter[str] = field(default_factory=Counter)
    frozen: list[threading.Timer] = field(default_factory=list)

    def make(self, wanted: dict[Callable[[], None], int], pause: tuple[float, float]) -> None:
        """Make each fault so often, all of them shuffled, with random pauses between."""
        faults = [fault for fault, number in wanted.items() for _ in range(number)]
        self.dice.shuffle(faults)
        for fault in faults:
            time.sleep(self.dice.uniform(*pause))
            fault()

    def kill(self) -> None:
        """End a worker by SIGKILL, any of those at work."""
        self.city.until(self.supervisor.running, "a worker runs that can be killed")
        self.city.workers[self.dice.choice(self.supervisor.running())].kill()
        self.made["workers killed"] += 1

    def restart_broker(self, *, hard: bool, away: float = 0.0) -> None:
        """End the broker, in good order or as a power cut would, and start it again."""
        broker = self.city.broker
        (broker.kill if hard else broker.stop)()
        time.sleep(away)
        broker.start()
        self.made["broker restarts, hard" if hard else "broker restarts, clean"] += 1
        if away:
            self.made[f"broker away {away:g} s"] += 1

    def stop_database(self, away: float = 1.0) -> None:
        """Stop PostgreSQL at once, and start it again."""
        self.city.database.server.stop_now()
        time.sleep(away)
        self.city.database.server.start()
        self.made["PostgreSQL stopped at once"] += 1

    def freeze(self, seconds: float) -> None:
        """Freeze a worker (SIGSTOP) and thaw it after so long, while other faults go on."""
        running = self.supervisor.running()
        if not running:
            return
        name = self.dice.choice(running)
        self.supervisor.freeze(name)
        timer = threading.Timer(seconds, self.supervisor.thaw, [name])
        timer.start()
        self.frozen.append(timer)
        self.made[f"workers frozen {seconds:g} s"] += 1

    def scale(self, most: int, every: float, lasting: float) -> None:
        """Have 1 to `most` workers and back, another number every few seconds."""
        steps = [*range(1, most + 1), *range(most - 1, 0, -1)]
        deadline, at = time.monotonic() + lasting, 0
        while time.monotonic() < deadline:
            self.supervisor.want(*(f"w{n}" for n in range(1, steps[at % len(steps)] + 1)))
            self.made["numbers of workers"] += 1
            at += 1
            time.sleep(every)

    def over(self) -> None:
        """Wait until nothing is frozen any more."""
        for timer in self.frozen:
            timer.join()


@dataclass(frozen=True)
class Report:
    """What was told, what was broken, and what was found."""

    readings: int
    seconds: float
    made: dict[str, int]
    starts: int
    exits: dict[int, int]
    changes: int
    repeats: int
    cases: int
    verdict: Verdict
    differences: list[str]
    messages: list[str]
    logs: str

    @property
    def faults(self) -> dict[str, Any]:
        """Return everything that is not as it must be; nothing, if all is well."""
        found: dict[str, Any] = dict(self.verdict.faults)
        if self.differences:
            found["cases"] = self.differences[:5]
        if self.messages:
            found["messages"] = self.messages[:5]
        return found

    def lines(self) -> list[str]:
        """Return the report as rows of a table."""
        rows = [("readings told", f"{self.readings:,}"), ("seconds", f"{self.seconds:.0f}")]
        rows += [(name, str(number)) for name, number in self.made.items()]
        rows += [("workers started again", str(self.starts)), ("changes expected and said", f"{self.changes:,}")]
        rows += [("changes said again", f"{self.repeats:,}"), ("cases", f"{self.cases:,}")]
        rows += [(name, str(len(getattr(self.verdict, name)))) for name in self.verdict.__dataclass_fields__]
        rows += [("cases that differ from a recomputation", str(len(self.differences)))]
        rows += [("messages missing or out of order", str(len(self.messages)))]
        return [f"| {name} | {value} |" for name, value in rows]


def broken(
    broker: Broker,
    database: Database,
    folder: Path,
    story: LongStory,
    make: Callable[[Faults, threading.Event], None],
    *,
    workers: int = 2,
    rate: float | None = None,
    seed: int = 1,
    nurseries: dict[str, Nursery] | None = None,
) -> Report:
    """Tell the story while `make` breaks things (its event is set once all was told), and judge what came of it."""
    city, flags = told_city(broker, database, folder, story)
    city.nurseries |= nurseries or {}
    began = time.monotonic()
    with city, Supervisor(city) as supervisor, ThreadPoolExecutor(1) as teller:
        city.set_plan()
        supervisor.want(*(f"w{n}" for n in range(1, workers + 1)))
        told = threading.Event()
        telling = teller.submit(lambda: asyncio.run(story.tell(broker.connection, city.topics.readings, rate=rate)))
        telling.add_done_callback(lambda _: told.set())
        faults = Faults(city, supervisor, random.Random(seed))
        try:
            make(faults, told)
        finally:
            faults.over()
        supervisor.want(*(f"w{n}" for n in range(1, workers + 1)))
        readings = telling.result()
        city.settle(SETTLE_S)
        seconds = time.monotonic() - began
        said = [row.value for row in city.records(city.topics.alerts)]
        verdict = judged(story.expected(folder, flags), said)
        changes = sum(b'"change"' in value for value in said)
        expected = sum(map(len, story.expected(folder, flags).values()))
        return Report(
            readings, seconds, dict(faults.made), supervisor.starts, dict(supervisor.exits), expected,
            changes - expected, len(city.cases()), verdict, [str(one) for one in city.recomputed()],
            misplaced_messages(city), "\n".join(worker.log[-3000:] for worker in city.workers.values()),
        )  # fmt: skip


def told_city(broker: Broker, database: Database, folder: Path, story: LongStory) -> tuple[City, list[str]]:
    """Return a city with the story's plan, and the flags that name the same plan to `tongguan detect`."""
    settings = {"grids": str(folder / "grids.geojson"), "max_delay": f"{story.max_delay_ms // 1000}s"}
    city = City(broker, database, folder, story.partitions, log_time="record", settings=settings)
    (folder / "rules" / "flood" / "drain_watch.yaml").unlink()
    flags = story.write_plan(folder)
    (folder / "registry.csv").write_bytes((folder / "sensors.csv").read_bytes())
    return city, flags


def misplaced_messages(city: City) -> list[str]:
    """Return what city.cases lacks of the outbox, and messages of a case whose first telling is out of order."""
    with city.database.store.read() as db:
        wanted = {(row.case, row.seq) for row in db.execute(select(schema.outbox.c.case, schema.outbox.c.seq))}
    seen: dict[str, int] = {}
    found = []
    for row in city.records(city.topics.cases):
        case, _, seq = str(row.said["id"]).rpartition(":")
        wanted.discard((case, int(seq)))
        last = seen.get(case)
        if last is not None and int(seq) > last + 1:
            found.append(f"{case}: {seq} came behind {last}")
        seen[case] = max(int(seq), -1 if last is None else last)
    return found + [f"{case}:{seq} is missing" for case, seq in sorted(wanted)]
