"""All looks, one after the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from engine.runtime.config import Config
from engine.runtime.doctor.broker import look_at_broker, look_at_topics
from engine.runtime.doctor.database import look_at_database
from engine.runtime.doctor.embedded import look_at_folder
from engine.runtime.doctor.finding import Finding, fail
from engine.runtime.doctor.log import look_at_log
from engine.runtime.doctor.machine import VARIABLE, compiled_code, disks
from engine.runtime.errors import ConfigFault
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.topics import Topics, wanted


async def examine(config: Config, need_ms: Callable[[], int]) -> list[Finding]:
    """Look at broker, topics, database, log and machine.

    `need_ms` tells how far back a rebuild reaches where the database names no plan: by the files of the settings.
    """
    findings: list[Finding] = []
    known = await asyncio.to_thread(look_at_database, config.database)
    try:
        connection = Connection.from_config(config)
    except ConfigFault as fault:
        mend = "edit tongguan.toml, or TONGGUAN_… in the environment"
        findings += [fail("settings", said, mend) for said in fault.faults]
    else:
        seen, brokers = await look_at_broker(connection)
        findings += seen
        if brokers:
            need = known.need_ms if known.need_ms is not None else await asyncio.to_thread(need_ms)
            asked = wanted(config, least_ms=need)
            seen, topics = await look_at_topics(connection, config, asked, known, need_ms=need)
            findings += seen
            readings = topics.get(Topics(config.topic_prefix).readings)
            if readings is not None:
                player = config.log_time == "record"
                findings += await look_at_log(connection, readings, known.heads, player=player)
    return [*findings, *known.findings, *_machine([])]


def examine_folder(folder: Path) -> list[Finding]:
    """Look at the data folder of an embedded engine and at the machine."""
    return [*look_at_folder(folder), *_machine([folder])]


def _machine(folders: list[Path]) -> list[Finding]:
    cache = os.environ.get(VARIABLE)
    return [*disks([*folders, Path(cache) if cache else Path.cwd()]), compiled_code()]
