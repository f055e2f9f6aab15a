"""What a caller who has read only the interface's description found, and what must stay so."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.api.server import bind
from engine.casework.merging import distance_m
from tests.town import DRAIN_EAST, GAS_EAST, Town, open_town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(GAS_EAST, "gas.methane", 60)
        yield running


def move(client: httpx.Client, case: dict[str, Any], body: dict[str, object]) -> httpx.Response:
    return client.post(f"/api/v1/cases/{case['id']}/moves", json=body, headers={"if-match": f'"{case["version"]}"'})


def sensors_of(client: httpx.Client) -> set[str]:
    return {alert["sensor"] for alert in client.get("/api/v1/alerts").json()["alerts"]}


def test_a_refused_method_names_all_methods_of_its_path(town: Town) -> None:
    with town.client("admin") as client:
        answer = client.delete("/api/v1/cases")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("operator", "report"),
        ("operator", "file"),
        ("dispatcher", "dispatch"),
        ("handler", "return"),
        ("handler", "finish"),
        ("inspector", "verify"),
        ("supervisor", "close"),
        ("supervisor", "extend"),
        ("supervisor", "unmerge"),
        ("supervisor", "reopen"),
    ],
)
def test_a_move_that_does_not_fit_now_is_a_conflict_whatever_else_it_lacks(town: Town, role: str, name: str) -> None:
    case = town.case_of(DRAIN_EAST)
    with town.client(role) as client:
        answer = move(client, case, {"move": name})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_now")
    assert town.case_of(DRAIN_EAST) == case


def test_a_department_sees_the_alerts_of_its_own_cases_only(town: Town) -> None:
    with town.client("handler", department="drainage") as drainage, town.client("handler", department="gas") as gas:
        assert sensors_of(drainage) == {DRAIN_EAST}
        assert sensors_of(gas) == {GAS_EAST}
    with town.client("viewer") as city:
        assert sensors_of(city) == {DRAIN_EAST, GAS_EAST}


def test_the_stream_filters_by_any_department_with_a_work_order_as_lists_do(town: Town) -> None:
    with town.client("operator") as operator, town.client("dispatcher") as dispatcher:
        headers = {"idempotency-key": "a-report-for-two-departments"}
        case = operator.post("/api/v1/cases", json={"category": "0103", "text": "满溢"}, headers=headers).json()["case"]
        for name in ("accept", "file"):
            case = move(operator, case, {"move": name}).json()["case"]
        asked = {"move": "dispatch", "departments": ["sanitation", "street"]}
        assert move(dispatcher, case, asked).status_code == 200
    town.settle()
    with town.client("admin") as client:
        listed = client.get("/api/v1/cases", params={"department": "street"}).json()["cases"]
        assert [one["id"] for one in listed] == [case["id"]]
        where = {"department": "street", "after": "0"}
        with client.stream("GET", "/api/v1/stream", params=where, timeout=10) as stream:
            line = next(line for line in stream.iter_lines() if line.startswith(("data:", ":")))
    assert json.loads(line[5:])["case"]["id"] == case["id"]


def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}.*give another port"):
            bind("127.0.0.1", port)


def test_anchors_equally_many_steps_away_are_equally_near() -> None:
    assert distance_m(120.8015, 29.6005, 120.8005, 29.6005) == distance_m(120.8015, 29.6005, 120.8025, 29.6005)
