"""`tongguan geo check`: every flaw of unit grids with its place."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import shapely
from PIL import Image
from typer.testing import CliRunner

from engine.commands.geo import app
from geo.checking import WHATS
from tests.unit.geo.files import SIDE, SOUTH, WEST, codes, polygons, rings, shifted, write

RINGS = rings()
COUNT = len(RINGS)
MIDDLE = 9  # a grid with neighbours on all sides
runner = CliRunner()


def found(path: Path, *more: object) -> dict[str, Any]:
    result = runner.invoke(app, ["check", str(path), "--json", *map(str, more)])
    told: dict[str, Any] = orjson.loads(result.stdout)
    assert result.exit_code == (1 if told["flaws"] else 0)
    return told


def flawed(folder: Path, shapes: list[Any] | None = None, names: list[Any] | None = None) -> dict[str, Any]:
    shapes, names = shapes or polygons(RINGS), names or codes(COUNT)
    return found(write(folder / "a.gpkg", shapes, {"网格编码": names}, "EPSG:4490"))


def sorts(told: dict[str, Any]) -> list[str]:
    return [flaw["what"] for flaw in told["flaws"]]


def test_a_district_without_a_flaw_passes(tmp_path: Path) -> None:
    told = flawed(tmp_path)
    assert (told["grids"], told["communities"], told["flaws"]) == (COUNT, 2, [])
    assert told["counts"] == dict.fromkeys(WHATS, 0)


def test_a_district_in_gcj02_is_checked_at_its_true_place(tmp_path: Path) -> None:
    moved = [shifted(ring, "gcj02") for ring in RINGS]
    del moved[MIDDLE]
    names = codes(COUNT)
    del names[MIDDLE]
    path = write(tmp_path / "a.shp", polygons(moved), {"网格编码": names}, encoding="gbk")
    (gap,) = found(path, "--crs", "gcj02")["flaws"]
    middle = RINGS[MIDDLE][:4].mean(axis=0)
    assert (gap["what"], len(gap["codes"])) == ("gap", 8)
    assert [gap["lon"], gap["lat"]] == pytest.approx(middle.tolist(), abs=SIDE / 2)
    assert gap["area_m2"] == pytest.approx(shapely.Polygon(RINGS[MIDDLE]).area * 96_200 * 110_850, rel=0.02)


def test_an_overlap_is_named_with_its_two_codes(tmp_path: Path) -> None:
    shapes = polygons(RINGS)
    shapes[-1] = shapely.union(shapes[-1], shapely.box(*shapes[-2].centroid.coords[0], *shapes[-1].centroid.coords[0]))
    overlaps = [flaw for flaw in flawed(tmp_path, shapes)["flaws"] if flaw["what"] == "overlap"]
    assert codes(COUNT)[-2:] in [flaw["codes"] for flaw in overlaps]
    assert all(flaw["area_m2"] > 0.0 for flaw in overlaps)


def test_rings_that_cross_themselves_are_named_and_the_others_still_compared(tmp_path: Path) -> None:
    ring = RINGS[MIDDLE].copy()
    ring[[1, 2]] = ring[[2, 1]]
    shapes = polygons(RINGS)
    shapes[MIDDLE] = shapely.Polygon(ring)
    told = flawed(tmp_path, shapes)
    assert told["flaws"][0]["codes"] == [codes(COUNT)[MIDDLE]]
    assert "self-intersection" in told["flaws"][0]["why"]
    assert sorts(told)[0] == "invalid"
    assert "gap" in sorts(told)


def features(path: Path, *changed: tuple[int, Any]) -> Path:
    geometry = [{"type": "Polygon", "coordinates": [ring.tolist()]} for ring in RINGS]
    for row, other in changed:
        geometry[row] = other
    rows = [
        {"type": "Feature", "properties": {"code": code}, "geometry": shape}
        for code, shape in zip(codes(COUNT), geometry, strict=True)
    ]
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "crs": "cgcs2000", "features": rows}))
    return path


def test_an_open_ring_is_named_and_closed(tmp_path: Path) -> None:
    ring = RINGS[MIDDLE][:-1].tolist()
    told = found(features(tmp_path / "a.geojson", (MIDDLE, {"type": "Polygon", "coordinates": [ring]})))
    (flaw,) = told["flaws"]
    assert (flaw["what"], "is not closed" in flaw["why"]) == ("invalid", True)
    assert [flaw["lon"], flaw["lat"]] == pytest.approx(ring[0])


@pytest.mark.parametrize(
    ("geometry", "why"),
    [
        (None, "must be a Polygon"),
        ({"type": "Polygon", "coordinates": [[[119.5, 30.2], [119.6, 30.2]]]}, "at least 4 positions"),
        ({"type": "Polygon", "coordinates": [[[119.5, 30.2]] * 4]}, "has no area"),
        ({"type": "Polygon", "coordinates": [[[119.5, "a"]] * 4]}, "two finite numbers"),
        ({"type": "Polygon", "coordinates": [7]}, "must have"),
        ({"type": "Polygon", "coordinates": {}}, "coordinates must be a list"),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "must have a ring"),
        ({"type": "Polygon", "coordinates": [[]]}, "at least 4 positions"),
        ({"type": "Polygon", "coordinates": [[[30.2, 119.5], [30.2, 119.6], [30.3, 119.6], [30.2, 119.5]]]}, "swapped"),
    ],
    ids=str,
)
def test_what_is_no_polygon_is_named_and_leaves_a_gap(geometry: Any, why: str, tmp_path: Path) -> None:
    told = found(features(tmp_path / "a.geojson", (MIDDLE, geometry)))
    assert any(flaw["what"] == "invalid" and why in flaw["why"] for flaw in told["flaws"])
    assert sorts(told)[-1] == "gap"


def test_wrong_missing_and_double_codes_are_named_with_their_places(tmp_path: Path) -> None:
    names: list[Any] = codes(COUNT)
    names[3], names[4], names[5] = "33068100100100", None, names[6]
    told = flawed(tmp_path, names=names)
    assert sorts(told) == ["code", "code", "duplicate"]
    assert "15 digits" in told["flaws"][0]["why"]
    assert "must carry its code" in told["flaws"][1]["why"]
    assert told["flaws"][2]["codes"] == [names[6]]
    assert "features[6]" in told["flaws"][2]["why"]
    for flaw, row in zip(told["flaws"], (3, 4, 6), strict=True):
        assert shapely.Polygon(RINGS[row]).contains(shapely.Point(flaw["lon"], flaw["lat"]))


def test_slivers_are_named(tmp_path: Path) -> None:
    strip = shapely.box(WEST, SOUTH + 0.001, WEST + SIDE, SOUTH + 0.00101)
    told = flawed(tmp_path, [*polygons(RINGS), strip], [*codes(COUNT), "330681001003001"])
    assert sorts(told) == ["sliver"]
    assert "1.1 m wide" in told["flaws"][0]["why"]


def test_serials_out_of_order_are_a_remark_with_a_place(tmp_path: Path) -> None:
    names = codes(COUNT)
    names[0], names[1] = names[1], names[0]
    told = flawed(tmp_path, names=names)
    (remark,) = told["remarks"]
    assert (told["flaws"], remark["codes"], remark["what"]) == ([], [codes(COUNT)[0]], "order")
    assert shapely.Polygon(RINGS[1]).contains(shapely.Point(remark["lon"], remark["lat"]))


def test_flaws_are_drawn(tmp_path: Path) -> None:
    shapes = polygons(RINGS)
    shapes[MIDDLE] = shapes[MIDDLE].buffer(-0.00005)
    names: list[Any] = codes(COUNT)
    names[2] = "网格三"
    path = write(tmp_path / "a.gpkg", shapes, {"网格编码": names, "名称": ["甲"] * COUNT}, "EPSG:4490")
    found(path, "--png", tmp_path / "a.png")
    with Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
        assert picture.width > 1000
    assert {(31, 119, 180), (120, 90, 60)} <= colours
    assert (214, 39, 40) in colours  # in the legend


def test_a_district_without_grids_is_drawn_too(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_bytes(orjson.dumps({"type": "FeatureCollection", "crs": "wgs84", "features": []}))
    told = found(tmp_path / "a.geojson", "--png", tmp_path / "a.png")
    assert (told["grids"], (tmp_path / "a.png").read_bytes()[1:4]) == (0, b"PNG")


def test_the_folder_of_a_city_is_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", polygons(RINGS), {"网格编码": codes(COUNT)}, "EPSG:4490")
    assert runner.invoke(app, ["import", str(path), "--city", str(tmp_path / "city")]).exit_code == 0
    assert found(tmp_path / "city")["grids"] == COUNT


def test_a_file_without_a_coordinate_system_says_the_line_to_type(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", polygons(RINGS), {"n": np.arange(COUNT)})
    result = runner.invoke(app, ["check", str(path)])
    assert (result.exit_code, "--crs gcj02" in result.stderr) == (1, True)
