"""docs/asyncapi.yaml: the topics as AsyncAPI 3.0, from the code that writes and reads them.

`python -m tests.contract.asyncapi > docs/asyncapi.yaml` writes it anew; a test holds the file to the code.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import StringIO
from typing import Any

import msgspec
from ruamel.yaml import YAML

from engine.casework.story import Message
from engine.detect.changes import Change, Mark
from engine.detect.decode.reasons import Reason
from engine.detect.last_values import LastValue
from engine.runtime.config import Config
from engine.runtime.kafka.commands import Command
from engine.runtime.kafka.events import TYPES
from engine.runtime.kafka.topics import wanted
from engine.runtime.log import Stream
from engine.runtime.retention import DAY_MS

TEMPLATE = "#/components/schemas/{name}"
COMMANDS = "city.commands"
NUMBER_OR_NONE = {"type": ["number", "null"]}
MS = {"type": "integer", "description": "milliseconds since 1970 UTC"}

READING = {
    "type": "object",
    "title": "Reading",
    "description": "One observation of one sensor. Fields that are not named here are passed over and counted.",
    "required": ["sensor", "kind", "t", "v"],
    "properties": {
        "sensor": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
        "kind": {"type": "string", "description": "domain.name, lower case: gas.methane", "examples": ["gas.methane"]},
        "t": {
            "description": "when it was observed: milliseconds since 1970 UTC, or RFC 3339 with an offset",
            "oneOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}],
        },
        "v": {"type": ["number", "boolean"], "description": "in the unit of the kind"},
        "lon": NUMBER_OR_NONE,
        "lat": NUMBER_OR_NONE,
        "crs": {"enum": ["wgs84", "cgcs2000", "gcj02", "bd09", None]},
        "attrs": {"type": ["object", "null"], "maxProperties": 32},
    },
}
FRAME = {
    "title": "Frame",
    "description": "The readings of one gateway, at most 10,000 and 1 MiB; also newline-separated.",
    "type": "array",
    "items": {"$ref": TEMPLATE.format(name="Reading")},
    "maxItems": 10_000,
}
CONTROL = {
    "title": "Control",
    "description": "A tick of the log's clock, or the plan that holds from here on; alone in its record.",
    "type": "object",
    "required": ["kind", "t"],
    "properties": {"kind": {"enum": ["tick", "plan"]}, "t": MS, "digest": {"type": "string"}},
}
STILL = {
    "title": "Still",
    "description": "The present value of an open episode.",
    "type": "object",
    "required": ["still", "t", "value"],
    "properties": {"still": {"type": "string"}, "t": MS, "value": NUMBER_OR_NONE},
    "additionalProperties": False,
}


def _row(title: str, description: str, reasons: list[str] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    reason: dict[str, Any] = {"enum": reasons} if reasons else {"type": "string", "examples": sorted(Reason)}
    return {
        "title": title,
        "description": f"{description} Its bytes are `raw`, or `raw_base64` where they are no UTF-8.",
        "type": "object",
        "required": ["reason", "topic", "partition", "offset", "index"],
        "properties": {
            "reason": reason,
            **more,
            "topic": {"type": "string", "description": "the stream that it came from, without a prefix"},
            "partition": {"type": "integer"},
            "offset": {"type": "integer"},
            "index": {"type": "integer", "description": "position in the frame, from 0"},
            "raw": {"type": "string"},
            "raw_base64": {"type": "string"},
        },
        "oneOf": [{"required": ["raw"]}, {"required": ["raw_base64"]}],
    }


MESSAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    Stream.READINGS: ("the gateway that the registry names, else the sensor", ("Reading", "Frame", "Control")),
    Stream.ALERTS: (
        "community code of the episode's raise, `-` for none; marks have no key",
        ("Change", "Mark", "Still"),
    ),
    Stream.CASES: ("case id", ("Message",)),
    COMMANDS: ("case id", ("Command",)),
    Stream.SENSORS: ("sensor|kind", ("LastValue",)),
    Stream.SHADOW: ("as city.alerts", ("Change", "Still")),
    Stream.QUARANTINE: ("none", ("Rejected",)),
    Stream.LATE: ("none", ("Late",)),
}
"""Of each topic: what its keys are, and the payloads that it carries."""
ABOUT: dict[str, str] = {
    Stream.READINGS: "What comes in, and the ticks and plans of the engine. The number of partitions is given once.",
    Stream.ALERTS: "Changes of alerts, marks and stills: what cases are made of. One partition, one order.",
    Stream.CASES: "Every message of every case, in the order of the case, at least once, under a stable id.",
    COMMANDS: "Moves and reports of other systems; each id is done once under its actor.",
    Stream.SENSORS: "The last value of each sensor and kind, for people and charts.",
    Stream.SHADOW: "Changes of rules that are only tried.",
    Stream.QUARANTINE: "What was rejected, raw, with its reason and place, and gaps that were accepted.",
    Stream.LATE: "Readings that came stale, late or twice.",
}
RECEIVED = (Stream.READINGS, COMMANDS)


def schemas() -> dict[str, Any]:
    """Return the payloads as JSON schemas; those of structs come from the structs."""
    _, found = msgspec.json.schema_components([Change, Mark, LastValue, Message, Command], ref_template=TEMPLATE)
    # what goes out has the case without its work orders and moves
    own = {
        "Reading": READING,
        "Frame": FRAME,
        "Control": CONTROL,
        "Still": STILL,
        "Rejected": _row(
            "Rejected",
            "A text that is no reading, or a change or command that could not be taken.",
            None,
            {
                "detail": {"type": "string"},
            },
        ),
        "Late": _row("Late", "A reading that came stale, late or twice.", ["stale", "late", "duplicate"], {}),
    }
    return dict(sorted({**found, **own}.items()))


def headers(kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return the CloudEvents headers of records of these types."""
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string", "description": "unique under ce_source; the same for a record said again"},
            "ce_source": {"type": "string", "format": "uri-reference"},
            "ce_type": {"enum": [f"tongguan.{kind}" for kind in kinds]},
            "ce_time": {"type": "string", "format": "date-time"},
            "content-type": {"const": "application/json"},
        },
    }


