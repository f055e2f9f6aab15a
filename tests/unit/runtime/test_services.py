"""What the API is given by an embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import orjson
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from engine.api.metrics import Metrics
from engine.api.services import Judged, Overloaded, Rejected, Services, Settings, Unavailable
from engine.casework.values import values_of_sensor
from engine.commands.city_files import CityFiles, read_city
from engine.commands.counting import Counted, Gauges
from engine.commands.services import services_of
from engine.detect.last_values import LastValue
from engine.runtime.config import Config
from engine.runtime.embedded import Embedded, Limits
from engine.runtime.keeping import Keeping
from engine.runtime.log import Entry, Stream
from engine.runtime.readings import frames_that_fit

START = 1_700_000_000_000
RULE = """
id: test.ponding
version: 1
title: 道路积水
source: test
reads: water.level
levels:
  red: {set: ">= 50", clear: "< 40"}
case: {category: "0401", department: water, auto: dispatch, close: sensor}
"""
REGISTRY = """sensor,kind,lon,lat,crs,department,site,since,gateway
a,water.level,120.00005,30.00005,wgs84,water,桥下,,
b,water.level,121.0,30.0,wgs84,water,,,
"""
GRID = {
    "type": "FeatureCollection",
    "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
    "features": [
        {
            "type": "Feature",
            "properties": {"code": "330681001001001", "name": "网格一", "department": "water"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[120.0, 30.0], [120.001, 30.0], [120.001, 30.001], [120.0, 30.001], [120.0, 30.0]]],
            },
        }
    ],
}


@pytest.fixture
def city(tmp_path: Path) -> CityFiles:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "ponding.yaml").write_text(RULE, "utf-8")
    (tmp_path / "sensors.csv").write_text(REGISTRY, "utf-8")
    (tmp_path / "grids.geojson").write_bytes(orjson.dumps(GRID))
    names = {"rules": "rules", "registry": "sensors.csv", "grids": "grids.geojson"}
    return read_city(Config(**{name: str(tmp_path / file) for name, file in names.items()}))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def engine(tmp_path: Path, city: CityFiles, counted: Counted) -> Iterator[Embedded]:
    engine = Embedded(tmp_path / "data", city.plan, [counted], player=True, limits=Limits(backlog_bytes=2 << 20))
    yield engine
    engine.stop()


@pytest.fixture
def counted(metrics: Metrics) -> Counted:
    return Counted(metrics)


@pytest.fixture
def services(engine: Embedded, city: CityFiles, metrics: Metrics, counted: Counted) -> Services:
    return services_of(engine, city, metrics, counted, Settings())


def reading(sensor: str, value: float, t: int = START) -> dict[str, object]:
    return {"sensor": sensor, "kind": "water.level", "t": t, "v": value}


def test_a_body_is_judged_as_detect_will_judge_it(services: Services) -> None:
    assert services.intake is not None
    body = orjson.dumps([reading("a", 1), {"sensor": "a"}, 7, reading("a", 1e9), {"kind": "tick", "t": 1}])
    found = services.intake.judge(body)
    assert found.readings == 5
    assert [(one.index, one.reason) for one in found.rejected] == [
        (1, "missing_field"), (2, "not_an_object"), (3, "out_of_range"), (4, "control_in_frame"),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"[1,", b"noise", b"\xff", b""])
def test_a_body_that_cannot_be_split_has_no_readings(services: Services, body: bytes) -> None:
    assert services.intake is not None
    found = services.intake.judge(body)
    assert found.readings == 0
    assert len(found.rejected) == 1


def test_a_good_body_has_no_rejects(services: Services) -> None:
    assert services.intake is not None
    assert services.intake.judge(orjson.dumps([reading("a", 1), reading("new", 2)])) == Judged(2, ())


def test_a_frame_of_one_bad_reading_is_a_frame(services: Services) -> None:
    assert services.intake is not None
    assert services.intake.judge(b"[7]") == Judged(1, (Rejected(0, "not_an_object"),))


def test_too_much_is_overload_and_a_closed_log_is_unavailable(services: Services, engine: Embedded) -> None:
    assert services.intake is not None
    engine.intake.append([b"x" * (2 << 20), b"y"], log_time=START)
    with pytest.raises(Overloaded) as refused:
        services.intake.append(b"[]", 0)
    assert refused.value.retry_after_s == 5
    assert services.health.status().overloaded
    engine.backlog.judged(3, 4 << 20)
    engine.journal.close()
    with pytest.raises(Unavailable):
        services.intake.append(b"[]", 0)


def test_a_reading_is_seen_in_stream_sensors_counts_and_metrics(
    services: Services, engine: Embedded, metrics: Metrics
) -> None:
    metrics.registry.register(Gauges(engine))
    woken: list[int] = []
    services.relay.subscribe(lambda: woken.append(1))
    engine.start()
    engine.intake.append([orjson.dumps([reading("a", 60), reading("stray", 1), 7])], log_time=START)
    engine.intake.tick(START + 1000)
    assert engine.drain(60)
    events = services.relay.read(0, 100)
    assert [event.position for event in events] == list(range(1, services.relay.last() + 1))
    assert services.relay.first() == 1
    assert woken
    assert {(event.type, event.level, event.grid, event.category) for event in events} == {
        ("case", "red", "330681001001001", "0401")
    }
    rows = {row.sensor: row for row in services.sensors.rows()}
    assert list(rows) == ["a", "b", "stray"]
    assert (rows["a"].v, rows["a"].level, rows["a"].grid, rows["a"].site) == (60.0, "red", "330681001001001", "桥下")
    assert (rows["b"].v, rows["b"].grid, rows["stray"].v, rows["stray"].lon) == (None, None, 1.0, None)
    assert services.sensors.grid_of("a") == "330681001001001"
    status = services.health.status()
    assert (status.ready, status.waiting, status.clock_ms) == (True, 0, START + 1000)
    assert status.counts == {"readings": 2, "late": 0, "rejected": 1, "changes": 1, "opened": 1}
    assert services.now_ms() == START + 1000
    text = generate_latest(metrics.registry).decode()
    for line in (
        'tongguan_readings_total{kind="water.level"} 2.0',
        'tongguan_rejects_total{reason="not_an_object"} 1.0',
        'tongguan_changes_total{change="raised",rule="test.ponding"} 1.0',
        'tongguan_alerts_open{level="red",rule="test.ponding"} 1.0',
        'tongguan_cases_open{level="red",state="dispatched"} 1.0',
        'tongguan_case_moves_total{move="dispatch"} 1.0',
        'tongguan_partition_lag_records{partition="0"} 0.0',
        "tongguan_outbox_pending 0.0",
    ):
        assert line in text


def test_areas_and_rules_are_those_of_the_plan(services: Services, city: CityFiles) -> None:
    (grid,) = services.layers.features("grid", None)
    assert grid["properties"] == {
        "code": "330681001001001", "name": "网格一", "department": "water", "centre": [120.0005, 30.0005],
    }  # fmt: skip
    assert [feature["id"] for feature in services.layers.features("street", (119.0, 29.0, 121.0, 31.0))] == [
        "330681001"
    ]
    assert services.layers.features("community", (0.0, 0.0, 1.0, 1.0)) == []
    assert services.layers.bounds() == (120.0, 30.0, 120.001, 30.001)
    assert [rule["id"] for rule in services.rules()] == ["test.ponding"]
    assert city.faults == ()


@pytest.mark.parametrize("newlines", [False, True], ids=["array", "lines"])
def test_a_frame_too_large_to_carry_its_log_times_is_split_in_two(newlines: bool) -> None:
    texts = [orjson.dumps(reading("a", n) | {"attrs": {"pad": "x" * 30}}) for n in range(9_000)]
    frame = b"\n".join(texts) if newlines else b"[" + b",".join(texts) + b"]"
    assert len(frame) < 1 << 20 < len(frame) + 24 * 9_000
    parts = frames_that_fit(frame, 9_000)
    assert [len(orjson.loads(part)) for part in parts] == [4_500, 4_500]
    assert b"[" + b",".join(part[1:-1] for part in parts) + b"]" == b"[" + b",".join(texts) + b"]"


@pytest.mark.parametrize("frame", [b"[1,2]", b"noise" * 300_000], ids=["small", "not a frame"])
def test_any_other_frame_stays_whole(frame: bytes) -> None:
    assert frames_that_fit(frame, 2) == [frame]


def last_value(sensor: str, minute: int, level: str | None) -> LastValue:
    return LastValue(sensor, "water.level", START + minute * 60_000, float(minute), None, None, None, level)


def test_of_last_values_all_are_kept_of_a_sensor_in_alarm_and_one_in_five_minutes_of_the_others(
    engine: Embedded,
) -> None:
    for minute in range(12):
        told = [last_value("a", minute, "red"), last_value("b", minute, None)]
        engine.journal.append(Stream.SENSORS, 0, [Entry(msgspec.json.encode(told))])
    keeping = Keeping(engine.journal, engine.casework)
    while keeping.step():
        pass
    with engine.store.read() as db:
        kept = {name: values_of_sensor(db, name, "water.level", 0, None).points for name in ("a", "b")}
    assert [value for _, value in kept["a"]] == list(map(float, range(12)))
    assert [value for _, value in kept["b"]] == [0.0, 5.0, 10.0]
    assert not Keeping(engine.journal, engine.casework).step()
