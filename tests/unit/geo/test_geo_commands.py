"""`tongguan geo`."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from engine.commands.geo import app
from geo import city as cities
from geo import crs
from geo.city import City
from geo.grids import GridSet
from geo.polygons import Polygons

CODE = "330683001028100"
runner = CliRunner()


def run(*args: str) -> tuple[int, str, str]:
    result = runner.invoke(app, list(args))
    return result.exit_code, result.stdout, result.stderr


def grids_file(path: Path, *rings: list[list[float]], **members: object) -> Path:
    features = [
        {"type": "Feature", "properties": {"code": f"33068300102800{i}"}, "geometry": _polygon(ring)}
        for i, ring in enumerate(rings, start=1)
    ]
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def _polygon(ring: list[list[float]]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


WEST = [[120.0, 30.0], [120.001, 30.0], [120.001, 30.001], [120.0, 30.001]]
EAST = [[120.001, 30.0], [120.002, 30.0], [120.002, 30.001], [120.001, 30.001]]


def test_locate_names_the_grid_of_the_shipped_city() -> None:
    code, out, _ = run("locate", "120.83", "29.60")
    assert code == 0
    assert out.splitlines()[0] == CODE
    assert "剡湖街道越秀社区第100网格" in out


def test_locate_takes_a_place_in_another_coordinate_system() -> None:
    lon, lat = (float(v) for v in crs.from_wgs84(120.83, 29.60, "bd09"))
    code, out, _ = run("locate", str(lon), str(lat), "--crs", "bd09", "--json")
    found = orjson.loads(out)
    assert (code, found["grid"], found["lon"], found["lat"]) == (0, CODE, 120.83, 29.6)


def test_locate_says_when_a_place_is_outside() -> None:
    code, out, _ = run("locate", "-74.0", "40.7")
    assert (code, out.splitlines()[0]) == (0, "outside every unit grid")


def test_locate_reads_a_citys_own_grids_and_zones(tmp_path: Path) -> None:
    grids = grids_file(tmp_path / "g.geojson", WEST, EAST, crs="wgs84")
    zones = tmp_path / "zones"
    zones.mkdir()
    zone = {"type": "Feature", "crs": "wgs84", "properties": {}, "geometry": _polygon(WEST)}
    (zones / "school.geojson").write_bytes(orjson.dumps(zone))
    code, out, _ = run("locate", "120.001", "30.0005", "--grids", str(grids), "--zones", str(zones), "--json")
    found = orjson.loads(out)
    assert (code, found["grid"], found["zones"]) == (0, "330683001028001", ["school"])


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("29.6", "120.83"), "swapped"),
        (("nan", "29.6"), "finite"),
        (("200", "29.6"), "within 180"),
        (("120.83", "29.6", "--crs", "mars"), "must be one of"),
        (("120.83",), "Missing"),
        (("120.83", "29.6", "--nonsense"), "nonsense"),
    ],
    ids=str,
)
def test_wrong_use_of_locate_ends_with_2(args: tuple[str, ...], why: str) -> None:
    code, _, err = run("locate", *args)
    assert code == 2
    assert why in err


def test_import_refuses_a_file_without_a_coordinate_system(tmp_path: Path) -> None:
    file = grids_file(tmp_path / "g.geojson", WEST)
    code, out, err = run("import", str(file))
    assert (code, out) == (1, "")
    assert "must declare its coordinate system" in err


def test_import_turns_grids_to_wgs84(tmp_path: Path) -> None:
    shifted = [[float(v) for v in crs.from_wgs84(x, y, "gcj02")] for x, y in WEST]
    file = grids_file(tmp_path / "g.geojson", shifted)
    code, _, err = run("import", str(file), "--crs", "gcj02", "--out", str(tmp_path / "out.geojson"))
    assert (code, "1 unit grids from gcj02" in err) == (0, True)
    back = GridSet.from_geojson(tmp_path / "out.geojson")
    assert (
        back.canonical()
        == GridSet(back.codes, Polygons.build([[[[(round(x * 1e7), round(y * 1e7)) for x, y in WEST]]]])).canonical()
    )


def test_import_takes_zones_as_well(tmp_path: Path) -> None:
    zone = {"type": "Feature", "properties": {"name": "实验小学"}, "geometry": _polygon(WEST)}
    (tmp_path / "z.geojson").write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [zone]}))
    code, out, err = run("import", str(tmp_path / "z.geojson"), "--crs", "cgcs2000")
    assert (code, "1 zones" in err) == (0, True)
    assert orjson.loads(out)["features"][0]["properties"] == {"name": "实验小学"}


def test_import_gives_new_codes_by_place(tmp_path: Path) -> None:
    features = [
        {"type": "Feature", "properties": {"community": "330683001028"}, "geometry": _polygon(ring)}
        for ring in (EAST, WEST)
    ]
    (tmp_path / "n.geojson").write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
    code, out, _ = run("import", str(tmp_path / "n.geojson"), "--crs", "wgs84", "--number")
    found = [(f["id"], f["geometry"]["coordinates"][0][0]) for f in orjson.loads(out)["features"]]
    assert (code, found) == (0, [("330683001028001", [120.0, 30.0]), ("330683001028002", [120.001, 30.0])])


def test_import_names_every_feature_that_cannot_be_numbered(tmp_path: Path) -> None:
    file = grids_file(tmp_path / "g.geojson", WEST, EAST)
    code, _, err = run("import", str(file), "--crs", "wgs84", "--number")
    assert (code, len(err.strip().splitlines())) == (1, 2)


@pytest.mark.parametrize("command", [("import", "--crs", "wgs84"), ("check",)], ids=str)
def test_a_file_that_is_not_there_is_named(command: tuple[str, ...], tmp_path: Path) -> None:
    code, _, err = run(*command, str(tmp_path / "none.geojson"))
    assert (code, "none.geojson: the file must be readable" in err) == (1, True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = grids_file(tmp_path / "g.geojson", WEST, crs="wgs84")
    for args in (("import", str(file), "--out", str(file / "x")), ("city", "--out", str(file))):
        code, _, err = run(*args)
        assert (code, str(file) in err) == (1, True)


def test_check_passes_grids_that_tile(tmp_path: Path) -> None:
    code, out, _ = run("check", str(grids_file(tmp_path / "g.geojson", WEST, EAST, crs="wgs84")))
    assert (code, out) == (0, "2 unit grids in 1 communities: 0 overlaps, 0 gaps\n")


def test_check_fails_on_an_overlap_and_names_it(tmp_path: Path) -> None:
    wide = [[120.0009, 30.0], *EAST[1:3], [120.0009, 30.001]]
    code, out, err = run("check", str(grids_file(tmp_path / "g.geojson", WEST, wide, crs="wgs84")))
    assert (code, "1 overlaps, 0 gaps" in out) == (1, True)
    assert "330683001028001 and 330683001028002 overlap" in err


def test_check_names_bad_codes(tmp_path: Path) -> None:
    feature = {"type": "Feature", "properties": {"code": "33068300102800"}, "geometry": _polygon(WEST)}
    (tmp_path / "g.geojson").write_bytes(
        orjson.dumps({"type": "FeatureCollection", "crs": "wgs84", "features": [feature]})
    )
    code, _, err = run("check", str(tmp_path / "g.geojson"))
    assert (code, "a unit-grid code is 15 digits" in err) == (1, True)


def test_city_writes_another_city_from_another_seed_and_it_tiles_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    code, out, _ = run("city", "--seed", "3", "--out", str(folder), "--sensors", "200")
    assert (code, "嵊州市 (seed 3)" in out) == (0, True)
    names = {"city.json", "grids.geojson", "grids.npz", "roads.geojson", "sensors.csv", "terrain.npz", "zones"}
    assert {p.name for p in folder.iterdir()} == names
    code, out, _ = run("check", str(folder / "grids.geojson"))
    assert (code, "in 304 communities: 0 overlaps, 0 gaps" in out) == (0, True)
    assert City(folder).grids.canonical() != cities.load().grids.canonical()
