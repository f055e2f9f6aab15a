"""The engine against the slow interpreter: random rules, random logs, the same changes."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.detect.batch import RecordBatch
from engine.detect.changes import encode
from engine.detect.detector import Detector
from engine.detect.output import Output
from rules.plan import Plan
from tests.reference.plans import Named, plan_of, told_by_the_interpreter
from tests.reference.stories import Story, log_of, stories, story

Log = list[tuple[int, int | None, bytes]]


def prepared(story: Story) -> tuple[list[Plan], Log]:
    plans = [plan_of(data) for data in story.plans]
    return plans, log_of(story, [plan.digest for plan in plans])


def detector_for(story: Story, plans: list[Plan]) -> Detector:
    if story.offline:
        return Detector(offline_plan=plans[0])
    return Detector({plan.digest: plan for plan in plans})


def batch(log: Log) -> RecordBatch:
    times = [int(t) for _, t, _ in log if t is not None]
    return RecordBatch.from_records([v for _, _, v in log], offsets=[o for o, _, _ in log], log_times=times or None)


def lines(outputs: list[Output]) -> list[bytes]:
    return [encode(item) for out in outputs for item in out.items]


def run(story: Story, plans: list[Plan], parts: list[Log]) -> list[Output]:
    detector = detector_for(story, plans)
    outputs = [detector.step(batch(part)) for part in parts]
    return [*outputs, detector.finish()] if story.offline else outputs


def told(outputs: list[Output]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(outputs)]


def counted(outputs: list[Output], name: str) -> Counter[Any]:
    return sum((Counter(getattr(out.counts, name)) for out in outputs), Counter())


@example(story(908, 30, False, wide=False))  # a timer of a sensor that a plan has just taken the place from
@given(stories())
def test_the_engine_says_what_the_interpreter_says(story: Story) -> None:
    plans, log = prepared(story)
    expected = told_by_the_interpreter(story, plans, log)
    outputs = run(story, plans, [log])
    assert told(outputs) == expected.items
    assert [(r.reason, r.offset, r.index) for o in outputs for r in o.late] == expected.late
    assert [(r.offset, r.index) for o in outputs for r in o.rejects] == expected.rejects
    assert counted(outputs, "hidden") == expected.hidden
    assert counted(outputs, "readings") == expected.readings_by_kind
    assert counted(outputs, "late") == expected.late_by_kind
    assert sum(out.counts.suspect_clocks for out in outputs) == expected.suspect


@given(stories(), st.data())
def test_any_split_into_batches_gives_the_same_bytes(story: Story, data: st.DataObject) -> None:
    plans, log = prepared(story)
    everywhere = st.just(range(1, len(log)))
    before_ticks = st.just([at for at, (_, _, value) in enumerate(log) if at and b'"tick"' in value])
    anywhere = st.sets(st.integers(1, len(log) - 1), max_size=8)
    edges = [0, *sorted(data.draw(everywhere | before_ticks | anywhere)), len(log)]
    parts = [log[a:b] for a, b in pairwise(edges)]
    outputs, whole = run(story, plans, parts), run(story, plans, [log])
    assert lines(outputs) == lines(whole)
    assert [row for out in outputs for row in out.late] == [row for out in whole for row in out.late]


@given(stories(), st.data())
def test_any_checkpoint_and_replay_gives_the_same_bytes(story: Story, data: st.DataObject) -> None:
    plans, log = prepared(story)
    early = st.just({1, 2, 3, 4, 5, 6})
    edges = sorted(data.draw(early | st.sets(st.integers(1, len(log)), min_size=1, max_size=6)) | {len(log)})
    source = {plan.digest: plan for plan in plans}
    detector, outputs = detector_for(story, plans), []
    for begin, end in pairwise([0, *edges]):
        outputs.append(detector.step(batch(log[begin:end])))
        detector = Detector.restore(detector.snapshot(), source)
    if story.offline:
        outputs.append(detector.finish())
    assert lines(outputs) == lines(run(story, plans, [log]))
    assert detector.cursor == len(log)


def without_evidence(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in item.items() if k != "evidence"} for item in items if "mark" not in item]


@given(stories(offline=True), st.randoms(use_true_random=False))
def test_any_shuffle_within_max_delay_gives_the_same_but_for_evidence(story: Story, random: Any) -> None:
    delay = 30_000
    story.plans[0]["max_delay"] = delay
    # readings only, one a record, no two of a sensor and kind at one time, none late by itself
    steps = [("reading", *step[1:]) for step in story.steps]
    plans = [plan_of(story.plans[0])]
    log = log_of(Story(story.plans, steps, True, story.base), [plans[0].digest])
    seen: set[tuple[str, str, int]] = set()
    kept = []
    for record in log:
        said = json.loads(record[2])
        del said["log_t"]
        if said["kind"] == "tick" or isinstance(said["t"], str):
            continue
        key = (said["sensor"], said["kind"], said["t"])
        if key not in seen:
            seen.add(key)
            kept.append(said)
    jitter = sorted(range(len(kept)), key=lambda i: (kept[i]["t"] + random.randint(0, delay), i))
    # the record of the smallest time moves W first, so that what never spoke is counted from the same time
    first = min(range(len(kept)), key=lambda i: kept[i]["t"])
    jitter.remove(first)

    def items(order: list[int]) -> list[dict[str, Any]]:
        values: Log = [(n + 1, None, json.dumps(kept[i]).encode()) for n, i in enumerate(order)]
        return without_evidence(told(run(story, plans, [values])))

    straight = sorted(range(len(kept)), key=lambda i: (kept[i]["t"], i))
    tied = [i for i in jitter if i != first]
    assert ordered(items([first, *tied])) == ordered(items([first, *[i for i in straight if i != first]]))


def ordered(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Readings of one instant may be released in any order between sensors: compare each sensor's story."""
    return sorted(items, key=lambda i: (i.get("sensor", i.get("still", "")), i.get("kind", ""), i.get("rule", "")))


