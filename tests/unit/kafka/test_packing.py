"""What detect says, laid out by compiled code, is read by aiokafka as what each item alone would be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from engine.detect.changes import Change, Evidence, Item, Mark, Still, encode
from engine.detect.items import EPISODE, Items, Stills
from engine.detect.output import LateRow, Output
from engine.runtime.kafka.events import event, named
from engine.runtime.kafka.packing import Laid, Packed, packed
from engine.runtime.log import Stream

NOW = 1_767_225_600_123
KEYS = st.sampled_from(["-", "330200001001", "区" * 12])
TIMES = st.one_of(st.integers(-(10**13), 10**14), st.integers(-(10**5), 10**5), st.just(951_782_399_999))
VALUES = st.one_of(st.floats(allow_infinity=False), st.integers(-(10**6), 10**6).map(lambda n: n / 100))


def change(number: int, key: str, shadow: bool) -> Change:
    made = Change(
        f"ep:{number}", "ep", number, "raised", "reading", "r", 1, "井盖-7", "water.level", "red", None, NOW, None,
        1.5, None, None, None, Evidence(0, 7, 7), "abc", shadow,
    )  # fmt: skip
    made.__dict__["key"] = key
    return made


SPOKEN = st.one_of(
    st.builds(Mark, TIMES, st.just(0), st.just("abc")),
    st.builds(change, st.integers(0, 999), KEYS, st.booleans()),
)


@st.composite
def outputs(draw: st.DrawFn) -> Items:
    spoken = draw(st.lists(SPOKEN, max_size=6))
    rows = draw(st.lists(st.tuples(st.integers(0, len(spoken)), TIMES, VALUES, KEYS, st.booleans()), max_size=12))
    rows.sort(key=lambda row: row[0])
    before, t, value, keys, shadows = zip(*rows, strict=True) if rows else ((),) * 5
    episode = np.zeros(len(rows), EPISODE)
    for number, (key, shadow) in enumerate(zip(keys, shadows, strict=True)):
        episode[number] = (f"ep_{number:020x}".encode(), key.encode(), shadow)
    columns = (np.array(before, np.int64), np.array(t, np.int64), np.array(value, np.float64), episode)
    return Items(spoken, Stills(*columns))


def read(told: Packed, size: int) -> list[tuple[Any, ...]]:
    """Lay records into batches of a size, and read these: key, value, headers, time."""
    found = []
    at = 0
    while at < len(told.end):
        builder = Laid(size)
        before, at = at, builder.take(told, at, NOW)
        assert builder.record_count() == at - before > 0
        builder._set_producer_state(7, 3, before)
        text = bytes(builder._build())
        assert len(text) == builder.size()
        batch = DefaultRecordBatch(text)
        assert batch.validate_crc()
        assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (7, 3, before)
        records = list(batch)
        assert [record.offset for record in records] == list(range(at - before))
        found += [(record.key, record.value, tuple(record.headers), record.timestamp) for record in records]
    return found


def alone(item: Item, stream: Stream, time: int) -> tuple[Any, ...]:
    key = None if isinstance(item, Mark) else item.key.encode()
    return key, encode(item), event(f"/tongguan/north.{stream}", *named(stream, item)), time


@given(outputs(), st.sampled_from([None, NOW - 5_000]), st.sampled_from([1, 700, 1 << 18]))
def test_items_are_the_records_that_each_alone_would_be(items: Items, log_time: int | None, size: int) -> None:
    told = {one.stream: one for one in packed(Output(items), 0, log_time, "north.")}
    for stream, shadow in ((Stream.ALERTS, False), (Stream.SHADOW, True)):
        ours = [item for item in items if (not shadow if isinstance(item, Mark) else item.shadow == shadow)]
        time = NOW if log_time is None else log_time
        expected = [alone(item, stream, time) for item in ours]
        assert (read(told[stream], size) if stream in told else []) == expected


def test_a_still_stands_before_the_item_that_it_says_and_a_value_that_is_not_there_is_null() -> None:
    stills = Stills(np.array([1]), np.array([NOW]), np.array([math.nan]), np.zeros(1, EPISODE))
    stills.episode[0] = (b"ep_" + b"0" * 20, b"-", False)
    items = Items([Mark(5, 0, "abc"), change(1, "-", False)], stills)
    assert [type(item) for item in items] == [Mark, Still, Change]
    assert encode(items[1]) == b'{"still":"ep_00000000000000000000","t":%d,"value":null}' % NOW


@given(outputs(), outputs())
def test_the_items_of_two_steps_are_those_of_the_one_and_then_of_the_other(one: Items, two: Items) -> None:
    expected = [encode(item) for item in (*one, *two)]
    one += two
    assert [encode(item) for item in one] == expected
    assert len(one) == len(expected)


def test_a_record_larger_than_a_batch_has_one_of_its_own() -> None:
    rows = [LateRow("late", 5, 0, b"x" * 3_000), LateRow("late", 6, 0, b"y")]
    (told,) = packed(Output(late=rows), 2, None)
    assert [len(value) > 3_000 for _, value, _, _ in read(told, 1_000)] == [True, False]
