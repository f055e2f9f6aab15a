"""The whole engine on one folder: before and after a stop, a damaged file, another plan, a second process."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from engine.detect.batch import RecordBatch
from engine.detect.changes import Change, encode
from engine.detect.detector import Detector
from engine.runtime.detecting import READER
from engine.runtime.embedded import Embedded, Limits
from engine.runtime.errors import AlreadyRunning, Corrupt, Misfit, Overloaded
from engine.runtime.export import lines_of
from engine.runtime.log import Stream
from engine.runtime.readings import tick_record
from rules.load import load_rules
from rules.plan import Plan

START = 1_700_000_000_000
RULE = """
id: test.ponding
version: {version}
title: 道路积水
source: test
reads: water.level
levels:
  yellow: {{set: ">= {set}", clear: "< 8", for: 2s}}
  red: {{set: ">= 50", clear: "< 40"}}
case: {{category: "0401", department: water, auto: dispatch, close: sensor}}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    def made(*, version: int = 1, level: int = 10, max_delay_ms: int = 0) -> Plan:
        folder = tmp_path / f"rules-{version}-{level}"
        folder.mkdir(exist_ok=True)
        (folder / "ponding.yaml").write_text(RULE.format(version=version, set=level), "utf-8")
        loaded = load_rules(folder)
        assert loaded.faults == ()
        return Plan(loaded.rules, max_delay_ms=max_delay_ms)

    return made


@contextmanager
def running(folder: Path, plan: Plan, **limits: int) -> Iterator[Embedded]:
    engine = Embedded(folder, plan, player=True, limits=Limits(checkpoint_s=0.0, **limits))
    engine.start()
    try:
        yield engine
        assert engine.drain(60)
    finally:
        engine.stop()


def play(engine: Embedded, seconds: Iterable[int]) -> None:
    """A flood that rises and falls every 40 s at five sensors, a frame a second, then a tick."""
    for second in seconds:
        now = START + second * 1000
        frame = [
            {"sensor": f"s{n}", "kind": "water.level", "t": now, "v": abs((second + 3 * n) % 40 - 20) * 3}
            for n in range(5)
        ]
        engine.intake.append([orjson.dumps(frame)], log_time=now)
        engine.intake.tick(now)


def stream(engine: Embedded, name: str) -> list[bytes]:
    start = engine.journal.start(name, 0)
    return list(engine.journal.read(name, 0, start - 1, limit_bytes=1 << 30).values)


def judged_again(engine: Embedded) -> list[bytes]:
    """What detect says of the journal's readings in one go."""
    batch = engine.journal.read(Stream.READINGS, 0, 0, limit_bytes=1 << 30).batch()
    return [encode(item) for item in Detector(engine.plans).step(batch).items]


def test_readings_become_changes_cases_and_messages(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(60))
        assert engine.drain(60)
        changes = [orjson.loads(value) for value in stream(engine, Stream.ALERTS) if b'"change"' in value]
        assert {change["sensor"] for change in changes} == {"s0", "s1", "s2", "s3", "s4"}
        assert [case.state for case in engine.casework.counts().cases] == ["dispatched"] * len(
            engine.casework.counts().cases
        )
        assert len(stream(engine, Stream.CASES)) == engine.relay.position > 0
        assert engine.progress().ready
        assert engine.progress().clock_ms == START + 59_000


def test_after_a_stop_nothing_is_said_twice_and_nothing_is_left_out(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    for first in (0, 7, 50, 51, 120):
        with running(tmp_path / "data", plan()) as engine:
            play(engine, range(first, first + 30))
            assert engine.drain(60)
            assert stream(engine, Stream.ALERTS) == judged_again(engine)


@pytest.mark.parametrize("kept", [0, 1], ids=["none", "the older"])
def test_without_its_newest_checkpoints_the_state_comes_from_the_log(
    tmp_path: Path, plan: Callable[..., Plan], kept: int
) -> None:
    with running(tmp_path / "data", plan()) as engine:
        for second in range(0, 50, 10):
            play(engine, range(second, second + 10))
            assert engine.drain(60)
    with sqlite3.connect(tmp_path / "data" / "checkpoints.db") as connection:
        generations = [row[0] for row in connection.execute("SELECT DISTINCT generation FROM checkpoint ORDER BY 1")]
        assert len(generations) == 2
        for generation in generations[kept:]:
            connection.execute("UPDATE checkpoint SET data = X'00' WHERE generation = ?", (generation,))
    connection.close()
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(50, 90))
        assert engine.drain(60)
        assert stream(engine, Stream.ALERTS) == judged_again(engine)


