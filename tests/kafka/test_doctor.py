"""`tongguan doctor` on a real broker and a real database: all well, and each fault made on purpose."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from sqlalchemy import insert

from engine.casework.log_schema import checkpoint_head, destination, log_identity
from engine.commands.doctor import _with_flags
from engine.runtime.config import Config
from engine.runtime.doctor import broker as looks
from engine.runtime.doctor.database import _clock
from engine.runtime.doctor.embedded import look_at_folder
from engine.runtime.doctor.examine import examine
from engine.runtime.doctor.finding import Finding, State
from engine.runtime.doctor.machine import _room, compiled_code
from engine.runtime.embedded import Embedded
from engine.runtime.gaps import Gap
from engine.runtime.kafka.accepted import accept
from engine.runtime.kafka.plans import name_plan
from engine.runtime.kafka.topics import Found, wanted
from rules.load import LIBRARY, load_rules
from rules.plan import Plan
from tests.contract.command import tongguan
from tests.parts.broker import DAY_MS, Broker
from tests.parts.ports import free_ports
from tests.parts.postgres import Database

real = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres")]
pytestmark = real
NEED_MS = 2 * DAY_MS


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def city(broker: Broker, database: Database) -> Config:
    """Settings of a city in which all is well: topics, a plan, a log of four partitions, nothing in it."""
    config = broker.config(database=database.url)
    broker.create_topics(config)
    note(database, 4)
    name_plan(database.store, Plan(), "test", now_ms())
    return config


def note(database: Database, partitions: int) -> None:
    with database.store.write() as db:
        db.execute(insert(log_identity), [{"stream": "city.readings", "partitions": partitions, "noted_t": 1}])


def head(database: Database, partition: int, position: int, written_t: int) -> None:
    values = {"generation": 1, "log_time": 1, "fingerprint": "", "plan": "", "writer": "w"}
    row = {"partition": partition, "position": position, "written_t": written_t, **values}
    with database.store.write() as db:
        db.execute(insert(checkpoint_head), [row])


def findings(config: Config) -> list[Finding]:
    return asyncio.run(examine(config, lambda: NEED_MS))


def wrong(config: Config) -> list[tuple[str, State, str, str]]:
    """Return what is not well: check, state, what was said, what to type."""
    return [(one.check, one.state, one.said, one.mend) for one in findings(config) if one.state is not State.OK]


def test_where_all_is_well_nothing_is_wrong(city: Config) -> None:
    assert wrong(city) == []
    checks = {one.check for one in findings(city)}
    assert checks >= {"broker", "topics", "partitions", "log time", "retention", "copies", "lag"}
    assert checks >= {"database", "timeouts", "clock", "migrations", "plan", "disk", "compiled code"}


def only(config: Config) -> tuple[str, State, str, str]:
    (one,) = wrong(config)
    return one


def test_a_broker_that_is_away_is_named(city: Config) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    check, state, said, mend = only(msgspec.structs.replace(city, broker=address))
    assert (check, state) == ("broker", State.FAIL)
    assert address in said
    assert mend.startswith(f"nc -vz {address.replace(':', ' ')}")


def test_settings_that_cannot_be_used_are_named(city: Config) -> None:
    config = msgspec.structs.replace(city, broker="nowhere", kafka_security="sasl_ssl")
    assert [(check, said.partition(":")[0]) for check, _, said, _ in wrong(config)] == [
        ("settings", "broker"),
        ("settings", "kafka_user"),
        ("settings", "kafka_password"),
    ]


def test_topics_that_are_missing_are_made_by_the_line(broker: Broker, database: Database) -> None:
    config = broker.config(database=database.url)
    name_plan(database.store, Plan(), "test", now_ms())
    check, state, said, mend = only(config)
    assert (check, state, mend) == ("topics", State.FAIL, "tongguan topics create")
    assert f"missing: {config.topic_prefix}city.readings, " in said


def test_partitions_are_as_the_database_and_the_settings_know_them(broker: Broker, database: Database) -> None:
    config = broker.config(database=database.url)
    broker.create_topics(config)
    name_plan(database.store, Plan(), "test", now_ms())
    check, state, said, mend = only(msgspec.structs.replace(config, partitions=7))
    assert (check, state, mend) == ("partitions", State.WARN, "echo 'partitions = 4' >> tongguan.toml")
    assert "has 4 partitions, the settings say 7" in said
    note(database, 3)
    check, state, said, mend = only(config)
    assert (check, state) == ("partitions", State.FAIL)
    assert "has 4 partitions, the database knows a log of 3: sensors have moved" in said
    assert mend.startswith("tongguan topics create --topic-prefix NEW. --partitions 3")
    accept(database.store, Gap("city.readings", 3, 0, -1, "no sensor moved", "tester", now_ms()))
    check, state, *_ = only(msgspec.structs.replace(config, partitions=7))
    assert (check, state) == ("partitions", State.WARN), "it was accepted that one was added"


@pytest.mark.parametrize(
    ("topic", "settings", "check", "state", "said"),
    [
        (
            "readings",
            {"message.timestamp.type": "CreateTime"},
            "log time",
            "fail",
            "CreateTime: whoever writes decides",
        ),
        ("readings", {"retention.ms": "3600000"}, "retention", "fail", "is kept for 0.0 d; the longest window"),
        ("readings", {"retention.bytes": "1000000"}, "retention", "fail", "is cut at 1000000 bytes a partition"),
        ("readings", {"max.message.bytes": "1000"}, "settings", "warn", "max.message.bytes is 1000, must be 2097152"),
        ("sensors", {"cleanup.policy": "delete"}, "settings", "warn", "cleanup.policy is delete, must be compact"),
    ],
    ids=["log time", "retention", "retention by size", "large records", "compaction"],
)
def test_settings_of_topics_are_mended_by_the_line(
    broker: Broker, database: Database, topic: str, settings: dict[str, str], check: str, state: str, said: str
) -> None:
    config = broker.config(database=database.url)
    asked = wanted(config, least_ms=0)
    broker.make(
        tuple(replace(one, settings={**one.settings, **settings}) if one.name.endswith(topic) else one for one in asked)
    )
    name_plan(database.store, Plan(), "test", now_ms())
    found = only(config)
    assert (found[0], found[1], found[3]) == (check, state, "tongguan topics create")
    assert said in found[2]


def test_a_players_log_wants_the_players_time(city: Config) -> None:
    check, state, said, mend = only(msgspec.structs.replace(city, log_time="record"))
    assert (check, state) == ("log time", State.FAIL)
    assert "log_time = 'record' wants the player's time" in said
    assert mend.startswith("tongguan topics create --topic-prefix drill. --log-time record")


def test_one_copy_is_too_few_unless_one_broker_is_meant(city: Config) -> None:
    check, state, said, mend = only(msgspec.structs.replace(city, single_node=False))
    assert (check, state) == ("copies", State.FAIL)
    assert said.startswith("1 copies of a record")
    assert mend.endswith("echo 'single_node = true' >> tongguan.toml")


def topic(**more: Any) -> Found:
    settings = {"min.insync.replicas": "2"} | more.pop("settings", {})
    return Found(
        **({"name": "t", "partitions": 1, "replication": 3, "leaderless": 0, "out_of_sync": 0, "own": {}} | more),
        settings=settings,
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (topic(), [("copies", "ok")]),
        (topic(settings={"min.insync.replicas": "1"}), [("copies", "fail")]),
        (topic(out_of_sync=1), [("in sync", "warn"), ("copies", "ok")]),
        (topic(leaderless=2), [("leaders", "fail"), ("copies", "ok")]),
        (topic(replication=2), [("copies", "fail")]),
    ],
    ids=["three, two in sync", "one in sync", "copies behind", "no leader", "two"],
)
def test_copies_and_leaders_of_several_brokers(found: Found, expected: list[tuple[str, str]]) -> None:
    seen = looks._copies([found], Config())
    assert [(one.check, one.state) for one in seen] == expected


def test_a_database_that_is_away_a_file_or_none_is_named(city: Config, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    away = msgspec.structs.replace(city, database=f"postgresql+psycopg://me:secret-word@127.0.0.1:{port}/x")
    found = [one for one in wrong(away) if one[0] == "database"]
    assert [(check, state) for check, state, *_ in found] == [("database", State.FAIL)]
    assert "secret-word" not in str(found)
    assert str(port) in found[0][2]
    for url, said in (
        ("", "none is set"),
        (str(tmp_path / "cases.db"), "is a file"),
        ("mysql://x/y", "must be postgresql"),
    ):
        found = [one for one in wrong(msgspec.structs.replace(city, database=url)) if one[0] == "database"]
        assert found[0][1] is State.FAIL
        assert said in found[0][2]


def test_a_database_without_tables_is_upgraded_by_the_line(city: Config, database: Database) -> None:
    name = database.server.make(migrated=False)
    check, state, said, mend = only(msgspec.structs.replace(city, database=database.server.at(name)))
    assert (check, state, mend) == ("migrations", State.FAIL, "tongguan db upgrade")
    assert "got an empty store" in said
    database.server.drop(name)


def test_a_city_without_a_plan_is_told_to_set_one(broker: Broker, database: Database) -> None:
    config = broker.config(database=database.url)
    broker.create_topics(config)
    assert only(config) == ("plan", State.FAIL, "none is in force: workers judge nothing", "tongguan plan set")


def test_retention_is_judged_by_the_plan_in_force(broker: Broker, database: Database) -> None:
    config = broker.config(database=database.url, retention_age="1d")
    broker.make(wanted(config, least_ms=0))
    name_plan(database.store, Plan(load_rules(LIBRARY).rules), "test", now_ms())
    found = [one for one in wrong(config) if one[0] == "retention"]
    assert [(check, state, mend) for check, state, _, mend in found] == [
        ("retention", State.FAIL, "tongguan topics create")
    ]


def test_durability_and_time_limits_of_the_database_are_looked_at(city: Config, database: Database) -> None:
    name = database.store.engine.url.database
    database.server.do(f"ALTER DATABASE {name} SET synchronous_commit = off")
    open_ended = f"{database.url}?options=-c%20statement_timeout%3D0"
    found = {
        check: (state, said, mend)
        for check, state, said, mend in wrong(msgspec.structs.replace(city, database=open_ended))
    }
    assert found["durability"][0] is State.WARN
    assert "synchronous_commit is off" in found["durability"][1]
    assert "ALTER SYSTEM SET synchronous_commit = on" in found["durability"][2]
    assert found["timeouts"][0] is State.WARN
    assert "statement_timeout does not hold" in found["timeouts"][1]


def test_checkpoints_that_do_not_stand_in_the_log_name_the_command_that_goes_on(
    city: Config, broker: Broker, database: Database
) -> None:
    readings = f"{city.topic_prefix}city.readings"

    async def work() -> None:
        async with broker.connection.opened(broker.connection.producer()) as producer:
            for _ in range(10):
                await producer.send_and_wait(readings, b"{}", partition=0)
        async with broker.connection.opened(broker.connection.admin()) as admin:
            await admin.delete_records({TopicPartition(readings, 0): RecordsToDelete(before_offset=6)})

    asyncio.run(work())
    head(database, 0, 4, now_ms())
    head(database, 1, 99, now_ms())
    found = [(said, mend) for check, _, said, mend in wrong(city) if check == "checkpoints"]
    how = "tongguan gap accept --database URL --stream city.readings"
    who = "--as NAME --reason TEXT"
    assert found == [
        (
            "city.readings/0: the checkpoint stands at 4, the log begins at 6",
            f"{how} --partition 0 --from 4 --to 5 {who}",
        ),
        (
            "city.readings/1: the checkpoint stands at 99, the log ends at 0: recreated, or of another time",
            f"{how} --partition 1 --from 99 --to -1 {who}",
        ),
    ]


def test_records_that_nobody_reads_are_counted(city: Config, broker: Broker, database: Database) -> None:
    readings = f"{city.topic_prefix}city.readings"

    async def work() -> None:
        async with broker.connection.opened(broker.connection.producer()) as producer:
            for partition in range(4):
                await producer.send_and_wait(readings, b"{}", partition=partition)

    asyncio.run(work())
    head(database, 0, 1, now_ms() - 3_600_000)
    head(database, 1, 0, now_ms())
    check, state, said, mend = only(city)
    assert (check, state, mend) == ("lag", State.FAIL, "tongguan worker --name NAME")
    assert said == "3 records behind the checkpoints; nobody has kept a checkpoint of partitions 2, 3 yet"
    head(database, 2, 0, now_ms() - 600_000)
    head(database, 3, 1, now_ms())
    assert only(city)[2].startswith(
        "2 records behind the checkpoints; nobody has kept a checkpoint of partitions 2 for 60"
    )


def test_a_broker_whose_clock_is_ahead_is_told(broker: Broker, database: Database) -> None:
    config = broker.config(database=database.url)
    asked = wanted(config, least_ms=0)[0]
    broker.make((replace(asked, settings={**asked.settings, "message.timestamp.type": "CreateTime"}),))

    async def work() -> None:
        async with broker.connection.opened(broker.connection.producer()) as producer:
            await producer.send_and_wait(asked.name, b"{}", partition=0, timestamp_ms=now_ms() + 600_000)

    asyncio.run(work())
    found = [(state, said) for check, state, said, _ in wrong(config) if check == "clock"]
    assert [state for state, _ in found] == [State.FAIL]
    assert "the broker's clock is 5" in found[0][1]


@pytest.mark.parametrize(
    ("ahead_ms", "state"),
    [(0, "ok"), (1_999, "ok"), (2_000, "warn"), (-59_999, "warn"), (60_000, "fail"), (-60_000, "fail")],
)
def test_clocks_apart(ahead_ms: int, state: str) -> None:
    assert _clock(ahead_ms).state == state


def test_a_receiver_that_takes_nothing_is_named(city: Config, database: Database) -> None:
    row = {"name": "duty-room", "position": 3, "failed": 5, "detail": "503"}
    with database.store.write() as db:
        db.execute(insert(destination), [row])
    check, state, said, _ = only(city)
    assert (check, state, said) == ("destinations", State.WARN, "duty-room did not take a message 5 times: 503")


def test_room_on_disks() -> None:
    assert [
        _room(Path("/x"), free).state for free in (2 << 30, 1 << 30, (1 << 30) - 1, 100 << 20, (100 << 20) - 1)
    ] == [*("ok", "ok", "warn", "warn", "fail")]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = compiled_code({"NUMBA_CACHE_DIR": str(tmp_path / "file" / "cache")})
    assert finding.state is State.WARN
    assert "export NUMBA_CACHE_DIR=" in finding.mend
    assert compiled_code({"NUMBA_CACHE_DIR": str(tmp_path / "cache")}).state is State.OK


def test_the_folder_of_an_embedded_engine(tmp_path: Path) -> None:
    assert [one.state for one in look_at_folder(tmp_path / "none")] == [State.FAIL]
    Embedded(tmp_path / "data", Plan()).stop()
    assert {one.state for one in look_at_folder(tmp_path / "data")} == {State.OK}
    journal = tmp_path / "data" / "journal.db"
    content = bytearray(journal.read_bytes())
    content[4096:8192] = bytes(4096)
    journal.write_bytes(content)
    (found,) = (one for one in look_at_folder(tmp_path / "data") if one.state is not State.OK)
    assert (found.check, found.state) == ("files", State.FAIL)
    assert "journal.db" in found.said


def test_the_line_takes_the_flags_that_were_given() -> None:
    given = {"broker": "b:1", "database": "postgresql+psycopg://me:word@h/x", "single_node": True, "log_time": None}
    assert _with_flags("tongguan topics create", given) == (
        "tongguan topics create --broker b:1 --database 'postgresql+psycopg://me:***@h/x' --single-node"
    )
    assert _with_flags("tongguan db upgrade", {}) == "tongguan db upgrade"
    assert _with_flags("start the brokers", given) == "start the brokers"


def test_the_command_ends_with_1_where_something_fails(city: Config, tmp_path: Path) -> None:
    flags = ("--broker", city.broker, "--database", city.database, "--topic-prefix", city.topic_prefix, "--single-node")
    (tmp_path / "tongguan.toml").write_text("partitions = 4\n")
    well = tongguan("doctor", *flags, folder=tmp_path).stdout.decode()
    assert well.splitlines()[-1].startswith("all is well (")
    ill = tongguan("doctor", "--json", *flags, "--log-time", "record", folder=tmp_path, code=1).stdout
    rows = [msgspec.json.decode(line, type=Finding) for line in ill.splitlines()]
    assert [row.check for row in rows if row.state is State.FAIL] == ["log time"]
