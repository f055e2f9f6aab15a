"""TLS and SASL against a broker that demands them: the right come in, the wrong are told why, and no secret is told."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import TopicPartition

from engine.runtime.config import Config, load, printed
from engine.runtime.errors import BrokerAway, BrokerRefused, ConfigFault
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.fetching import BatchConsumer, end_offsets
from engine.runtime.kafka.records import decode
from engine.runtime.kafka.topics import Wanted, describe, make
from tests.kafka.serving import ROOT, office, until
from tests.parts.postgres import Database
from tests.parts.secure_broker import PASSWORD, STRANGER, STRANGERS_PASSWORD, USER, SecureBroker
from tests.town import GAS_EAST, now_ms

pytestmark = pytest.mark.needs("kafka")


async def there_and_back(connection: Connection) -> bytes:
    """Make a topic, write a record, read it."""
    name = f"secure-{uuid4().hex[:8]}"
    await make(connection, [Wanted(name, 1, 1, {})])
    async with connection.opened(connection.producer()) as producer:
        await producer.send_and_wait(name, b"kept", partition=0)
    consumer = BatchConsumer(connection)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(name, 0)])
        consumer.seek(TopicPartition(name, 0), 0)
        while True:
            for raw in await consumer.fetch(timeout_ms=1000):
                return decode(raw).text(0)
    finally:
        await consumer.stop()


def refusal(connection: Connection) -> str:
    with pytest.raises(BrokerRefused) as refused:
        asyncio.run(describe(connection, ["city.readings"]))
    return str(refused.value)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_the_right_password_comes_in_and_is_never_told(
    secure_broker: SecureBroker, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = secure_broker.connection(mechanism)
    assert asyncio.run(there_and_back(connection)) == b"kept"
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(connection)


@pytest.mark.needs("postgres")
def test_serve_and_simulate_come_in_by_a_password(
    secure_broker: SecureBroker, database: Database, tmp_path: Path
) -> None:
    settings = {
        "broker": secure_broker.sasl,
        "kafka_security": "sasl_ssl",
        "kafka_ca": str(secure_broker.folder / "ca.crt"),
        "kafka_user": USER,
        "kafka_password": PASSWORD,
    }
    with office(secure_broker.broker, database, tmp_path) as town:
        with town.serving(**settings) as serving, town.client(serving, "sensor") as client:
            until(lambda: client.get("/readyz").status_code == 200)
            reading = {"sensor": GAS_EAST, "kind": "gas.methane", "t": now_ms(), "v": 1}
            assert client.post("/api/v1/readings", json=[reading]).json() == {"accepted": 1, "rejected": []}
        to = f"kafka://{secure_broker.sasl}?prefix={town.topics.prefix}"
        play = ["simulate", "--no-prelude", "--duration", "1m", "--sensors", "20", "--to", to]
        command = [sys.executable, "-m", "engine.cli", *play]
        done = subprocess.run(
            command, cwd=ROOT, env=town.environment(**settings), capture_output=True, text=True, timeout=300, check=True
        )
        assert sum(len(town.stored(partition)) for partition in range(4)) > 20
        assert PASSWORD not in serving.log.read_text() + done.stdout + done.stderr
        refused = subprocess.run(
            command,
            cwd=ROOT,
            env=town.environment(**settings | {"kafka_password": "wrong-secret"}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert refused.returncode == 1
        assert "kafka_password" in refused.stderr


def test_a_client_certificate_comes_in(secure_broker: SecureBroker) -> None:
    folder = secure_broker.folder
    connection = Connection(
        secure_broker.mutual,
        "ssl",
        ca=str(folder / "ca.crt"),
        cert=str(folder / "worker.crt"),
        key=str(folder / "worker.key"),
    )
    assert asyncio.run(there_and_back(connection)) == b"kept"
    with pytest.raises((BrokerAway, BrokerRefused), match="kafka_cert"):
        asyncio.run(describe(replace(connection, cert="", key=""), ["city.readings"]))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_is_refused_and_not_told(
    secure_broker: SecureBroker, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = refusal(secure_broker.connection(mechanism, password="wrong-secret"))
    assert f"does not let in user 'alice' by {mechanism}; see kafka_user, kafka_password" in said
    assert "wrong-secret" not in said + caplog.text


def test_a_broker_that_we_cannot_trust_is_refused(secure_broker: SecureBroker) -> None:
    said = refusal(secure_broker.connection(ca=str(secure_broker.folder / "other-ca.crt")))
    assert "other-ca.crt" in said
    assert "see kafka_ca" in said
    assert "see kafka_ca" in refusal(
        secure_broker.connection(bootstrap=secure_broker.sasl.replace("127.0.0.1", "localhost"))
    )


def test_tls_and_none_do_not_meet(secure_broker: SecureBroker) -> None:
    with pytest.raises((BrokerAway, BrokerRefused), match="kafka_security"):
        asyncio.run(describe(Connection(secure_broker.sasl), ["city.readings"]))
    with pytest.raises((BrokerAway, BrokerRefused), match="kafka_security"):
        asyncio.run(describe(secure_broker.connection(bootstrap=secure_broker.broker.bootstrap), ["city.readings"]))


def test_a_user_without_rights_is_told_so(secure_broker: SecureBroker) -> None:
    name = f"closed-{uuid4().hex[:8]}"
    asyncio.run(make(secure_broker.connection(), [Wanted(name, 1, 1, {})]))
    stranger = secure_broker.connection("PLAIN", user=STRANGER, password=STRANGERS_PASSWORD)
    with pytest.raises(BrokerRefused, match=r"(?i)authoriz"):
        asyncio.run(make(stranger, [Wanted(f"{name}-more", 1, 1, {})]))
    with pytest.raises(BrokerRefused, match=r"(?i)authoriz"):
        asyncio.run(asyncio.wait_for(end_offsets(stranger, [TopicPartition(name, 0)]), 30))


def test_what_cannot_be_used_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault) as refused:
        Connection.from_config(Config(broker="somewhere", kafka_security="sasl_ssl", kafka_ca=str(tmp_path / "none")))
    said = "\n".join(refused.value.faults)
    for part in ("broker: must be host:port; got 'somewhere'", "kafka_user:", "kafka_password:", "kafka_ca = "):
        assert part in said
    with pytest.raises(ConfigFault, match="kafka_cert: kafka_key needs it"):
        Connection.from_config(Config(broker="a:1", kafka_security="ssl", kafka_key="k"))
    with pytest.raises(ConfigFault, match="kafka_ca: kafka_security = 'plaintext' does not use it"):
        Connection.from_config(Config(broker="a:1", kafka_ca="k"))
    with pytest.raises(ConfigFault, match="broker: must be host:port, several with commas; got ''"):
        Connection.from_config(Config())


def test_settings_are_printed_without_the_password(tmp_path: Path) -> None:
    config = load(None, {"TONGGUAN_KAFKA_USER": USER, "TONGGUAN_KAFKA_PASSWORD": PASSWORD}, {})
    assert PASSWORD not in printed(config)
    assert f'kafka_user = "{USER}"' in printed(config)
    del tmp_path
