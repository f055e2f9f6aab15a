"""`tongguan serve` processes of the tests: real ones, on a broker and a database that are given."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from engine.casework.plans import StoredPlans
from engine.casework.service import Casework
from engine.casework.service import Settings as CaseSettings
from engine.casework.tokens import create_token
from engine.runtime.config import Config
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.history import Kept, history
from engine.runtime.kafka.plans import name_plan
from engine.runtime.kafka.topics import Topics
from rules.plan import Plan
from tests.parts.broker import Broker
from tests.parts.postgres import Database
from tests.town import city, now_ms

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


def until(done: Callable[[], object], patience_s: float = PATIENCE_S) -> Any:
    """Ask until the answer is something; fail when that takes too long."""
    end = time.monotonic() + patience_s
    while not (found := done()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return found


@dataclass
class Serving:
    """One process, its addresses, and its words."""

    process: subprocess.Popen[str]
    url: str
    metrics: str
    log: Path

    def status(self, client: httpx.Client) -> dict[str, Any]:
        found: dict[str, Any] = client.get("/api/v1/status").json()
        return found


@dataclass
class Office:
    """Topics and a database of a small town, and what serves it."""

    broker: Broker
    database: Database
    config: Config
    folder: Path
    plan: Plan
    topics: Topics
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def casework(self) -> Casework:
        return Casework(self.database.store, StoredPlans(self.database.store), CaseSettings(first_offset=0))

    def token(self, role: str) -> str:
        """Return a token of a role."""
        if role not in self.secrets:
            self.secrets[role] = create_token(self.database.store, name=role, role=role, now_ms=now_ms())
        return self.secrets[role]

    def client(self, serving: Serving, role: str, **headers: str) -> httpx.Client:
        """Return a client that calls with a token of a role."""
        return httpx.Client(
            base_url=serving.url,
            headers={"authorization": f"Bearer {self.token(role)}", **headers},
            timeout=60,
            trust_env=False,
        )

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the settings of a process as variables."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TONGGUAN_")}
        said = {
            "BROKER": self.config.broker,
            "DATABASE": self.database.url,
            "TOPIC_PREFIX": self.config.topic_prefix,
            "PORT": "0",
            "METRICS_PORT": "0",
        } | {name.upper(): value for name, value in settings.items()}
        return kept | {f"TONGGUAN_{name}": value for name, value in said.items()}

    @contextmanager
    def serving(self, **settings: str) -> Iterator[Serving]:
        """Run `tongguan serve`, and end it."""
        log = self.folder / f"serve-{time.monotonic_ns()}.log"
        with log.open("w") as words:
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.cli", "serve"],
                cwd=ROOT,
                env=self.environment(**settings),
                stdout=words,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield Serving(process, *until(lambda: _addresses(process, log)), log)
        finally:
            process.terminate()
            assert process.wait(60) == 0, log.read_text()

    def stored(self, partition: int, topic: str | None = None) -> list[Kept]:
        """Return the records of a partition of city.readings, or of another topic."""
        return asyncio.run(_collected(self.broker.connection, topic or self.topics.readings, partition))


async def _collected(connection: Connection, topic: str, partition: int) -> list[Kept]:
    return [kept async for kept in history(connection, topic, partition)]


def _addresses(process: subprocess.Popen[str], log: Path) -> tuple[str, str] | None:
    said = log.read_text()
    assert process.poll() is None, said
    found = re.search(r"统管 Tongguan: (\S+) \(metrics (\S+)\)", said)
    return (found[1], found[2]) if found else None


@contextmanager
def office(broker: Broker, database: Database, folder: Path, **settings: object) -> Iterator[Office]:
    """Make topics for a town and name its plan in the database."""
    config = broker.config(**settings)
    topics = broker.create_topics(config)
    plan = city(folder / "town").plan
    name_plan(database.store, plan, "tests", now_ms())
    yield Office(broker, database, config, folder, plan, topics)
