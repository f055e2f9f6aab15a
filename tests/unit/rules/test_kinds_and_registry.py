"""Kinds and the registry of sensors: what is read, and how a faulty file is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geo import NO_PLACE
from rules.errors import KindsRefused, RegistryRefused
from rules.kinds import Kind, load_kinds
from rules.partition import home_partition, murmur2
from rules.registry import Registry, Row
from rules.registry_file import load_registry

HEADER = "sensor,kind,lon,lat,crs,department,site,since,gateway\n"


def test_the_shipped_kinds_have_the_units_and_ranges_of_their_sensors() -> None:
    found = {kind.name: (kind.unit, kind.low, kind.high) for kind in load_kinds()}
    assert len(found) == 29
    assert found["gas.methane"] == ("%LEL", -5, 150)
    assert found["rain.minute"] == ("mm", 0, 30)
    assert found["water.level"] == ("cm", -50, 1000)
    assert {(low, high) for name, (_, low, high) in found.items() if name.startswith("video.")} == {(0, 1)}


def test_kinds_are_numbered_in_order_of_name() -> None:
    kinds = load_kinds()
    assert list(kinds.names) == sorted(kinds.names)
    assert [kinds.index(name) for name in kinds.names] == list(range(len(kinds)))
    assert kinds.get("gas.smell") is None


def test_a_city_adds_kinds_and_has_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "kinds.yaml"
    path.write_text(
        'air.pm25: {unit: µg/m³, range: [0, 2000], title: 细颗粒物}\ngas.methane: {unit: "%LEL", range: [0, 100]}\n'
    )
    kinds = load_kinds(path)
    assert len(kinds) == len(load_kinds()) + 1
    assert kinds.get("air.pm25") == Kind("air.pm25", "µg/m³", 0.0, 2000.0, "细颗粒物")
    assert kinds.get("gas.methane") == Kind("gas.methane", "%LEL", 0.0, 100.0, "gas.methane")


def test_a_kinds_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "kinds.yaml"
    path.write_text(
        "methane: {unit: x, range: [0, 1]}\n"
        "air.a: {unit: x, range: [1, 0]}\n"
        "air.b: {unit: x}\n"
        "air.c: {unit: x, range: [0, 1], colour: red}\n"
        "air.d: {unit: x, range: [0, .inf]}\n"
        "air.d: {unit: x, range: [0, 1]}\n"
        "air.e: 5\n"
    )
    with pytest.raises(KindsRefused) as refusal:
        load_kinds(path)
    assert [str(fault).removeprefix(f"{path}:") for fault in refusal.value.faults] == [
        "1:1: methane: a kind must be named domain.name in lower case; got methane",
        "2:25: air.a.range: the lowest value must be below the highest; got [1, 0]",
        "3:8: air.b.range: is required; got nothing",
        '4:33: air.c.colour: unknown key; known are unit, range, title; got "red"',
        '5:29: air.d.range: must be a finite number; got ".inf"',
        '6:1: air.d: a key must stand once (first on line 5); got {unit: "x", range: [0, 1]}',
        "7:8: air.e: must be a mapping of keys; got 5",
    ]


def registry_of(folder: Path, text: str, name: str = "sensors.csv") -> Registry:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_registry(path, load_kinds())


def test_a_csv_registry_is_read_whole(tmp_path: Path) -> None:
    registry = registry_of(
        tmp_path,
        "\ufeff"
        + HEADER.replace("gateway", "gateway,drill")
        + 'S2,gas.methane,120.1234567,30,wgs84,gas,"一号井, 东",2026-06-01,GW-1,\n'
        "\n"
        "S1,gas.pressure,,,,,,,,true\n"
        "S2,gas.pressure,,,,,,2026-06-01T08:00:00.1239+08:00,,false\n"
        "S3,rain.minute,,,,,,1780243200000,,\n",
    )
    assert registry.rows == (
        Row("S1", "gas.pressure", drill=True),
        Row("S2", "gas.methane", 1_201_234_567, 300_000_000, "gas", "一号井, 东", 1_780_243_200_000, "GW-1"),
        Row("S2", "gas.pressure", since_ms=1_780_272_000_123),
        Row("S3", "rain.minute", since_ms=1_780_243_200_000),
    )
    assert registry.lon_e7.tolist() == [NO_PLACE, 1_201_234_567, NO_PLACE, NO_PLACE]
    assert registry.find("S2", "gas.methane") == registry.rows[1]
    assert registry.find("S2", "rain.minute") is None


def test_places_are_turned_to_wgs84(tmp_path: Path) -> None:
    places = {"A": "120.5,30.5,gcj02", "B": "120.5,30.5,cgcs2000", "C": "2.35,48.85,gcj02"}
    rows = "".join(f"{sensor},gas.methane,{place},,,,\n" for sensor, place in places.items())
    shifted, same, abroad = registry_of(tmp_path, HEADER + rows).rows
    assert (same.lon_e7, same.lat_e7) == (1_205_000_000, 305_000_000)
    assert (abroad.lon_e7, abroad.lat_e7) == (23_500_000, 488_500_000)
    assert 20_000 < abs(shifted.lon_e7 - same.lon_e7) < 80_000


def test_few_columns_are_enough(tmp_path: Path) -> None:
    assert registry_of(tmp_path, "kind,sensor\ngas.methane,S1\n").rows == (Row("S1", "gas.methane"),)


CSV_FAULTS = {
    "a row twice": (
        "S1,gas.methane,,,,,,,\nS2,gas.methane,,,,,,,\nS1,gas.methane,,,,,,,\n",
        "4:1: sensor: a sensor and kind must stand once (first: line 2); got S1 gas.methane",
    ),
    "an unknown kind": ("S1,gas.smell,,,,,,,\n", "2:2: kind: must be a known kind; got gas.smell"),
    "no kind": ("S1,,,,,,,,\n", "2:2: kind: must be a known kind; got nothing"),
    "an unknown crs": (
        "S1,gas.methane,120,30,utm50,,,,\n",
        "2:5: crs: must be one of wgs84, cgcs2000, gcj02, bd09; got utm50",
    ),
    "no sensor": (
        ",gas.methane,,,,,,,\n",
        "2:1: sensor: must be 1 to 64 of A-Z a-z 0-9 . _ : -; got nothing",
    ),
    "a sensor of 65 letters": (
        "S" * 65 + ",gas.methane,,,,,,,\n",
        f"2:1: sensor: must be 1 to 64 of A-Z a-z 0-9 . _ : -; got {'S' * 65}",
    ),
    "half a place": ("S1,gas.methane,120,,,,,,\n", "2:4: lat: lon and lat must stand together; got nothing"),
    "lat and lon swapped": (
        "S1,gas.methane,30,120,,,,,\n",
        "2:4: lat: must be degrees from -90 to 90; got 120",
    ),
    "a place that is no number": (
        "S1,gas.methane,nan,30,,,,,\n",
        "2:3: lon: must be degrees from -180 to 180; got nan",
    ),
    "a number of another language": (
        "S1,gas.methane,1_2,30,,,,,\n",
        "2:3: lon: must be degrees from -180 to 180; got 1_2",
    ),
    "a since that is no date": (
        "S1,gas.methane,,,,,,2026-02-30,\n",
        "2:8: since: must be ms, RFC 3339 with an offset, or a date; got 2026-02-30",
    ),
    "a since without offset": (
        "S1,gas.methane,,,,,,2026-02-03T10:00:00,\n",
        "2:8: since: must be ms, RFC 3339 with an offset, or a date; got 2026-02-03T10:00:00",
    ),
    "too few fields": ("S1,gas.methane\n", "2:1: row: must have 9 fields as the header has; got 2"),
    "an open quote": ('S1,gas.methane,,,,,"x,,\n', "2:1: csv: must be well-formed CSV; got unexpected end of data"),
}


@pytest.mark.parametrize(("rows", "fault"), CSV_FAULTS.values(), ids=CSV_FAULTS.keys())
def test_a_registry_with_a_fault_is_refused(tmp_path: Path, rows: str, fault: str) -> None:
    with pytest.raises(RegistryRefused) as refusal:
        registry_of(tmp_path, HEADER + rows)
    assert [str(each).removeprefix(f"{tmp_path}/sensors.csv:") for each in refusal.value.faults] == [fault]


def test_every_fault_of_a_registry_is_named(tmp_path: Path) -> None:
    rows = "S1,gas.smell,120,,utm,,,never,\nS 2,gas.methane,,,,,,,\n"
    with pytest.raises(RegistryRefused) as refusal:
        registry_of(tmp_path, HEADER + rows)
    assert [(fault.line, fault.key) for fault in refusal.value.faults] == [
        (2, "kind"),
        (2, "lat"),
        (2, "crs"),
        (2, "since"),
        (3, "sensor"),
    ]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (
            "sensor,kind,longitude\n",
            "1:3: longitude: unknown column; known are sensor, kind, lon, lat, crs, department, "
            "site, since, gateway, drill; got longitude",
        ),
        ("sensor,lon\n", "1:1: kind: the column is required; got sensor, lon"),
        ("sensor,kind,kind\n", "1:1: header: a column must stand once; got sensor, kind, kind"),
    ],
    ids=["unknown", "missing", "twice"],
)
def test_the_header_of_a_registry_is_checked(tmp_path: Path, header: str, fault: str) -> None:
    with pytest.raises(RegistryRefused) as refusal:
        registry_of(tmp_path, header)
    assert [str(each).removeprefix(f"{tmp_path}/sensors.csv:") for each in refusal.value.faults] == [fault]


def feature(properties: Any, geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def point(lon: Any, lat: Any) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def geojson(*features: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features, **more})


def test_a_geojson_registry_takes_its_place_from_the_point(tmp_path: Path) -> None:
    text = geojson(
        feature(
            {"sensor": "S1", "kind": "gas.methane", "lon": 5, "lat": 5, "since": 1000, "fid": 7}, point(120.5, 30.25)
        ),
        feature({"sensor": "S2", "kind": "gas.methane", "gateway": None, "drill": True}, None),
    )
    assert registry_of(tmp_path, text, "sensors.geojson").rows == (
        Row("S1", "gas.methane", 1_205_000_000, 302_500_000, since_ms=1000),
        Row("S2", "gas.methane", drill=True),
    )


def test_a_geojson_registry_may_declare_its_crs_for_all(tmp_path: Path) -> None:
    one = feature({"sensor": "S1", "kind": "gas.methane"}, point(120.5, 30.5))
    crs84 = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    plain, named, shifted = (
        registry_of(tmp_path, geojson(one, **more), "s.geojson") for more in ({}, {"crs": crs84}, {"crs": "gcj02"})
    )
    assert plain == named
    assert shifted != plain


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "1:2: json: must be well-formed JSON; got Expecting property name enclosed in double quotes"),
        ("[" * 100_000, "0:0: json: must be well-formed JSON; got RecursionError"),
        ("[]", "0:0: type: must be a FeatureCollection; got list"),
        (geojson({"a": 1}), '0:0: features[0]: must be a feature with properties; got {"a": 1}'),
        (
            geojson(feature({"sensor": "S1", "kind": "gas.methane"}, {"type": "LineString"})),
            '0:0: features[0].geometry: must be a Point of lon and lat, or null; got {"type": "LineString"}',
        ),
        (
            geojson(feature({"sensor": "S1", "kind": "gas.methane"}, point(30, 120))),
            "0:0: features[0].lat: must be degrees from -90 to 90; got 120",
        ),
        (
            geojson(feature({"sensor": "S1", "kind": "gas.methane", "crs": "epsg:4549"}, point(120, 30))),
            "0:0: features[0].crs: must be one of wgs84, cgcs2000, gcj02, bd09; got epsg:4549",
        ),
        (
            geojson(*[feature({"sensor": "S1", "kind": "gas.methane"}, None)] * 2),
            "0:0: features[1].sensor: a sensor and kind must stand once (first: features[0]); got S1 gas.methane",
        ),
    ],
    ids=["cut", "deep", "a list", "no properties", "a line", "swapped", "unknown crs", "twice"],
)
def test_a_geojson_registry_with_a_fault_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(RegistryRefused) as refusal:
        registry_of(tmp_path, text, "s.geojson")
    assert [str(each).removeprefix(f"{tmp_path}/s.geojson:") for each in refusal.value.faults] == [fault]


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_murmur2_is_kafka_s(key: str, hashed: int) -> None:
    """The values stand in Kafka's own test of its hash (UtilsTest.testMurmur2)."""
    assert murmur2(key.encode()) == hashed % 2**32
    assert home_partition(key, 32) == (hashed & 0x7FFFFFFF) % 32


def test_a_sensor_is_at_home_with_its_gateway() -> None:
    registry = Registry(
        [Row("S1", "gas.methane"), Row("S1", "gas.pressure", gateway="foobar"), Row("S2", "gas.methane")]
    )
    assert registry.home_partition("S1", 32) == home_partition("foobar", 32)
    assert registry.home_partition("S2", 32) == home_partition("S2", 32)
    assert registry.home_partition("stranger", 32) == home_partition("stranger", 32)
