"""Sensors and series keep their numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.detect.decode.vocabulary import Vocabulary
from geo import NO_PLACE
from rules.kinds import Kind, Kinds, load_kinds
from rules.plan import Plan
from rules.registry import Registry, Row

KINDS = load_kinds()
REGISTRY = Registry(
    [
        Row("fixed", "gas.methane"),
        Row("fixed", "water.level", 1_132_644_000, 231_291_000),
        Row("moving", "vehicle.position"),
        Row("two", "gas.methane", 10, 20),
        Row("two", "water.level", 30, 40),
    ]
)
names = st.one_of(st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True), st.integers(0, 3000).map("sensor-{}".format))
series = st.lists(st.tuples(names, st.integers(0, len(KINDS) - 1)), max_size=60)


def told(vocabulary: Vocabulary) -> list[tuple[str, str, int, int, bool]]:
    return [
        (
            vocabulary.sensor_name(int(vocabulary.series_sensor[number])),
            vocabulary.series_kind_name(number),
            int(vocabulary.series_lon_e7[number]),
            int(vocabulary.series_lat_e7[number]),
            bool(vocabulary.series_registered[number]),
        )
        for number in range(vocabulary.count)
    ]


def test_the_rows_of_the_registry_come_first_and_bring_their_places() -> None:
    assert told(Vocabulary(Plan(registry=REGISTRY))) == [
        ("fixed", "gas.methane", 1_132_644_000, 231_291_000, True),
        ("fixed", "water.level", 1_132_644_000, 231_291_000, True),
        ("moving", "vehicle.position", NO_PLACE, NO_PLACE, True),
        ("two", "gas.methane", 10, 20, True),
        ("two", "water.level", 30, 40, True),
    ]


def test_a_kind_without_a_row_has_the_place_of_its_sensors_first_row_with_one() -> None:
    vocabulary = Vocabulary(Plan(registry=REGISTRY))
    number = int(vocabulary.number([b"two"], [KINDS.index("fire.smoke")])[0])
    assert told(vocabulary)[number] == ("two", "fire.smoke", 10, 20, False)


@given(st.lists(series, max_size=4))
def test_each_sensor_and_kind_has_one_number_for_life(batches: list[list[tuple[str, int]]]) -> None:
    vocabulary = Vocabulary(Plan())
    known: dict[tuple[str, int], int] = {}
    for batch in batches:
        numbers = vocabulary.number([name.encode() for name, _ in batch], [kind for _, kind in batch])
        for key, number in zip(batch, numbers.tolist(), strict=True):
            assert known.setdefault(key, number) == number
    assert sorted(known.values()) == list(range(vocabulary.count))
    for (name, kind), number in known.items():
        assert told(vocabulary)[number][:2] == (name, KINDS[kind].name)


def test_it_grows_beyond_what_it_began_with() -> None:
    vocabulary = Vocabulary(Plan())
    sensors = [b"sensor-with-a-name-longer-than-24-bytes-%d" % number for number in range(5000)]
    first = vocabulary.number(sensors, [0] * 5000)
    assert vocabulary.number(sensors, [0] * 5000).tolist() == first.tolist() == list(range(5000))


@given(series)
def test_a_restored_one_goes_on_alike(seen: list[tuple[str, int]]) -> None:
    plan = Plan(registry=REGISTRY)
    vocabulary = Vocabulary(plan)
    vocabulary.number([name.encode() for name, _ in seen], [kind for _, kind in seen])
    restored = Vocabulary.restore(plan, vocabulary.snapshot())
    assert told(restored) == told(vocabulary)
    after = [vocabulary.number([b"new"], [0])[0], restored.number([b"new"], [0])[0]]
    assert after[0] == after[1]


@given(series)
def test_a_change_of_plan_renumbers_kinds_and_nothing_else(seen: list[tuple[str, int]]) -> None:
    before = Plan(registry=REGISTRY)
    fewer = Plan(kinds=Kinds([*KINDS.all[5:], Kind("aaa.first", "", 0.0, 1.0, "")]))
    vocabulary = Vocabulary(before)
    vocabulary.number([name.encode() for name, _ in seen], [kind for _, kind in seen])
    old = told(vocabulary)
    vocabulary.adopt(fewer)
    assert [row[:2] for row in told(vocabulary)] == [row[:2] for row in old]
    assert not vocabulary.series_registered.any()
    assert [kind >= 0 for kind in vocabulary.series_kind] == [row[1] in fewer.kinds for row in old]
    restored = Vocabulary.restore(fewer, vocabulary.snapshot())
    assert told(restored) == told(vocabulary)
    restored.adopt(before)
    assert told(restored) == old
