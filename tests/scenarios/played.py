"""A scenario played to its end on the embedded engine, crews included, as fast as it goes; and what came of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.casework.people import Actor, Role
from engine.casework.service import CaseFilter
from engine.casework.views import AlertView, CaseDetail
from engine.commands.playing import Player
from engine.runtime.embedded import Embedded
from geo.city import load as load_city
from rules.civil import CITY_TZ
from rules.kinds import load_kinds
from rules.load import LIBRARY, load_rules
from rules.plan import Plan
from rules.registry_file import load_registry
from simulators.days import Days
from simulators.ground import ground_of
from simulators.load import load
from simulators.pace import Pace
from simulators.scenario import Scenario
from simulators.world import World

MINUTE_MS = 60_000
EVERYONE = Actor(name="test", role=Role.SUPERVISOR)


@dataclass(frozen=True)
class Story:
    """What a scenario came to: the world as it is at the end, every case, and every alert of a rule."""

    scenario: Scenario
    world: World
    cases: tuple[CaseDetail, ...]

    def minute(self, t_ms: int) -> float:
        """Return a moment as minutes of the story."""
        return (t_ms - self.scenario.starts_ms) / MINUTE_MS

    def alerts(self, rule: str) -> list[AlertView]:
        """Return the alerts of a rule that some case gathers, by time."""
        found = [alert for case in self.cases for alert in case.alerts if alert.rule == rule]
        return sorted(found, key=lambda alert: alert.raised_t)

    def cases_of(self, rule: str) -> list[CaseDetail]:
        """Return the cases that gather an alert of a rule, by time."""
        found = [case for case in self.cases if any(alert.rule == rule for alert in case.alerts)]
        return sorted(found, key=lambda case: case.case.opened_t)


def chosen(name: str, kinds: Sequence[str]) -> Scenario:
    """Return a shipped scenario with those kinds of sensors only whose names begin so; none: all."""
    scenario = load(name)
    signals = {kind: signal for kind, signal in scenario.signals.items() if kind.startswith(tuple(kinds) or "")}
    return replace(scenario, signals=signals)


def play(
    folder: Path, name: str, kinds: Sequence[str] = (), *, sensors: int | None = None, minutes: int | None = None
) -> Story:
    """Play a scenario with seed 1, as long as it is or for so many minutes of it."""
    place = load_city()
    scenario = chosen(name, kinds)
    days = Days(scenario, ground_of(place), 1, sensors)
    today = days.today
    today.network.write_registry(folder / "registry.csv")
    known = load_kinds()
    rules = load_rules(LIBRARY, kinds=known, zones=place.zones)
    registry = load_registry(folder / "registry.csv", known, CITY_TZ)
    plan = Plan(rules.rules, known, registry, place.grids, place.zones, CITY_TZ)
    engine = Embedded(folder / "engine", plan, player=True)
    try:
        engine.start()
        until = scenario.starts_ms + (scenario.lasts_ms if minutes is None else minutes * MINUTE_MS)
        Player(engine, days, Pace(None)).run(threading.Event(), until)
        engine.drain(300.0)
        return Story(scenario, today.world, tuple(_all(engine)))
    finally:
        engine.stop()


def _all(engine: Embedded) -> list[CaseDetail]:
    page = engine.casework.cases(CaseFilter(), EVERYONE, limit=1000)
    details = [engine.casework.case(case.id, EVERYONE) for case in page.cases]
    return [detail for detail in details if detail is not None]
