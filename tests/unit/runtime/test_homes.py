"""A body of readings, cut by the home partitions of its sensors."""

from __future__ import annotations

import orjson
import pytest

from engine.runtime.kafka.homes import Homes, Part
from rules.partition import home_partition
from rules.registry import Registry, Row

N = 4
REGISTRY = Registry([Row("a", "gas.methane", gateway="GW-1"), Row("b", "gas.methane", gateway="GW-1")])
HOMES = Homes(REGISTRY, N)
GATEWAY = home_partition("GW-1", N)


def reading(sensor: str, v: int = 1) -> bytes:
    return orjson.dumps({"sensor": sensor, "v": v})


def frame(*texts: bytes) -> bytes:
    return b"[" + b",".join(texts) + b"]"


def test_sensors_behind_one_gateway_are_one_record_under_its_key() -> None:
    body = frame(reading("a", 1), reading("b", 2), reading("a", 3))
    assert HOMES.parts(body) == [Part(GATEWAY, b"GW-1", body)]


def test_lines_and_arrays_give_the_same() -> None:
    texts = [reading(name, v) for v in range(3) for name in ("a", "x", "y", "z")]
    assert HOMES.parts(b"\n".join(texts)) == HOMES.parts(frame(*texts))


def test_each_partition_gets_its_readings_in_order_and_none_is_lost() -> None:
    names = [f"s{n}" for n in range(50)]
    parts = HOMES.parts(frame(*(reading(name, v) for v in range(2) for name in names)))
    assert [part.partition for part in parts] == sorted({home_partition(name, N) for name in names})
    for part in parts:
        own = [name for name in names if home_partition(name, N) == part.partition]
        assert [(one["sensor"], one["v"]) for one in orjson.loads(part.value)] == [
            (name, v) for v in range(2) for name in own
        ]
        assert part.key is None, "several sensors have several keys"


@pytest.mark.parametrize(
    "text", [b"5", b"{", b'{"v":1}', b'{"sensor":7}', b'{"kind":"tick","t":1}'], ids=lambda text: text.decode()
)
def test_what_names_no_sensor_stays_inside_a_frame_of_the_same_body(text: bytes) -> None:
    body = b"\n".join((reading("a"), text))
    if text != b"{":  # an array with it could not be split at all
        assert HOMES.parts(frame(text)) == [Part(0, None, frame(text))]
    assert HOMES.parts(body) == [Part(GATEWAY, b"GW-1", frame(reading("a"), text))]


def test_a_body_that_cannot_be_split_is_left_to_detect() -> None:
    assert HOMES.parts(b"[1,,2]") == [Part(0, None, b"[1,,2]")]


def test_the_last_of_two_names_counts_as_it_does_for_detect() -> None:
    body = b'[{"sensor":"x","sensor":"a"}]'
    assert HOMES.parts(body) == [Part(GATEWAY, b"GW-1", body)]
