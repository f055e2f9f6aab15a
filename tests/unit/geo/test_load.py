"""GeoJSON in: what is taken, and every fault named."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from geo.errors import FileRefused
from geo.geojson_text import depth
from geo.grids import code_faults
from geo.load import load_polygons, parse_polygons

SQUARE = [[120.0, 30.0], [120.001, 30.0], [120.001, 30.001], [120.0, 30.001], [120.0, 30.0]]


def square(west: float, south: float, side: float = 0.001) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(ring: Any, code: str = "330683001028001") -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"code": code}, "geometry": geometry}


def collection(*features: Any, **members: Any) -> bytes:
    return orjson.dumps({"type": "FeatureCollection", "crs": "wgs84", "features": features, **members})


def faults(data: bytes, crs: str | None = None) -> list[str]:
    with pytest.raises(FileRefused) as refused:
        parse_polygons(data, "f.geojson", crs, checks=code_faults)
    return [str(fault) for fault in refused.value.faults]


def test_a_polygon_is_loaded_as_whole_numbers() -> None:
    layer = parse_polygons(collection(feature(SQUARE)), "f.geojson")
    assert layer.polygons.bounds().tolist() == [[1_200_000_000, 300_000_000, 1_200_010_000, 300_010_000]]
    assert layer.properties == [{"code": "330683001028001"}]


@pytest.mark.parametrize(
    ("member", "crs"),
    [
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}, "wgs84"),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}, "wgs84"),
        ({"type": "name", "properties": {"name": "EPSG:4490"}}, "cgcs2000"),
        ("http://www.opengis.net/def/crs/EPSG/0/4490", "cgcs2000"),
        ("GCJ-02", "gcj02"),
        ("bd09", "bd09"),
    ],
)
def test_the_crs_member_declares_the_coordinate_system(member: object, crs: str) -> None:
    assert parse_polygons(collection(feature(SQUARE), crs=member), "f").crs == crs


def test_a_file_without_a_declared_coordinate_system_is_refused() -> None:
    data = orjson.dumps({"type": "FeatureCollection", "features": [feature(SQUARE)]})
    assert faults(data) == [
        "f.geojson: crs: a file must declare its coordinate system: a `crs` member, or --crs; got none"
    ]
    assert parse_polygons(data, "f", "gcj02").crs == "gcj02"
    assert parse_polygons(data, "f", assume="wgs84").crs == "wgs84"


def test_two_coordinate_systems_for_one_file_are_refused() -> None:
    assert "the file says wgs84, the caller says gcj02" in faults(collection(feature(SQUARE)), "gcj02")[0]


def test_a_gcj02_file_is_turned_to_wgs84() -> None:
    layer = parse_polygons(collection(feature(SQUARE), crs="gcj02"), "f")
    west = layer.polygons.bounds()[0, 0]
    assert 1_199_930_000 < west < 1_199_970_000


BAD_FEATURES = {
    "not closed": (feature([*SQUARE[:-1], [120.0, 30.0001]]), "is not closed"),
    "three positions": (feature(SQUARE[:3]), "at least 4 positions"),
    "a text in a position": (feature([["120", 30.0], *SQUARE[1:]]), "two finite numbers"),
    "a boolean in a position": (feature([[True, 30.0], *SQUARE[1:]]), "two finite numbers"),
    "one number": (feature([[120.0], *SQUARE[1:]]), "two finite numbers"),
    "swapped": (feature([[y, x] for x, y in SQUARE]), "are they swapped? lon comes first"),
    "off the earth": (feature([[x + 100, y] for x, y in SQUARE]), "lon must be within 180"),
    "a bow tie": (feature([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]), "has no area"),
    "a skewed bow tie": (feature([[120, 30], [121, 31], [121, 30], [120, 32], [120, 30]]), "self-intersection at 120"),
    "a line": (feature([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]]), "has no area"),
    "a point": ({**feature(SQUARE), "geometry": {"type": "Point", "coordinates": [1, 2]}}, "must be a Polygon"),
    "a nested collection": (
        {**feature(SQUARE), "geometry": {"type": "GeometryCollection", "geometries": []}},
        "must be a Polygon",
    ),
    "no geometry": ({**feature(SQUARE), "geometry": None}, "must be a Polygon"),
    "no coordinates": ({**feature(SQUARE), "geometry": {"type": "Polygon"}}, "coordinates must be a list"),
    "not a feature": ([1, 2], "must be a Feature"),
    "properties are a list": ({**feature(SQUARE), "properties": [1]}, "must be an object"),
    "no code": ({**feature(SQUARE), "properties": {}}, "must carry its code"),
    "a bad code": (feature(SQUARE, "33068300102800"), "15 digits"),
    "a hole outside the shell": (
        {**feature(SQUARE), "geometry": {"type": "Polygon", "coordinates": [SQUARE, square(121.0, 30.0)]}},
        "hole lies outside shell",
    ),
}


@pytest.mark.parametrize(("bad", "why"), BAD_FEATURES.values(), ids=BAD_FEATURES.keys())
def test_a_bad_feature_is_refused_by_its_place_and_reason(bad: Any, why: str) -> None:
    found = faults(collection(feature(square(130, 30), "330683001028777"), bad))
    assert len(found) == 1
    assert "features[1]" in found[0]
    assert why in found[0]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "must be JSON"),
        (b"[1, 2]", "must be a GeoJSON object"),
        (b'{"type": "FeatureCollection", "crs": "wgs84", "features": [}', "line 1, column"),
        (b'{"type": "Topology", "crs": "wgs84"}', "must be FeatureCollection"),
        (b'{"type": "FeatureCollection", "crs": "wgs84", "features": {}}', "must be a list"),
        (b'{"type": "FeatureCollection", "crs": "mars", "features": []}', "must name EPSG:4326"),
        (b"[" * 100_000, "nested at most 32 deep"),
        (b'{"a":' * 100_000, "nested at most 32 deep"),
        (b"[" + b"[]," * 8_000_000 + b"1]", "at most 8000000 lists"),
        (collection(feature([[1.0, 1e308], *SQUARE[1:-1], [1.0, 1e308]])), "lat within 90"),
        (collection(feature(SQUARE)).replace(b"120.001", b"1e400"), "must be JSON"),
        (collection(feature(SQUARE)).replace(b"120.001", b"NaN"), "must be JSON"),
    ],
    ids=[
        "empty",
        "a list",
        "cut",
        "another type",
        "features",
        "mars",
        "[[[",
        "{{{",
        "many lists",
        "1e308",
        "1e400",
        "NaN",
    ],
)
def test_a_bad_file_is_refused_before_any_geometry_is_made(data: bytes, why: str) -> None:
    assert why in faults(data)[0]


def test_all_faults_are_named_at_once() -> None:
    features = [
        feature(SQUARE[:3]),
        feature(SQUARE),
        feature([[y, x] for x, y in SQUARE], "7"),
        [],
        feature([[120, 30], [121, 31], [121, 30], [120, 32], [120, 30]], "330683001028003"),
    ]
    found = faults(orjson.dumps({"type": "FeatureCollection", "features": features}))
    assert [text.split(": ")[1].split(" ")[0] for text in found] == [
        "crs",
        "features[3]",
        "features[0]",
        "features[2]",
        "features[4]",
        "features[1]",
        "features[2]",
    ]


def test_a_code_that_stands_twice_names_both_places() -> None:
    found = faults(collection(feature(SQUARE), feature(square(121, 30), "330683001028002"), feature(square(122, 30))))
    assert found == [
        "f.geojson: features[2] (code 330683001028001): "
        "a code stands once; it is also that of features[0] (code 330683001028001)"
    ]


def test_a_whole_file_in_the_arctic_is_taken_for_swapped_coordinates() -> None:
    kashgar = [[39.47, 75.99], [39.48, 75.99], [39.48, 76.0], [39.47, 76.0], [39.47, 75.99]]
    assert "are they swapped" in faults(collection(feature(kashgar)))[0]


def test_repeated_vertices_and_altitudes_are_dropped() -> None:
    ring = [[*SQUARE[0], 12.5], SQUARE[0], *SQUARE[1:]]
    layer = parse_polygons(collection(feature(ring)), "f")
    assert layer.polygons.x.size == 4


@pytest.mark.parametrize(
    ("text", "deep"),
    [(b"[]", 1), (b'{"a": [[]]}', 3), (b'["[[[["]', 1), (b'["\\"[[", []]', 2), (b'["\\\\", [[]]]', 3), (b"", 0)],
)
def test_nesting_is_counted_outside_of_strings(text: bytes, deep: int) -> None:
    assert depth(text) == deep


def test_a_compressed_file_is_read_and_a_torn_one_refused(tmp_path: Path) -> None:
    packed = gzip.compress(collection(feature(SQUARE)))
    (tmp_path / "a.geojson.gz").write_bytes(packed)
    (tmp_path / "b.geojson.gz").write_bytes(packed[:-12])
    assert len(load_polygons(tmp_path / "a.geojson.gz").polygons) == 1
    with pytest.raises(FileRefused, match="must be readable"):
        load_polygons(tmp_path / "b.geojson.gz")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="must be readable"):
        load_polygons(tmp_path / "none.geojson")


def test_a_single_feature_and_a_bare_geometry_are_taken() -> None:
    one = {**feature(SQUARE), "crs": "wgs84"}
    bare = {"type": "MultiPolygon", "crs": "wgs84", "coordinates": [[SQUARE], [square(121, 30)]]}
    assert len(parse_polygons(orjson.dumps(one), "f").polygons) == 1
    assert parse_polygons(orjson.dumps(bare), "f").polygons.row.tolist() == [0, 2]
