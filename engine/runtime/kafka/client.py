"""How to reach the broker, and clients of it in which no default is left to the library."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.protocol.admin import ApiVersionRequest

from engine.runtime.config import Config
from engine.runtime.errors import BrokerAway, BrokerRefused, ConfigFault, RuntimeFault

REQUEST_TIMEOUT_MS: Final = 20_000
RETRY_BACKOFF_MS: Final = 100
METADATA_AGE_MS: Final = 60_000
IDLE_MS: Final = 540_000
LARGEST_RECORD_BYTES: Final = 16 << 20
"""Of a record that we write: a rejected frame of 1 MiB, each byte of it told as \\u00XX, and room."""
BATCH_BYTES: Final = 256 << 10

_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_REFUSALS: Final = (
    ssl.SSLError,
    kafka_errors.SaslAuthenticationFailed,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.IllegalSaslStateError,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
)


class Client(Protocol):
    """A client of aiokafka."""

    async def start(self) -> None: ...


C = TypeVar("C", bound=Client)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the broker is and who we are; the paths are files of PEM."""

    bootstrap: str
    security: str = "plaintext"
    ca: str = ""
    cert: str = ""
    key: str = ""
    mechanism: str = "SCRAM-SHA-512"
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_config(cls, config: Config) -> Connection:
        """Return what the settings say. ConfigFault names everything that cannot be used."""
        found = cls(
            config.broker,
            config.kafka_security,
            config.kafka_ca,
            config.kafka_cert,
            config.kafka_key,
            config.kafka_sasl,
            config.kafka_user,
            config.kafka_password,
        )
        faults = found._faults()
        if faults:
            raise ConfigFault(faults)
        return found

    @property
    def servers(self) -> list[str]:
        """Return each host:port."""
        return [part.strip() for part in self.bootstrap.split(",") if part.strip()]

    def kwargs(self) -> dict[str, Any]:
        """Return what any client of aiokafka takes to connect."""
        said: dict[str, Any] = {"bootstrap_servers": self.servers, "security_protocol": self.security.upper()}
        if self.security.endswith("ssl"):
            said["ssl_context"] = self.ssl_context()
        if self.security.startswith("sasl"):
            logging.getLogger("aiokafka.conn").addFilter(_untold)
            said |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return said

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts `ca` (empty: the system's) and shows our certificate, if there is one."""
        context = ssl.create_default_context(cafile=self.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert:
            context.load_cert_chain(self.cert, self.key or None)
        return context

    def producer(self, *, client_id: str = "tongguan", linger_ms: int = 20, batch_bytes: int = BATCH_BYTES) -> Any:
        """Return an idempotent producer (not started): acknowledged is written on every replica in sync."""
        return AIOKafkaProducer(
            **self.common(client_id),
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=linger_ms,
            max_batch_size=batch_bytes,
            max_request_size=LARGEST_RECORD_BYTES,
        )

    def consumer(self, *, client_id: str = "tongguan", isolation: str = "read_committed", **more: Any) -> Any:
        """Return a plain consumer (not started) without a group, for streams of few records.

        It commits nothing, and never jumps: a position that the log does not have is an error.
        """
        return AIOKafkaConsumer(**(self.common(client_id) | consuming(isolation) | more))

    def admin(self, *, client_id: str = "tongguan") -> Any:
        """Return a client for topics and settings (not started)."""
        return AIOKafkaAdminClient(**self.common(client_id))

    @asynccontextmanager
    async def opened(self, client: C) -> AsyncIterator[C]:
        """Start a client, and stop it. BrokerAway or BrokerRefused say why it cannot connect."""
        close = getattr(client, "close", None) or client.stop  # type: ignore[attr-defined]
        try:
            try:
                await client.start()
            except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
                raise await self.why(error) from error
            yield client
        finally:
            await close()

    async def speaks(self) -> dict[int, tuple[int, int]]:
        """Return the versions of each request that the first broker that answers knows: its number → (from, to)."""
        said: BaseException = BrokerAway(f"broker {self.bootstrap}: none is named")
        for server in self.servers:
            try:
                broker = await self._at(server)
                try:
                    found = await broker.send(ApiVersionRequest())
                finally:
                    broker.close()
            except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
                said = error
            else:
                return {key: (first, last) for key, first, last in found.api_versions}
        raise self.fault(said) from said

    async def _at(self, server: str) -> Any:
        host, _, port = server.rpartition(":")
        return await create_conn(
            host.strip("[]"),
            int(port),
            client_id="tongguan",
            request_timeout_ms=REQUEST_TIMEOUT_MS // 4,
            **{name: value for name, value in self.kwargs().items() if name != "bootstrap_servers"},
        )

    async def why(self, error: BaseException) -> RuntimeFault:
        """Return our word for an error of a client; where it could not connect, by trying once more by hand."""
        if not isinstance(error, kafka_errors.KafkaConnectionError):
            return self.fault(error)
        said: RuntimeFault = self.fault(error)
        for server in self.servers:
            try:
                found = await self._at(server)
            except (kafka_errors.KafkaError, OSError, TimeoutError) as cause:
                said = self.fault(cause)
                if isinstance(said, BrokerRefused):
                    return said
            else:
                found.close()
        return said

    def fault(self, error: BaseException) -> RuntimeFault:
        """Return our word for an error of aiokafka or of the connection."""
        if isinstance(error, RuntimeFault):
            return error
        where = f"broker {self.bootstrap}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return BrokerRefused(
                f"{where}: its certificate is not signed by {self.ca or 'an authority of this system'} for this "
                f"name ({error.verify_message}); see kafka_ca"
            )
        if isinstance(error, ssl.SSLError):
            return BrokerRefused(f"{where}: no TLS as we speak it ({error.reason or error}); see kafka_security")
        if isinstance(error, kafka_errors.SaslAuthenticationFailed):
            return BrokerRefused(
                f"{where}: does not let in user {self.user!r} by {self.mechanism}; see kafka_user, kafka_password"
            )
        if isinstance(error, _REFUSALS):
            return BrokerRefused(f"{where}: {error}")
        hint = ""
        if isinstance(error, kafka_errors.KafkaConnectionError | ConnectionResetError | BrokenPipeError | EOFError):
            wants = "TLS there (kafka_security), and want a certificate of ours (kafka_cert)"
            hint = f"; if it runs, does it speak {wants if self.security.endswith('ssl') else 'TLS (kafka_security)'}?"
        return BrokerAway(f"{where}: no answer ({_said(error)}){hint}")

    def common(self, client_id: str) -> dict[str, Any]:
        """Return what every client of ours is given."""
        return self.kwargs() | {
            "client_id": client_id,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            "metadata_max_age_ms": METADATA_AGE_MS,
            "connections_max_idle_ms": IDLE_MS,
        }

    def _faults(self) -> list[str]:
        faults = [f"broker: must be host:port; got {s!r}" for s in self.servers if not _ADDRESS.fullmatch(s)]
        if not self.servers:
            faults.append(f"broker: must be host:port, several with commas; got {self.bootstrap!r}")
        if self.security.startswith("sasl"):
            faults += [
                f"kafka_{name}: kafka_security = {self.security!r} needs one; got none"
                for name in ("user", "password")
                if not getattr(self, name)
            ]
        if self.key and not self.cert:
            faults.append("kafka_cert: kafka_key needs it; got none")
        if self.security.endswith("ssl"):
            try:
                self.ssl_context()
            except (OSError, ssl.SSLError) as error:
                given = ", ".join(
                    f"kafka_{name} = {getattr(self, name)!r}" for name in ("ca", "cert", "key") if getattr(self, name)
                )
                faults.append(f"{given}: must be files of PEM that belong together; got {_said(error)}")
        else:
            faults += [
                f"kafka_{name}: kafka_security = {self.security!r} does not use it; got {getattr(self, name)!r}"
                for name in ("ca", "cert", "key")
                if getattr(self, name)
            ]
        return faults


def consuming(isolation: str) -> dict[str, Any]:
    """Return what consumers of ours have in common: they commit nothing by themselves and never jump."""
    return {
        "auto_offset_reset": "none",
        "enable_auto_commit": False,
        "check_crcs": True,
        "isolation_level": isolation,
        "fetch_min_bytes": 1,
        "fetch_max_wait_ms": 100,
        "fetch_max_bytes": 32 << 20,
        "max_partition_fetch_bytes": 4 << 20,
        "consumer_timeout_ms": 200,
        "exclude_internal_topics": True,
    }


def _untold(record: logging.LogRecord) -> bool:
    """Leave out what the library would log of each request at DEBUG where that is a password."""
    return record.levelno > logging.DEBUG or not any(
        type(part).__name__.startswith("Sasl") for part in record.args or ()
    )


def _said(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError) and not str(error):
        return "time is up"
    return str(error) or type(error).__name__
