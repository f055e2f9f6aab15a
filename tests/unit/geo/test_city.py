"""The shipped city."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from geo import city as cities
from geo import codes
from geo.city import City
from geo.crs import quantize
from geo.errors import FileRefused
from geo.synthetic import sensors
from geo.synthetic.build import build
from geo.tiling import flaws, out_of_order
from rules.kinds import load_kinds


@pytest.fixture(scope="module")
def city() -> City:
    return cities.load()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> City:
    return build(1, tmp_path_factory.mktemp("city"))


def test_its_names_and_codes_are_those_of_shengzhou(city: City) -> None:
    assert (city.code, city.name) == ("330683", "嵊州市")
    assert city.divisions["330683001"] == "剡湖街道"
    assert city.divisions["330683200"] == "贵门乡"
    assert Counter(len(code) for code in city.divisions) == {6: 1, 9: 15, 12: 304}


def test_twenty_thousand_grids_tile_it(city: City) -> None:
    assert 18_000 < len(city.grids) < 22_000
    assert flaws(city.grids) == []
    assert out_of_order(city.grids) == []


def test_every_community_has_grids_of_lawful_codes(city: City) -> None:
    assert [code for code in city.grids.codes if codes.problem(code) is not None] == []
    assert {code[:12] for code in city.grids.codes} == {code for code in city.divisions if len(code) == 12}


def test_grids_are_about_100_m_in_the_core_and_larger_outside(city: City) -> None:
    sizes = Counter(properties["size_m"] for properties in city.grids.properties)
    assert set(sizes) == {100, 200, 400, 800}
    assert sizes[100] > len(city.grids) / 2
    x, y = quantize(*city.frame.to_degrees([0.0], [0.0]))
    assert city.grids.properties[int(city.grids.locate(x, y)[0])]["size_m"] == 100


def test_each_grid_names_its_department_and_officer(city: City) -> None:
    row = city.grids.row_of("330683001028100")
    properties = city.grids.properties[row]
    assert properties["name"] == "剡湖街道越秀社区第100网格"
    assert city.departments[properties["department"]] == "剡湖街道办事处"
    assert all(p["officer"] and p["department"] in city.departments for p in city.grids.properties)


def test_each_site_lies_in_the_grid_that_it_names(city: City) -> None:
    sites = [*city.underpasses, *city.low_points, *city.drains, *city.gas_sites]
    x, y = quantize([site.lon for site in sites], [site.lat for site in sites])
    assert [city.grids.code_of(row) for row in city.grids.locate(x, y).tolist()] == [site.grid for site in sites]


def test_no_two_sites_of_a_sort_have_one_name(city: City) -> None:
    for sites in (city.underpasses, city.low_points, city.drains, city.rain_gauges, city.gas_sites):
        assert len({site.name for site in sites}) == len(sites)


def test_drains_run_downhill_into_the_river(city: City) -> None:
    drains = {drain.id: drain for drain in city.drains}
    height = {d.id: float(city.terrain.elevation(d.lon, d.lat)) for d in city.drains}
    for drain in city.drains:
        steps, at = 0, drain
        while at.downstream is not None:
            assert height[at.downstream] < height[at.id]
            at, steps = drains[at.downstream], steps + 1
            assert steps <= len(drains)


def test_the_sensors_of_its_sites_are_in_the_registry(city: City) -> None:
    registered = {(sensor.sensor, sensor.kind) for sensor in city.sensors}
    wanted = {(s, "water.level") for u in city.underpasses for s in u.sensors}
    wanted |= {(low.sensor, "water.level") for low in city.low_points}
    wanted |= {(drain.sensor, "drain.level") for drain in city.drains}
    wanted |= {(gauge.sensor, "rain.minute") for gauge in city.rain_gauges}
    assert wanted <= registered


def test_about_6700_rows_stand_for_each_sensor_and_kind_once(city: City) -> None:
    assert 6_600 < len(city.sensors) < 6_800
    assert len({(s.sensor, s.kind) for s in city.sensors}) == len(city.sensors)
    assert {s.department for s in city.sensors} <= set(city.departments)
    assert all((s.lon is None) == (s.kind == "vehicle.position") for s in city.sensors)
    assert 0 < sum(bool(s.gateway) for s in city.sensors) < len(city.sensors)


def test_every_kind_that_ships_has_sensors(city: City) -> None:
    assert {sensor.kind for sensor in city.sensors} == {kind.name for kind in load_kinds()}


def test_cameras_of_a_zone_set_look_into_it(city: City) -> None:
    for prefix, zone in (("VF-", "fire_lane"), ("VD-", "no_dumping"), ("VN-", "no_vending"), ("VK-", "sidewalks")):
        cameras = [s for s in city.sensors if s.sensor.startswith(prefix)]
        x, y = quantize([s.lon for s in cameras], [s.lat for s in cameras])
        assert len(cameras) > 10
        assert city.zones[zone].contains(x, y).all()


def test_muck_trucks_get_from_every_building_site_to_every_disposal_site_on_corridors(city: City) -> None:
    works = [site for site in city.muck_sites if site.use == "works"]
    disposal = [site for site in city.muck_sites if site.use == "disposal"]
    assert (len(works), len(disposal)) == (8, 3)
    for a in works:
        for b in disposal:
            way = city.roads.route(a.lon, a.lat, b.lon, b.lat, city.roads.muck)
            places = city.roads.along(way, np.arange(0.0, city.roads.length_m(way), 20.0))
            assert city.zones["muck_corridors"].contains(*quantize(*places)).all()


def test_each_underpass_lies_on_the_road_that_it_is_named_after(city: City) -> None:
    for underpass in city.underpasses:
        named = np.array([edge.name == underpass.name.partition("下穿")[0] for edge in city.roads.edges])
        assert city.roads.nearest(underpass.lon, underpass.lat, named).away_m < 1.0


def test_its_fixed_sensors_stand_in_its_grids(city: City) -> None:
    fixed = [s for s in city.sensors if s.lon is not None]
    x, y = quantize([s.lon for s in fixed], [s.lat for s in fixed])
    assert (city.grids.locate(x, y) >= 0).all()


@pytest.mark.parametrize("rows", [300, 20_000])
def test_a_registry_of_another_size_can_be_had(city: City, rows: int) -> None:
    text = sensors.registry(city, rows, seed=1)
    assert rows * 0.9 < text.count(b"\n") < rows * 1.1
    assert text == sensors.registry(city, rows, seed=1)


def test_the_ground_slopes_as_its_elevations_say(city: City) -> None:
    land = city.terrain
    lon, lat = land.frame.to_degrees([3000.0, 3060.0, 3030.0], [1020.0, 1020.0, 1020.0])
    height = land.elevation(lon, lat)
    east, _ = land.slope(lon[2:], lat[2:])
    assert east[0] == pytest.approx((height[1] - height[0]) / 60.0, abs=1e-6)
    assert 5.0 < land.height_m.min() < land.height_m.max() < 900.0


def test_the_same_seed_makes_the_city_that_is_shipped(city: City, made: City) -> None:
    names = sorted(str(p.relative_to(city.folder)) for p in city.folder.rglob("*") if p.is_file())
    names.remove("duty.yaml")  # people write rosters
    assert names == sorted(str(p.relative_to(made.folder)) for p in made.folder.rglob("*") if p.is_file())
    assert [n for n in names if content(city.path(n)) != content(made.path(n))] == []


def content(path: Path) -> object:
    """The bytes of a file; of a packed one, the bytes of its arrays, since compressors differ between machines."""
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path) as pack:
        return {name: (pack[name].dtype, pack[name].tobytes()) for name in pack.files}


def test_grid_properties_can_be_sliced(city: City) -> None:
    assert [p["community"] for p in city.grids.properties[:2]] == [code[:12] for code in city.grids.codes[:2]]


@pytest.mark.parametrize("name", ["atlantis", "../secrets", ""])
def test_a_city_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(FileRefused):
        cities.load(name)


def test_metres_and_degrees_go_both_ways(city: City) -> None:
    lon, lat = city.frame.to_degrees([1234.5], [-987.6])
    x, y = city.frame.to_metres(lon, lat)
    assert np.allclose([x[0], y[0]], [1234.5, -987.6])
    assert city.frame.distance_m(*city.frame.to_degrees(0, 0), *city.frame.to_degrees(3, 4)) == pytest.approx(5.0)
