"""A body of readings, cut into a frame for each home partition (spec: readings.md)."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from engine.detect.decode.frames import split
from engine.detect.decode.reasons import Refusal
from engine.runtime.readings import frames_that_fit
from rules.partition import home_partition
from rules.registry import Registry

MOST_KEYS = 200_000


@dataclass(frozen=True, slots=True)
class Part:
    """A record for one partition; the key is that of its readings, None where they have several."""

    partition: int
    key: bytes | None
    value: bytes


@dataclass(slots=True)
class _Share:
    texts: list[bytes] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


class Homes:
    """Where readings are at home: the gateway of the registry, else the sensor, by Kafka's own partitioner."""

    def __init__(self, registry: Registry, partitions: int) -> None:
        self.partitions = partitions
        self._registry = registry
        self._known: dict[str, tuple[str, int]] = {}

    def parts(self, body: bytes) -> list[Part]:
        """Cut a frame, in order. What names no sensor goes along with the first part, to be rejected."""
        shares: dict[int, _Share] = {}
        homeless: list[bytes] = []
        try:
            spans = split(body).spans
        except Refusal:
            return [Part(0, None, body)]
        for first, after in spans:
            text = body[first:after]
            home = self._home(text)
            if home is None:
                homeless.append(text)
                continue
            share = shares.setdefault(home[1], _Share())
            share.texts.append(text)
            share.keys.add(home[0])
        if homeless:
            shares.setdefault(min(shares, default=0), _Share()).texts.extend(homeless)
        return [part for partition, share in sorted(shares.items()) for part in _records(partition, share)]

    def _home(self, text: bytes) -> tuple[str, int] | None:
        try:
            sensor = orjson.loads(text)["sensor"]
        except (orjson.JSONDecodeError, TypeError, KeyError):
            return None
        if not isinstance(sensor, str):
            return None
        home = self._known.get(sensor)
        if home is None:
            key = self._registry.home_key(sensor)
            home = key, home_partition(key, self.partitions)
            if len(self._known) < MOST_KEYS:
                self._known[sensor] = home
        return home


def _records(partition: int, share: _Share) -> list[Part]:
    key = next(iter(share.keys)).encode() if len(share.keys) == 1 else None
    frame = b"[" + b",".join(share.texts) + b"]"
    return [Part(partition, key, value) for value in frames_that_fit(frame, len(share.texts))]
