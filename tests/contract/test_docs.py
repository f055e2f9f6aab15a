"""What the pages say exists: settings with their defaults, metrics, commands with their flags, files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from engine.api.metrics import Metrics
from engine.cli import COMMANDS, loaded
from engine.commands.bridge import BridgeMetrics
from engine.runtime.bridge.bridge import Bridge
from engine.runtime.bridge.payloads import Topic
from engine.runtime.bridge.sinks import HttpSink
from engine.runtime.bridge.source import Broker, Source
from engine.runtime.bridge.spool import Spool
from engine.runtime.config import FIELDS, Config

ROOT = Path(__file__).parent.parent.parent
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
GAUGES = {
    "alerts_open",
    "cases_open",
    "case_moves_total",
    "outbox_pending",
    "partition_lag_records",
    "watermark_delay_seconds",
    "marks_delay_seconds",
    "sensors_silent",
    "clock_offset_seconds",
    "turn",
    "checkpoint_age_seconds",
    "waiting_bytes",
    "partition_refused",
    "consumer_rebuilds_total",
    "casework_lag_records",
    "casework_refused",
    "database_away",
    "commands_total",
    "destination_lag_messages",
    "destination_failures",
}

BRIDGE = {
    "messages_total",
    "acknowledged_total",
    "readings_total",
    "refused_total",
    "dropped_total",
    "spool_messages",
    "spool_bytes",
    "spool_oldest_seconds",
    "mqtt_connected",
    "log_connected",
    "no_room",
}


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this heading."""
    table = text(page).partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table]


def test_every_setting_is_told_with_its_default() -> None:
    told = {}
    for keys, defaults, _ in rows("docs/operating.md", "key"):
        pairs = zip(re.findall(r"`([^`]+)`", keys), re.findall(r"`([^`]+)`", defaults), strict=True)
        told |= {key: msgspec.json.decode(default) for key, default in pairs}
    assert told == {key: getattr(Config(), key) for key in FIELDS}


def test_every_metric_is_told_and_no_other() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    counted = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in registry.collect()}
    told = {name.strip("`").partition("{")[0] for name, _ in rows("docs/operating.md", "metric")}
    assert told == counted | {f"tongguan_{name}" for name in GAUGES}


def test_every_metric_of_the_bridge_is_told_and_no_other() -> None:
    source = Source(Broker("127.0.0.1", 1), "x")
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder), 1 << 20)
        said = BridgeMetrics(Bridge(source, HttpSink("http://x", "", Topic("x")), spool)).collect()
        counted = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in said}
        spool.close()
    told = {name.strip("`") for name, _ in rows("docs/bridge.md", "metric of the bridge")}
    assert told == counted == {f"tongguan_bridge_{name}" for name in BRIDGE}


def commands(page: str) -> list[str]:
    """Return what a page types: behind `tongguan` in code, up to a pipe, a redirection or a remark."""
    spans = re.findall(r"(?:`|^ *)tongguan ([a-z][^`\n]*)", text(page), re.M)
    return sorted({re.split(r"[>|]|  #", span.replace("\\|", "|"))[0].strip() for span in spans})


def chosen(typed: str) -> tuple[Any, list[str]]:
    """Return the command that is meant, and what stands behind its name."""
    words = shlex.split(typed)
    assert words[0].rstrip(",") in COMMANDS, typed
    command = loaded(words[0].rstrip(","))
    inner = getattr(command, "commands", None)
    if inner is None or len(words) < 2:
        return command, words[1:]
    assert words[1] in inner, typed
    return inner[words[1]], words[2:]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/bad_input.md"])
def test_every_command_on_a_page_is_one_that_can_be_typed(page: str) -> None:
    for typed in commands(page):
        command, words = chosen(typed)
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags <= {*known, "--help"}, typed


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    linked = {(ROOT / page).parent / target for target in re.findall(r"\]\(([^)#:]+)\)", text(page))}
    named = {
        ROOT / path
        for path in re.findall(r"`((?:tests|engine|rules|geo|deploy|docs|simulators|console)/[^` ]*)`", text(page))
    }
    # a placeholder or pattern such as rules/library/<domain>/<name>.yaml names no file
    missing = [str(path) for path in linked | named if not set("<*") & set(str(path)) and not path.exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_place_of_one_machine(page: str) -> None:
    assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp)/", text(page))
