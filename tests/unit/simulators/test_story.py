"""The cloudburst as the shipped rules see it: warnings climb, one underpass alarms, and the water goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.detect.batch import read_lines
from engine.detect.changes import Change
from engine.detect.detector import Detector
from engine.detect.offline import PlanFiles, build_plan
from geo.city import load as load_city
from simulators.ground import ground_of
from simulators.lines import tick
from simulators.load import load
from simulators.run import Simulation

LIBRARY = Path(__file__).parents[3] / "rules" / "library"
MINUTE_MS = 60_000


def minutes_of_changes(folder: Path, seed: int) -> tuple[list[tuple[float, Change]], str]:
    """Play three hours with few sensors: each change with its minute of the story, and the flooded underpass."""
    city = load_city()
    simulation = Simulation(load("cloudburst"), ground_of(city), seed, 180)
    end = simulation.scenario.starts_ms + simulation.scenario.lasts_ms
    simulation.network.write_registry(folder / "sensors.csv")
    with (folder / "readings").open("wb") as file:
        for batch in simulation.batches():
            if batch.t_ms > end:
                break
            file.write(batch.ndjson + tick(batch.t_ms) + b"\n")
    detector = Detector(offline_plan=build_plan(PlanFiles(LIBRARY, folder / "sensors.csv", zones=city.zones_path)).plan)
    with (folder / "readings").open("rb") as stream:
        outputs = [detector.step(batch) for batch in read_lines(stream)] + [detector.finish()]
    changes = [item for output in outputs for item in output.items if isinstance(item, Change)]
    flood = simulation.world.flood
    assert flood is not None
    assert flood.target is not None
    start = simulation.scenario.starts_ms
    return [((item.t - start) / MINUTE_MS, item) for item in changes], flood.basins.names[flood.target]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_story_is_told_in_two_and_a_half_hours(tmp_path: Path, seed: int) -> None:
    changes, underpass = minutes_of_changes(tmp_path, seed)
    rain = {
        str(level): min(minute for minute, item in changes if "rainstorm" in item.rule and item.level == level)
        for level in ("blue", "yellow", "orange", "red")
    }
    assert 0.0 < rain["blue"] < rain["yellow"] < rain["orange"] < rain["red"] < 90.0
    pond = [(minute, item) for minute, item in changes if item.rule == "flood.underpass_ponding"]
    owners = {sensor: place.name for place in ground_of(load_city()).low for sensor in place.sensors}
    assert {owners[item.sensor] for _, item in pond} == {underpass}
    alarms = [minute for minute, item in pond if item.level == "red" and item.change == "escalated"]
    clears = [minute for minute, item in pond if item.change == "cleared"]
    assert 20.0 < min(alarms) < 40.0
    assert 125.0 < min(clears) <= max(clears) < 150.0
    assert not [item for minute, item in changes if minute < 0.0]
