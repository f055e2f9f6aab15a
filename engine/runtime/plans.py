"""Plans under their digests: detect and casework take them from the journal, never from the files of the day."""

from __future__ import annotations

import threading

from engine.runtime.journal import Journal
from rules.plan import Plan

KEPT = 4


class JournalPlans:
    """The plans stored in a journal; satisfies detect's PlanSource. Any thread may ask."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, Plan] = {}
        self._lock = threading.Lock()

    def store(self, plan: Plan) -> None:
        """Keep a plan, durable on return."""
        self._journal.store_plan(plan.digest, plan.canonical())
        self._remember(plan)

    def get(self, digest: str) -> Plan | None:
        """Return the plan of a digest, None if this journal has not got it."""
        with self._lock:
            if digest in self._known:
                return self._known[digest]
        canonical = self._journal.plan(digest)
        if canonical is None:
            return None
        plan = Plan.from_canonical(canonical)
        self._remember(plan)
        return plan

    def _remember(self, plan: Plan) -> None:
        with self._lock:
            self._known[plan.digest] = plan
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
