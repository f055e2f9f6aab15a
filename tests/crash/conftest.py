"""A city that is flooded while its engine is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import orjson
import pytest

from engine.casework.outbox import read_outbox
from engine.casework.plans import StoredPlans
from engine.casework.replay import commands, verify
from engine.casework.service import AlertRecord, Settings
from engine.casework.store import Store, upgrade
from engine.casework.tokens import create_token
from engine.commands.city_files import read_city
from engine.detect.changes import encode
from engine.detect.detector import Detector
from engine.runtime.config import Config
from engine.runtime.embedded import Embedded
from engine.runtime.journal import Journal
from engine.runtime.log import Records, Stream
from engine.runtime.plans import JournalPlans
from tests.crash.load import Ledger, Mover, Poster

HERE = Path(__file__).parent
POSTERS = 3
PATIENCE_S = 60


class Zygote:
    """Begins lives of the engine in a fraction of a second, each a process of its own."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "life.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert self._read() == {"ready": True}

    def begin(self, data: Path, crash: str) -> tuple[int, str, int | None]:
        """Begin a life; return its pid, its address, and its exit status if it ended before it served."""
        assert self._process.stdin is not None
        order = {"data": str(data), "rules": str(HERE / "rules"), "registry": str(HERE / "sensors.csv"), "crash": crash}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        pid, url = 0, ""
        while not (pid and url):
            line = self._line()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                url = found[0]
            else:
                said = json.loads(line)
                pid = said["pid"]
                if "status" in said:
                    return pid, "", said["status"]
        return pid, url, None

    def ended(self) -> int:
        """Wait for the end of the life; return its exit status, -9 if it was killed."""
        return int(self._read()["status"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert line, "the zygote has died"
        return line

    def _read(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self._line())
        return found


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.close()


@dataclass
class City:
    """A data folder, its tokens, and what the engine said it has."""

    data: Path
    zygote: Zygote
    ledger: Ledger
    posting: str
    handling: str
    lives: int = 0

    def live(self, *, crash: str = "", kill_after_s: float = 0.0) -> bool:
        """Run the engine under load until it is killed; say whether load was in flight when that happened."""
        self.lives += 1
        pid, url, status = self.zygote.begin(self.data, crash)
        if status is not None:
            assert status == -signal.SIGKILL, (status, self._log())
            return False
        posters = [Poster(url, self.posting, self.ledger, f"s{self.lives}{chr(97 + n)}") for n in range(POSTERS)]
        mover = Mover(url, self.handling, self.ledger)
        for thread in (*posters, mover):
            thread.start()
        if not crash:
            # when exactly it is killed is what is drawn; nothing is waited for
            time.sleep(kill_after_s)
            os.kill(pid, signal.SIGKILL)
        status = self.zygote.ended()
        for thread in (*posters, mover):
            thread.join(PATIENCE_S)
        assert status == -signal.SIGKILL, (status, self._log())
        return any(poster.cut_off for poster in posters)

    def _log(self) -> str:
        return (self.data.parent / "life.log").read_text()[-2000:]

    def verify(self) -> int:
        """Start once more, let everything be done, and hold all of it against the log; return the number of cases."""
        city = read_city(Config(rules=str(HERE / "rules"), registry=str(HERE / "sensors.csv")))
        engine = Embedded(self.data, city.plan)
        engine.start()
        assert engine.drain(PATIENCE_S)
        engine.stop()
        log = Journal(self.data / "journal.db", clock=lambda: 0)
        store = Store.open(self.data / "cases.db")
        try:
            self._every_acknowledged_reading_is_there_once(log)
            _alerts_are_those_of_a_rerun(log)
            self._moves_are_there_once(store)
            plans = StoredPlans(store)
            assert verify(store, _alerts(log), plans, Settings(), self.data.parent) == []
            _messages_are_relayed_once(log, store)
            with store.read() as db:
                return int(db.exec_driver_sql("SELECT count(*) FROM cases").scalar_one())
        finally:
            store.close()
            log.close()

    def _every_acknowledged_reading_is_there_once(self, log: Journal) -> None:
        found: Counter[str] = Counter()
        for records in _read(log, Stream.READINGS):
            for value in records.values:
                record = orjson.loads(value)
                found.update(reading["attrs"]["mark"] for reading in record if isinstance(record, list))
        assert {mark for mark, times in found.items() if times > 1} == set()
        assert self.ledger.acknowledged - set(found) == set()
        assert set(found) - self.ledger.acknowledged - self.ledger.uncertain == set()

    def _moves_are_there_once(self, store: Store) -> None:
        done = Counter((command.case, command.key) for command in commands(store))
        assert {move for move, times in done.items() if times > 1} == set()
        assert self.ledger.moves - set(done) == set()


def _read(log: Journal, stream: str) -> Iterator[Records]:
    position = 0
    while len(records := log.read(stream, 0, position, limit_bytes=1 << 20)):
        yield records
        position = int(records.offset[-1])


def _alerts(log: Journal) -> Iterator[AlertRecord]:
    for records in _read(log, Stream.ALERTS):
        yield from map(AlertRecord, records.offset.tolist(), records.values, records.log_time.tolist())


def _alerts_are_those_of_a_rerun(log: Journal) -> None:
    detector = Detector(JournalPlans(log))
    said = [encode(item) for records in _read(log, Stream.READINGS) for item in detector.step(records.batch()).items]
    assert said == [record.value for record in _alerts(log)]


def _messages_are_relayed_once(log: Journal, store: Store) -> None:
    rows = read_outbox(store, 0, 1 << 30)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert [value for records in _read(log, Stream.CASES) for value in records.values] == [row.payload for row in rows]


@pytest.fixture
def new_city(tmp_path: Path, zygote: Zygote) -> Callable[[str], City]:
    return lambda name: _founded(tmp_path / name / "data", zygote)


@pytest.fixture
def city(new_city: Callable[[str], City]) -> City:
    return new_city("city")


def _founded(data: Path, zygote: Zygote) -> City:
    data.mkdir(parents=True)
    store = Store.open(data / "cases.db")
    upgrade(store)
    posting = create_token(store, name="gateway", role="sensor", now_ms=1)
    handling = create_token(store, name="crew", role="handler", department="water", now_ms=1)
    store.close()
    return City(data, zygote, Ledger(), posting, handling)


@pytest.fixture
def random() -> Random:
    return Random(20_260_101)
