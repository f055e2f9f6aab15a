"""Each fault does what its name says, to the sensors it names, in its time, and to no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from typing import Any

import orjson
import pytest

from simulators.ground import Ground
from simulators.load import fault_of, load
from simulators.run import Simulation

MINUTE_MS = 60_000
Played = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def play(ground: Ground) -> Played:
    """Play half an hour of the calm day with these faults: the readings as they come in, with `log_t`."""

    def run(*faults: str, minutes: int = 30) -> list[dict[str, Any]]:
        scenario = replace(load("calm_day"), faults=tuple(fault_of(text) for text in faults))
        end = scenario.starts_ms + minutes * MINUTE_MS
        batches = takewhile(lambda batch: batch.t_ms <= end, Simulation(scenario, ground, 3).batches(log_t=True))
        return [orjson.loads(line) for batch in batches for line in batch.lines]

    return run


def of(readings: list[dict[str, Any]], sensor: str) -> list[dict[str, Any]]:
    return [reading for reading in readings if reading["sensor"] == sensor]


START = load("calm_day").starts_ms


def test_without_faults_everything_comes_in_at_once(play: Played) -> None:
    assert all(reading["t"] == reading["log_t"] for reading in play())


def test_drop_out_loses_its_share_and_changes_nothing_else(play: Played) -> None:
    whole, holed = play(), play("drop_out: {chance: 0.25}")
    assert 0.15 < 1 - len(holed) / len(whole) < 0.35
    assert [reading for reading in whole if reading in holed] == holed


def test_a_fault_keeps_to_its_kinds(play: Played) -> None:
    whole, holed = play(), play("drop_out: {kinds: [fire.heat]}")
    assert holed == [reading for reading in whole if reading["kind"] != "fire.heat"]


def test_a_fault_keeps_to_its_time(play: Played) -> None:
    holed = play("drop_out: {from: 10m, for: 5m}")
    gone = [r for r in play() if r not in holed]
    assert {(r["t"] - START) // MINUTE_MS for r in gone} == set(range(10, 15))


def test_drift_grows_with_time(play: Played) -> None:
    plain, drifted = of(play(), "gp-0"), of(play("drift: {by: 144, from: 0s}"), "gp-0")
    off = [b["v"] - a["v"] for a, b in zip(plain, drifted, strict=True)]
    assert off == pytest.approx([(r["t"] - START) * 144 / 86_400_000 for r in plain], abs=0.001)
    assert off[-1] > 2.5


def test_a_stuck_sensor_repeats_what_it_said_when_it_stuck(play: Played) -> None:
    plain, stuck = of(play(), "gp-0"), of(play("stuck: {from: 10m, for: 10m}"), "gp-0")
    held = next(r["v"] for r in plain if r["t"] >= START + 10 * MINUTE_MS)
    for a, b in zip(plain, stuck, strict=True):
        inside = START + 10 * MINUTE_MS <= a["t"] < START + 20 * MINUTE_MS
        assert b["v"] == (held if inside else a["v"])
    assert len({r["v"] for r in plain}) > 5


def test_noise_scatters_both_ways(play: Played) -> None:
    plain, noisy = of(play(), "gp-0"), of(play("noise: {by: 10}"), "gp-0")
    off = [b["v"] - a["v"] for a, b in zip(plain, noisy, strict=True)]
    assert min(off) < -3 < 3 < max(off)


@pytest.mark.parametrize(("ahead", "ms"), [("90s", 90_000), ("-2h", -7_200_000)])
def test_a_skewed_clock_moves_the_readings_own_time_only(play: Played, ahead: str, ms: int) -> None:
    plain, skewed = play(), play(f"clock_skew: {{ahead: {ahead}}}")
    told = {(r["sensor"], r["kind"], r["log_t"]): r["t"] for r in plain}
    assert {(r["sensor"], r["kind"], r["log_t"]): r["t"] - ms for r in skewed} == told


def test_duplicates_come_again_later_as_they_were(play: Played) -> None:
    plain, doubled = play(minutes=20), play("duplicate: {chance: 0.3, late: 45s}", minutes=20)
    count = Counter((r["sensor"], r["kind"], r["t"], r["v"]) for r in doubled)
    assert set(count) == {(r["sensor"], r["kind"], r["t"], r["v"]) for r in plain}
    assert set(count.values()) == {1, 2}
    assert {r["log_t"] - r["t"] for r in doubled} == {0, 45_000}


def test_disorder_brings_readings_late_but_loses_none(play: Played) -> None:
    plain, mixed = play(), play("disorder: {chance: 0.5, late: 200s}", minutes=34)
    assert {(r["sensor"], r["kind"], r["t"]) for r in plain} <= {(r["sensor"], r["kind"], r["t"]) for r in mixed}
    assert [r["log_t"] for r in mixed] == sorted(r["log_t"] for r in mixed)
    times = [r["t"] for r in of(mixed, "gp-0")]
    assert times != sorted(times)
    assert 0 < max(r["log_t"] - r["t"] for r in mixed) <= 200_000


def test_a_gateway_that_was_away_fills_back_what_it_held_in_order(play: Played) -> None:
    away = play("gateway_outage: {share: 1, from: 5m, for: 10m}")
    assert {(r["sensor"], r["kind"], r["t"]) for r in away} == {(r["sensor"], r["kind"], r["t"]) for r in play()}
    held = [r for r in away if r["log_t"] != r["t"]]
    assert {(r["t"] - START) // MINUTE_MS for r in held} == set(range(5, 15))
    assert all(START + 15 * MINUTE_MS <= r["log_t"] < START + 16 * MINUTE_MS for r in held)
    for sensor in ("gp-0", "wl-u1"):
        times = [r["t"] for r in of(away, sensor)]
        assert times == sorted(times)


def test_without_back_fill_an_outage_loses_what_it_held(play: Played) -> None:
    lost = play("gateway_outage: {share: 1, from: 5m, for: 10m, back_fill: false}")
    assert lost == [r for r in play() if not 5 <= (r["t"] - START) // MINUTE_MS < 15]


def test_share_picks_some_of_the_gateways(ground: Ground) -> None:
    scenario = replace(load("calm_day"), faults=(fault_of("gateway_outage: {share: 0.5, from: 5m, for: 5m}"),))
    ill = {frozenset(_ill(Simulation(scenario, ground, seed))) for seed in range(8)}
    assert len(ill) > 1
    assert frozenset({"gw-0"}) in ill


def _ill(simulation: Simulation) -> set[str]:
    rows = simulation.faults[0].rows
    return {gateway for gateway, hit in zip(simulation.network.gateway, rows, strict=True) if hit}


def test_the_truth_names_the_faulty_sensors_and_stays_physical(ground: Ground) -> None:
    scenario = replace(load("cloudburst"), faults=(fault_of("stuck: {kinds: [water.level], from: 1m, for: 2m}"),))
    healthy, ill = Simulation(load("cloudburst"), ground, 3), Simulation(scenario, ground, 3)
    first = [orjson.loads(line) for line in next(iter(ill.batches())).truth]
    plain = [orjson.loads(line) for line in next(iter(healthy.batches())).truth]
    named = [row for row in first if row["truth"] == "sensor.fault"]
    assert {row["sensor"] for row in named} == {"wl-u0", "wl-u1", "wl-r0"}
    assert named[0]["from"] == scenario.starts_ms + MINUTE_MS
    assert named[0]["until"] == scenario.starts_ms + 3 * MINUTE_MS
    assert [row for row in first if row["truth"] != "sensor.fault"] == plain
