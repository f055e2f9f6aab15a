"""The broker and the database of a benchmark, on free ports of 127.0.0.1, ended with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from engine.casework.plans import StoredPlans
from engine.casework.store import Store, upgrade
from rules.plan import Plan

LOCAL = Path(__file__).parents[2] / "deploy/local"
JVM = "-Xms1g -Xmx1g"


def lacking() -> list[str]:
    """Name what must be on this machine and is not."""
    wanted = {
        "java": "Java 17; on Debian: apt-get install -y openjdk-17-jdk-headless",
        "mvn": "Maven; on Debian: apt-get install -y maven",
    }
    found = [text for program, text in wanted.items() if shutil.which(program) is None]
    if shutil.which("initdb") is None and not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        found.append("PostgreSQL; on Debian: apt-get install -y postgresql")
    return found


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Run a broker whose data stay in `folder`, and give host:port."""
    folder.mkdir(parents=True, exist_ok=True)
    port, controller = _free_port(), _free_port()
    script = [str(LOCAL / "broker/broker")]
    where = {"BROKER_DIR": str(folder), "BROKER_PORT": str(port), "BROKER_CONTROLLER_PORT": str(controller)}
    _call([*script, "start"], where | {"BROKER_JVM": JVM})
    try:
        yield f"127.0.0.1:{port}"
    finally:
        _call([*script, "stop"], where)


@dataclass(slots=True)
class Database:
    """A PostgreSQL server of the benchmark."""

    url: str
    pid: int
    _made: int = 0

    def fresh(self, plan: Plan) -> str:
        """Make a database with our tables and one plan; return its URL."""
        self._made += 1
        name = f"run{self._made}"
        server = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        server.dispose()
        url = make_url(self.url).set(database=name).render_as_string(hide_password=False)
        store = Store.connect(url)
        upgrade(store)
        StoredPlans(store).add(plan, t_ms=time.time_ns() // 1_000_000)
        store.close()
        return url


@contextmanager
def database() -> Iterator[Database]:
    """Run a PostgreSQL server in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tongguan-bench-"))
    folder.chmod(0o755)
    script, place = str(LOCAL / "postgres"), folder / "server"
    try:
        url = _call([script, "start", str(place), str(_free_port())], {}).strip().splitlines()[-1]
        pid = int((place / "data/postmaster.pid").read_text().splitlines()[0])
        yield Database(url, pid)
    finally:
        _call([script, "stop", str(place)], {})
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _call(words: list[str], env: dict[str, str]) -> str:
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run(words, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=out, check=False)
        out.seek(0)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed with {done.returncode}")
        return out.read()
