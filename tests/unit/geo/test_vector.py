"""Shapefile, GeoPackage and CSV in: what is understood, and what is refused with what to say."""

from __future__ import annotations

import contextlib
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.document import open_file
from geo.errors import FileRefused
from geo.lines import points_of
from geo.load import polygons_of
from geo.reading import How
from geo.source_crs import UnusableCrs, declared
from geo.wkb import TornGeometry, geometry
from tests.unit.geo.files import attributes, polygons, rings, shifted, write

RINGS = rings()
PLAIN = polygons(RINGS)


def loaded(path: Path, **how: Any) -> Any:
    return polygons_of(open_file(path, How(**how)))


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(FileRefused) as refusal:
        loaded(path, **how)
    return str(refusal.value)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = write(tmp_path_factory.mktemp("ref") / "a.gpkg", PLAIN, attributes(len(PLAIN)), "EPSG:4326")
    return loaded(path)


def same_places(one: Any, other: Any, within: int = 0) -> bool:
    a, b = one.polygons, other.polygons
    return bool(np.abs(a.x - b.x).max() <= within and np.abs(a.y - b.y).max() <= within)


@pytest.mark.parametrize("code_page", ["GBK", "936", "CP936", "GB18030", "UTF-8", "65001"])
def test_text_of_a_shapefile_is_read_as_its_cpg_says(code_page: str, tmp_path: Path) -> None:
    encoding = "utf-8" if code_page in ("UTF-8", "65001") else "gbk"
    path = write(tmp_path / "网格.shp", PLAIN, attributes(len(PLAIN)), "EPSG:4326", encoding=encoding)
    path.with_suffix(".cpg").write_text(code_page)
    assert loaded(path).properties[1]["责任人"] == "欧阳娜"


def test_text_of_a_shapefile_that_says_nothing_is_utf8_or_must_be_told(tmp_path: Path) -> None:
    gbk = write(tmp_path / "a.shp", PLAIN, attributes(len(PLAIN)), "EPSG:4326", encoding="gbk")
    utf8 = write(tmp_path / "b.shp", PLAIN, attributes(len(PLAIN)), "EPSG:4326", encoding="utf-8")
    for path in (gbk, utf8):
        path.with_suffix(".cpg").unlink()
    assert "--encoding gbk" in refused(gbk)
    assert loaded(gbk, encoding="gbk").properties[0]["网格名称"] == "暨阳街道第1网格"
    assert loaded(utf8).properties[0]["网格名"] == "暨阳街道第1网格"  # a .dbf has 10 bytes for a name
    assert "must be known" in refused(gbk, encoding="klingon")
    assert "must be utf-8" in refused(gbk, encoding="utf-8")


def test_text_that_was_cut_inside_a_character_loses_that_character_only(tmp_path: Path) -> None:
    columns = {"code": ["1"] * len(PLAIN), "name": ["网" * 127 + "x"] * len(PLAIN)}
    path = write(tmp_path / "a.shp", PLAIN, columns, "EPSG:4326", encoding="gbk")
    dbf = path.with_suffix(".dbf").read_bytes()
    path.with_suffix(".dbf").write_bytes(dbf.replace("网".encode("gbk") + b"x ", "网".encode("gbk") + b"\xcd "))
    assert set(loaded(path).properties[0]["name"]) <= {"网", "x"}


def test_numbers_of_a_table_are_whole_where_they_are_whole(tmp_path: Path) -> None:
    columns = {
        "code": [330681001001001.0] * len(PLAIN),
        "share": [0.5] * len(PLAIN),
        "none": [float("nan")] * len(PLAIN),
    }
    path = write(tmp_path / "a.gpkg", PLAIN, columns, "EPSG:4326")
    assert loaded(path).properties[0] == {"code": 330681001001001, "share": 0.5}


@pytest.mark.parametrize(("system", "name"), [("EPSG:4490", "cgcs2000"), ("EPSG:4326", "wgs84")])
@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
def test_a_file_says_its_own_coordinate_system(
    suffix: str, system: str, name: str, tmp_path: Path, reference: Any
) -> None:
    path = write(tmp_path / f"a.{suffix}", PLAIN, {"n": range(len(PLAIN))}, system)
    layer = loaded(path)
    assert layer.crs == name
    assert same_places(layer, reference)


@pytest.mark.parametrize("system", ["EPSG:4549", "EPSG:4528", "EPSG:32651", "EPSG:3857"])
def test_a_projection_is_turned_to_degrees(system: str, tmp_path: Path, reference: Any) -> None:
    import geopandas

    frame = geopandas.GeoDataFrame({"n": range(len(PLAIN))}, geometry=PLAIN, crs="EPSG:4326").to_crs(system)
    path = tmp_path / "a.shp"
    frame.to_file(path)
    layer = loaded(path)
    assert layer.crs == system
    assert same_places(layer, reference, within=1)
    path.with_suffix(".prj").unlink()
    assert same_places(loaded(path, declared=system), reference, within=1)