def test_another_plan_at_the_next_start_takes_effect_where_its_record_stands(
    tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(30))
    with running(tmp_path / "data", plan(version=2, level=20)) as engine:
        play(engine, range(30, 60))
        assert engine.drain(60)
        assert stream(engine, Stream.ALERTS) == judged_again(engine)
        changes = [orjson.loads(value) for value in stream(engine, Stream.ALERTS) if b'"change"' in value]
        plans = {orjson.loads(value)["digest"][:12] for value in stream(engine, Stream.READINGS) if b'"plan"' in value}
    assert plans == {plan().short, plan(version=2, level=20).short} == {change["plan"] for change in changes}
    assert {change["rule_version"] for change in changes} == {1, 2}
    assert "plan" in {change["cause"] for change in changes}


def test_the_exported_readings_give_detect_the_same_changes_byte_for_byte(
    tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(60))
        oddities = (
            b'[{"a":1},\n{"sensor":"s0"}]',
            b"noise",
            b'{"sensor":"s9","kind":"water.level","t":1,"v":99}',
            b'{"x":\n"',
        )
        for second, odd in enumerate(oddities, start=60):
            engine.intake.append([odd], log_time=START + second * 1000)
        play(engine, range(64, 100))
        assert engine.drain(60)
        exported = b"\n".join(lines_of(engine.journal, Stream.READINGS)) + b"\n"
        told = list(lines_of(engine.journal, Stream.ALERTS))
    detector = Detector(offline_plan=plan())
    items = [*detector.step(RecordBatch.from_lines(exported)).items, *detector.finish().items]
    assert [encode(item) for item in items if isinstance(item, Change)] == told
    assert len(told) >= 20


def test_what_was_rejected_late_or_last_seen_goes_to_its_stream(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    with running(tmp_path / "data", plan()) as engine:
        engine.intake.append([b'{"sensor":"s0","kind":"water.level","t":%d,"v":1}' % START], log_time=START)
        engine.intake.append([b'{"sensor":"s0","kind":"water.level","t":%d,"v":2}' % START], log_time=START)
        engine.intake.append([b'[{"sensor":"s0","kind":"no.such","t":1,"v":2},7]'], log_time=START + 1)
        engine.intake.append([b"\xff"], log_time=START + 2)
        assert engine.drain(60)
        rejects = [orjson.loads(value) for value in stream(engine, Stream.QUARANTINE)]
        late = [orjson.loads(value) for value in stream(engine, Stream.LATE)]
        assert [(row["offset"], row["index"], row["reason"]) for row in rejects] == [
            (4, 0, "bad_kind"), (4, 1, "not_an_object"), (5, 0, "bad_utf8"),
        ]  # fmt: skip
        assert rejects[2]["raw_base64"] == "/w=="
        assert [(row["offset"], row["index"], row["reason"]) for row in late] == [(3, 0, "duplicate")]
        known = engine.sensors.get("s0", "water.level")
        assert known is not None
        assert (known.t, known.v) == (START, 1.0)
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(10, 12))


