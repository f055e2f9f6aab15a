"""Every aggregate against plain sums over all readings, with long and short windows, gaps and many panes."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect.batch import RecordBatch
from engine.detect.changes import encode
from engine.detect.detector import Detector
from tests.unit.detect.streams import PONDING, batch_of, plan_of, reading

SHAPES = {"3m by 1m": (180_000, 60_000), "1h by 1s": (3_600_000, 1_000), "10s by 2500ms": (10_000, 2_500)}
STEPS_MS = st.sampled_from([60_000, 61_000, 60_001, 120_000, 179_999, 180_000, 400_000, 7_200_000])
X = st.one_of(st.integers(-50, 1000), st.floats(-50, 1000, allow_nan=False).map(lambda x: round(x, 7)))


def expected(agg: str, seen: list[tuple[int, float]], over: int, step: int) -> float | None:
    pane = seen[-1][0] // step
    inside = [(t, x) for t, x in seen if t // step > pane - over // step]
    values = [x for _, x in inside]
    total = sum(round(x * 1e6) for x in values)
    (first_t, first), (last_t, last) = inside[0], inside[-1]
    match agg:
        case "sum":
            return float(Fraction(total, 10**6))
        case "mean":
            return float(Fraction(total, 10**6)) / len(values)
        case "count":
            return float(len(values))
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "delta":
            return last - first
    return None if last_t == first_t else (last - first) / ((last_t - first_t) / 60_000)


@pytest.mark.parametrize("agg", ["sum", "count", "mean", "min", "max", "delta", "rate"])
@given(readings=st.lists(st.tuples(STEPS_MS, X), min_size=1, max_size=40), shape=st.sampled_from(sorted(SHAPES)))
def test_each_aggregate_is_that_of_the_readings_in_its_panes(
    agg: str, readings: list[tuple[int, float]], shape: str
) -> None:
    over, step = SHAPES[shape]
    window = f"window: {{agg: {agg}, over: {over}ms, step: {step}ms}}\n"
    plan = plan_of(PONDING + window + 'levels: {yellow: {set: ">= -1000000000"}}\n')
    detector = Detector(offline_plan=plan)
    seen: list[tuple[int, float]] = []
    t = -1_000_000
    wanted = []
    for later, x in readings:
        t += later
        seen.append((t, x))
        value = expected(agg, seen, over, step)
        if value is not None or wanted:
            wanted.append((t, value))
    items = [json.loads(encode(item)) for item in detector.step(batch_of([reading(t, x) for t, x in seen])).items]
    assert [(item["t"], item["value"]) for item in items] == wanted


RECORDS = st.lists(
    st.one_of(
        st.builds(
            lambda t, v, s, mode: reading(t, v, f"s{s}", attrs={"mode": mode, "n": v}),
            st.integers(0, 300_000),
            st.integers(0, 30),
            st.integers(0, 2),
            st.sampled_from(["real", "测试", ""]),
        ),
        st.builds(lambda t: {"kind": "tick", "t": t}, st.integers(0, 300_000)),
        st.just("{bad"),
        st.just('{"sensor": "s1", "kind": "water.level", "t": 5, "v": 1, "attrs": {"mode": "\\u6d4b"}}'),
    ),
    min_size=2,
    max_size=30,
)
RULES = (
    PONDING + 'levels: {yellow: {set: ">= 10", for: 10s}}\nwhere: attrs.mode != "测试"\nquiet: 1m\n',
    PONDING.replace("ponding", "sum") + 'levels: {red: {set: ">= 50"}}\nwindow: {agg: sum, over: 1m, step: 1s}\n',
)


def told(detector: Detector, parts: list[RecordBatch]) -> list[Any]:
    """Everything that a detector says, whatever the cut: items, late rows, rejects."""
    outputs = [detector.step(part) for part in parts] + [detector.finish()]
    return [
        [encode(item) for out in outputs for item in out.items],
        [(row.reason, row.offset, row.index, row.raw) for out in outputs for row in out.late],
        [(row.reason, row.offset, row.index, row.raw) for out in outputs for row in out.rejects],
    ]


@given(RECORDS, st.sampled_from([0, 20_000, 200_000]), st.data())
def test_any_split_tells_the_same_items_late_rows_and_rejects(
    records: list[Any], delay: int, data: st.DataObject
) -> None:
    plan = plan_of(*RULES, max_delay=delay)
    cut = data.draw(st.integers(1, len(records) - 1))
    whole = told(Detector(offline_plan=plan), [batch_of(records)])
    parts = [batch_of(records[:cut]), batch_of(records[cut:], first=cut + 1)]
    assert told(Detector(offline_plan=plan), parts) == whole


@given(RECORDS, st.sampled_from([0, 20_000, 200_000]), st.data())
def test_a_restored_detector_goes_on_as_if_nothing_had_happened(
    records: list[Any], delay: int, data: st.DataObject
) -> None:
    plan = plan_of(*RULES, max_delay=delay)
    cut = data.draw(st.integers(1, len(records) - 1))
    first = Detector(offline_plan=plan, last_values=True)
    first.step(batch_of(records[:cut]))
    kept = first.snapshot()
    second = Detector.restore(kept, {plan.digest: plan})
    assert second.snapshot() == kept
    rest = [batch_of(records[cut:], first=cut + 1)]
    assert told(second, rest) == told(first, rest)
    assert second.snapshot() == first.snapshot()
