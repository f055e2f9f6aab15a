"""What casework takes from the plan: case specs, grids with their offices, categories, drill sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.plan import Plan


class StoredPlans:
    """Plans in the case store, by the short digest that changes name. `add` before a change that names it arrives."""

    def __init__(self, store: object) -> None:
        self.store = store

    def add(self, plan: Plan, *, t_ms: int) -> str:
        """Keep a plan's canonical bytes under its digest (once) and return the digest."""
        raise NotImplementedError

    def plan(self, digest: str) -> Plan | None:
        """Return the plan by its digest or its first 12 hex digits, null when it is not stored."""
        raise NotImplementedError
