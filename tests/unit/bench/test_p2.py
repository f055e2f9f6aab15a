"""The benchmark beside peers: what it feeds, what it expects, how it counts."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from aiokafka.record.memory_records import MemoryRecords

from bench.p2 import report
from bench.p2.batches import PARTITIONS, Stream
from bench.p2.cases import Case
from bench.p2.job import Said, methane_town, one_rule
from bench.p2.oracle import Oracle, expected
from bench.p2.plot import Bar, bars
from bench.p2.processes import Command, Tree
from bench.p2.run import Progress, Rates, Run, Sample, rates
from bench.p2.topics import Told
from bench.peers import levels
from bench.readings import BEGIN_MS, SEED
from rules.partition import home_partition

PLAN = one_rule()
STREAM = Stream(methane_town(SEED), 200_000, SEED, PLAN.digest, odd_per_mille=0)


@pytest.fixture(scope="module")
def said() -> list[Said]:
    """What detect says of ten minutes of readings, partition by partition."""
    return list(expected(STREAM, PLAN))


@pytest.fixture(scope="module")
def oracle(said: list[Said]) -> Oracle:
    return Oracle.of(STREAM.readings, said)


def told(said: list[Said]) -> list[Told]:
    return [Told(one, BEGIN_MS) for one in said]


def fault(oracle: Oracle, said: list[Said], left_out: Collection[str] = ()) -> str | None:
    return oracle.fault(told(said), Progress(told(said), STREAM), left_out)


def test_a_sensor_that_is_left_out_is_neither_wrong_nor_missing(oracle: Oracle, said: list[Said]) -> None:
    one = said[0].sensor
    without = [change for change in said if change.sensor != one]
    assert fault(oracle, without) is not None
    assert fault(oracle, without, {one}) is None
    wrong = [change._replace(value=-1.0) if change.sensor == one else change for change in said]
    assert fault(oracle, wrong) is not None
    assert fault(oracle, wrong, {one}) is None


def test_sensors_of_which_a_reading_stands_behind_a_later_one_are_named() -> None:
    stream = replace(STREAM, readings=1_500_000)
    last: dict[str, int] = {}
    found = set()
    for lines in stream.lines():
        for value in lines.values()[0]:
            reading = msgspec.json.decode(value)
            if "sensor" in reading and reading["t"] < last.setdefault(reading["sensor"], reading["t"]):
                found.add(reading["sensor"])
            elif "sensor" in reading:
                last[reading["sensor"]] = reading["t"]
    assert found == stream.overtaken() != set()


@pytest.mark.parametrize("lz4", [True, False], ids=["lz4", "plain"])
def test_batches_are_records_as_kafka_reads_them(lz4: bool) -> None:
    stream = replace(STREAM, readings=40_000, lz4=lz4)
    found: dict[int, list[tuple[bytes | None, bytes, int]]] = {number: [] for number in range(PARTITIONS)}
    for batch in stream.batches():
        records = MemoryRecords(batch.data)
        one = records.next_batch()
        assert one is not None
        assert one.validate_crc()
        rows = [(record.key, record.value, record.timestamp) for record in one]
        assert len(rows) == batch.records
        assert not records.has_next()
        found[batch.partition] += rows
    for number, rows in found.items():
        readings = [(key, value) for key, value, _ in rows if key is not None]
        assert all(home_partition(key.decode(), PARTITIONS) == number for key, _ in readings)
        assert all(msgspec.json.decode(value)["sensor"] == key.decode() for key, value in readings)
        kinds = [msgspec.json.decode(value)["kind"] for key, value, _ in rows if key is None]
        assert kinds == ["plan", "tick", "tick", "tick"]
        assert rows[0][0] is None
        assert rows[-1][0] is None
        times = [t for _, _, t in rows]
        assert times == sorted(times)
    assert sum(key is not None for rows in found.values() for key, _, _ in rows) == 40_000


def test_the_rule_of_the_python_peers_says_what_detect_says(said: list[Said]) -> None:
    decode = msgspec.json.Decoder(levels.Reading).decode
    states: dict[str, levels.State] = {}
    found = []
    for lines in STREAM.lines():
        for value in lines.values()[0]:
            reading = decode(value)
            if reading.sensor is None:
                continue
            state, change = levels.see(states.pop(reading.sensor, None), reading)
            if state is not None:
                states[reading.sensor] = state
            if change is not None:
                found.append(Said(*msgspec.structs.astuple(change)))
    assert {one.change for one in found} == {"raised", "escalated", "downgraded", "cleared"}
    assert sorted(map(repr, found)) == sorted(map(repr, said))


def test_an_output_that_breaks_off_late_is_right(oracle: Oracle, said: list[Said]) -> None:
    in_time = sorted(said, key=lambda one: one.t)
    assert fault(oracle, said) is None
    assert fault(oracle, in_time[: len(in_time) * 2 // 3]) is None


def test_every_difference_makes_an_output_wrong(oracle: Oracle, said: list[Said]) -> None:
    early = min(range(len(said)), key=lambda number: said[number].t)
    twice = next(n for n, one in enumerate(said) if sum(other.sensor == one.sensor for other in said) > 1)
    second = next(n for n, one in enumerate(said) if n > twice and one.sensor == said[twice].sensor)
    swapped = list(said)
    swapped[twice], swapped[second] = said[second], said[twice]
    wrong = {
        "missing": said[:early] + said[early + 1 :],
        "repeated": [*said, said[early]],
        "other level": [*said[:early], said[early]._replace(level="blue"), *said[early + 1 :]],
        "other value": [*said[:early], said[early]._replace(value=0.5), *said[early + 1 :]],
        "other since": [*said[:early], said[early]._replace(since=1), *said[early + 1 :]],
        "out of order": swapped,
    }
    assert [name for name, output in wrong.items() if fault(oracle, output) is None] == []


def test_rates_are_of_what_the_latest_changes_say() -> None:
    sensors = {home_partition(sensor, PARTITIONS): sensor for sensor in STREAM.town.ids}
    blank = Said("", "gas.methane", "raised", "red", None, 0, 0, 60.0, None, None)
    changes = [
        Told(blank._replace(sensor=sensors[number], t=BEGIN_MS + minute * 60_000), 1_000 + minute * 1_000)
        for minute in range(1, 11)
        for number in range(PARTITIONS)
    ]
    samples = [Sample(0.5 + second, 2.0 * second, 0.1 * second) for second in range(20)]
    whole, warm = rates(samples, Progress(changes, STREAM))
    assert whole == Rates(200_000, pytest.approx(21.0), pytest.approx(10.5), pytest.approx(1.05))
    assert warm.readings == pytest.approx(160_000, rel=0.04)
    assert warm.per_cpu_s == pytest.approx(10_000, rel=0.04)


def test_cpu_is_counted_with_children_that_ended_and_all_are_ended(tmp_path: Path) -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    script = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {spin!r}])\nprint('done', flush=True)\n"
    )
    script += "subprocess.Popen(['sleep', '600'])\ntime.sleep(600)"
    log = tmp_path / "log"
    with Tree(Command((sys.executable, "-c", script), tmp_path), log) as tree:
        until = time.monotonic() + 60
        while "done" not in log.read_text():
            assert time.monotonic() < until
            time.sleep(0.02)
        assert tree.cpu_s() >= 0.29
        assert tree.ended() is None
    assert tree.ended() is not None
    assert tree.cpu_s() == 0


def test_a_report_gives_medians_and_leaves_out_what_is_wrong() -> None:
    case = Case("peers", "1,000 records a batch, lz4", STREAM, PLAN)
    results = report.Results.begun()
    for cpu in (1.0, 4.0, 2.0):
        right = Rates(1_000_000, cpu, 2 * cpu, 0.1)
        results.add("tongguan", case, Run(right, right, 10, None))
    results.add("faust", case, Run(Rates(1, 1.0, 1.0, 0.0), Rates(1, 1.0, 1.0, 0.0), 1, "not told: x"))
    results.add("pathway", case, Run(Rates(250_000, 1.0, 1.0, 0.0), Rates(0, 0.0, 0.0, 0.0), 1, None))
    text = report.section(report.Results.decoded(results.encoded()))
    assert "| 500,000 | 500,000 | 250,000 | 250,000 | 1.00 | 1.00 | 3 |" in text
    assert "| 250,000 | 0 | 250,000 | 0 | 2.00 |  | 1 |" in text
    assert "does not count: not told: x" in text
    assert "not run" in text


def test_a_plot_has_a_bar_for_each() -> None:
    text = bars("readings", [Bar("Tongguan", 2e6, True), Bar("a < b", 1e6, False)])
    assert text.count("<rect") == 2
    assert "a &lt; b" in text
    assert "2,000,000" in text
