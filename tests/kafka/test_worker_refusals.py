"""How a worker comes in, and what it refuses to start with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka.city import City
from tests.parts.broker import Broker
from tests.parts.ports import free_ports
from tests.parts.postgres import Database
from tests.parts.secure_broker import PASSWORD, USER, SecureBroker

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(900)]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_worker_works_over_tls_under_a_name(
    secure_broker: SecureBroker, database: Database, tmp_path: Path, mechanism: str
) -> None:
    settings = {
        "broker": secure_broker.sasl,
        "kafka_security": "sasl_ssl",
        "kafka_ca": str(secure_broker.folder / "ca.crt"),
        "kafka_sasl": mechanism,
        "kafka_user": USER,
        "kafka_password": PASSWORD,
    }
    with City(secure_broker.broker, database, tmp_path, partitions=2, settings=settings) as city:
        city.set_plan()
        worker = city.start("w1")
        city.feed([city.reading("DL-1", "drain.level", 120)])
        city.settle()
        assert [case["sensor"] for case in city.cases()] == ["DL-1"]
        assert worker.stop() == 0
        assert PASSWORD not in worker.log


def test_a_worker_names_everything_that_is_wrong_at_once(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path, partitions=2) as city:

        def refused(**settings: str) -> str:
            city.settings = {"database": database.url, **settings}
            city.write_settings()
            done = city.run("worker", "--metrics-port", "0", check=False)
            assert done.returncode == 1, done.said
            return done.said

        (tmp_path / "webhooks.toml").write_text("[[webhook]]\nname = 'x'\n")
        said = refused(
            broker="", database="cases.db", name="a b", retention_size="1GiB", webhooks=str(tmp_path / "webhooks.toml")
        )
        for word in (
            "broker: must be",
            "database: a worker needs PostgreSQL",
            "name: must",
            "webhook 1:",
            "retention_size:",
        ):
            assert word in said
        empty = database.server.make(migrated=False)
        said = refused(topic_prefix="nowhere.", database=database.server.at(empty))
        database.server.drop(empty)
        assert said.count("`tongguan topics create`") == 8
        assert "run `tongguan db upgrade`" in said
        said = refused(log_time="record")
        assert "message.timestamp.type must be CreateTime; got LogAppendTime" in said


def test_what_does_not_answer_is_a_reason_to_try_again(broker: Broker, database: Database, tmp_path: Path) -> None:
    with City(broker, database, tmp_path, partitions=2) as city:
        (port,) = free_ports(1)
        for name, value in (
            ("broker", f"127.0.0.1:{port}"),
            ("database", f"postgresql+psycopg://nobody@127.0.0.1:{port}/nothing"),
        ):
            city.settings = {name: value}
            city.write_settings()
            done = city.run("worker", "--metrics-port", "0", check=False)
            assert (done.returncode, str(port) in done.said) == (75, True), done.said
