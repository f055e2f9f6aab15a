"""`tongguan geo import` into the folder of a city, and what is made up to play it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import orjson
import pytest
import shapely
from typer.testing import CliRunner

from engine.commands.city_files import read_city
from engine.commands.geo import app
from engine.detect.offline import FilesRefused
from engine.runtime.config import Config
from geo.city import City
from geo.crs import quantize
from geo.synthetic.furnish import playable
from rules.kinds import load_kinds
from rules.registry_file import load_registry
from tests.unit.geo.files import SIDE, SOUTH, WEST, attributes, codes, polygons, rings, write

RINGS = rings()
COUNT = len(RINGS)
runner = CliRunner()


def run(*args: object) -> tuple[int, str]:
    result = runner.invoke(app, [str(a) for a in args])
    return result.exit_code, result.stderr


def imported(folder: Path, *more: object) -> City:
    file = write(folder / "网格.gpkg", polygons(RINGS), attributes(COUNT), "EPSG:4490")
    code, said = run("import", file, "--city", folder / "city", "--name", "诸暨示范区", *more)
    assert code == 0, said
    return City(folder / "city")


def test_grids_become_a_city_under_our_names(tmp_path: Path) -> None:
    city = imported(tmp_path)
    assert (city.name, city.code, list(city.grids.codes)) == ("诸暨示范区", "330681", codes(COUNT))
    assert city.grids.properties[0] == {
        "code": "330681001001001",
        "name": "暨阳街道第1网格",
        "officer": "王伟",
        "department_name": "暨阳街道办事处",
        "department": "330681001",
        "street_name": "暨阳街道",
        "street": "330681001",
        "community_name": "江新社区",
        "community": "330681001001",
        "size_m": city.grids.properties[0]["size_m"],
    }
    assert 80 < city.grids.properties[0]["size_m"] < 140
    assert city.divisions["330681001002"] == "友谊社区"
    assert city.departments == {"330681001": "暨阳街道办事处"}


def test_what_nobody_asks_for_is_left_out_and_said(tmp_path: Path) -> None:
    file = write(tmp_path / "a.gpkg", polygons(RINGS), attributes(COUNT), "EPSG:4490")
    code, said = run("import", file, "--city", tmp_path / "city")
    assert (code, "left out: 联系电话" in said) == (0, True)
    assert b"13900000000" not in City(tmp_path / "city").grids.geojson()


def test_departments_of_one_street_are_told_apart(tmp_path: Path) -> None:
    columns = attributes(COUNT) | {"责任部门": ["暨阳街道办事处"] * (COUNT - 1) + ["市水务集团"]}
    file = write(tmp_path / "a.gpkg", polygons(RINGS), columns, "EPSG:4490")
    run("import", file, "--city", tmp_path / "city")
    last = City(tmp_path / "city").grids.properties[-1]
    assert (last["department"], last["department_name"]) == ("市水务集团", "市水务集团")


def test_a_file_without_a_coordinate_system_is_refused_with_the_line_to_type(tmp_path: Path) -> None:
    file = write(tmp_path / "网格.shp", polygons(RINGS), attributes(COUNT), encoding="gbk")
    code, said = run("import", file, "--city", tmp_path / "city")
    assert code == 1
    assert f"tongguan geo import {file} --crs gcj02" in said
    assert not (tmp_path / "city").exists()


def test_the_imported_city_serves_every_rule_of_the_library(tmp_path: Path) -> None:
    city = imported(tmp_path)
    files = read_city(Config(city=str(city.folder)))
    assert files.faults == ()
    assert (files.name, len(files.grids), len(files.plan.registry.rows)) == ("诸暨示范区", COUNT, 0)
    assert {name: len(zones.polygons) for name, zones in files.plan.zones.items()} == {
        **dict.fromkeys(
            ("fire_lane", "no_dumping", "no_vending", "river_bank", "school", "sidewalks", "underpasses"), 0
        ),
        "muck_corridors": 1,
    }


def test_zones_come_into_the_city_by_name(tmp_path: Path) -> None:
    city = imported(tmp_path)
    square = shapely.box(WEST, SOUTH - SIDE, WEST + SIDE, SOUTH)
    file = write(tmp_path / "禁倒区.shp", [square], {"名称": ["东江边"]}, "EPSG:4490", encoding="gbk")
    code, said = run("import", file, "--city", city.folder)
    assert (code, "say --name" in said) == (1, True)
    assert run("import", file, "--city", city.folder, "--name", "no_dumping")[0] == 0
    inside = City(city.folder).zones["no_dumping"].contains(*quantize([WEST + SIDE / 2], [SOUTH - SIDE / 2]))
    assert inside.tolist() == [True]


def test_roads_come_into_the_city(tmp_path: Path) -> None:
    city = imported(tmp_path)
    line = shapely.LineString([(WEST, SOUTH), (WEST + 3 * SIDE, SOUTH - SIDE)])
    file = write(tmp_path / "道路.gpkg", [line], {"道路名称": ["人民路"], "渣土": ["是"], "宽度": [24]}, "EPSG:4490")
    assert run("import", file, "--city", city.folder)[0] == 0
    (edge,) = City(city.folder).roads.edges
    assert (edge.name, edge.muck, edge.width_m) == ("人民路", True, 24.0)


def test_sensors_come_into_the_city_under_our_names(tmp_path: Path) -> None:
    city = imported(tmp_path)
    places = [shapely.Point(WEST + SIDE / 2, SOUTH - SIDE / 2), shapely.Point(WEST + SIDE, SOUTH - SIDE)]
    columns = {"设备编号": ["S1", "S2"], "监测类型": ["路面积水深度", "gas.methane"], "位置": ["老鹰桥下穿", "菜场"]}
    columns |= {"责任部门": ["市排水管网管理处", "某公司"], "启用日期": ["2024/06/01", "2024/06/02"]}
    file = write(tmp_path / "设备.shp", places, columns, "EPSG:4490", encoding="gbk")
    assert run("import", file, "--city", city.folder)[0] == 0
    rows = list(csv.DictReader((city.folder / "sensors.csv").read_text().splitlines()))
    assert [(r["sensor"], r["kind"], r["department"], r["site"], r["since"]) for r in rows] == [
        ("S1", "water.level", "drainage", "老鹰桥下穿", "2024-06-01"),
        ("S2", "gas.methane", "某公司", "菜场", "2024-06-02"),
    ]
    assert len(load_registry(city.registry_path, load_kinds(), "Asia/Shanghai").rows) == 2


def test_sensors_with_faults_are_refused_each_named(tmp_path: Path) -> None:
    city = imported(tmp_path)
    columns = {"设备编号": ["", "S2", "S3", "S3"], "监测类型": ["gas.methane", "星光", "gas.methane", "gas.methane"]}
    file = write(tmp_path / "a.gpkg", [shapely.Point(WEST, SOUTH)] * 4, columns, "EPSG:4490")
    code, said = run("import", file, "--city", city.folder)
    assert (code, len(said.strip().splitlines())) == (1, 4)
    assert "must have an id" in said
    assert "星光" in said
    assert not city.registry_path.exists()


def test_grids_of_a_later_survey_replace_those_of_the_city_and_leave_the_rest(tmp_path: Path) -> None:
    city = imported(tmp_path)
    (city.folder / "sensors.csv").write_text("sensor,kind,lon,lat\nS1,gas.methane,119.5,30.2\n")
    file = write(tmp_path / "b.gpkg", polygons(RINGS[:12]), {"网格编码": codes(COUNT)[:12]}, "EPSG:4490")
    assert run("import", file, "--city", city.folder)[0] == 0
    later = City(city.folder)
    assert (later.name, len(later.grids), len(later.sensors)) == ("诸暨示范区", 12, 1)


def test_zones_need_a_city_to_come_into(tmp_path: Path) -> None:
    file = write(tmp_path / "a.gpkg", [shapely.box(119, 30, 120, 31)], {"n": [1]}, "EPSG:4490")
    code, said = run("import", file, "--city", tmp_path / "none", "--name", "school")
    assert (code, "geo import GRIDS --city FOLDER" in said) == (1, True)


def test_a_city_without_sensors_is_furnished_to_be_played(tmp_path: Path) -> None:
    city = imported(tmp_path)
    made = playable(city, tmp_path / "made")
    again = playable(City(city.folder), tmp_path / "again")
    assert made.registry_path.read_bytes() == again.registry_path.read_bytes()
    registry = load_registry(made.registry_path, load_kinds(), "Asia/Shanghai")
    assert {row.kind for row in registry.rows} == {kind.name for kind in load_kinds()}
    placed = [row for row in registry.rows if row.placed]
    located = city.grids.locate(
        np.array([r.lon_e7 for r in placed], np.int32), np.array([r.lat_e7 for r in placed], np.int32)
    )
    assert (located >= 0).mean() > 0.9
    assert all(len(zones.polygons) for zones in made.zones.values())
    assert len(made.muck_sites) > 2
    assert not city.registry_path.exists()


def test_a_furnished_citys_trucks_get_from_everywhere_to_everywhere(tmp_path: Path) -> None:
    made = playable(imported(tmp_path), tmp_path / "made")
    for a in made.muck_sites:
        for b in made.muck_sites:
            way = made.roads.route(a.lon, a.lat, b.lon, b.lat, made.roads.muck)
            places = made.roads.along(way, np.linspace(0.0, made.roads.length_m(way), 30))
            assert made.zones["muck_corridors"].contains(*quantize(*places)).all()


def test_roads_that_share_a_vertex_meet_there(tmp_path: Path) -> None:
    city = imported(tmp_path)
    main = [(WEST, SOUTH), (WEST + SIDE, SOUTH), (WEST + 3 * SIDE, SOUTH)]
    side = [(WEST + SIDE, SOUTH), (WEST + SIDE, SOUTH - 2 * SIDE)]
    lines = [shapely.LineString(main), shapely.LineString(side)]
    file = write(tmp_path / "r.gpkg", lines, {"名称": ["人民路", "东街"]}, "EPSG:4490")
    assert run("import", file, "--city", city.folder)[0] == 0
    roads = City(city.folder).roads
    assert sorted(edge.name for edge in roads.edges) == ["东街", "人民路", "人民路"]
    assert len(roads.route(WEST + 2 * SIDE, SOUTH, WEST + SIDE, SOUTH - SIDE)) == 3


def test_without_corridors_of_its_own_a_played_citys_trucks_may_use_every_road(tmp_path: Path) -> None:
    city = imported(tmp_path)
    line = shapely.LineString([(WEST, SOUTH), (WEST + 3 * SIDE, SOUTH - SIDE)])
    run("import", write(tmp_path / "r.gpkg", [line], {"名称": ["人民路"]}, "EPSG:4490"), "--city", city.folder)
    made = playable(City(city.folder), tmp_path / "made")
    assert made.roads.muck.all()
    assert not City(city.folder).roads.muck.any()
    assert len(made.zones["muck_corridors"].polygons) == 1


def test_a_folder_and_files_beside_it_contradict_each_other(tmp_path: Path) -> None:
    city = imported(tmp_path)
    with pytest.raises(FilesRefused, match="brings its own grids and zones"):
        read_city(Config(city=str(city.folder), grids="grids.geojson"))
    with pytest.raises(FilesRefused, match="must be a city's folder"):
        read_city(Config(city=str(tmp_path)))


def test_furnish_makes_a_copy_and_never_the_city_itself(tmp_path: Path) -> None:
    city = imported(tmp_path)
    assert run("furnish", city.folder, "--out", city.folder)[0] == 2
    assert run("furnish", city.folder, "--out", tmp_path / "trial")[0] == 0
    assert read_city(Config(city=str(tmp_path / "trial"))).faults == ()
    assert not city.registry_path.exists()


def test_a_place_is_found_in_the_imported_city(tmp_path: Path) -> None:
    city = imported(tmp_path)
    args = ["locate", str(WEST + SIDE / 2), str(SOUTH - SIDE / 2), "--city", str(city.folder), "--json"]
    assert orjson.loads(runner.invoke(app, args).stdout)["grid"] == codes(COUNT)[0]


def test_a_citys_own_sensors_are_played_where_they_stand(tmp_path: Path) -> None:
    city = imported(tmp_path)
    kinds = {"W1": "water.level", "W2": "water.level", "D1": "drain.level"}
    kinds |= {"R1": "rain.minute", "P1": "gas.pressure", "G1": "gas.methane"}
    sites = dict.fromkeys(kinds, "街边") | {"W1": "老鹰桥下穿"}
    place = f"{WEST + SIDE / 2},{SOUTH - SIDE / 2}"
    text = "".join(f"{name},{kind},{place},{sites[name]}\n" for name, kind in kinds.items())
    city.registry_path.write_text("sensor,kind,lon,lat,site\n" + text)
    made = playable(City(city.folder), tmp_path / "made")
    assert made.registry_path.read_text() == city.registry_path.read_text()
    assert [site.sensors for site in made.underpasses] == [("W1",)]
    assert [site.sensor for site in (*made.low_points, *made.drains, *made.rain_gauges)] == ["W2", "D1", "R1"]
    assert [(site.use, site.sensors) for site in made.gas_sites] == [("regulator", ("P1",)), ("kitchen", ("G1",))]


def test_a_city_that_lacks_nothing_is_played_as_it_is(tmp_path: Path) -> None:
    from geo.city import load

    city = load()
    assert playable(city, tmp_path / "made") is city
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("part", ["zones", "roads", "sensors"])
def test_what_a_file_holds_can_be_said(part: str, tmp_path: Path) -> None:
    """A file whose geometry fits nothing that was said of it is refused."""
    file = write(tmp_path / "a.gpkg", polygons(RINGS), attributes(COUNT), "EPSG:4490")
    code, said = run("import", file, "--as", part, "--out", tmp_path / "out")
    assert (code == 0) == (part == "zones")
    if part == "zones":
        assert len(orjson.loads((tmp_path / "out").read_bytes())["features"]) == COUNT
    else:
        assert "the geometry must be" in said
