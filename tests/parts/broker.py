"""A real Apache Kafka broker: one a session, and topics of its own for each test.

With ``TONGGUAN_TEST_KAFKA=host:port`` that broker is used, and tests that stop it are not run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from engine.runtime.config import Config
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.topics import Topics, Wanted, make, wanted
from tests.parts.ports import free_ports

GIVEN = "TONGGUAN_TEST_KAFKA"
SCRIPT = Path(__file__).parents[2] / "deploy/local/broker/broker"
START_S = 300
DAY_MS = 86_400_000
SETTINGS = """log.cleaner.backoff.ms=500
listeners=CLIENTS://127.0.0.1:PORT,BEHIND://127.0.0.1:INNER_PORT,CONTROLLER://127.0.0.1:CONTROLLER_PORT
advertised.listeners=CLIENTS://127.0.0.1:PORT,BEHIND://127.0.0.1:OUTER_PORT
listener.security.protocol.map=CLIENTS:PLAINTEXT,BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


def found() -> bool:
    """Say whether there is a broker to test with, or what starts one."""
    return GIVEN in os.environ or (shutil.which("java") is not None and shutil.which("mvn") is not None)


@dataclass
class Broker:
    """A broker; `folder` is None for one that is not ours to stop."""

    bootstrap: str
    folder: Path | None
    environment: dict[str, str]
    behind: tuple[int, int] | None = None
    """A port on which it answers too, and the one under which it is told to be there: for a proxy between the two."""

    @property
    def connection(self) -> Connection:
        return Connection(self.bootstrap)

    def config(self, **more: object) -> Config:
        """Return settings for this broker and topics that nobody else has."""
        values = {
            "broker": self.bootstrap,
            "topic_prefix": f"t{uuid4().hex[:12]}.",
            "single_node": True,
            "partitions": 4,
        }
        return msgspec.convert(values | more, Config)

    def create_topics(self, config: Config | None = None, **more: object) -> Topics:
        """Make the topics of the spec under a fresh prefix, or of the settings given."""
        config = config or self.config(**more)
        self.make(wanted(config, least_ms=DAY_MS))
        return Topics(config.topic_prefix)

    def make(self, topics: tuple[Wanted, ...]) -> None:
        """Make topics as they are described."""
        asyncio.run(make(self.connection, topics))

    def stop(self) -> None:
        """End it in good order."""
        self._ours("stop")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._ours("kill")

    def start(self) -> None:
        """Start it again, where it was."""
        self._ours("start")

    def tool(self, name: str, *arguments: str, stdin: str | None = None) -> str:
        """Run a Java tool of Kafka and return what it prints."""
        return _script(self.environment, "tool", name, *arguments, stdin=stdin)

    def _ours(self, command: str) -> None:
        if self.folder is None:
            pytest.skip(f"{GIVEN}={self.bootstrap} is not ours to {command}")
        _script(self.environment, command)


def _script(environment: dict[str, str], *arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        [str(SCRIPT), *arguments],
        env=os.environ | environment,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def started(settings: str = "") -> Iterator[Broker]:
    """Start a broker of our own with further settings of Kafka's, and end it.

    In the settings PORT and CONTROLLER_PORT stand for its ports, INNER_PORT and OUTER_PORT for `behind`.
    """
    folder = Path(tempfile.mkdtemp(prefix="tongguan-broker-"))
    port, controller, inner, outer = free_ports(4)
    environment = {
        "BROKER_DIR": str(folder / "broker"),
        "BROKER_PORT": str(port),
        "BROKER_CONTROLLER_PORT": str(controller),
        "BROKER_JVM": "-Xms128m -Xmx512m",
    }
    if settings:
        text = settings.replace("INNER_PORT", str(inner)).replace("OUTER_PORT", str(outer))
        text = text.replace("CONTROLLER_PORT", str(controller)).replace("PORT", str(port))
        (folder / "more.properties").write_text(text)
        environment["BROKER_CONFIG"] = str(folder / "more.properties")
    try:
        yield Broker(_script(environment, "start"), folder, environment, (inner, outer))
    finally:
        _script(environment, "kill")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """Return the session's broker."""
    given = os.environ.get(GIVEN)
    if given:
        yield Broker(given, None, {"BROKER_PORT": given.rpartition(":")[2]})
    else:
        yield from started(SETTINGS)