def test_a_second_engine_on_the_folder_is_refused(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    with running(tmp_path / "data", plan()), pytest.raises(AlreadyRunning, match="already works on this data folder"):
        Embedded(tmp_path / "data", plan(), player=True)


def test_a_stopped_engine_lets_the_folder_go(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    engine = Embedded(tmp_path / "data", plan(), player=True)
    engine.stop()
    engine.stop()
    Embedded(tmp_path / "data", plan(), player=True).stop()


def test_a_log_goes_on_only_by_the_clock_that_it_was_begun_with(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(2))
    with pytest.raises(Misfit, match="begun with the other clock"):
        Embedded(tmp_path / "data", plan())


def test_a_journal_older_than_the_case_store_is_refused(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(10))
    shutil.copy(tmp_path / "data" / "journal.db", tmp_path / "copy.db")
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(10, 40))
    shutil.copy(tmp_path / "copy.db", tmp_path / "data" / "journal.db")
    with pytest.raises(Misfit, match="one of the two was restored from a copy"):
        Embedded(tmp_path / "data", plan(), player=True)


@pytest.mark.parametrize("name", ["journal.db", "cases.db"])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, plan: Callable[..., Plan], name: str) -> None:
    with running(tmp_path / "data", plan()) as engine:
        play(engine, range(5))
    (tmp_path / "data" / name).write_bytes(b"damaged" * 5000)
    with pytest.raises(Corrupt, match=rf"data/{name}: the file is damaged; restore it from a copy"):
        Embedded(tmp_path / "data", plan(), player=True)


def test_a_thread_that_dies_is_told_and_the_engine_is_not_alive(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    told: list[tuple[str, str]] = []
    engine = Embedded(
        tmp_path / "data", plan(), player=True, on_death=lambda name, error: told.append((name, str(error)))
    )
    engine.journal.append(Stream.READINGS, 0, [tick_record(START)])
    engine.start()
    assert not engine.drain(60)
    assert [name for name, _ in told] == ["detect"]
    assert "the first record of a partition must be a plan record" in told[0][1]
    assert engine.progress().faults == (f"detect: {told[0][1]}",)
    assert not engine.progress().ready
    engine.stop()


def test_without_room_for_more_readings_are_refused_and_the_engine_says_so(
    tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    engine = Embedded(tmp_path / "data", plan(), player=True, limits=Limits(backlog_bytes=1000))
    engine.intake.append([b"x" * 2000], log_time=START)
    with pytest.raises(Overloaded):
        engine.intake.append([b"x"], log_time=START)
    assert engine.progress().overloaded
    assert engine.progress().waiting == 2
    engine.start()
    assert engine.drain(60)
    engine.intake.append([b"x"], log_time=START)
    assert not engine.progress().overloaded
    engine.stop()


def test_when_too_much_waits_for_its_order_detect_stops_says_so_and_loses_nothing(
    tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    slow = plan(max_delay_ms=30_000)
    engine = Embedded(tmp_path / "data", slow, player=True, limits=Limits(waiting_bytes=2_000))
    engine.start()
    play(engine, range(60))
    while not engine.progress().faults:
        assert engine.alive()
    assert "nothing is lost; start again with a larger waiting_size" in engine.progress().faults[0]
    assert not engine.progress().ready
    assert engine.journal.cursor(READER, 0) < engine.journal.end(Stream.READINGS, 0)
    engine.stop()
    with running(tmp_path / "data", slow) as engine:
        assert engine.drain(60)
        said = stream(engine, Stream.ALERTS)
        assert said == judged_again(engine)
        assert any(b'"raised"' in value for value in said)


def test_messages_that_everybody_had_go_with_the_age_of_the_log_on_its_own_clock(
    tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    day_s = 86_400
    with running(tmp_path / "data", plan(), retention_age_ms=1000 * day_s) as engine:
        engine.destinations = ["webhook:slow"]
        play(engine, range(60))
        assert engine.drain(60)
        said = engine.relay.position
        assert (engine.forget(), said > 1) == (0, True), "not old enough"
        play(engine, range(2 * day_s, 2 * day_s + 60))
        assert engine.drain(60)
        assert engine.forget() == 0, "somebody has not had them"
        engine.destinations = []
        assert engine.forget() == said
        assert [row.position for row in engine.relay.read(0, 1000)] == list(range(said + 1, engine.relay.position + 1))
        when = engine.journal.read(Stream.CASES, 0, 0, limit_bytes=1 << 30).log_time.tolist()
        assert START <= when[0] < when[-1] - 1000 * day_s, "city.cases has the log's clock"
