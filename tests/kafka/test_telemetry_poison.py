"""Records that nobody survives: found, put aside whole, passed over by every worker; all others are judged."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

from engine.casework.log_schema import attempt, skip
from engine.casework.schema import audit
from engine.runtime import crashpoints
from engine.runtime.kafka.judging import DEATHS
from tests.kafka.flow import START, Flow, Plans, Record, expected, readings, town_plan
from tests.parts.broker import Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres")]
LATER = START + 100_000_000
TEXT = "POISON"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def flow(broker: Broker, database: Database) -> Flow:
    return Flow(broker, database, partitions=2)


def poison(at: Record) -> Record:
    """Return a record that is deadly while TONGGUAN_POISON_AT says so."""
    said = {"sensor": TEXT, "kind": "gas.methane", "t": at.log_time, "v": 99}
    return Record(at.log_time, json.dumps(said).encode(), at.sensor)


def with_poison(records: list[Record], *places: int) -> list[Record]:
    return [one for n, r in enumerate(records) for one in ((r, poison(r)) if n in places else (r,))]


def check_put_aside(flow: Flow, quarantined: list[bytes], reason: str, count: int) -> None:
    """Check that so many records are in quarantine, on the skip-list and in the audit."""
    rows = {(row["partition"], row["offset"]): row for row in map(json.loads, quarantined)}
    assert len(rows) == count
    assert {row["reason"] for row in rows.values()} == {reason}
    assert all(TEXT in row["raw"] and row["topic"] == "city.readings" for row in rows.values())
    with flow.database.store.read() as db:
        skipped = {(row.partition, row.offset) for row in db.execute(select(skip)) if row.stream == "city.readings"}
        audited = [row.subject for row in db.execute(select(audit)) if row.action == "skip"]
    assert skipped == set(rows)
    assert sorted(audited) == sorted(f"city.readings/{partition}/{offset}" for partition, offset in rows)


def test_a_record_that_makes_judging_raise_goes_to_quarantine_and_the_others_are_judged(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, records = town_plan(), readings(41, 3_000)
    monkeypatch.setenv(crashpoints.POISON, TEXT)
    crashpoints.arm_poison(TEXT)

    async def story() -> None:
        await flow.begin(plan)
        async with flow.running(Plans(plan)) as worker:
            await flow.play(with_poison(records, 500, 501, 2000))
            await flow.finish(LATER)
            await flow.judged(worker)
            assert sum(status.skipped for status in worker.status()) == 3
        assert await flow.changes() == expected(plan, records)
        check_put_aside(flow, await flow.read(flow.topics.quarantine), "raises", 3)

    try:
        asyncio.run(story())
    finally:
        crashpoints.arm_poison("")


@pytest.mark.timeout(600)
def test_a_record_that_kills_the_process_is_found_when_that_many_died_of_it(flow: Flow) -> None:
    plan, records = town_plan(), readings(42, 3_000)

    async def told() -> None:
        await flow.begin(plan)
        await flow.play(with_poison(records, 1000, 2500))
        await flow.finish(LATER)

    asyncio.run(told())
    plan_file = ROOT / ".cache" / f"{plan.digest}.plan"
    plan_file.parent.mkdir(exist_ok=True)
    plan_file.write_bytes(plan.canonical())
    environment = os.environ | {crashpoints.POISON: f"{TEXT}:kill"}
    arguments = [flow.broker.bootstrap, flow.topics.prefix, flow.database.url, str(plan_file)]

    def worked() -> int:
        one = [sys.executable, "-m", "tests.kafka.one_telemetry", *arguments]
        return subprocess.run(one, cwd=ROOT, env=environment, timeout=300, check=False).returncode

    try:
        assert worked() == -signal.SIGKILL
        with flow.database.store.write() as db:
            started = {row.partition: row.number for row in db.execute(select(attempt))}
            assert set(started.values()) == {1}
            db.execute(update(attempt).values(number=DEATHS))  # as if two more had tried
        assert worked() == 0
    finally:
        plan_file.unlink()
    assert asyncio.run(flow.changes()) == expected(plan, records)
    check_put_aside(flow, asyncio.run(flow.read(flow.topics.quarantine)), "kills_process", 2)
