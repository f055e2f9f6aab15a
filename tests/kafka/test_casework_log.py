"""Casework on city.alerts: what the log no longer has, holds besides, or brings again."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from engine.casework import schema
from engine.casework.store import Store
from engine.runtime.kafka.topics import describe, wanted
from tests.kafka.city import City
from tests.parts.broker import DAY_MS, Broker
from tests.parts.postgres import Database

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(900)]
TROUBLE = "0699"


def delete_before(city: City, topic: str, offset: int) -> None:
    """Let the log forget what stands before an offset of partition 0, as retention does."""

    async def deleted() -> None:
        async with city.broker.connection.opened(city.broker.connection.admin()) as admin:
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})

    asyncio.run(deleted())


def remake(city: City, topic: str) -> None:
    """Delete a topic and make it anew, as an operator might."""

    async def gone() -> None:
        async with city.broker.connection.opened(city.broker.connection.admin()) as admin:
            await admin.delete_topics([topic])

    asyncio.run(gone())
    city.until(lambda: topic not in asyncio.run(describe(city.broker.connection, [topic])), "it is gone")
    city.broker.make(tuple(one for one in wanted(city.config, least_ms=DAY_MS) if one.name == topic))


def accepting(city: City, why: str) -> list[str]:
    """Return the command that a refusal names, as somebody would type it."""
    found = re.search(r"`tongguan (gap accept [^`]*)`", why)
    assert found is not None
    values = {"URL": city.database.url, "NAME": "李工", "TEXT": "保留期已过"}
    return [values.get(word, word) for word in found[1].split()]


def alerts(city: City, *values: bytes) -> None:
    """Write into city.alerts by hand."""
    city.write(city.topics.alerts, [(0, None, value, None) for value in values])


def copied(database: Database) -> Database:
    """Return a copy of a database, as a backup would bring it."""
    database.store.engine.dispose()
    name = database.server.make(migrated=False)
    database.server.drop(name)
    source = database.store.engine.url.database
    database.server.do(f"CREATE DATABASE {name} TEMPLATE {source}")
    url = database.server.at(name)
    return Database(database.server, url, Store.connect(url))


def test_a_restored_older_database_is_led_on_by_the_log(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        worker = city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120), city.reading("DL-2", "drain.level", 95)])
        city.settle()
        assert worker.stop() == 0
        backup = copied(database)
        worker = city.start("w1")
        city.feed([city.reading("DL-3", "drain.level", 120), city.reading("DL-1", "drain.level", 20)])
        actor = {"name": "12345", "role": "operator"}
        said = {"id": "r-1", "actor": actor, "report": {"category": "0405", "text": "积水", "lon": 120.8, "lat": 29.6}}
        city.write(city.topics.commands, [(None, None, json.dumps(said).encode(), None)])
        city.until(lambda: len(city.cases()) == 4, "three drains and a report")
        city.settle()
        assert worker.stop() == 0
        before, changes = city.cases(), city.changes()
        city.use(backup)
        assert len(city.cases()) == 2
        city.start("w1")
        city.until(lambda: len(city.cases()) == 4, "the log leads it on")
        city.settle()
        assert [(case["id"], case["state"], case["level"]) for case in city.cases()] == [
            (case["id"], case["state"], case["level"]) for case in before
        ]
        assert city.changes() == changes
        backup.store.close()
        backup.server.drop(str(backup.store.engine.url.database))


def test_a_gap_stops_casework_alone_and_the_command_it_names_goes_on(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        worker = city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.settle()
        assert worker.stop() == 0
        stood = city.cursor()
        alerts(city, *(b'{"mark":%d,"partition":0}' % n for n in range(6)))
        delete_before(city, city.topics.alerts, stood + 5)
        worker = city.start("w1", wait=False)
        city.until(lambda: "gap accept" in str(worker.ready()), "a refusal")
        (why,) = worker.ready()["reasons"]
        assert f"city.alerts/0 应从位点 {stood + 1} 读起" in why
        city.feed([city.reading("DL-2", "drain.level", 120)])
        city.until(lambda: len(city.changes()) == 1, "detect goes on")
        assert worker.metrics()["casework_refused"] == 1
        assert city.cursor() == stood
        city.run(*accepting(city, why))
        city.until(lambda: city.cursor() > stood + 4, "casework goes on")
        city.settle()
        assert {case["sensor"] for case in city.cases()} >= {"DL-1", "DL-2"}
        assert [case["supervised"] for case in city.cases() if case["category"] == TROUBLE] == [True]
        city.until(lambda: worker.ready()["code"] == 200, "all is well again")


def test_a_topic_made_anew_is_refused_however_long_it_is(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        worker = city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.settle()
        assert worker.stop() == 0
        stood = city.cursor()
        remake(city, city.topics.alerts)
        alerts(city, *(b'{"mark":%d,"partition":0}' % n for n in range(stood + 20)))
        worker = city.start("w1", wait=False)
        city.until(lambda: "gap accept" in str(worker.ready()), "a refusal")
        (why,) = worker.ready()["reasons"]
        assert city.cursor() == stood
        city.run(*accepting(city, why))
        city.feed([city.reading("DL-2", "drain.level", 120)])
        city.until(lambda: "DL-2" in {case["sensor"] for case in city.cases()}, "casework goes on with the new one")
        city.settle()
        city.until(lambda: worker.ready()["code"] == 200, "all is well again")


def test_marks_of_the_log_itself_are_no_gap(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        city.start("w1")

        async def in_transactions() -> None:
            producer = AIOKafkaProducer(**city.broker.connection.kwargs(), transactional_id=city.topics.prefix)
            await producer.start()
            try:
                for number in range(4):
                    await producer.begin_transaction()
                    await producer.send_and_wait(city.topics.alerts, b'{"mark":1,"partition":0}', partition=0)
                    await (producer.abort_transaction() if number == 2 else producer.commit_transaction())
            finally:
                await producer.stop()

        asyncio.run(in_transactions())
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.until(lambda: len(city.cases()) == 1, "a case")
        city.settle()
        offsets = [row.offset for row in city.records(city.topics.alerts)]
        assert len(offsets) < offsets[-1] + 1, "there are holes"
        assert city.workers["w1"].metrics()["casework_refused"] == 0


def test_a_database_is_verified_by_the_log(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.until(lambda: len(city.cases()) == 1, "a case")
        city.settle()
        city.stop()
        assert "the rerun gives the same" in city.run("db", "verify").said
        with city.database.store.write() as db:
            db.execute(schema.cases.update().values(level=1))
        found = city.run("db", "verify", "--database", city.database.url, check=False)
        assert (found.returncode, "level: 1 became " in found.said) == (1, True), found.said
        delete_before(city, city.topics.alerts, 2)
        found = city.run("db", "verify", check=False)
        assert found.returncode == 1
        assert "city.alerts is kept from offset 2 only" in found.said


def test_poison_opens_a_case_for_the_supervisor_and_the_rest_goes_on(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.settle()
        (change,) = [row.said for row in city.records(city.topics.alerts) if b'"change"' in row.value]
        other = change | {"episode": "ep_" + "0" * 20, "id": "ep_" + "0" * 20 + ":0"}
        alerts(
            city,
            b"not json",
            json.dumps(other | {"sensor": "DL-\x00"}).encode(),
            json.dumps(other | {"rule_version": 1 << 40}).encode(),  # more than the database holds
            b'{"mark":1,"partition":0}',
        )
        city.feed([city.reading("DL-2", "drain.level", 120)])
        city.until(lambda: "DL-2" in {case["sensor"] for case in city.cases()}, "the others go on")
        city.settle()
        trouble = [case for case in city.cases() if case["category"] == TROUBLE]
        assert len(trouble) == 3
        assert all(case["supervised"] for case in trouble)
        assert city.quarantined() == ["bad_json", "bad_change", "engine_fault"]
        assert city.workers["w1"].alive


def test_with_the_database_away_detect_goes_on_and_casework_waits(
    broker: Broker, database: Database, tmp_path: Path
) -> None:
    if database.server.folder is None:
        pytest.skip("this server is not ours to stop")
    with City(broker, database, tmp_path) as city:
        city.set_plan()
        worker = city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.settle()
        city.database.server.stop_now()
        try:
            city.feed([city.reading("DL-2", "drain.level", 120)])
            city.until(lambda: len(city.changes()) == 2, "detect goes on")
            city.until(lambda: worker.metrics()["database_away"] == 1, "casework waits")
            assert worker.alive
        finally:
            city.database.server.start()
        city.until(lambda: len(city.cases()) == 2, "casework goes on")
        city.settle()
        assert worker.alive
        assert city.changes() == city.expected()
        assert city.recomputed() == []
