"""Who plays: all sensors of the registry, fewer, or more."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from simulators.errors import NetworkError
from simulators.ground import Ground
from simulators.load import load
from simulators.network import choose, original, read_registry
from simulators.run import Simulation

SIGNALS = load("calm_day").signals


def test_all_rows_play_by_default_in_order_of_name(ground: Ground) -> None:
    network = choose(read_registry(ground.registry), SIGNALS, None)
    assert len(network) == 25
    assert list(network.sensor) == sorted(network.sensor)


def test_fewer_sensors_keep_the_rain_and_the_water(ground: Ground) -> None:
    network = choose(read_registry(ground.registry), SIGNALS, 7)
    assert len(network) == 7
    assert {"rain.minute", "water.level"} <= set(network.kind)


def test_fewer_sensors_are_among_those_of_more(ground: Ground) -> None:
    rows = read_registry(ground.registry)
    few, more = (set(choose(rows, ["water.level", "rain.minute"], n).names) for n in (2, 4))
    assert few < more


def test_doubles_stand_near_the_real_ones_and_see_the_same_water(ground: Ground) -> None:
    simulation = Simulation(load("cloudburst"), ground, 1, 60)
    network = simulation.network
    assert len(set(network.names)) == 60
    rows = {name: i for i, name in enumerate(network.sensor)}
    real, double = rows["wl-u0"], rows["wl-u0.2"]
    assert 0.0 < abs(network.lon[real] - network.lon[double]) < 0.003
    flood = simulation.world.flood
    assert flood is not None
    assert flood.of["water.level"].tolist().count(0) >= 2
    assert original("wl-u0.2") == original("wl-u0") == "wl-u0"


def test_the_registry_of_the_played_is_written_as_it_was_read(ground: Ground, tmp_path: Path) -> None:
    network = choose(read_registry(ground.registry), SIGNALS, 9)
    network.write_registry(tmp_path / "nine.csv")
    with ground.registry.open(encoding="utf-8") as file:
        whole = list(csv.DictReader(file))
    with (tmp_path / "nine.csv").open(encoding="utf-8") as file:
        nine = list(csv.DictReader(file))
    assert len(nine) == 9
    assert all(row in whole for row in nine)


def test_the_sensors_of_an_exercise_are_registered_as_such(ground: Ground, tmp_path: Path) -> None:
    network = choose(read_registry(ground.registry), SIGNALS, 9)
    network.write_registry(tmp_path / "nine.csv", drill=True)
    with (tmp_path / "nine.csv").open(encoding="utf-8") as file:
        assert {row["drill"] for row in csv.DictReader(file)} == {"true"}


@pytest.mark.parametrize(
    ("text", "count", "fault"),
    [
        ("name,kind\n", None, "must have the columns sensor and kind"),
        ("sensor,kind\na,no.such\n", None, "no sensor of the registry has a kind of the scenario"),
        ("sensor,kind,lon,lat\na,fire.heat,east,30\n", None, "a fire.heat: must have a place in degrees; got east, 30"),
        ("sensor,kind,lon,lat,crs\na,fire.heat,120,30,mars\n", None, "a fire.heat: must have a place in degrees"),
        ("sensor,kind,lon,lat\na,fire.heat,120,30\n", 0, "the number of sensors must be at least 1; got 0"),
    ],
)
def test_a_registry_that_cannot_be_played_is_refused(tmp_path: Path, text: str, count: int | None, fault: str) -> None:
    path = tmp_path / "sensors.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NetworkError, match=fault):
        choose(read_registry(path), SIGNALS, count)


def test_places_in_other_coordinates_are_turned(tmp_path: Path) -> None:
    path = tmp_path / "sensors.csv"
    path.write_text("sensor,kind,lon,lat,crs\na,fire.heat,120.82,29.6,gcj02\nb,fire.heat,120.82,29.6,wgs84\n")
    network = choose(read_registry(path), SIGNALS, None)
    assert 0.002 < network.lon[1] - network.lon[0] < 0.008
    assert network.lon[1] == 120.82
