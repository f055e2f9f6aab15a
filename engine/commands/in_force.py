"""The plan in force, taken from the database, with everything that a serving process makes of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.api.services import SensorRow
from engine.casework.errors import StoreAway
from engine.casework.store import Store
from engine.commands.city_files import CityFiles
from engine.commands.city_services import CityLayers, CitySensors, kinds_of, rules_of
from engine.commands.services import Judge
from engine.runtime.errors import Refused
from engine.runtime.kafka.plans import DatabasePlans, plan_in_force
from engine.runtime.sensors import LastKnown
from geo.city import City
from geo.grids import GridSet
from rules.plan import Plan

LOOK_S = 2.0
Level = Literal["county", "street", "community", "grid"]
_log = logging.getLogger(__name__)


class NoPlan(Refused):
    """The database names no plan, or one that this release cannot read."""


@dataclass(frozen=True, slots=True)
class InForce:
    """One plan and what follows from it."""

    plan: Plan
    judge: Judge
    sensors: CitySensors
    layers: CityLayers
    rules: Sequence[Mapping[str, object]]
    kinds: Sequence[Mapping[str, object]]


class RunningPlan:
    """Follow the plan that the database names; `now` is replaced as a whole. Raises NoPlan and StoreAway at first."""

    def __init__(self, store: Store, known: LastKnown, place: City) -> None:
        """`place`: the city whose names people see where its grids are those of the plan."""
        self._store = store
        self._known = known
        self._plans = DatabasePlans(store)
        self._place = place
        self.now = self._made(self._digest())

    def run(self, stopping: threading.Event) -> None:
        """Look for another plan until `stopping` is set; what cannot be read leaves the one before in place."""
        told = ""
        while not stopping.wait(LOOK_S):
            try:
                digest = self._digest()
                if digest != self.now.plan.digest:
                    self.now = self._made(digest)
                    _log.info("plan %s is in force", self.now.plan.short)
            except StoreAway:
                continue
            except NoPlan as fault:
                if str(fault) != told:
                    _log.error("%s", fault)
                told = str(fault)

    def _digest(self) -> str:
        now = plan_in_force(self._store)
        if now is None:
            raise NoPlan("no plan is in force: readings cannot be judged; set one with `tongguan plan set`")
        return now.digest

    def _made(self, digest: str) -> InForce:
        plan = self._plans.get(digest)
        if plan is None:
            why = self._plans.unreadable.get(digest, "the database has not got it")
            raise NoPlan(f"plan {digest[:12]}: {why}; set it again with `tongguan plan set`")
        city = self._city(plan)
        sensors, layers = CitySensors(plan, self._known), CityLayers(city)
        return InForce(plan, Judge(plan), sensors, layers, rules_of(plan), kinds_of(plan))

    def _city(self, plan: Plan) -> CityFiles:
        """Return the areas of a plan; those of the city that was named have names, which are no part of a plan."""
        grids = plan.grids or GridSet.empty()
        if grids.codes == self._place.grids.codes:
            return CityFiles(plan, self._place.grids, self._place.name, self._place.divisions, ())
        return CityFiles(plan, grids, "本市", {}, ())


class SensorsInForce:
    """The sensors of the plan in force, and others that were heard."""

    def __init__(self, running: RunningPlan) -> None:
        self._running = running

    def rows(self) -> list[SensorRow]:
        """Return every sensor and kind in order."""
        return self._running.now.sensors.rows()

    def grid_of(self, sensor: str) -> str | None:
        """Return the grid of a registered sensor with a place."""
        return self._running.now.sensors.grid_of(sensor)

    def attrs_of(self, sensor: str, kind: str) -> Mapping[str, object] | None:
        """Return null: of the log only last values are followed here."""
        return self._running.now.sensors.attrs_of(sensor, kind)


class LayersInForce:
    """The areas of the plan in force."""

    def __init__(self, running: RunningPlan) -> None:
        self._running = running

    def features(self, level: Level, bbox: tuple[float, float, float, float] | None) -> list[dict[str, Any]]:
        """Return the features of a level that touch the box, in order of their codes."""
        return self._running.now.layers.features(level, bbox)

    def zones(self) -> list[dict[str, Any]]:
        """Return the polygons of all zone sets."""
        return self._running.now.layers.zones()

    def bounds(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north."""
        return self._running.now.layers.bounds()

    def name(self) -> str:
        """Return the name of the city."""
        return self._running.now.layers.name()

    def edition(self) -> str:
        """Return the plan by which the areas are these."""
        return self._running.now.layers.edition()
