"""Settings of a running engine: defaults < tongguan.toml < environment TONGGUAN_* < flags; unknown keys are errors."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from engine.casework.audit import LEAST_MS
from engine.runtime.errors import ConfigFault

PREFIX = "TONGGUAN_"
FILE = "tongguan.toml"
NOT_SETTINGS = frozenset(
    {
        "CONFIG",
        "CRASH_AT",
        "POISON_AT",
        "REQUIRE",
        "EXAMPLES",
        "KILLS",
        "TOKEN",
        "URL",
        "TEST_KAFKA",
        "TEST_POSTGRES",
        "API_CALLS",
    }
)
"""TONGGUAN_ variables that tests and clients read; they are no settings of the engine."""

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNITS_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

Duration = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}(ms|s|m|h|d)$")]
Size = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}(KiB|MiB|GiB|TiB)$")]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting with its default. Paths are relative to the working folder; empty: not given.

    Without city, registry, grids and zones the shipped city is used; without rules the shipped rules. `broker` is a
    list of host:port with commas, `database` a URL of SQLAlchemy (postgresql+psycopg://…), `name` that of this worker,
    `webhooks` a file of who is told of cases, `duty` one of who is on duty when.
    """

    data: str = "data"
    rules: str = ""
    city: str = ""
    registry: str = ""
    grids: str = ""
    zones: str = ""
    kinds: str = ""
    categories: str = ""
    tz: str = "Asia/Shanghai"
    max_delay: Duration = "0s"
    max_age: Duration = "7d"
    log_time: Literal["commit", "record"] = "commit"
    host: str = "127.0.0.1"
    port: Port = 8080
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 9464
    allowed_hosts: list[str] = []
    allowed_origins: list[str] = []
    trusted_proxies: list[str] = []
    audit_age: Duration = "365d"
    retention_age: Duration = "30d"
    retention_size: Size = "20GiB"
    queue_size: Size = "64MiB"
    backlog_size: Size = "512MiB"
    waiting_size: Size = "256MiB"
    broker: str = ""
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    kafka_ca: str = ""
    kafka_cert: str = ""
    kafka_key: str = ""
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: str = ""
    database: str = ""
    name: str = ""
    group: str = "tongguan"
    topic_prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    partitions: Annotated[int, msgspec.Meta(ge=1, le=1_024)] = 32
    replication: Annotated[int, msgspec.Meta(ge=1, le=9)] = 3
    single_node: bool = False
    checkpoint_every: Duration = "10s"
    webhooks: str = ""
    duty: str = ""
    session_timeout: Duration = "10s"
    mqtt_user: str = ""
    mqtt_password: str = ""
    mqtt_ca: str = ""
    mqtt_cert: str = ""
    mqtt_key: str = ""


FIELDS = {field.name: field for field in msgspec.structs.fields(Config)}


def duration_ms(text: str) -> int:
    """Return the milliseconds of `30s`, `10m`, `7d`; ValueError for anything else."""
    found = re.fullmatch(r"([0-9]+)(ms|s|m|h|d)", text)
    if not found:
        raise ValueError(f"must be a whole number and a unit of {', '.join(_UNITS_MS)}; got {text!r}")
    return int(found[1]) * _UNITS_MS[found[2]]


def size_bytes(text: str) -> int:
    """Return the bytes of `64MiB`, `20GiB`; ValueError for anything else."""
    found = re.fullmatch(r"([0-9]+)(KiB|MiB|GiB|TiB)", text)
    if not found:
        raise ValueError(f"must be a whole number and a unit of {', '.join(_UNITS_BYTES)}; got {text!r}")
    return int(found[1]) * _UNITS_BYTES[found[2]]


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """Put the layers together; `file` None: tongguan.toml of the working folder if there is one.

    Flags that are None were not given. Raises ConfigFault with every fault of every layer.
    """
    faults: list[str] = []
    values: dict[str, Any] = {}
    for source, layer, as_text in (
        (str(file or FILE), _file_layer(file, faults), False),
        ("environment", _environment_layer(environment), True),
        ("flags", {name: value for name, value in flags.items() if value is not None}, False),
    ):
        for key, value in layer.items():
            shown = f"{PREFIX}{key.upper()}" if as_text else f"{source}: {key}"
            if key not in FIELDS:
                faults.append(f"{shown}: unknown key; known are {', '.join(FIELDS)}; got {masked(key, value)!r}")
                continue
            try:
                values[key] = _converted(key, value, as_text)
            except (msgspec.ValidationError, ValueError) as error:
                faults.append(f"{shown}: {error}; got {masked(key, value)!r}")
    faults += _contradictions(values)
    if faults:
        raise ConfigFault(faults)
    return Config(**values)


def printed(config: Config) -> str:
    """Return the settings as lines of tongguan.toml, secrets masked."""
    rows = ((name, masked(name, getattr(config, name))) for name in FIELDS)
    return "\n".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in rows)


def masked(name: str, value: Any) -> Any:
    """Return the value, or stars where the name tells of a secret; the password of a URL becomes stars."""
    if re.search(r"(token|secret|password)$", name):
        return "***" if value else value
    if isinstance(value, str):
        return re.sub(r"(://[^:/@\s]*):[^@/\s]*@", r"\1:***@", value)
    return value


def _file_layer(file: Path | None, faults: list[str]) -> dict[str, Any]:
    path = file or Path(FILE)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if file is not None:
            faults.append(f"{path}: no such file")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(f"{path}: {error}")
    return {}


def _environment_layer(environment: Mapping[str, str]) -> dict[str, Any]:
    names = (name for name in sorted(environment) if name.startswith(PREFIX))
    return {
        name.removeprefix(PREFIX).lower(): environment[name]
        for name in names
        if name.removeprefix(PREFIX) not in NOT_SETTINGS
    }


def _converted(key: str, value: Any, as_text: bool) -> Any:
    kind = FIELDS[key].type
    if as_text and kind == list[str]:
        value = [part.strip() for part in value.split(",") if part.strip()]
    return msgspec.convert(value, kind, strict=not as_text)


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    faults = []
    try:
        ZoneInfo(values.get("tz", "Asia/Shanghai"))
    except (KeyError, ValueError, OSError):
        faults.append(f"tz: must be a time zone of the IANA database; got {values['tz']!r}")
    if duration_ms(values.get("audit_age", "365d")) < LEAST_MS:
        faults.append(
            f"audit_age: must be at least {LEAST_MS // 86_400_000}d, since logs are kept for six months "
            f"(网络安全法 第二十一条); got {values['audit_age']!r}"
        )
    port, metrics = values.get("port", 8080), values.get("metrics_port", 9464)
    if port and port == metrics and values.get("host") == values.get("metrics_host"):
        faults.append(f"metrics_port: must not be the port of the API; got {metrics}")
    return faults
