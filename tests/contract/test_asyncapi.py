"""docs/asyncapi.yaml says what the topics carry, and what they carry is as it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from engine.detect.changes import CHANGE_WORDS, Change, Item, Mark, Still
from engine.detect.last_values import LastValue
from engine.runtime.kafka.commands import Command, parse
from engine.runtime.kafka.events import TYPES, Headers, event, named, of_row
from engine.runtime.kafka.topics import Topics
from engine.runtime.log import Stream
from tests.contract import asyncapi
from tests.town import BIN_EAST, DRAIN_EAST, GAS_EAST, now_ms, open_town

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
DOCUMENT: dict[str, Any] = YAML(typ="safe").load(FILE.read_text("utf-8"))


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text("utf-8") == asyncapi.page()


def test_every_topic_is_described() -> None:
    assert [channel["address"] for channel in DOCUMENT["channels"].values()] == list(Topics().all())


def test_every_reference_leads_somewhere() -> None:
    def look(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                found = DOCUMENT
                for part in node["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(DOCUMENT)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert name == schema.get("title", name)


def faults(stream: str, value: bytes) -> list[str]:
    """Return why a record of a topic is none of its payloads."""
    (channel,) = (one for one in DOCUMENT["channels"].values() if one["address"] == stream)
    said = []
    for message in channel["messages"].values():
        schema = {**message["payload"], "components": DOCUMENT["components"]}
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(json.loads(value))]
        if not errors:
            return []
        said += errors
    return said


def records(folder: Path) -> dict[str, list[bytes]]:
    """Return what the streams of a town hold after a leak, a late and a wrong reading, and a flood that is cleared."""
    with open_town(folder) as town:
        t = now_ms()
        town.read(GAS_EAST, "gas.methane", 60.0, t=t - 60_000)
        for back in (40_000, 20_000, 0):
            town.read(GAS_EAST, "gas.methane", 60.0, t=t - back)
        town.read(DRAIN_EAST, "drain.level", 120.0, t=t)
        town.read(DRAIN_EAST, "drain.level", 10.0, t=t + 1)
        town.read(DRAIN_EAST, "drain.level", 10.0, t=t - 5_000)
        town.read(BIN_EAST, "waste.fill", 1.0)
        with town.client("sensor") as client:
            client.post("/api/v1/readings", content=b'{"sensor":"x"}', headers={"content-type": "application/x-ndjson"})
        town.engine.intake.tick(now_ms())  # marks follow ticks
        town.settle()
        journal = town.engine.journal
        return {stream: list(journal.read(stream, 0, 0, limit_bytes=8 << 20).values) for stream in Stream}


def item_of(stream: Stream, value: bytes) -> Item | LastValue | None:
    """Return what a record of detect's spells; rows of the late store and the quarantine are only bytes."""
    if stream == Stream.SENSORS:
        return msgspec.json.decode(value, type=LastValue)
    if stream != Stream.ALERTS:
        return None
    said = json.loads(value)
    kind: type[Item] = Mark if "mark" in said else Still if "still" in said else Change
    return msgspec.json.decode(value, type=kind)


def headers_of(topic: str, stream: Stream, value: bytes) -> Headers:
    """Return the headers that a record of detect's has on Kafka."""
    item = item_of(stream, value)
    return of_row(topic, value) if item is None else event(f"/tongguan/{topic}", *named(stream, item))


def test_what_a_town_writes_is_as_described_and_has_its_headers(tmp_path: Path) -> None:
    found = records(tmp_path)
    # embedded, last values go together
    found[Stream.SENSORS] = [msgspec.json.encode(one) for text in found[Stream.SENSORS] for one in json.loads(text)]
    # what is rejected stands in the log of readings too
    found[Stream.READINGS] = [text for text in found[Stream.READINGS] if b'"sensor":"x"' not in text]
    for stream in (Stream.READINGS, Stream.ALERTS, Stream.CASES, Stream.SENSORS, Stream.LATE, Stream.QUARANTINE):
        assert found[stream], stream
    kinds = set()
    for stream, values in found.items():
        names = []
        for value in values:
            assert faults(stream, value) == [], value
            if stream not in (Stream.READINGS, Stream.CASES):
                headers = dict(headers_of(f"north.{stream}", stream, value))
                assert headers["ce_specversion"] == b"1.0"
                assert headers["ce_source"] == f"/tongguan/north.{stream}".encode()
                names.append(headers["ce_id"])
                kinds.add(headers["ce_type"].decode().removeprefix("tongguan."))
        assert len(set(names)) == len(names), stream
    assert kinds >= {"alert.raised", "alert.cleared", "alert.mark", "sensor.value", "reading.late", "reading.rejected"}
    assert kinds <= {kind for stream in TYPES.values() for kind in stream}


def test_every_change_has_a_type() -> None:
    assert {f"alert.{word}" for word in CHANGE_WORDS if word} < set(TYPES[Stream.ALERTS])


@pytest.mark.parametrize(
    "command",
    [
        {"id": "a-1", "actor": {"name": "hotline", "role": "operator"}, "case": "WO-1", "move": "accept", "args": {}},
        {"id": "a-2", "actor": {"name": "hotline", "role": "citizen"}, "report": {"category": "0405", "text": "x"}},
    ],
    ids=["move", "report"],
)
def test_commands_as_described_are_taken(command: dict[str, Any]) -> None:
    text = json.dumps(command).encode()
    assert faults(asyncapi.COMMANDS, text) == []
    assert isinstance(parse(text), Command)
    assert faults(asyncapi.COMMANDS, text.replace(b'"id"', b'"name"')) != []


def test_the_time_of_an_event_is_told_to_the_millisecond() -> None:
    mark = b'{"mark":1790000000007,"partition":3,"plan":"x"}'
    assert dict(headers_of(Stream.ALERTS, Stream.ALERTS, mark)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"mark:3:1790000000007",
        "ce_source": b"/tongguan/city.alerts",
        "ce_type": b"tongguan.alert.mark",
        "ce_time": b"2026-09-21T14:13:20.007Z",
        "content-type": b"application/json",
    }
