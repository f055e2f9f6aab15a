"""`tongguan serve` beside workers: readings to their home partitions, cases in one transaction, streams that resume."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from engine.casework.service import AlertRecord
from engine.detect.last_values import LastValue
from engine.runtime.kafka.plans import name_plan
from rules.partition import home_partition
from rules.plan import Plan
from tests.kafka.serving import ROOT, Office, Serving, office, until
from tests.parts import postgres
from tests.parts.broker import Broker, started
from tests.parts.postgres import Server
from tests.town import BIN_EAST, DRAIN_EAST, GAS_EAST, GAS_WEST, LAT, LON, now_ms

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.needs("postgres"), pytest.mark.timeout(600)]
REPORT = {"category": "0405", "text": "井盖处满溢", "lon": (LON + 5_000) / 1e7, "lat": (LAT + 5_000) / 1e7}


@pytest.fixture(scope="module")
def town(broker: Broker, postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with postgres.fresh(postgres_server) as database, office(broker, database, tmp_path_factory.mktemp("town")) as one:
        yield one


@pytest.fixture(scope="module")
def first(town: Office) -> Iterator[Serving]:
    with town.serving() as running:
        yield running


@pytest.fixture(scope="module")
def second(town: Office) -> Iterator[Serving]:
    with town.serving() as running:
        yield running


def reading(sensor: str, kind: str, v: object) -> dict[str, object]:
    return {"sensor": sensor, "kind": kind, "t": now_ms(), "v": v}


def post(town: Office, serving: Serving, readings: list[Any]) -> httpx.Response:
    with town.client(serving, "sensor") as client:
        return client.post("/api/v1/readings", json=readings)


def taken(town: Office, serving: Serving) -> bool:
    """Tell whether this process can reach the broker."""
    with town.client(serving, "sensor") as client:
        return client.get("/readyz").status_code == 200


# ---- readings


def test_each_reading_of_a_body_comes_to_its_home_partition_in_order(town: Office, first: Serving) -> None:
    until(lambda: taken(town, first))
    sensors = [GAS_EAST, GAS_WEST, DRAIN_EAST, BIN_EAST, *(f"S-{n}" for n in range(40))]
    before = {partition: len(town.stored(partition)) for partition in range(4)}
    body = [reading(sensor, "gas.methane", v) for v in (1, 2, 3) for sensor in sensors]
    answer = post(town, first, body)
    assert (answer.status_code, answer.json()) == (200, {"accepted": len(body), "rejected": []})
    came: list[dict[str, Any]] = []
    for partition in range(4):
        for record in town.stored(partition)[before[partition] :]:
            frame = orjson.loads(record.value)
            assert {home_partition(one["sensor"], 4) for one in frame} == {partition}
            came += frame
    heard = {sensor: [one["v"] for one in came if one["sensor"] == sensor] for sensor in sensors}
    assert heard == {sensor: [1, 2, 3] for sensor in sensors}


def test_what_detect_will_reject_is_named_and_kept_for_its_quarantine(town: Office, first: Serving) -> None:
    until(lambda: taken(town, first))
    before = [len(town.stored(partition)) for partition in range(4)]
    answer = post(town, first, [5, {"sensor": "x"}, {"kind": "tick", "t": 1}])
    reasons = ["not_an_object", "missing_field", "control_in_frame"]
    assert answer.json() == {"accepted": 0, "rejected": [{"index": n, "reason": r} for n, r in enumerate(reasons)]}
    fresh = [record for partition, n in enumerate(before) for record in town.stored(partition)[n:]]
    assert sorted(str(one) for record in fresh for one in orjson.loads(record.value)) == sorted(
        ["5", "{'sensor': 'x'}", "{'kind': 'tick', 't': 1}"]
    )


# ---- cases and their stream, over two processes


def move(client: httpx.Client, case: dict[str, Any], name: str, version: int | None = None) -> httpx.Response:
    version = case["version"] if version is None else version
    return client.post(
        f"/api/v1/cases/{case['id']}/moves",
        json={"move": name},
        headers={"if-match": f'"{version}"', "idempotency-key": f"{case['id']}-{version}-{name}"},
    )


def reported(town: Office, serving: Serving, key: str) -> dict[str, Any]:
    with town.client(serving, "operator") as client:
        answer = client.post("/api/v1/cases", json=REPORT, headers={"idempotency-key": key})
    assert answer.status_code in (200, 201), answer.text
    case: dict[str, Any] = answer.json()["case"]
    return case


def test_two_processes_show_the_same_cases_and_a_late_move_is_412(
    town: Office, first: Serving, second: Serving
) -> None:
    case = reported(town, first, "one")
    with town.client(first, "operator") as here, town.client(second, "operator") as there:
        assert there.get(f"/api/v1/cases/{case['id']}").json()["case"]["state"] == "reported"
        assert move(there, case, "accept").status_code == 200
        late = move(here, case, "file")
        assert late.status_code == 412
        assert here.get(f"/api/v1/cases/{case['id']}").json()["case"]["state"] == "accepted"


def events(client: httpx.Client, after: int | None, count: int) -> list[tuple[int, str]]:
    """Return position and id of the next events of the stream."""
    headers = {} if after is None else {"last-event-id": str(after)}
    found: list[tuple[int, str]] = []
    position = -1
    with client.stream("GET", "/api/v1/stream", headers=headers) as stream:
        for line in stream.iter_lines():
            if line.startswith("id:"):
                position = int(line[3:])
            elif line.startswith("data:"):
                found.append((position, json.loads(line[5:])["id"]))
                if len(found) == count:
                    break
    return found


def test_a_stream_goes_on_at_another_process_with_no_gap_and_no_repeat(
    town: Office, first: Serving, second: Serving
) -> None:
    case = reported(town, first, "two")
    with town.client(second, "operator") as client:
        case = client.get(f"/api/v1/cases/{case['id']}").json()["case"]
        for name in ("accept", "file"):
            done = move(client, case, name)
            case = done.json()["case"] if done.status_code == 200 else case
    town.casework.assign_positions()
    with town.client(first, "supervisor") as one, town.client(second, "supervisor") as other:
        count = town.casework.positions()[1]
        whole = events(one, 0, count)
        assert [position for position, _ in whole] == list(range(1, count + 1))
        assert len({name for _, name in whole}) == count
        assert whole[:1] + events(other, whole[0][0], count - 1) == whole


# ---- the plan in force, last values


def test_another_plan_is_served_without_a_restart(town: Office, first: Serving) -> None:
    plan = town.plan
    fewer = Plan(plan.rules[:1], plan.kinds, plan.registry, plan.grids, plan.zones, plan.tz)
    with town.client(first, "viewer") as client:

        def rules() -> list[str]:
            return [rule["id"] for rule in client.get("/api/v1/rules").json()["rules"]]

        name_plan(town.database.store, fewer, "tests", now_ms())
        try:
            until(lambda: rules() == [plan.rules[0].id])
        finally:
            name_plan(town.database.store, plan, "tests", now_ms())
        until(lambda: rules() == [rule.id for rule in plan.rules])


def test_what_only_workers_count_is_left_out_of_the_status_and_the_city_s_cases_are_in(
    town: Office, first: Serving
) -> None:
    with town.client(first, "viewer") as client:
        told = first.status(client)
    assert "counts" not in told
    assert {"ready", "waiting", "cases", "alerts", "tz"} <= set(told)


def test_last_values_of_the_log_are_shown_also_those_from_before_the_start(town: Office, first: Serving) -> None:
    value = LastValue(GAS_EAST, "gas.methane", now_ms(), 12.5, None, None, None, "yellow")
    send(town, [(f"{value.sensor}|{value.kind}", msgspec.json.encode(value))])

    def shown(serving: Serving) -> object:
        with town.client(serving, "viewer") as client:
            rows = client.get("/api/v1/sensors", params={"kind": "gas.methane"}).json()["sensors"]
        return [row["v"] for row in rows if row["sensor"] == GAS_EAST] == [12.5]

    until(lambda: shown(first))
    with town.serving() as third:
        until(lambda: shown(third))


def send(town: Office, records: list[tuple[str, bytes]]) -> None:
    """Write into city.sensors."""

    async def write() -> None:
        async with AIOKafkaProducer(**town.broker.connection.kwargs()) as producer:
            for key, value in records:
                await producer.send_and_wait(town.topics.sensors, value, key=key.encode())

    asyncio.run(write())


# ---- the player's clock


def test_on_the_players_clock_readings_bring_its_time_once_it_has_begun(
    broker: Broker, postgres_server: Server, tmp_path: Path
) -> None:
    with (
        postgres.fresh(postgres_server) as database,
        office(broker, database, tmp_path, log_time="record") as town,
        town.serving(log_time="record") as serving,
    ):
        until(lambda: taken(town, serving))
        early = post(town, serving, [reading(GAS_EAST, "gas.methane", 1)])
        assert (early.status_code, "has not begun" in early.json()["detail"]) == (503, True)
        began = 1_700_000_000_000
        mark = orjson.dumps({"mark": began, "partition": 0, "plan": town.plan.short})
        town.casework.apply([AlertRecord(0, mark, began)])
        assert post(town, serving, [reading(GAS_EAST, "gas.methane", 2)]).status_code == 200
        assert [record.log_time for record in town.stored(home_partition(GAS_EAST, 4))] == [began]


# ---- something is away


@pytest.fixture(scope="module")
def lone_broker() -> Iterator[Broker]:
    """A broker that a test may stop without disturbing others."""
    yield from started()


def test_with_the_broker_away_readings_are_put_off_people_go_on_and_it_recovers(
    lone_broker: Broker, postgres_server: Server, tmp_path: Path
) -> None:
    with (
        postgres.fresh(postgres_server) as database,
        office(lone_broker, database, tmp_path) as town,
        town.serving() as serving,
    ):
        until(lambda: taken(town, serving))
        assert post(town, serving, [reading(GAS_EAST, "gas.methane", 1)]).status_code == 200
        lone_broker.kill()
        refused = [post(town, serving, [reading(GAS_EAST, "gas.methane", 2)]) for _ in range(2)]
        assert [answer.status_code for answer in refused] == [503, 429]
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert reported(town, serving, "meanwhile")["state"] == "reported"
        until(lambda: not taken(town, serving))
        lone_broker.start()
        until(lambda: taken(town, serving))
        assert post(town, serving, [reading(GAS_EAST, "gas.methane", 3)]).status_code == 200
        came = [one["v"] for record in town.stored(home_partition(GAS_EAST, 4)) for one in orjson.loads(record.value)]
        assert (came[0], came[-1]) == (1, 3), "what was acknowledged is there; what was refused may be there too"


def test_it_starts_with_the_broker_away_and_takes_readings_once_it_is_there(
    lone_broker: Broker, postgres_server: Server, tmp_path: Path
) -> None:
    with postgres.fresh(postgres_server) as database, office(lone_broker, database, tmp_path) as town:
        lone_broker.kill()
        with town.serving() as serving:
            answer = post(town, serving, [reading(GAS_EAST, "gas.methane", 1)])
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert reported(town, serving, "first")["state"] == "reported"
            lone_broker.start()
            until(lambda: post(town, serving, [reading(GAS_EAST, "gas.methane", 2)]).status_code == 200)


@pytest.fixture
def lone_server(postgres_server: Server) -> Server:
    """The session's database server; tests that stop it are not run where it is not ours."""
    if postgres_server.folder is None:
        pytest.skip(f"{postgres.GIVEN} names a server that is not ours to stop")
    return postgres_server


