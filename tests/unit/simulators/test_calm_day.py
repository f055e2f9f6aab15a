"""A calm day stays within its bounds, and the shipped rules find nothing in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from engine.detect.batch import read_lines
from engine.detect.detector import Detector
from engine.detect.offline import PlanFiles, build_plan
from geo.city import load as load_city
from simulators import everyday, waste
from simulators.ground import Ground, ground_of
from simulators.lines import tick
from simulators.load import load
from simulators.network import read_registry
from simulators.run import Simulation
from simulators.streams import natures

LIBRARY = Path(__file__).parents[3] / "rules" / "library"
HOUR_MS = 3_600_000
FULLER = {"waste.fill": (0, 85), "waste.weight": (0, 480), "vehicle.position": (0, 60)}
"""What such sensors see is not theirs alone: bins fill, vehicles drive."""


def day(ground: Ground, seed: int, sensors: int | None, hours: int) -> list[bytes]:
    simulation = Simulation(load("calm_day"), ground, seed, sensors)
    lines: list[bytes] = []
    for batch in simulation.batches():
        if batch.t_ms > simulation.scenario.starts_ms + hours * HOUR_MS:
            break
        lines += [*batch.lines, tick(batch.t_ms)]
    return lines


def test_every_kind_stays_within_its_bounds(ground: Ground) -> None:
    signals = load("calm_day").signals
    seen: dict[str, list[float]] = {}
    for line in day(ground, 5, None, 4):
        reading = orjson.loads(line)
        if "sensor" in reading:
            seen.setdefault(reading["kind"], []).append(reading["v"])
    for kind, values in seen.items():
        low, high = FULLER.get(kind, (signals[kind].low, signals[kind].high))
        assert low <= min(values), kind
        assert max(values) <= high, kind
    assert set(seen) == {row.kind for row in read_registry(ground.registry)} - {"video.flame"}
    assert max(seen["rain.minute"]) == 0.0


@pytest.mark.parametrize("number", range(5))
def test_bins_fill_and_are_emptied_on_every_round(number: int) -> None:
    scenario = load("calm_day")
    nature = natures(3, [f"bin {number}"])
    times = np.arange(scenario.starts_ms, scenario.starts_ms + 240 * HOUR_MS, 600_000)
    fill = waste.fill(scenario.bins, np.repeat(nature, len(times), axis=0), times, scenario.utc_offset_h)
    assert (np.diff(fill) < 0.0).sum() == 10 * len(scenario.bins.rounds_at_hour)
    assert fill.min() >= 0.0
    assert 10.0 < fill.max() < 85.0


def test_temperature_is_highest_in_the_afternoon() -> None:
    scenario = load("calm_day")
    times = scenario.starts_ms + np.arange(24) * HOUR_MS
    nature = np.repeat(natures(3, ["attic"]), 24, axis=0)
    values = everyday.course(scenario.signals["fire.heat"], nature, times, scenario.utc_offset_h, np.zeros(24))
    hours = (times // HOUR_MS + 8) % 24
    assert 13 <= hours[values.argmax()] <= 17
    assert values.max() - values.min() > 6.0


def test_the_shipped_rules_find_nothing_in_a_calm_day(tmp_path: Path) -> None:
    city = load_city()
    ground = ground_of(city)
    simulation = Simulation(load("calm_day"), ground, 11, 120)
    simulation.network.write_registry(tmp_path / "sensors.csv")
    (tmp_path / "day.ndjson").write_bytes(b"\n".join(day(ground, 11, 120, 25)) + b"\n")
    plan = build_plan(PlanFiles(LIBRARY, registry=tmp_path / "sensors.csv", zones=city.zones_path))
    assert plan.rule_faults == ()
    detector = Detector(offline_plan=plan.plan)
    with (tmp_path / "day.ndjson").open("rb") as stream:
        outputs = [detector.step(batch) for batch in read_lines(stream)] + [detector.finish()]
    assert [item for output in outputs for item in output.items if hasattr(item, "change")] == []
    assert [row for output in outputs for row in [*output.rejects, *output.late]] == []
    assert sum(output.counts.readings.total() for output in outputs) > 100_000