def _message(stream: str, payload: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": payload,
        "contentType": "application/json",
        "payload": {"$ref": TEMPLATE.format(name=payload)},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": MESSAGES[stream][0]}, "bindingVersion": "0.5.0"}
        },
    }
    kinds = tuple(kind for kind in TYPES.get(Stream(stream), ()) if _carries(payload, kind)) if stream in TYPES else ()
    return said | ({"headers": headers(kinds)} if kinds else {})


def _carries(payload: str, kind: str) -> bool:
    special = {"Mark": "mark", "Still": "still"}
    last = kind.rpartition(".")[2]
    return last == special[payload] if payload in special else last not in special.values()


def document() -> dict[str, Any]:
    """Return the whole of it."""
    topics = {topic.name: topic for topic in wanted(Config(), least_ms=DAY_MS)}
    channels, operations = {}, {}
    for stream, (_, payloads) in MESSAGES.items():
        topic, name = topics[stream], stream.partition(".")[2]
        channels[name] = {
            "address": str(stream),
            "description": ABOUT[stream],
            "messages": {payload: _message(stream, payload) for payload in payloads},
            "bindings": {
                "kafka": {
                    "topic": str(stream),
                    "partitions": topic.partitions,
                    "replicas": topic.replication,
                    "topicConfiguration": {
                        "cleanup.policy": [topic.settings["cleanup.policy"]],
                        "retention.ms": int(topic.settings["retention.ms"]),
                        "retention.bytes": int(topic.settings["retention.bytes"]),
                        "max.message.bytes": int(topic.settings["max.message.bytes"]),
                    },
                    "bindingVersion": "0.5.0",
                }
            },
        }
        received = stream in RECEIVED
        operations[f"{'receive' if received else 'send'}_{name}"] = {
            "action": "receive" if received else "send",
            "channel": {"$ref": f"#/channels/{name}"},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "统管 Tongguan",
            "version": "1.0.0",
            "description": (
                "The topics of a city. Payloads are JSON; headers are those of CloudEvents 1.0 in binary mode; "
                "headers of what comes in are passed over. A `topic_prefix` stands before every name."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {"host": "kafka.example:9092", "protocol": "kafka", "description": "`broker` of the settings"}
        },
        "channels": channels,
        "operations": operations,
        "components": {"schemas": schemas()},
    }


def page() -> str:
    """Return the file."""
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 120
    yaml.representer.ignore_aliases = lambda _: True
    out = StringIO()
    out.write("# Written by `python -m tests.contract.asyncapi > docs/asyncapi.yaml`.\n")
    yaml.dump(msgspec.json.decode(msgspec.json.encode(document())), out)
    return out.getvalue()


if __name__ == "__main__":
    sys.stdout.write(page())
