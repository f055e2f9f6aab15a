"""What a worker looks at before it starts: every fault of the settings, the database and the topics at once."""

from __future__ import annotations

import re
from pathlib import Path

from engine.casework.duty import RosterFile
from engine.casework.errors import BadStore, SchemaMismatch
from engine.casework.roster_file import RosterRefused
from engine.casework.store import Store, check_schema
from engine.runtime.config import FIELDS, Config
from engine.runtime.errors import ConfigFault
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.topics import Topics, describe
from engine.runtime.notify.file import read_destinations

EMBEDDED_ONLY = ("queue_size", "backlog_size", "retention_size")
LOG_TIMES = {"commit": "LogAppendTime", "record": "CreateTime"}


def settings_faults(config: Config) -> list[str]:
    """Return what is wrong with the settings of a worker."""
    faults = []
    if not config.database:
        faults.append("database: a worker keeps its cases in PostgreSQL: postgresql+psycopg://user:password@host/name")
    else:
        try:
            store = Store.connect(config.database)
            if store.engine.dialect.name != "postgresql":
                faults.append("database: a worker needs PostgreSQL; got a file")
            store.close()
        except BadStore as error:
            faults.append(str(error))
    try:
        Connection.from_config(config)
    except ConfigFault as error:
        faults += error.faults
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", config.name):
        faults.append(f"name: must be at most 200 of A-Za-z0-9._-; got {config.name!r}")
    if config.webhooks:
        try:
            read_destinations(Path(config.webhooks))
        except ConfigFault as error:
            faults += error.faults
    try:
        RosterFile(Path(config.duty) if config.duty else None, config.tz)
    except RosterRefused as error:
        faults += error.faults
    for name in EMBEDDED_ONLY:
        if getattr(config, name) != FIELDS[name].default:
            faults.append(f"{name}: bounds the journal of `serve --embedded`; a worker has none, leave it out")
    return faults


def schema_faults(store: Store) -> list[str]:
    """Return what is wrong with the database. Raises StoreAway."""
    try:
        check_schema(store)
    except SchemaMismatch as error:
        return [str(error)]
    return []


async def topic_faults(connection: Connection, config: Config) -> list[str]:
    """Return what is wrong with the topics. Raises BrokerAway and BrokerRefused."""
    topics = Topics(config.topic_prefix)
    found = await describe(connection, topics.all())
    missing = [name for name in topics.all() if name not in found]
    faults = [f"topic {name}: does not exist; make it with `tongguan topics create`" for name in missing]
    if topics.alerts in found and found[topics.alerts].partitions != 1:
        faults.append(f"topic {topics.alerts}: must have 1 partition; got {found[topics.alerts].partitions}")
    if topics.readings in found:
        wants, has = LOG_TIMES[config.log_time], found[topics.readings].settings.get("message.timestamp.type")
        if has != wants:
            faults.append(
                f"topic {topics.readings}: with log_time = {config.log_time!r} message.timestamp.type must be {wants}; "
                f"got {has}; `tongguan doctor` says how to mend it"
            )
    return faults