def test_with_the_database_away_every_call_is_503_and_open_streams_wait(
    broker: Broker, lone_server: Server, tmp_path: Path
) -> None:
    with (
        postgres.fresh(lone_server) as database,
        office(broker, database, tmp_path) as town,
        town.serving() as serving,
        town.client(serving, "supervisor") as client,
        town.client(serving, "supervisor") as listener,
    ):
        until(lambda: taken(town, serving))
        case = reported(town, serving, "before")
        town.casework.assign_positions()
        with listener.stream("GET", "/api/v1/stream", headers={"last-event-id": "0"}) as stream:
            lines = stream.iter_lines()
            assert any(line.startswith("data:") for line in lines)
            lone_server.stop_now()
            try:
                answer = client.get("/api/v1/cases")
                assert (answer.status_code, answer.json()["code"]) == (503, "store_away")
                assert answer.headers["retry-after"] == "5"
                until(lambda: client.get("/readyz").status_code == 503)
                assert client.get("/healthz").status_code == 200
            finally:
                lone_server.start()
            until(lambda: client.get("/api/v1/cases").status_code == 200)
            until(lambda: client.get("/readyz").status_code == 200)
            with town.client(serving, "operator") as operator:
                assert move(operator, case, "accept").status_code == 200
            town.casework.assign_positions()
            assert any(line.startswith("data:") and '"accepted"' in line for line in lines)


# ---- what it refuses


def run(town: Office, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine.cli", *words],
        cwd=ROOT,
        env=town.environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_plan_it_says_which_command_sets_one(town: Office, postgres_server: Server) -> None:
    with postgres.fresh(postgres_server) as bare:
        done = run(town, "serve", database=bare.url)
    assert (done.returncode, "tongguan plan set" in done.stderr) == (1, True), done.stderr


def test_without_tables_it_says_which_command_makes_them(town: Office, postgres_server: Server) -> None:
    name = postgres_server.make(migrated=False)
    try:
        done = run(town, "serve", database=postgres_server.at(name))
    finally:
        postgres_server.drop(name)
    assert (done.returncode, "tongguan db upgrade" in done.stderr) == (1, True), done.stderr


def test_with_neither_an_engine_nor_workers_it_names_both_ways(town: Office) -> None:
    done = run(town, "serve", broker="", database="")
    assert done.returncode == 2
    assert "--embedded" in done.stderr
    assert "--broker" in done.stderr
