"""Each route × role × own and other area, from the route table; and the table itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from engine.api import policy
from engine.api.app import create_app
from engine.api.policy import POLICIES, ROLES, Policy
from engine.api.problems import PolicyMissing
from tests.town import DRAIN_EAST, DRAIN_WEST, EAST, WEST, Town, now_ms, open_town

STRANGER = None
HANDOVERS = {"": 1, EAST: 2, WEST: 3}
PHOTO = BytesIO()
Image.new("RGB", (4, 4)).save(PHOTO, "PNG")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(DRAIN_WEST, "drain.level", 95)
        for area in HANDOVERS:
            with running.client("inspector", area) as client:
                assert client.post("/api/v1/handover", json={"note": "交班"}).json()["id"] == HANDOVERS[area]
        for sensor in (DRAIN_EAST, DRAIN_WEST):
            assert call(running, "operator", "", "POST", "/api/v1/cases/{case_id}/attachments", sensor) == 201
        yield running


def request_of(town: Town, path: str, sensor: str) -> tuple[str, dict[str, str], bytes]:
    """Return address, headers and body of a well-formed request to a route, about the street of a sensor."""
    case = town.case_of(sensor)
    address = path.replace("{case_id}", case["id"]).replace("{path:path}", "icon.svg")
    if "{sensor}" in address:
        address = address.replace("{sensor}", sensor) + "?kind=drain.level"
    headers = {
        "content-type": "application/json",
        "if-match": f'"{case["version"]}"',
        "idempotency-key": f"{path} {sensor}".replace(" ", "-"),
    }
    bodies: dict[str, object] = {
        "/api/v1/readings": [{"sensor": sensor, "kind": "drain.level", "t": now_ms(), "v": 96}],
        "/api/v1/alertmanager": {"version": "4", "status": "firing", "alerts": []},
        "/api/v1/cases": {"category": "0405", "text": "井盖冒水", "lon": case["lon"], "lat": case["lat"]},
        "/api/v1/cases/{case_id}/moves": {"move": "comment", "note": "看过"},
        "/api/v1/handover": {"note": "交班"},
        "/api/v1/handover/{number}/sign": {},
        "/api/v1/player": {"pause": True},
    }
    if path.endswith("/attachments"):
        return address, {**headers, "content-type": "image/png"}, PHOTO.getvalue()
    return address, headers, json.dumps(bodies.get(path)).encode() if path in bodies else b""


def call(town: Town, role: str | None, area: str, method: str, path: str, sensor: str) -> int:
    """Return the status that a caller gets; of a stream, of its beginning."""
    address, headers, body = request_of(town, path, sensor)
    address = address.replace("{number}", str(HANDOVERS[area] if "handover" in path else 1))
    department = "drainage" if role == "handler" else None
    content = body if method == "POST" else None
    with (
        town.client(role, area, department, headers=headers) as client,
        client.stream(method, address, content=content) as answer,
    ):
        return answer.status_code


def door(rule: Policy, role: str | None) -> int | None:
    """Return what the policy alone answers: 401, 403, or nothing."""
    if rule.public or rule.local:
        return None
    if role is None:
        return 401
    return None if role in rule.roles else 403


@pytest.mark.parametrize("role", [*ROLES, STRANGER], ids=lambda role: role or "nobody")
@pytest.mark.parametrize(("method", "path"), sorted(POLICIES), ids=lambda part: part)
def test_a_route_lets_in_whom_its_policy_names_and_nobody_else(
    town: Town, method: str, path: str, role: str | None
) -> None:
    refused = door(POLICIES[method, path], role)
    for area in ("", EAST):
        status = call(town, role, area, method, path, DRAIN_EAST)
        if refused is not None:
            assert status == refused
        elif path == "/api/v1/player":
            assert status == 404, "only a demo has a player"
        else:
            assert status not in (401, 404, 405, 415, 428, 500), status


ABOUT_A_CASE = sorted((method, path) for method, path in POLICIES if "{case_id}" in path)


@pytest.mark.parametrize("role", sorted(policy.PEOPLE))
@pytest.mark.parametrize(("method", "path"), ABOUT_A_CASE, ids=lambda part: part)
def test_a_case_of_another_area_is_not_there(town: Town, method: str, path: str, role: str) -> None:
    assert call(town, role, WEST, method, path, DRAIN_EAST) in (403, 404)
    assert call(town, role, EAST, method, path, DRAIN_WEST) in (403, 404)


@pytest.mark.parametrize("role", sorted(policy.PEOPLE))
def test_lists_show_nothing_of_another_area(town: Town, role: str) -> None:
    with town.client(role, WEST, "drainage" if role == "handler" else None) as client:
        lists = {
            "cases": client.get("/api/v1/cases").json()["cases"],
            "alerts": client.get("/api/v1/alerts").json()["alerts"],
            "sensors": client.get("/api/v1/sensors").json()["sensors"],
            "points": [one["properties"] for one in client.get("/api/v1/sensors.geojson").json()["features"]],
            "slowest": client.get("/api/v1/overview").json()["slowest"],
            "news": client.get("/api/v1/alerts/changed?after=0").json()["alerts"],
            "changes": [one["change"] for one in client.get("/api/v1/changes").json()["changes"]],
        }
    for name, rows in lists.items():
        assert rows, name
        assert {one["grid"][:9] for one in rows} == {WEST}, name


@pytest.mark.parametrize("of", ["values", "attrs"])
@pytest.mark.parametrize("role", sorted(policy.PEOPLE))
def test_what_a_sensor_of_another_area_says_is_not_there(town: Town, role: str, of: str) -> None:
    path = f"/api/v1/sensors/{{sensor}}/{of}"
    assert call(town, role, EAST, "GET", path, DRAIN_EAST) == 200
    assert call(town, role, WEST, "GET", path, DRAIN_EAST) == 404


def test_a_sensor_token_of_another_area_may_not_send_its_readings(town: Town) -> None:
    assert call(town, "sensor", EAST, "POST", "/api/v1/readings", DRAIN_EAST) == 200
    assert call(town, "sensor", WEST, "POST", "/api/v1/readings", DRAIN_EAST) == 403


def test_a_report_from_another_area_is_refused(town: Town) -> None:
    assert call(town, "operator", EAST, "POST", "/api/v1/cases", DRAIN_EAST) == 201
    assert call(town, "operator", WEST, "POST", "/api/v1/cases", DRAIN_EAST) == 403


def test_a_handler_sees_and_moves_only_the_work_of_his_department(town: Town) -> None:
    path = f"/api/v1/cases/{town.case_of(DRAIN_EAST)['id']}"
    with town.client("handler", department="gas") as client:
        assert client.get(path).status_code == 404
        assert client.get("/api/v1/cases").json()["cases"] == []
    with town.client("handler", department="drainage") as client:
        assert client.get(path).status_code == 200


def test_a_revoked_token_is_let_in_no_more(town: Town) -> None:
    from engine.casework.tokens import list_tokens, revoke_token

    with town.client("auditor", WEST, "power") as client:
        assert client.get("/api/v1/me").status_code == 200
        number = next(one.id for one in list_tokens(town.engine.store) if one.name == f"auditor-{WEST}-power")
        assert revoke_token(town.engine.store, number, now_ms=now_ms())
        assert client.get("/api/v1/me").status_code == 401


def test_a_route_without_a_policy_is_not_served(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(POLICIES, ("GET", "/api/v1/rules"))
    with pytest.raises(PolicyMissing, match="GET /api/v1/rules has no policy"):
        create_app(replace(town.services))


def test_a_policy_without_a_route_is_refused_too(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, ("GET", "/api/v1/forgotten"), Policy())
    with pytest.raises(PolicyMissing, match="/api/v1/forgotten"):
        create_app(replace(town.services))