CHANGES = {"raised", "escalated", "downgraded", "cleared"}
CAUSES = {"by reading", "by quiet", "by absent", "by schedule"}
SPEAKS = {"last": 0.1, "range": 0.05, "span": 0.05}
"""What rules that speak are made of, and in what share of the stories at least."""
OTHERS = {"late", "stale", "duplicate", "suspect", "rejected", "hidden", "mark", "still"}


def corners(story: Story) -> set[str]:
    """Name what happens in a story."""
    names = [Named(str(number), str(number)) for number in range(len(story.plans))]
    told = told_by_the_interpreter(story, names, log_of(story, [name.digest for name in names]))
    met = {reason for reason, *_ in told.late}
    met |= {
        name
        for name, count in (("hidden", told.hidden), ("rejected", told.rejects), ("suspect", told.suspect))
        if count
    }
    speaking = {item["rule"] for item in told.items if "rule" in item}
    for rule in (rule for plan in story.plans for rule in plan["rules"] if rule["id"] in speaking):
        window = rule.get("window", {})
        met |= {word for word in ("last", "range") if word in window or word == window.get("agg")}
        met |= {"span"} if rule.get("absent") == "span" else set()
    for item in told.items:
        met |= {"mark"} if "mark" in item else {"still"} if "still" in item else {item["change"], f"by {item['cause']}"}
    return met


@pytest.mark.parametrize("offline", [True, False], ids=["offline", "with plan records"])
def test_the_stories_reach_every_corner(offline: bool) -> None:
    """Each kind of change, cause, timer and lateness is in at least a tenth of the stories, windows and spans too."""
    met: Counter[str] = Counter()
    looked = Counter({"at": 0})

    @settings(max_examples=200, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(stories(offline))
    def look(story: Story) -> None:
        met.update(corners(story))
        looked["at"] += 1

    look()
    wanted = dict.fromkeys(CHANGES | CAUSES | OTHERS | (set() if offline else {"by plan"}), 0.1) | SPEAKS
    assert looked["at"] >= 150
    assert {corner: met[corner] for corner, share in wanted.items() if met[corner] < share * looked["at"]} == {}
