"""The HTTP interface as callers see it, over a real engine."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.api.policy import POLICIES
from engine.api.routes.state import metrics_app
from engine.api.server import Listener, bind
from tests.town import (
    BIN_EAST,
    DRAIN_EAST,
    DRAIN_WEST,
    EAST,
    GAS_EAST,
    GAS_WEST,
    GRIDS,
    LAT,
    LON,
    SIDE,
    Town,
    now_ms,
    open_town,
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(DRAIN_WEST, "drain.level", 95)
        running.read(GAS_EAST, "gas.methane", 60)
        yield running


def reading(sensor: str, kind: str, v: object, **more: object) -> dict[str, object]:
    return {"sensor": sensor, "kind": kind, "t": now_ms(), "v": v, **more}


def move(client: httpx.Client, case: dict[str, Any], name: str, **args: object) -> httpx.Response:
    headers = {"if-match": f'"{case["version"]}"', "idempotency-key": f"{case['id']}-{case['version']}-{name}"}
    return client.post(f"/api/v1/cases/{case['id']}/moves", json={"move": name, **args}, headers=headers)


METRICS = [
    *("readings_total", "rejects_total", "late_total", "detect_seconds", "detect_delay_seconds", "case_delay_seconds"),
    *("alerts_open", "changes_total", "cases_open", "case_moves_total", "sla_breaches_total", "partition_lag_records"),
    *("watermark_delay_seconds", "outbox_pending", "quarantine_total", "checkpoint_seconds"),
]


# ---- readings


def test_readings_are_taken_as_an_array_and_bad_ones_are_named_by_their_position(town: Town) -> None:
    body = [
        reading(BIN_EAST, "waste.fill", 10),
        {"sensor": "x"},
        reading(BIN_EAST, "no.such", 1),
        reading(BIN_EAST, "waste.fill", 1e9),
    ]
    with town.client("sensor") as client:
        answer = client.post("/api/v1/readings", json=body)
    assert answer.status_code == 200
    rejected = [
        {"index": 1, "reason": "missing_field"},
        {"index": 2, "reason": "bad_kind"},
        {"index": 3, "reason": "out_of_range"},
    ]
    assert answer.json() == {"accepted": 1, "rejected": rejected}


def test_readings_are_taken_as_ndjson(town: Town) -> None:
    lines = "\n".join(json.dumps(reading(BIN_EAST, "waste.fill", v)) for v in (11, 12)) + "\nnot json\n"
    with town.client("sensor", headers={"content-type": "application/x-ndjson"}) as client:
        answer = client.post("/api/v1/readings", content=lines)
    assert answer.json() == {"accepted": 2, "rejected": [{"index": 2, "reason": "bad_json"}]}


@pytest.mark.parametrize(
    "control",
    [
        '{"kind":"tick","t":4102444800000}',
        '{\n"kind":"tick",\n"t":4102444800000\n}',
        '  {"kind":"plan","digest":"' + "0" * 64 + '","t":1}\n',
        '{"kind":"tick","t":4102444800000}\n{"kind":"tick","t":4102444800001}',
    ],
    ids=["one line", "over several lines", "a plan", "two lines"],
)
def test_a_control_record_cannot_be_sent_over_http(town: Town, control: str) -> None:
    clock = town.engine.now_ms()
    with town.client("sensor", headers={"content-type": "application/x-ndjson"}) as client:
        answer = client.post("/api/v1/readings", content=control)
    assert {one["reason"] for one in answer.json()["rejected"]} == {"control_in_frame"}
    assert answer.json()["accepted"] == 0
    town.settle()
    assert town.engine.now_ms() - clock < 600_000, "the engine's clock must not have jumped"


def test_an_empty_array_is_accepted_and_stores_nothing(town: Town) -> None:
    with town.client("sensor") as client:
        assert client.post("/api/v1/readings", json=[]).json() == {"accepted": 0, "rejected": []}


def test_a_sensor_token_of_one_area_cannot_speak_for_another(town: Town) -> None:
    with town.client("sensor", area=EAST) as client:
        own = client.post("/api/v1/readings", json=[reading(BIN_EAST, "waste.fill", 20)])
        other = client.post(
            "/api/v1/readings", json=[reading(BIN_EAST, "waste.fill", 20), reading(DRAIN_WEST, "drain.level", 20)]
        )
        unknown = client.post("/api/v1/readings", json=[reading("nobody", "drain.level", 20)])
    assert own.status_code == 200
    assert (other.status_code, other.json()["code"]) == (403, "not_yours")
    assert (unknown.status_code, unknown.json()["code"]) == (403, "not_yours")


# ---- cases


def test_a_reading_opens_a_case_that_people_move_to_its_end(town: Town) -> None:
    case = town.case_of(DRAIN_EAST)
    assert (case["state"], case["level"], case["grid"]) == ("reported", "yellow", GRIDS[1])
    steps = [
        ("operator", None, "accept", "accepted"),
        ("operator", None, "file", "filed"),
        ("dispatcher", None, "dispatch", "dispatched"),
        ("handler", "drainage", "start", "handling"),
        ("handler", "drainage", "finish", "handled"),
    ]
    for role, department, name, state in steps:
        with town.client(role, department=department) as client:
            seen = client.get(f"/api/v1/cases/{case['id']}")
            assert name in seen.json()["case"]["moves"]
            answer = move(client, seen.json()["case"], name, note="已办")
        assert answer.status_code == 200, answer.text
        assert answer.json()["case"]["state"] == state
        assert answer.headers["etag"] == f'"{answer.json()["case"]["version"]}"'
    with town.client("inspector") as client:
        seen = client.get(f"/api/v1/cases/{case['id']}").json()
        refused = move(client, seen["case"], "verify", result="pass")
    assert (refused.status_code, refused.json()["code"]) == (409, "still_active")
    assert [event["move"] for event in seen["events"]] == ["report", "accept", "file", "dispatch", "start", "finish"]
    assert [event["seq"] for event in seen["events"]] == [1, 2, 3, 4, 5, 6]


def test_a_move_on_what_another_has_moved_is_412_and_changes_nothing(town: Town) -> None:
    case = town.case_of(DRAIN_WEST)
    with town.client("operator") as client:
        assert move(client, case, "accept").status_code == 200
        late = client.post(
            f"/api/v1/cases/{case['id']}/moves",
            json={"move": "reject", "reason": "误报"},
            headers={"if-match": f'"{case["version"]}"', "idempotency-key": "late"},
        )
        after = client.get(f"/api/v1/cases/{case['id']}").json()["case"]
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    assert (after["state"], after["version"]) == ("accepted", case["version"] + 1)


def test_the_same_key_makes_a_move_once(town: Town) -> None:
    case = town.case_of(DRAIN_WEST)
    with town.client("operator") as client:
        first = move(client, case, "comment", note="看过")
        again = move(client, case, "comment", note="看过")
        other = move(client, case, "comment", note="另一句")
    assert first.json()["case"]["version"] == again.json()["case"]["version"] == case["version"] + 1
    assert other.status_code == 422


def test_a_report_opens_a_case_and_hides_the_contact_from_a_viewer(town: Town) -> None:
    lon, lat = (LON + SIDE // 3) / 1e7, (LAT + SIDE // 3) / 1e7
    body = {
        "category": "0101",
        "text": "路边有垃圾",
        "lon": lon,
        "lat": lat,
        "contact_name": "王小明",
        "contact_phone": "13812345678",
    }
    with town.client("operator", headers={"idempotency-key": "report-1"}) as client:
        first = client.post("/api/v1/cases", json=body)
        again = client.post("/api/v1/cases", json=body)
        assert first.status_code == 201, first.text
        assert first.json()["case"]["id"] == again.json()["case"]["id"]
        path = f"/api/v1/cases/{first.json()['case']['id']}"
        assert first.headers["location"] == path
        full = client.get(path)
    assert first.json()["case"]["grid"] == GRIDS[0]
    assert "13812345678" in full.text
    with town.client("viewer") as client:
        masked = client.get(path)
    assert masked.status_code == 200
    assert "13812345678" not in masked.text
    assert "王小明" not in masked.text


def test_lists_are_paged_by_a_cursor_without_gap_or_repeat(town: Town) -> None:
    with town.client("operator") as client:
        for number in range(5):
            body = {"category": "0101", "text": f"第{number}处", "lon": 120.9 + number, "lat": 29.0}
            assert (
                client.post("/api/v1/cases", json=body, headers={"idempotency-key": f"page-{number}"}).status_code
                == 201
            )
        whole = [one["id"] for one in client.get("/api/v1/cases", params={"limit": 1000}).json()["cases"]]
        paged: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = client.get("/api/v1/cases", params=params).json()
            paged += [one["id"] for one in page["cases"]]
            cursor = page["cursor"]
            if cursor is None:
                break
    assert len(whole) >= 5
    assert paged == whole


def test_filters_narrow_the_list(town: Town) -> None:
    box = f"{LON / 1e7},{LAT / 1e7},{(LON + SIDE) / 1e7},{(LAT + SIDE) / 1e7}"

    def found(**params: str) -> set[str]:
        with town.client("operator") as client:
            return {one["sensor"] for one in client.get("/api/v1/cases", params=params).json()["cases"]}

    assert found(department="gas") == {GAS_EAST}
    assert found(level="red") == {GAS_EAST}
    assert GAS_EAST in found(bbox=box)
    assert DRAIN_EAST not in found(bbox=box)
    assert found(q="燃气") == {GAS_EAST}
    assert GAS_EAST not in found(grid="330683002")
    assert found(state="dispatched", category="0401") == {GAS_EAST}


# ---- the city


def test_grids_are_geojson_by_level_and_box(town: Town) -> None:
    with town.client("viewer") as client:
        streets = client.get("/api/v1/grids.geojson", params={"level": "street"})
        one = client.get(
            "/api/v1/grids.geojson", params={"bbox": f"{LON / 1e7},{LAT / 1e7},{(LON + 10) / 1e7},{LAT / 1e7}"}
        )
        again = client.get(
            "/api/v1/grids.geojson", params={"level": "street"}, headers={"if-none-match": streets.headers["etag"]}
        )
    assert streets.headers["content-type"] == "application/geo+json"
    assert [feature["properties"]["name"] for feature in streets.json()["features"]] == ["东街道", "西街道"]
    assert [feature["properties"]["code"] for feature in one.json()["features"]] == [GRIDS[0]]
    assert again.status_code == 304


def test_sensors_come_with_their_last_values_page_by_page(town: Town) -> None:
    with town.client("viewer") as client:
        first = client.get("/api/v1/sensors", params={"limit": "3"}).json()
        rest = client.get("/api/v1/sensors", params={"limit": "3", "after": first["next"]}).json()
    rows = first["sensors"] + rest["sensors"]
    assert [row["sensor"] for row in rows] == sorted(row["sensor"] for row in rows)
    assert rest["next"] is None
    assert next(row["v"] for row in rows if row["sensor"] == DRAIN_EAST) == 95


def test_a_caller_of_one_street_sees_nothing_of_the_other(town: Town) -> None:
    with town.client("operator", area=EAST) as client:
        cases = client.get("/api/v1/cases", params={"limit": 1000}).json()["cases"]
        alerts = client.get("/api/v1/alerts").json()["alerts"]
        sensors = client.get("/api/v1/sensors").json()["sensors"]
        grids = client.get("/api/v1/grids.geojson").json()["features"]
        hidden = client.get(f"/api/v1/cases/{town.case_of(DRAIN_WEST)['id']}")
    assert {one["grid"][:9] for one in cases} == {EAST}
    assert {one["grid"][:9] for one in alerts} == {EAST}
    assert {one["grid"][:9] for one in sensors} == {EAST}
    assert [one["properties"]["code"] for one in grids] == list(GRIDS[:2])
    assert hidden.status_code == 404


def test_alerts_and_their_changes_are_listed(town: Town) -> None:
    with town.client("viewer") as client:
        alerts = client.get("/api/v1/alerts", params={"rule": "gas.methane_leak"}).json()["alerts"]
        changes = client.get("/api/v1/changes").json()["changes"]
    assert [(one["sensor"], one["level"], one["open"]) for one in alerts] == [(GAS_EAST, "red", True)]
    assert {one["change"]["sensor"] for one in changes} >= {GAS_EAST, DRAIN_EAST, DRAIN_WEST}


# ---- the process


def test_the_description_is_openapi_3_1_and_names_every_route(town: Town) -> None:
    with town.client(None) as client:
        document = client.get("/openapi.json").json()
        docs = [client.get(path).status_code for path in ("/docs", "/redoc")]
    hidden = {"/", "/login", "/logout", "/console/{path:path}", "/openapi.json"}
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert document["openapi"].startswith("3.1")
    assert described == {(method, path) for method, path in POLICIES if path not in hidden}
    assert docs == [404, 404], "pages that would fetch scripts from elsewhere are off"


def test_every_reference_of_the_description_is_kept_and_every_error_is_a_problem(town: Town) -> None:
    with town.client(None) as client:
        document = client.get("/openapi.json").json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
    assert used <= known
    for methods in document["paths"].values():
        for operation in methods.values():
            assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]


def test_health_and_metrics_answer_without_a_token_on_this_machine(town: Town) -> None:
    with town.client(None) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready", "reasons": []}
        text = client.get("/metrics").text
        through_a_proxy = client.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})
    assert 'tongguan_readings_total{kind="drain.level"}' in text
    assert 'tongguan_alerts_open{level="red",rule="gas.methane_leak"} 1.0' in text
    assert 'tongguan_case_moves_total{move="dispatch"}' in text
    assert all(f"tongguan_{name}" in text for name in METRICS)
    assert through_a_proxy.status_code == 401


def test_the_listener_of_metrics_answers_only_to_its_own_name_and_knows_nothing_else(town: Town) -> None:
    side = Listener(metrics_app(town.services), bind("127.0.0.1", 0))
    side.start()
    try:
        with httpx.Client(base_url=side.url, trust_env=False) as client:
            assert "tongguan_cases_open" in client.get("/metrics").text
            assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
            assert client.get("/metrics", headers={"host": "rebound.example"}).json()["code"] == "host_not_allowed"
            assert client.get("/api/v1/cases").json()["code"] == "not_found"
    finally:
        side.stop()


def test_the_page_may_load_nothing_from_elsewhere(town: Town) -> None:
    with town.client(None) as client:
        page = client.get("/")
        module = client.get("/console/main.js")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert module.headers["content-type"].startswith("text/javascript")
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_a_login_link_works_once_and_its_session_makes_moves_only_from_the_same_origin(town: Town) -> None:
    link = town.app.login_path(lambda: town.person())
    with httpx.Client(base_url=town.url, trust_env=False) as browser:
        assert browser.get("/api/v1/me").status_code == 401
        entered = browser.get(link)
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert browser.get("/api/v1/me").json()["role"] == "operator"
        assert browser.get(link).status_code == 401
        assert browser.get(link, headers={"accept": "text/html"}).headers["location"] == "/"
        ticket = "/api/v1/stream/ticket"
        assert browser.post(ticket).json()["code"] == "origin_required"
        assert browser.post(ticket, headers={"origin": town.url}).status_code == 200
        assert browser.post("/logout", headers={"origin": town.url}).status_code == 204
        assert browser.get("/api/v1/me").status_code == 401


# ---- what the console asks


def test_the_overview_counts_what_is_open_by_level_department_hour_and_area(town: Town) -> None:
    with town.client("supervisor") as client:
        whole = client.get("/api/v1/overview").json()
        east = client.get("/api/v1/overview", params={"grid": EAST}).json()
        cases = client.get("/api/v1/cases", params={"open": True, "limit": 1000}).json()["cases"]
    assert whole["open"] == len(cases) == sum(whole["levels"].values()) == sum(whole["states"].values())
    assert {one["department"]: one["open"] for one in whole["departments"]} == dict(
        Counter(one["department"] for one in cases)
    )
    placed = Counter(one["grid"][:9] for one in cases if one["grid"])
    assert {one["code"]: one["open"] for one in whole["areas"]} == dict(placed)
    assert {one["code"][:9] for one in east["areas"]} == {EAST}
    assert east["open"] == sum(one["open"] for one in east["areas"]) < whole["open"]
    assert len(whole["hours"]) == 24
    assert sum(one["opened"] for one in whole["hours"]) >= whole["open"]
    assert sum(one["raised"] for one in whole["hours"]) >= 3
    opened = [one["opened_t"] for one in whole["slowest"]]
    assert opened == sorted(opened)


def test_a_department_sees_only_its_own_in_the_overview(town: Town) -> None:
    with town.client("handler", department="gas") as client:
        found = client.get("/api/v1/overview").json()
    assert {one["department"] for one in found["departments"]} == {"gas"}


def test_alerts_that_changed_after_an_offset_come_as_they_stand(town: Town) -> None:
    with town.client("viewer") as client:
        now = client.get("/api/v1/alerts/changed").json()
        assert now == {"alerts": [], "offset": now["offset"], "reset": False}
        town.read(BIN_EAST, "waste.fill", 20)
        assert client.get("/api/v1/alerts/changed", params={"after": now["offset"]}).json()["alerts"] == []
        town.read(GAS_WEST, "gas.methane", 70)
        news = client.get("/api/v1/alerts/changed", params={"after": now["offset"]}).json()
        assert [(one["sensor"], one["level"]) for one in news["alerts"]] == [(GAS_WEST, "red")]
        assert client.get("/api/v1/alerts/changed", params={"after": news["offset"]}).json()["alerts"] == []
        assert client.get("/api/v1/alerts/changed", params={"after": news["offset"] + 10}).json()["reset"] is True


def test_sensors_come_as_points_and_those_heard_of_since_a_time(town: Town) -> None:
    with town.client("viewer") as client:
        found = client.get("/api/v1/sensors.geojson").json()["features"]
        heard = [one["properties"]["t"] for one in found if one["properties"]["t"] is not None]
        last = client.get("/api/v1/sensors.geojson", params={"since": max(heard)}).json()["features"]
    assert {one["properties"]["sensor"] for one in found} >= {BIN_EAST, GAS_EAST, DRAIN_EAST, DRAIN_WEST}
    assert 1 <= len(last) < len(found)


def test_a_sensor_tells_its_last_hours(town: Town) -> None:
    town.read(GAS_EAST, "gas.methane", 63, t=now_ms() + 61_000)  # of a sensor with an alert, once a minute
    with town.client("viewer") as client:
        until = time.monotonic() + 60  # values are kept beside the judging
        points: list[Any] = []
        while [v for _, v in points[-1:]] != [63] and time.monotonic() < until:
            answer = client.get(f"/api/v1/sensors/{GAS_EAST}/values", params={"kind": "gas.methane"})
            points = answer.json()["series"][0]["points"]
        assert points[-1][1] == 63
        assert client.get(f"/api/v1/sensors/{GAS_EAST}/values", params={"kind": "waste.fill"}).status_code == 404


def test_grids_below_a_code_and_the_zones_of_the_rules_are_geojson(town: Town) -> None:
    with town.client("viewer") as client:
        below = client.get("/api/v1/grids.geojson", params={"within": EAST}).json()["features"]
        zones = client.get("/api/v1/zones.geojson").json()
    assert {one["properties"]["code"] for one in below} == set(GRIDS[:2])
    assert zones == {"type": "FeatureCollection", "name": "小城", "features": []}
