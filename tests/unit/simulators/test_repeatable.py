"""The same seed gives the same bytes, whoever else plays and wherever it begins."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise, takewhile
from pathlib import Path

import orjson
import pytest

from simulators.ground import Ground
from simulators.load import fault_of, load
from simulators.run import Batch, Simulation
from simulators.scenario import Prelude, Scenario

STORY_MS = 30 * 60_000
EVERY_FAULT = (
    "drop_out: {chance: 0.2}",
    "drift: {by: 5, share: 0.5}",
    "stuck: {share: 0.5, from: 5m, for: 10m}",
    "noise: {by: 0.5}",
    "clock_skew: {ahead: 90s, share: 0.5}",
    "duplicate: {chance: 0.2, late: 45s}",
    "disorder: {chance: 0.5, late: 40s}",
    "gateway_outage: {share: 1, from: 8m, for: 12m}",
)


def short(name: str) -> Scenario:
    """A shipped scenario with an hour's prelude at most."""
    scenario = load(name)
    lasts = min(scenario.prelude.lasts_ms, 3_600_000)
    return replace(scenario, prelude=Prelude(lasts_ms=lasts, every_ms=5 * 60_000))


def played(simulation: Simulation, *, after_ms: int | None = None, for_ms: int = STORY_MS) -> list[Batch]:
    end = simulation.scenario.starts_ms + for_ms
    return list(takewhile(lambda batch: batch.t_ms <= end, simulation.batches(after_ms=after_ms)))


def text(batches: list[Batch]) -> bytes:
    """Everything that a run gives."""
    calls = repr([batch.calls for batch in batches]).encode()
    return b"".join(batch.ndjson + b"".join(batch.truth) for batch in batches) + calls


@pytest.mark.parametrize("name", ["calm_day", "cloudburst", "gas_leak"])
def test_the_same_seed_gives_the_same_bytes(name: str, ground: Ground) -> None:
    first, second = (text(played(Simulation(short(name), ground, 7))) for _ in range(2))
    assert first == second
    assert first


@pytest.mark.parametrize("name", ["calm_day", "cloudburst", "gas_leak"])
def test_another_seed_gives_other_bytes(name: str, ground: Ground) -> None:
    assert text(played(Simulation(short(name), ground, 7))) != text(played(Simulation(short(name), ground, 8)))


def test_another_seed_tells_of_another_underpass(ground: Ground) -> None:
    floods = [Simulation(short("cloudburst"), ground, seed).world.flood for seed in range(12)]
    assert {flood.target for flood in floods if flood is not None} == {0, 1}


def test_bytes_do_not_hang_on_the_order_of_hashes(ground: Ground) -> None:
    script = (
        "import sys, hashlib, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from test_repeatable import Simulation, played, short, text\n"
        "from conftest import town\n"
        "run = Simulation(short('cloudburst'), town(pathlib.Path(sys.argv[2])), 7)\n"
        "print(hashlib.sha256(text(played(run))).hexdigest())\n"
    )
    here = Path(__file__).parent
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(here), str(ground.registry)],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(here.parents[2])},
            check=True,
            capture_output=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    expected = hashlib.sha256(text(played(Simulation(short("cloudburst"), ground, 7)))).hexdigest()
    assert digests == {expected.encode() + b"\n"}


@pytest.mark.parametrize("name", ["cloudburst", "gas_leak"])
def test_a_run_that_goes_on_in_the_middle_gives_what_the_whole_one_gave(name: str, ground: Ground) -> None:
    middle = load(name).starts_ms + 17 * 60_000
    whole = [batch for batch in played(Simulation(short(name), ground, 7)) if batch.t_ms > middle]
    assert text(played(Simulation(short(name), ground, 7), after_ms=middle)) == text(whole)


def test_a_run_with_faults_goes_on_in_the_middle_as_well(ground: Ground) -> None:
    scenario = replace(short("cloudburst"), faults=tuple(fault_of(text) for text in EVERY_FAULT))
    middle = scenario.starts_ms + 11 * 60_000
    whole = [batch for batch in played(Simulation(scenario, ground, 7)) if batch.t_ms > middle]
    assert text(played(Simulation(scenario, ground, 7), after_ms=middle)) == text(whole)


def test_what_a_sensor_says_does_not_hang_on_how_many_others_play(ground: Ground) -> None:
    few = Simulation(short("gas_leak"), ground, 7, sensors=12)
    said = [line for batch in played(Simulation(short("gas_leak"), ground, 7)) for line in batch.lines]
    of_few = [line for batch in played(few) for line in batch.lines]
    names = set(few.network.names)
    assert of_few == [line for line in said if "{sensor}|{kind}".format(**orjson.loads(line)) in names]


def test_readings_come_in_order_and_every_sensor_at_its_pace(ground: Ground) -> None:
    batches = [b for b in played(Simulation(short("calm_day"), ground, 7)) if not b.prelude]
    readings = [orjson.loads(line) for batch in batches for line in batch.lines]
    assert [r["t"] for r in readings] == sorted(r["t"] for r in readings)
    for sensor, every in (("wl-u0", 60_000), ("v-0", 20_000)):
        times = [r["t"] for r in readings if r["sensor"] == sensor]
        assert {b - a for a, b in pairwise(times)} == {every}
    for batch in batches:
        assert all(batch.t_ms - 10_000 <= t < batch.t_ms for t in batch.arrives_ms.tolist())


def test_log_t_is_written_when_asked_for(ground: Ground) -> None:
    scenario = short("calm_day")
    batch = next(b for b in Simulation(scenario, ground, 7).batches(log_t=True) if b.lines)
    assert [orjson.loads(line)["log_t"] for line in batch.lines] == batch.arrives_ms.tolist()
