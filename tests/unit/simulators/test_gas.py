"""Gas seeps, gathers, blows away and takes pressure from the pipe, until the leak is mended."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.ground import Ground
from simulators.load import load
from simulators.run import Simulation
from simulators.seepage import Seepage

MINUTE_MS = 60_000


@pytest.fixture
def story(ground: Ground) -> list[tuple[float, float, float, float]]:
    """(minute, leak m³/h, methane %LEL in the valve well, pressure kPa at the regulator)."""
    world = Simulation(load("gas_leak"), ground, 3).world
    gas = world.gas
    assert gas is not None
    rows = []
    for minute in range(0, 241):
        world.advance(world.scenario.starts_ms + minute * MINUTE_MS)
        pressure = gas.pressure(world.story_ms, np.array([200.0]), np.array([0]))[0]
        rows.append((minute, gas.rate_m3_h(world.story_ms), float(gas.methane_lel()[0]), float(pressure)))
    return rows


def test_before_the_leak_nothing_is_wrong(story: list[tuple[float, float, float, float]]) -> None:
    assert [row[1:] for row in story[:8]] == [(0.0, 0.0, 200.0)] * 8


def test_the_well_fills_to_a_dangerous_share_and_the_pipe_loses_pressure(
    story: list[tuple[float, float, float, float]],
) -> None:
    assert 50.0 < max(row[2] for row in story) <= 150.0
    assert min(row[3] for row in story) < 185.0


def test_after_the_repair_the_well_airs_and_the_pressure_is_back(
    story: list[tuple[float, float, float, float]],
) -> None:
    assert story[-1][1] == 0.0
    assert story[-1][2] < 8.0
    assert story[-1][3] == pytest.approx(200.0, abs=1.0)


def test_the_gas_comes_late_through_the_soil(story: list[tuple[float, float, float, float]]) -> None:
    leaks = next(row[0] for row in story if row[1] > 200.0)
    gathers = next(row[0] for row in story if row[2] > 20.0)
    assert leaks + 3 <= gathers


def test_a_far_room_smells_nothing(ground: Ground) -> None:
    world = Simulation(load("gas_leak"), ground, 3, sensors=200).world
    world.advance(world.scenario.starts_ms + 60 * MINUTE_MS)
    gas = world.gas
    assert gas is not None
    wells = world.eyes["gas.methane"]
    far = np.hypot(wells.x - gas.at[0], wells.y - gas.at[1]) > 600.0
    assert not far.any() or gas.methane_lel()[far].max() < 1.0
    assert gas.methane_lel().max() > 20.0


def test_without_a_methane_sensor_there_is_nothing_to_play(ground: Ground) -> None:
    leak = load("gas_leak").leak
    assert leak is not None
    assert Seepage.near(leak, 1, ground, {}) is None
