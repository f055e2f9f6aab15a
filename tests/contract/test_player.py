"""The demo's player over HTTP: it says how the city runs, stands still, runs at another speed, jumps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from engine.api.app import create_app
from engine.api.metrics import Metrics
from engine.api.server import Listener, bind
from engine.api.services import Settings
from engine.casework.tokens import create_token
from engine.commands.city_files import CityFiles
from engine.commands.counting import Counted
from engine.commands.playing import Player
from engine.commands.services import services_of
from engine.runtime.embedded import Embedded
from geo.city import load as load_city
from rules.load import LIBRARY, load_rules
from rules.plan import Plan
from simulators.days import Days
from simulators.ground import ground_of
from simulators.load import load
from simulators.pace import Pace
from tests.town import now_ms

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[[str], httpx.Client]]]:
    """A calm city of a few gas sensors that is played at life's pace."""
    place, scenario = load_city(), load("calm_day")
    signals = {"gas.methane": scenario.signals["gas.methane"]}
    days = Days(replace(scenario, signals=signals), ground_of(place), 1, 12)
    plan = Plan(load_rules([LIBRARY / "gas" / "methane_leak.yaml"]).rules)
    engine = Embedded(tmp_path_factory.mktemp("played"), plan, player=True)
    metrics, ended = Metrics(CollectorRegistry()), threading.Event()
    player = Player(engine, days, Pace(1.0))
    files = CityFiles(plan, place.grids, place.name, place.divisions, ())
    app = create_app(services_of(engine, files, metrics, Counted(metrics), Settings(), player=player))
    listener = Listener(app, bind("127.0.0.1", 0), before_stop=app.close)
    playing = threading.Thread(target=player.run, args=(ended,))

    def client(role: str) -> httpx.Client:
        name = f"{role}-{time.monotonic_ns()}"
        secret = create_token(engine.store, name=name, role=role, area="", department=None, now_ms=now_ms())
        headers = {"authorization": f"Bearer {secret}"}
        return httpx.Client(base_url=listener.url, headers=headers, timeout=30, trust_env=False)

    engine.start()
    listener.start()
    playing.start()
    try:
        yield listener.url, client
    finally:
        ended.set()
        player.pace.end()
        playing.join(60.0)
        listener.stop()
        engine.stop()


def until(client: httpx.Client, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the player's state once it is so."""
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline:
        view: dict[str, Any] = client.get("/api/v1/player").json()
        if holds(view):
            return view
        threading.Event().wait(0.05)
    raise AssertionError(f"never came to it: {view}")


def test_it_says_what_it_plays(url: tuple[str, Callable[[str], httpx.Client]]) -> None:
    with url[1]("viewer") as client:
        view = client.get("/api/v1/player").json()
    assert (view["scenario"], view["seed"], view["title"]) == ("calm_day", 1, "平常的一天")
    assert view["ends"] - view["starts"] == 24 * HOUR_MS


def test_it_stands_still_jumps_and_runs_on(url: tuple[str, Callable[[str], httpx.Client]]) -> None:
    with url[1]("supervisor") as client:
        assert client.post("/api/v1/player", json={"pause": True}).json()["paused"] is True
        now = client.get("/api/v1/player").json()["now"]
        goal = now + HOUR_MS
        assert client.post("/api/v1/player", json={"jump": goal}).status_code == 200
        there = until(client, lambda view: view["now"] >= goal - 10_000 and view["jump"] is None)
        assert (there["paused"], there["now"] <= goal) == (True, True)
        assert client.post("/api/v1/player", json={"speed": 3600.0}).json()["speed"] == 3600.0
        assert client.post("/api/v1/player", json={"resume": True}).json()["paused"] is False
        until(client, lambda view: view["now"] > goal + HOUR_MS)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"pause": False}, 422),
        ({"pause": True, "resume": True}, 422),
        ({"speed": 0}, 422),
        ({"speed": 1e9}, 422),
        ({"speed": "fast"}, 422),
        ({"jump": 0}, 409),
        ({"jump": 1 << 51}, 422),
        ({"stop": True}, 422),
    ],
)
def test_other_wishes_are_refused(
    url: tuple[str, Callable[[str], httpx.Client]], body: dict[str, object], status: int
) -> None:
    with url[1]("supervisor") as client:
        answer = client.post("/api/v1/player", json=body)
    assert (answer.status_code, "code" in answer.json()) == (status, True)


def test_only_supervisor_and_admin_may_steer(url: tuple[str, Callable[[str], httpx.Client]]) -> None:
    with url[1]("operator") as client:
        assert client.post("/api/v1/player", json={"pause": True}).status_code == 403
