"""What the same bytes cost elsewhere: named baselines, run in the same process on the first part of the same file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import orjson


class Five(msgspec.Struct):
    """The five fields that rules need, as objects."""

    sensor: str
    kind: str
    t: int
    v: float
    attrs: dict[str, str | float | bool | None] | None = None


def orjson_per_record(lines: list[bytes]) -> int:
    """`orjson.loads` of each line."""
    read = 0
    for line in lines:
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        read += 1
    return read


def msgspec_per_record(lines: list[bytes]) -> int:
    """A typed msgspec decoder for each line: objects, no columns, no checks of ids, kinds, ranges and places."""
    decode = msgspec.json.Decoder(Five).decode
    read = 0
    for line in lines:
        try:
            decode(line)
        except msgspec.MsgspecError:
            continue
        read += 1
    return read


def dictionaries_and_one_rule(lines: list[bytes]) -> int:
    """A plain loop: msgspec objects, a dictionary of levels by sensor, one rule of three levels without clear lines."""
    decode = msgspec.json.Decoder(Five).decode
    level: dict[tuple[str, str], int] = {}
    changes = 0
    for line in lines:
        try:
            reading = decode(line)
        except msgspec.MsgspecError:
            continue
        key = reading.sensor, reading.kind
        reached = (reading.v >= 10) + (reading.v >= 25) + (reading.v >= 50)
        if reached != level.get(key, 0):
            level[key] = reached
            changes += 1
    return changes


BASELINES: dict[str, Callable[[list[bytes]], int]] = {
    "orjson.loads per record": orjson_per_record,
    "msgspec struct per record": msgspec_per_record,
    "msgspec + dict, one rule": dictionaries_and_one_rule,
}


def measure(path: Path, readings: int) -> dict[str, float]:
    """Return records per CPU-second of each baseline over the first lines of a file, split beforehand."""
    with path.open("rb") as file:
        lines = [line for line, _ in zip(file, range(readings), strict=False)]
    rates = {}
    for name, run in BASELINES.items():
        before = time.process_time()
        run(lines)
        rates[name] = len(lines) / (time.process_time() - before)
    return rates
