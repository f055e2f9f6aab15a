"""What the log has, by command: streams as lines, the quarantine, and texts that come back once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from engine.casework.schema import audit
from engine.runtime.kafka.sending import Record, Sender
from tests.kafka.serving import ROOT, Office, office
from tests.parts import postgres
from tests.parts.broker import Broker
from tests.parts.postgres import Server

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(600)]


@pytest.fixture
def town(broker: Broker, postgres_server: Server, tmp_path: Path) -> Iterator[Office]:
    with postgres.fresh(postgres_server) as database, office(broker, database, tmp_path) as one:
        yield one


def tongguan(town: Office, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine.cli", *words],
        cwd=ROOT,
        env=town.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(town: Office, topic: str, values: list[bytes], partition: int = 0) -> None:
    async def send() -> None:
        sender = Sender(town.broker.connection, "tests")
        await sender.send([Record(topic, value, None, partition) for value in values])
        await sender.stop()

    asyncio.run(send())


def row(offset: int, reason: str, raw: str, topic: str = "city.readings", partition: int = 2) -> bytes:
    said = {"reason": reason, "detail": "", "topic": topic, "partition": partition, "offset": offset, "index": 0}
    return orjson.dumps(said | {"raw": raw})


def listed(town: Office, *words: str) -> list[tuple[int, str | None]]:
    """Return number and who put it back of each row that is listed."""
    done = tongguan(town, "quarantine", "list", *words)
    assert done.returncode == 0, done.stderr
    rows = [orjson.loads(line) for line in done.stdout.splitlines()]
    return [(one["number"], one["replayed_by"]) for one in rows]


def test_a_text_comes_back_once_where_it_was_and_who_did_it_is_kept(town: Office) -> None:
    text = '{"sensor":"x","kind":"new.kind","t":1,"v":1}'
    rows = [
        row(10, "bad_kind", text),
        row(10, "bad_kind", text),  # told again by a worker that started again
        row(11, "bad_json", "{"),
        row(12, "control_in_frame", '{"kind":"tick","t":1}'),
        row(13, "refused", "{}", topic="city.commands"),
    ]
    write(town, town.topics.quarantine, rows)
    assert listed(town) == [(0, None), (2, None), (3, None), (4, None)]
    assert listed(town, "--reason", "bad_kind") == [(0, None)]
    for _ in range(2):
        done = tongguan(town, "quarantine", "replay", "--reason", "bad_kind", "--as", "李工")
        assert done.returncode == 0, done.stderr
    assert [record.value.decode() for record in town.stored(2)] == [text]
    assert listed(town, "--reason", "bad_kind") == [(0, "李工")]
    everything = tongguan(town, "quarantine", "replay", "--all", "--as", "王工")
    assert everything.stdout == "replayed 1 of 4\n", "neither what steers the log, nor commands, nor what is back"
    assert [record.value.decode() for record in town.stored(2)] == [text, "{"]
    with town.database.store.read() as db:
        noted = db.execute(select(audit.c.actor, audit.c.subject).where(audit.c.action == "quarantine.replay")).all()
    assert sorted(map(tuple, noted)) == [("李工", "city.readings/2/10/0"), ("王工", "city.readings/2/11/0")]


def test_two_who_put_back_the_same_at_once_do_it_once(town: Office) -> None:
    write(town, town.topics.quarantine, [row(n, "bad_kind", f'{{"sensor":"s{n}"}}') for n in range(20)])
    words = [sys.executable, "-m", "engine.cli", "quarantine", "replay", "--all"]
    both = [subprocess.Popen(words, cwd=ROOT, env=town.environment(), stdout=subprocess.PIPE) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert sorted(record.value.decode() for record in town.stored(2)) == sorted(
        f'{{"sensor":"s{n}"}}' for n in range(20)
    )


def test_a_number_that_is_not_there_is_named(town: Office) -> None:
    done = tongguan(town, "quarantine", "replay", "7")
    assert (done.returncode, done.stderr) == (1, "tongguan: no row 7 in the quarantine\n")


def test_a_partition_of_readings_is_a_file_for_detect(town: Office) -> None:
    reading = b'{"sensor":"GM-E","kind":"gas.methane","t":1700000000000,"v":60}'
    write(town, town.topics.readings, [reading, b"[" + reading + b"]"], partition=3)
    done = tongguan(town, "journal", "export", "--partition", "3")
    assert done.returncode == 0, done.stderr
    times = [record.log_time for record in town.stored(3)]
    lines = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [lines[0]["log_t"], lines[1][0]["log_t"]] == times
    assert [lines[0]["v"], lines[1][0]["v"]] == [60, 60]
    missing = tongguan(town, "journal", "export", "--partition", "9")
    assert (missing.returncode, "no partition 9" in missing.stderr) == (1, True)
