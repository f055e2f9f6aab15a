"""One partition of a log on Kafka, without a client: restored, replayed, stepped, held back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect.batch import RecordBatch
from engine.detect.decode.reasons import Deadly
from engine.detect.detector import Detector
from engine.runtime import crashpoints
from engine.runtime.gaps import Gap
from engine.runtime.kafka.partition import Partition, Snapshot, Step
from engine.runtime.kafka.poison import Bad, sift
from engine.runtime.kafka.refusals import Reason
from engine.runtime.log import Append, Stream
from engine.runtime.outputs import appends_of
from rules.plan import Plan
from tests.unit.detect.streams import PONDING, S, plan_of, reading, tick

ONE = PONDING + 'levels: {yellow: {set: ">= 10", for: 3s}, red: {set: ">= 20"}}\n'
PLAN = plan_of(ONE, max_delay=2 * S)
OTHER = plan_of(ONE, max_delay=2 * S + 1)


class Plans:
    def __init__(self, *plans: Plan) -> None:
        self.plans = {plan.digest: plan for plan in plans}

    def get(self, digest: str) -> Plan | None:
        return self.plans.get(digest)


def plan_text(plan: Plan, t: int = 0) -> bytes:
    return json.dumps({"kind": "plan", "digest": plan.digest, "t": t}).encode()


def story(readings: int, *, at: int = 0) -> list[bytes]:
    """A plan record, then readings that wander over the levels, and a tick after each tenth."""
    texts = [plan_text(PLAN, at)]
    for number in range(readings):
        t = at + number * S
        texts.append(json.dumps(reading(t, (number * 7) % 30, sensor=f"s{number % 3}")).encode())
        if number % 10 == 9:
            texts.append(json.dumps(tick(t)).encode())
    return texts


def batch_of(texts: Sequence[bytes], offsets: Sequence[int]) -> RecordBatch:
    times = [json.loads(text).get("t", 0) for text in texts]
    return RecordBatch.from_records(texts, offsets=offsets, log_times=times)


def said(steps: Sequence[Step | None]) -> list[tuple[str, bytes]]:
    """Return what goes into the log, per stream in order."""
    entries = [
        (append.stream, entry.value)
        for step in steps
        if step is not None
        for append in appends_of(step.output, (), 3, step.log_time)
        for entry in append.entries
    ]
    return sorted(entries, key=lambda one: one[0])


def fresh(**more: object) -> Partition:
    return Partition(3, Plans(PLAN), **more)  # type: ignore[arg-type]


def restored(snapshot: Snapshot, **more: object) -> Partition:
    detector = Detector.restore(snapshot.checkpoint.data, Plans(PLAN))
    values = {"position": snapshot.checkpoint.position, "said": snapshot.checkpoint.position} | more
    return fresh(detector=detector, fingerprint=snapshot.fingerprint, **values)


TEXTS = story(80)
OFFSETS = [number + number // 9 for number in range(len(TEXTS))]  # with holes, where the log keeps its own marks
ALL = said([fresh().step(batch_of(TEXTS, OFFSETS), OFFSETS[-1] + 1)])


def positions(cuts: Sequence[int]) -> list[tuple[int, int]]:
    ends = sorted({0, *(cut for cut in cuts if cut < len(TEXTS)), len(TEXTS)})
    return list(pairwise(ends))


@given(st.lists(st.integers(1, len(TEXTS)), max_size=6))
def test_however_the_log_is_fetched_the_same_is_said(cuts: list[int]) -> None:
    partition = fresh()
    steps = [
        partition.step(batch_of(TEXTS[first:after], OFFSETS[first:after]), OFFSETS[after - 1] + 1)
        for first, after in positions(cuts)
    ]
    assert said(steps) == ALL
    assert partition.position == OFFSETS[-1] + 1


@given(st.integers(1, len(TEXTS) - 1), st.integers(0, 20))
def test_from_any_checkpoint_the_rest_is_said_and_what_was_said_is_not(at: int, further: int) -> None:
    before = fresh()
    first = before.step(batch_of(TEXTS[:at], OFFSETS[:at]), OFFSETS[at - 1] + 1)
    snapshot = before.snapshot()
    assert snapshot is not None
    until = min(len(TEXTS), at + further)
    again = restored(snapshot, said=OFFSETS[until - 1] + 1)
    assert again.fetch_from == OFFSETS[at - 1]
    between = before.step(batch_of(TEXTS[at:until], OFFSETS[at:until]), OFFSETS[until - 1] + 1)
    rest = again.step(batch_of(TEXTS[at - 1 :], OFFSETS[at - 1 :]), OFFSETS[-1] + 1)
    assert said([first, between, rest]) == ALL


def test_only_holes_move_the_position() -> None:
    partition = fresh()
    partition.step(batch_of(TEXTS[:1], [0]), 1)
    step = partition.step(batch_of([], []), 5)
    assert step is not None
    assert (partition.position, said([step])) == (5, [])


def test_another_record_before_the_position_is_another_log() -> None:
    before = fresh()
    before.step(batch_of(TEXTS[:9], OFFSETS[:9]), OFFSETS[8] + 1)
    snapshot = before.snapshot()
    assert snapshot is not None
    again = restored(snapshot)
    texts = [json.dumps(reading(7 * S, 1)).encode(), *TEXTS[9:]]
    assert again.step(batch_of(texts, OFFSETS[8:]), OFFSETS[-1] + 1) is None
    assert again.refusal is not None
    assert again.refusal.reason is Reason.RECREATED
    assert (again.position, again.refusal.first, again.refusal.last) == (OFFSETS[8] + 1, OFFSETS[8] + 1, -1)
    assert not again.accept([Gap(Stream.READINGS, 3, 4, 2, "", "", 0)])
    assert again.accept([Gap(Stream.READINGS, 3, OFFSETS[8] + 1, -1, "", "", 0)])
    assert (again.refusal, again.position, again.fetch_from) == (None, 0, 0)


def test_a_plan_that_is_missing_is_waited_for_and_then_followed() -> None:
    plans = Plans(PLAN)
    partition = Partition(3, plans)
    texts = [*TEXTS[:20], plan_text(OTHER, 19 * S), *TEXTS[20:]]
    offsets = list(range(100, 100 + len(texts)))
    first = partition.step(batch_of(texts, offsets), offsets[-1] + 1)
    assert (partition.position, partition.holds, partition.fetch_from) == (120, True, offsets[-1] + 1)
    assert partition.refusal is not None
    assert (partition.refusal.reason, OTHER.digest in partition.refusal.text) == (Reason.PLAN_MISSING, True)
    assert said([partition.again()]) == []
    snapshot = partition.snapshot()
    assert snapshot is not None
    assert snapshot.checkpoint.position == 120
    plans.plans[OTHER.digest] = OTHER
    second = partition.again()
    assert (partition.position, partition.refusal, partition.holds) == (offsets[-1] + 1, None, False)
    together = Partition(3, plans).step(batch_of(texts, offsets), offsets[-1] + 1)
    assert said([first, second]) == said([together])


def test_ticks_before_the_first_plan_are_nothing() -> None:
    partition = fresh()
    step = partition.step(batch_of([json.dumps(tick(1)).encode()] * 2, [0, 1]), 2)
    assert (said([step]), partition.position, partition.refusal, partition.snapshot()) == ([], 2, None, None)
    offsets = [number + 2 for number in OFFSETS]
    assert partition.step(batch_of(TEXTS, offsets), offsets[-1] + 1) is not None
    assert partition.begun


def test_readings_before_the_first_plan_are_passed_over_only_when_somebody_says_so() -> None:
    partition = fresh()
    early = [json.dumps(reading(0, 15)).encode()] * 2
    partition.step(batch_of(early, [4, 5]), 6)
    assert partition.refusal is not None
    assert (partition.refusal.reason, partition.refusal.blocks, partition.holds) == (Reason.NO_PLAN, False, False)
    offsets = [number + 6 for number in OFFSETS]
    assert partition.step(batch_of(TEXTS, offsets), offsets[-1] + 1) is None
    assert (partition.refusal.first, partition.refusal.last, partition.position) == (4, 5, 4)
    assert not partition.accept([Gap(Stream.READINGS, 2, 4, 5, "", "", 0)])
    assert partition.accept([Gap(Stream.READINGS, 3, 4, 5, "", "", 0)])
    assert partition.fetch_from == 6
    assert partition.step(batch_of(TEXTS, offsets), offsets[-1] + 1) is not None


def test_readings_that_were_judged_before_need_no_plan_in_a_rebuild() -> None:
    partition = fresh(said=50, position=40)
    early = [json.dumps(reading(0, 15)).encode()] * 2
    offsets = [number + 42 for number in OFFSETS]
    step = partition.step(batch_of([*early, *TEXTS], [40, 41, *offsets]), offsets[-1] + 1)
    assert step is not None
    assert partition.refusal is None
    assert partition.begun


def test_records_of_the_skip_list_are_as_if_they_were_not_there() -> None:
    partition = fresh(skips=[OFFSETS[8], OFFSETS[30]])
    step = partition.step(batch_of(TEXTS, OFFSETS), OFFSETS[-1] + 1)
    assert step is not None
    assert step.skipped == 2
    kept = [number for number in range(len(TEXTS)) if number not in (8, 30)]
    other = fresh().step(batch_of([TEXTS[n] for n in kept], [OFFSETS[n] for n in kept]), OFFSETS[-1] + 1)
    assert said([step]) == said([other])


def test_too_much_that_waits_for_its_order_is_held_back() -> None:
    partition = fresh(waiting_bytes=100)
    texts = [plan_text(PLAN), *(json.dumps(reading(S + n, 1, sensor=f"s{n}")).encode() for n in range(50))]
    assert partition.step(batch_of(texts, range(51)), 51) is not None
    assert partition.step(batch_of([texts[-1]], [51]), 52) is None
    assert partition.refusal is not None
    assert (partition.refusal.reason, partition.position) == (Reason.WAITING, 51)


class SiftingTaster:
    """Who tastes in this process: what raises is found the same way."""

    def __init__(self) -> None:
        self.detector = Detector(Plans(PLAN), partition=3)

    def taste(self, batch: RecordBatch) -> tuple[list[RecordBatch], list[Bad]]:
        found = sift(self.detector, batch)
        bad = [Bad(offset, Deadly(reason), detail) for offset, reason, detail in found.bad]
        return [batch.part(*piece) for piece in found.pieces], bad

    def close(self) -> None: ...


@pytest.mark.parametrize("how", ["raise", "kill"])
@pytest.mark.parametrize("places", [(1,), (40,), (17, 18), (5, 60, len(TEXTS) - 1)], ids=str)
def test_deadly_records_are_found_among_the_others_and_put_aside_whole(places: tuple[int, ...], how: str) -> None:
    texts = list(TEXTS)
    for place in places:
        texts[place] = json.dumps(reading(place * S, 29, sensor="deadly")).encode()
    partition = fresh()
    partition.taster = SiftingTaster()  # type: ignore[assignment]
    crashpoints.arm_poison(f"deadly:{how}")
    try:
        step = partition.step(batch_of(texts, OFFSETS), OFFSETS[-1] + 1)
    finally:
        crashpoints.arm_poison("")
    assert step is not None
    reason = Deadly.RAISES if how == "raise" else Deadly.KILLS_PROCESS
    assert [(bad.offset, bad.reason) for bad in step.bad] == [(OFFSETS[place], reason) for place in places]
    assert [row.raw for row in step.output.rejects] == [texts[place] for place in places]
    assert step.output.counts.rejects == {reason: len(places)}
    kept = [number for number in range(len(texts)) if number not in places]
    other = fresh().step(batch_of([texts[n] for n in kept], [OFFSETS[n] for n in kept]), OFFSETS[-1] + 1)
    without_rejects = [one for one in said([step]) if one[0] != Stream.QUARANTINE]
    assert without_rejects == said([other])
    assert partition.position == OFFSETS[-1] + 1


def test_what_is_put_aside_names_its_place_and_keeps_its_bytes() -> None:
    partition = fresh()
    partition.taster = SiftingTaster()  # type: ignore[assignment]
    texts = [*TEXTS[:5], b'{"sensor": "deadly"}']
    crashpoints.arm_poison("deadly")
    try:
        step = partition.step(batch_of(texts, range(6)), 6)
    finally:
        crashpoints.arm_poison("")
    assert step is not None
    quarantine: list[Append] = [
        append for append in appends_of(step.output, (), 3, None) if append.stream == Stream.QUARANTINE
    ]
    assert [json.loads(entry.value) for append in quarantine for entry in append.entries] == [
        {
            "reason": "raises",
            "detail": "RuntimeError('poison: deadly')",
            "topic": "city.readings",
            "partition": 3,
            "offset": 5,
            "index": 0,
            "raw": '{"sensor": "deadly"}',
        }
    ]
