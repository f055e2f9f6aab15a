"""A real broker that demands TLS and a name: SASL over TLS, and certificates of clients, each on a port of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.runtime.kafka.client import Connection
from tests.parts.broker import Broker, started
from tests.parts.ports import free_ports

USER, PASSWORD = "alice", "pass-of-alice-4711"
STRANGER, STRANGERS_PASSWORD = "bob", "pass-of-bob-4712"

SETTINGS = """
listeners=CLIENTS://127.0.0.1:PORT,CONTROLLER://127.0.0.1:CONTROLLER_PORT,SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual}
advertised.listeners=CLIENTS://127.0.0.1:PORT,SASL://127.0.0.1:{sasl},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.crt
listener.name.mutual.ssl.client.auth=required
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{user}="{password}" user_{stranger}="{strangers_password}";
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{user};User:CN=worker
"""


@dataclass
class SecureBroker:
    """The ports of a broker, and the folder with ca.crt, other-ca.crt, worker.crt and worker.key."""

    broker: Broker
    sasl: str
    mutual: str
    folder: Path

    def connection(self, mechanism: str = "SCRAM-SHA-512", **more: str) -> Connection:
        """Return how to come in, by a name and its password."""
        said = {"ca": str(self.folder / "ca.crt"), "user": USER, "password": PASSWORD, "bootstrap": self.sasl} | more
        return Connection(security="sasl_ssl", mechanism=mechanism, **said)


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def _authority(folder: Path, name: str) -> None:
    _openssl(
        folder,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
    )


def _certificate(folder: Path, name: str) -> None:
    """Make NAME.key and NAME.crt, signed by `ca` for 127.0.0.1."""
    _openssl(
        folder,
        *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    _openssl(
        folder,
        *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"),
        *("-extfile", "names", "-out", f"{name}.crt"),
    )


@pytest.fixture(scope="session")
def secure_broker() -> Iterator[SecureBroker]:
    """Return a broker of our own whose clients must say who they are."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        pytest.skip("a broker that demands TLS is started here, by Java and Maven")
    folder = Path(tempfile.mkdtemp(prefix="tongguan-tls-"))
    try:
        for name in ("ca", "other-ca"):
            _authority(folder, name)
        for name in ("broker", "worker"):
            _certificate(folder, name)
        (folder / "broker.pem").write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())
        sasl, mutual = free_ports(2)
        settings = SETTINGS.format(
            sasl=sasl,
            mutual=mutual,
            folder=folder,
            user=USER,
            password=PASSWORD,
            stranger=STRANGER,
            strangers_password=STRANGERS_PASSWORD,
        )
        for broker in started(settings):
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                broker.tool(
                    "kafka.admin.ConfigCommand",
                    *("--bootstrap-server", broker.bootstrap, "--alter", "--entity-type", "users"),
                    *("--entity-name", USER, "--add-config", f"{mechanism}=[password={PASSWORD}]"),
                )
            yield SecureBroker(broker, f"127.0.0.1:{sasl}", f"127.0.0.1:{mutual}", folder)
    finally:
        shutil.rmtree(folder)