@pytest.mark.parametrize("name", ["gcj02", "bd09"])
@pytest.mark.parametrize("system", [None, "EPSG:4326"])
def test_a_shifted_map_is_shifted_back_whatever_its_prj_says(
    name: str, system: str | None, tmp_path: Path, reference: Any
) -> None:
    path = write(
        tmp_path / "a.shp", polygons([shifted(ring, name) for ring in RINGS]), {"n": range(len(PLAIN))}, system
    )
    opened = open_file(path, How(name))
    assert len(opened.remarks) == (system is not None)
    assert same_places(polygons_of(opened), reference, within=1)


def test_a_projected_file_is_not_taken_for_a_shifted_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", [shapely.box(500_000, 3_300_000, 500_100, 3_300_100)], {"n": [1]}, "EPSG:4549")
    assert "the file says EPSG:4549, the caller says gcj02" in refused(path, declared="gcj02")


@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
def test_a_file_that_declares_no_coordinate_system_is_refused(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{suffix}", PLAIN, {"n": range(len(PLAIN))})
    assert "must declare its coordinate system" in refused(path)
    assert loaded(path, declared="cgcs2000").crs == "cgcs2000"


@pytest.mark.parametrize(
    ("system", "why"),
    [
        ("EPSG:4610", "Xian 1980"),
        ("EPSG:2437", "Beijing 1954"),
        ("EPSG:999999", "not known to PROJ"),
        ("EPSG:2225", "only data on WGS-84 or CGCS2000"),
        ("mars", "must name EPSG:4326"),
        ("GEOGCS[", "not known to PROJ"),
        ("PROJCS[" + "x" * 20_000, "at most 16384"),
    ],
)
def test_a_coordinate_system_that_cannot_be_turned_is_refused(system: str, why: str) -> None:
    with pytest.raises(UnusableCrs, match=why):
        declared(system)


def test_swapped_coordinates_are_noticed_once_and_read_when_told(tmp_path: Path, reference: Any) -> None:
    turned = [shapely.Polygon(ring[:, ::-1]) for ring in RINGS]
    path = write(tmp_path / "a.gpkg", turned, {"n": range(len(PLAIN))}, "EPSG:4490")
    assert refused(path).count("\n") == 0
    assert "are they swapped? if so, say --lat-first" in refused(path)
    assert same_places(loaded(path, lat_first=True), reference)


def test_swapped_metres_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", [shapely.box(3_300_000, 500_000, 3_300_100, 500_100)], {"n": [1]}, "EPSG:4549")
    assert "easting comes first, then northing" in refused(path)
    assert "--lat-first" in refused(path)
    assert len(loaded(path, lat_first=True).polygons) == 1


def test_a_zip_of_one_shapefile_is_read(tmp_path: Path, reference: Any) -> None:
    write(tmp_path / "网格.shp", PLAIN, attributes(len(PLAIN)), "EPSG:4490", encoding="gbk")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        for part in tmp_path.glob("网格.*"):
            pack.write(part, f"数据/{part.name}")
    layer = loaded(tmp_path / "a.zip")
    assert layer.properties[0]["责任部门"] == "暨阳街道办事处"
    assert same_places(layer, reference)


def test_a_zip_of_two_shapefiles_or_of_none_is_refused(tmp_path: Path) -> None:
    for names in (("a.shp", "b.shp"), ("readme.txt",)):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
            for name in names:
                pack.writestr(name, b"")
        assert "must hold one Shapefile or GeoPackage" in refused(tmp_path / "a.zip")
    (tmp_path / "b.zip").write_bytes(b"PK")
    assert "must be readable" in refused(tmp_path / "b.zip")


def test_a_bomb_of_a_zip_is_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geo.vector.MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("a.shp", b"\0" * 100_000)
    assert "a file has at most" in refused(tmp_path / "a.zip")


def test_of_several_layers_one_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for name in ("网格", "禁倒区"):
        write(path, PLAIN, {"n": range(len(PLAIN))}, "EPSG:4490", layer=name)
    assert "--layer NAME; got 网格, 禁倒区" in refused(path)
    assert len(loaded(path, layer="禁倒区").polygons) == len(PLAIN)


@pytest.mark.parametrize("suffix", ["shp", "gpkg", "zip"])
def test_a_file_that_is_none_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    assert "must be readable" in refused(path)
    path.write_bytes(b"SQLite format 3\0 and nothing more")
    assert "must be" in refused(path)


@pytest.mark.parametrize("suffix", ["shp", "gpkg"])
def test_a_file_that_only_bears_the_name_is_refused_unread(suffix: str, tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "secret.gpkg", PLAIN, {"n": range(len(PLAIN))}, "EPSG:4490")
    path = tmp_path / f"a.{suffix}"
    path.write_text(f"<OGRVRTDataSource><OGRVRTLayer name='secret'><SrcDataSource>{elsewhere}</SrcDataSource>")
    assert "must be a Shapefile or a GeoPackage" in refused(path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.write(path, path.name)
    assert "must be a Shapefile or a GeoPackage" in refused(tmp_path / "a.zip")


def test_a_shapefile_without_its_index_says_what_it_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", PLAIN, {"n": range(len(PLAIN))}, "EPSG:4490")
    path.with_suffix(".shx").unlink()
    assert ".shp, .shx and .dbf together" in refused(path)


@pytest.mark.parametrize("part", ["shp", "shx", "dbf", "gpkg"])
def test_a_damaged_file_is_read_or_refused_and_never_more(part: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{'gpkg' if part == 'gpkg' else 'shp'}", PLAIN, attributes(len(PLAIN)), "EPSG:4490")
    whole = path.with_suffix(f".{part}").read_bytes()
    generator = np.random.default_rng(11)
    for _ in range(40):
        data = bytearray(whole)
        for at in generator.integers(0, min(len(data), 6000), 12).tolist():
            data[at] = int(generator.integers(256))
        path.with_suffix(f".{part}").write_bytes(bytes(data))
        with contextlib.suppress(FileRefused):
            loaded(path, encoding="gbk")


def test_more_features_than_a_city_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geo.vector.MAX_FEATURES", 5)
    path = write(tmp_path / "a.gpkg", PLAIN, {"n": range(len(PLAIN))}, "EPSG:4490")
    assert "at most 5 features; got 24" in refused(path)


def test_a_feature_without_geometry_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [*PLAIN[:2], None], {"name": ["一", "二", "三"]}, "EPSG:4490")
    assert "features[2] (name 三): the geometry must be a Polygon" in refused(path)


SHAPES = [
    shapely.Point(1, 2),
    shapely.LineString([(1, 2), (3, 4)]),
    shapely.Polygon([(0, 0), (9, 0), (9, 9)], [[(1, 0.5), (2, 0.5), (2, 1)]]),
    shapely.MultiPoint([(1, 2), (3, 4)]),
    shapely.MultiLineString([[(1, 2), (3, 4)], [(5, 6), (7, 8)]]),
    shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
    shapely.Point(1, 2, 3),
    shapely.Polygon([(0, 0, 5), (9, 0, 5), (9, 9, 5)]),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("flavor", ["iso", "extended"])
@pytest.mark.parametrize("order", [0, 1])
def test_well_known_binary_is_what_shapely_says_it_is(shape: Any, flavor: str, order: int) -> None:
    data = shapely.to_wkb(shape, byte_order=order, flavor=flavor, output_dimension=3)
    flat = shapely.force_2d(shape)
    assert shapely.equals_exact(shapely.from_geojson(json.dumps(geometry(data))), flat)


def test_a_collection_keeps_its_number_and_is_no_polygon() -> None:
    assert geometry(shapely.GeometryCollection([shapely.Point(1, 2)]).wkb) == {"type": "type 7"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x07\x01\x00\x00\x00",
        shapely.box(0, 0, 1, 1).wkb[:-1],
        shapely.box(0, 0, 1, 1).wkb + b"\0",
        struct.pack("<BII", 1, 3, 2**31),
        struct.pack("<BII", 1, 6, 1) + shapely.Point(1, 2).wkb,
        struct.pack("<BII", 1, 6, 1) * 10_000,
    ],
    ids=["empty", "order", "cut", "longer", "count", "a point in polygons", "nested"],
)
def test_torn_geometry_is_refused(data: bytes) -> None:
    with pytest.raises(TornGeometry):
        geometry(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_geometry_or_torn(data: bytes) -> None:
    with contextlib.suppress(TornGeometry):
        geometry(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_a_table_of_sensors_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "设备.csv"
    path.write_bytes("设备编号,类型,经度,纬度\nA1,water.level,119.5,30.2\nV1,vehicle.position,,\n".encode(encoding))
    points = points_of(open_file(path, How("wgs84", encoding="gbk" if encoding == "gbk" else None)))
    assert points.lon_e7.tolist() == [1_195_000_000, -(2**31)]
    assert points.properties[0]["设备编号"] == "A1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sensor,lon,lat\nA1,here,30.2\n", "row 2: lon and lat must be numbers"),
        ("sensor,lon,lat,crs\nA1,119.5,30.2,gcj02\nA2,119.5,30.2,wgs84\n", "one coordinate system"),
        ("sensor,lon,lat\nA1,30.2,119.5\n", "--lat-first"),
        ("sensor,lon,lat\nA1,119.5,\n", "both empty"),
    ],
)
def test_a_table_with_a_fault_is_refused(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(FileRefused, match=why):
        points_of(open_file(path, How(None if "crs" in text else "wgs84")))


def test_a_table_that_is_not_utf8_says_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("设备编号\n".encode("gbk"))
    with pytest.raises(FileRefused, match="--encoding gbk"):
        open_file(path, How("wgs84"))
