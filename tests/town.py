"""A small town for tests over HTTP: a real engine on a real folder behind a real listener.

Two streets of two unit grids each, five sensors, and two rules: one dispatches by itself, one only reports.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from engine.api.app import TongguanApp, create_app
from engine.api.metrics import Metrics
from engine.api.server import Listener, bind
from engine.api.services import Services, Settings
from engine.casework.people import Actor, Role
from engine.casework.tokens import create_token
from engine.commands.city_files import CityFiles
from engine.commands.counting import Counted, Gauges
from engine.commands.services import services_of
from engine.runtime.embedded import Embedded, Limits
from engine.runtime.log import Stream
from geo.grids import GridSet
from geo.polygons import Polygons
from rules.civil import CITY_TZ
from rules.load import LIBRARY, load_rules
from rules.plan import Plan
from rules.registry import Registry, Row

EAST, WEST = "330683001", "330683002"
GRIDS = (f"{EAST}001001", f"{EAST}001002", f"{WEST}001001", f"{WEST}001002")
LON, LAT, SIDE = 1_208_000_000, 296_000_000, 10_000
GAS_EAST, GAS_WEST, DRAIN_EAST, DRAIN_WEST, BIN_EAST = "GM-E", "GM-W", "DL-E", "DL-W", "BN-E"

DRAIN_RULE = """
id: flood.drain_watch
version: 1
title: 排水管满溢
source: "a rule of the tests"
reads: drain.level
levels:
  yellow: {set: ">= 90", clear: "< 80"}
  red: {set: ">= 110", clear: "< 100"}
case: {category: "0405", department: drainage, auto: report, close: sensor}
"""


def grids() -> GridSet:
    """Four squares of about 100 m side by side, from west to east."""
    squares = []
    for number in range(len(GRIDS)):
        west = LON + number * SIDE
        ring = [(west, LAT), (west + SIDE, LAT), (west + SIDE, LAT + SIDE), (west, LAT + SIDE)]
        squares.append([[ring]])
    names = [
        {"name": f"第{number + 1}网格", "officer": "张伟", "department": code[:9]} for number, code in enumerate(GRIDS)
    ]
    return GridSet(GRIDS, Polygons.build(squares), names)


def registry() -> Registry:
    """One gas and one drain sensor in each street, and a bin."""

    def row(sensor: str, kind: str, grid: int, department: str) -> Row:
        return Row(sensor, kind, LON + grid * SIDE + SIDE // 2, LAT + SIDE // 2, department, f"{sensor}号点位")

    return Registry(
        [
            row(GAS_EAST, "gas.methane", 0, "gas"),
            row(GAS_WEST, "gas.methane", 2, "gas"),
            row(DRAIN_EAST, "drain.level", 1, "drainage"),
            row(DRAIN_WEST, "drain.level", 3, "drainage"),
            row(BIN_EAST, "waste.fill", 0, "sanitation"),
        ]
    )


def city(folder: Path, rule: str = DRAIN_RULE, more: Sequence[Row] = (), tz: str = CITY_TZ) -> CityFiles:
    """The town's plan; its own rule file is written into the folder."""
    own = folder / "flood" / "drain_watch.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(rule, encoding="utf-8")
    loaded = load_rules([LIBRARY / "gas" / "methane_leak.yaml", own])
    assert not loaded.faults, loaded.faults
    plan = Plan(loaded.rules, registry=Registry([*registry().rows, *more]), grids=grids(), tz=tz)
    divisions = {"330683": "小城", EAST: "东街道", WEST: "西街道", f"{EAST}001": "东社区", f"{WEST}001": "西社区"}
    return CityFiles(plan, grids(), "小城", divisions, ())


@dataclass
class Town:
    """A running town."""

    engine: Embedded
    app: TongguanApp
    services: Services
    listener: Listener
    secrets: dict[tuple[str, str, str | None], str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.listener.url

    def token(self, role: str, area: str = "", department: str | None = None) -> str:
        """Return a token of this role, area and department."""
        key = role, area, department
        if key not in self.secrets:
            name = f"{role}-{area}-{department}"
            self.secrets[key] = create_token(
                self.engine.store, name=name, role=role, area=area, department=department, now_ms=now_ms()
            )
        return self.secrets[key]

    def client(self, role: str | None, area: str = "", department: str | None = None, **more: Any) -> httpx.Client:
        """Return a client that calls with such a token; without a role, with none."""
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers["authorization"] = f"Bearer {self.token(role, area, department)}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, **more)

    def read(self, sensor: str, kind: str, value: float, **more: Any) -> None:
        """Send one reading and wait until everything that follows from it is done."""
        reading = {"sensor": sensor, "kind": kind, "t": now_ms(), "v": value, **more}
        with self.client("sensor") as client:
            answer = client.post("/api/v1/readings", json=[reading])
        assert answer.json() == {"accepted": 1, "rejected": []}, answer.text
        self.settle()

    def settle(self) -> None:
        """Wait until the engine has nothing left to do."""
        assert self.engine.drain(30)

    def cases(self) -> list[dict[str, Any]]:
        """Return all cases, as an admin sees them."""
        with self.client("admin") as client:
            found: list[dict[str, Any]] = client.get("/api/v1/cases", params={"limit": 1000}).json()["cases"]
        return found

    def case_of(self, sensor: str) -> dict[str, Any]:
        """Return the open case of a sensor."""
        (found,) = [one for one in self.cases() if one["sensor"] == sensor and one["open"]]
        return found

    def readings_stored(self) -> int:
        """Return how many records of the readings log are neither ticks nor plans."""
        records = self.engine.journal.read(Stream.READINGS, 0, 0, limit_bytes=64 << 20)
        return sum(not value.startswith(b'{"kind":') for value in records.values)

    def person(self, role: Role = Role.OPERATOR) -> Actor:
        """Return a person who is signed in without a token, as `demo` does it."""
        return Actor(name="值班员", role=role)


def now_ms() -> int:
    """The machine's time, by which the town's log runs."""
    return time.time_ns() // 1_000_000


@contextmanager
def open_town(
    folder: Path,
    settings: Settings | None = None,
    limits: Limits | None = None,
    *,
    rule: str = DRAIN_RULE,
    more: Sequence[Row] = (),
    tz: str = CITY_TZ,
) -> Iterator[Town]:
    """Run a town on a folder and a free port, with one of its rules as given, more sensors, in a time zone."""
    files = city(folder / "rules", rule, more, tz)
    metrics = Metrics(CollectorRegistry())
    counted = Counted(metrics)
    engine = Embedded(folder / "data", files.plan, [counted], limits=limits or Limits())
    metrics.registry.register(Gauges(engine))
    try:
        engine.start()
        services = services_of(engine, files, metrics, counted, settings or Settings())
        app = create_app(services)
        listener = Listener(app, bind("127.0.0.1", 0), before_stop=app.close)
        listener.start()
        try:
            yield Town(engine, app, services, listener)
        finally:
            listener.stop()
    finally:
        engine.stop()
