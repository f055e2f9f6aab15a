"""Who takes part, how each is set up in an environment of its own, and how it is started."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.p2.job import PEERS
from bench.p2.processes import Command

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache/bench"
JVM_HOME = PEERS / "jvm"
JAVA = ("java", "-Xms1g", "-Xmx2g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
OURS = "tongguan"


@dataclass(frozen=True, slots=True)
class Contender:
    """A peer. `keeps`: how it keeps its state and what it promises, as it was run."""

    name: str
    title: str
    package: str
    keeps: str
    words: tuple[str, ...]
    env_name: str = ""

    @property
    def where(self) -> str:
        return self.env_name or self.name

    @property
    def version(self) -> str:
        """The version that is pinned."""
        if self.where == "jvm":
            found = re.search(rf"<{self.package}>(.*?)</", (JVM_HOME / "pom.xml").read_text())
        else:
            text = (PEERS / self.where / "requirements.txt").read_text()
            found = re.search(rf"^{self.package}==(\S+)", text, re.MULTILINE)
        assert found, self.package
        return found[1]

    def command(self, env: dict[str, str]) -> Command:
        """Return how it is started."""
        if self.where == "jvm":
            return Command((*JAVA, *self.words), JVM_HOME, env)
        python = CACHE / "venvs" / self.where / "bin/python"
        return Command((str(python), *self.words), PEERS / self.where, env | {"PYTHONPATH": str(PEERS)})


def _jar(module: str) -> tuple[str, str]:
    home = CACHE / "jvm" / module
    return "-cp", f"{home}/{module}-1.jar:{home}/dependency/*"


PEERS_RUN = (
    Contender("loop", "plain loop: aiokafka batches + msgspec + dict", "aiokafka", "nothing kept", ("loop.py",)),
    Contender(
        "faust", "Faust, one agent", "faust-streaming", "table in memory, changelog; at least once",
        ("-m", "faust", "-A", "app", "worker", "--without-web", "-l", "error"),
    ),
    Contender(
        "bytewax", "Bytewax", "bytewax", "in memory, recovery off (its default)",
        ("-m", "bytewax.run", "flow:flow"),
    ),
    Contender("quix", "Quix Streams", "quixstreams", "RocksDB, changelog; at least once", ("app.py",)),
    Contender("pathway", "Pathway", "pathway", "in memory, persistence off (its default)", ("app.py",)),
    Contender(
        "streams", "Kafka Streams", "kafka.version", "in-memory store, changelog; at least once",
        (*_jar("streams"), "peers.StreamsJob"), "jvm",
    ),
    Contender(
        "flink-keyed", "Flink, keyBy, parallelism 2", "flink.version",
        "heap state, checkpoint every 10 s; at least once", (*_jar("flink"), "peers.FlinkJob", "keyed"), "jvm",
    ),
    Contender(
        "flink-chained", "Flink, one chained task", "flink.version",
        "heap state, checkpoint every 10 s; at least once", (*_jar("flink"), "peers.FlinkJob", "chained"), "jvm",
    ),
)  # fmt: skip
"""In the order of the first round."""


def own(env: dict[str, str], *, stages: bool = False) -> Command:
    """Return how our telemetry service is started; with `stages` it says at its end where its CPU went."""
    return Command((sys.executable, "-m", f"bench.p2.{'stages' if stages else 'own'}"), ROOT, env)


def prepare(names: set[str], say: Callable[[str], None]) -> None:
    """Set up what the named peers need: a virtual environment each, the jars."""
    for where in sorted({peer.where for peer in PEERS_RUN if peer.name in names}):
        if where == "jvm":
            _jars(say)
        else:
            _venv(where, say)


def _venv(name: str, say: Callable[[str], None]) -> None:
    wanted = PEERS / name / "requirements.txt"
    home = CACHE / "venvs" / name
    with _made_from(wanted.read_bytes(), home / "ready") as stale:
        if stale:
            say(f"virtual environment of {name} …")
            _run([sys.executable, "-m", "venv", "--clear", str(home)])
            _run([str(home / "bin/pip"), "install", "-q", "--disable-pip-version-check", "-r", str(wanted)])


def _jars(say: Callable[[str], None]) -> None:
    sources = sorted(path for path in JVM_HOME.rglob("*") if path.suffix in (".java", ".xml"))
    home = CACHE / "jvm"
    with _made_from(b"".join(path.read_bytes() for path in sources), home / "ready") as stale:
        if stale:
            say("jars of Kafka Streams and Flink …")
            _run(["mvn", "-q", "-B", "-f", str(JVM_HOME / "pom.xml"), f"-Dpeers.out={home}", "clean", "package",
                  "dependency:copy-dependencies", "-DincludeScope=runtime"])  # fmt: skip


@contextmanager
def _made_from(source: bytes, note: Path) -> Iterator[bool]:
    """Tell whether what was made from `source` is stale; note it as made when the block ends well."""
    digest = hashlib.sha256(source).hexdigest()
    yield not note.exists() or note.read_text() != digest
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(digest)


def _run(words: list[str]) -> None:
    if subprocess.run(words, env=os.environ, stdin=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"failed: {' '.join(words)}")
