"""Faust: where it may be known, and what of it is switched off."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

from engine.runtime.kafka.app import App, make_app
from engine.runtime.kafka.client import Connection

ENGINE = Path(__file__).parents[3] / "engine"
MAY = {"runtime/kafka/app.py", "runtime/kafka/agents.py"}


def imported(path: Path) -> set[str]:
    """Return the packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_two_files_know_faust_and_no_other() -> None:
    knowing = {str(path.relative_to(ENGINE)) for path in ENGINE.rglob("*.py") if {"faust", "mode"} & imported(path)}
    assert knowing == MAY


def test_nothing_of_faust_is_left_to_its_defaults_that_is_unsafe() -> None:
    async def made() -> App:
        return make_app(Connection("127.0.0.1:9092"), "a-group", session_ms=10_000)

    app = asyncio.run(made())
    conf = app.conf
    assert (conf.id, str(conf.store), conf.processing_guarantee.value) == ("a-group", "memory:", "at_least_once")
    assert (conf.web_enabled, conf.topic_disable_leader, conf.topic_allow_declare) == (False, True, False)
    assert (conf.key_serializer, conf.value_serializer) == ("raw", "raw")
    assert not app.boot_strategy._should_enable_web()
    assert not app.boot_strategy._should_enable_kafka_producer()
    assert not list(app.tables)


def test_the_client_of_the_agents_reads_committed_records_and_commits_nothing_by_itself() -> None:
    async def made() -> dict[str, object]:
        client = make_app(Connection("127.0.0.1:9092"), "a-group", session_ms=10_000).transport.make_consumer()
        return {
            "isolation": client._isolation_level,
            "commits": client._enable_auto_commit,
            "reset": client._auto_offset_reset,
            "crc": client._check_crcs,
        }

    assert asyncio.run(made()) == {"isolation": "read_committed", "commits": False, "reset": "earliest", "crc": True}
