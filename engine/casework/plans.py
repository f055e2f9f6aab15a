"""Where the plans are that changes name: in the case store, as casework sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from threading import Lock
from typing import Protocol

import msgspec
from sqlalchemy import insert, select

from engine.casework import schema
from engine.casework.directory import Directory, Office, offices_of
from engine.casework.store import Store
from rules.plan import Plan


class Plans(Protocol):
    """Where directories come from."""

    def directory(self, short: str) -> Directory | None:
        """Return the directory of a plan by its 12 hex digits, null when it is not stored."""

    def first(self) -> Directory | None:
        """Return the directory of the plan that was stored first, null when none is."""


class FixedPlans:
    """Directories given at hand."""

    def __init__(self, directories: Iterable[Directory]) -> None:
        self._directories = {directory.short: directory for directory in directories}

    def directory(self, short: str) -> Directory | None:
        """Return one by its 12 hex digits."""
        return self._directories.get(short)

    def first(self) -> Directory | None:
        """Return the one given first."""
        return next(iter(self._directories.values()), None)


class StoredPlans:
    """Plans in the case store, by the short digest that changes name. `add` before a change that names it arrives.

    The offices of the grids are kept as they were when the plan was first added: they are no part of its digest.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, Directory] = {}
        self._lock = Lock()

    def add(self, plan: Plan, *, t_ms: int) -> str:
        """Keep a plan's canonical bytes under its digest (once) and return the digest."""
        with self.store.write() as db:
            known = db.execute(select(schema.plan.c.digest).where(schema.plan.c.digest == plan.digest)).first()
            if known is None:
                row = {"digest": plan.digest, "short": plan.short, "body": plan.canonical(), "stored_t": t_ms}
                offices = {code: astuple(office) for code, office in offices_of(plan.grids).items()}
                db.execute(insert(schema.plan), [row | {"offices": msgspec.json.encode(offices)}])
        return plan.digest

    def plan(self, digest: str) -> Plan | None:
        """Return the plan by its digest or its first 12 hex digits, null when it is not stored."""
        with self.store.read() as db:
            row = db.execute(select(schema.plan.c.body).where(schema.plan.c.short == digest[:12])).first()
        return Plan.from_canonical(row[0]) if row is not None else None

    def directory(self, short: str) -> Directory | None:
        """Return the directory of a stored plan; read once."""
        with self._lock:
            if short not in self._known:
                plan = self.plan(short)
                if plan is None:
                    return None
                self._known[short] = Directory.from_plan(plan, self._stored_offices(short))
            return self._known[short]

    def _stored_offices(self, short: str) -> dict[str, Office]:
        with self.store.read() as db:
            body = db.execute(select(schema.plan.c.offices).where(schema.plan.c.short == short)).scalar_one()
        return {code: Office(*values) for code, values in msgspec.json.decode(body).items()}

    def first(self) -> Directory | None:
        """Return the directory of the plan that was stored first."""
        columns = schema.plan.c
        with self.store.read() as db:
            row = db.execute(select(columns.short).order_by(columns.stored_t, columns.digest).limit(1)).first()
        return self.directory(row[0]) if row is not None else None
