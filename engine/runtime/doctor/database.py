"""The database: does it answer, is it ours, does it keep what it acknowledges, and what does it know of the log."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, text

from engine.casework.errors import BadStore, SchemaMismatch, StoreAway
from engine.casework.log_schema import checkpoint_head, destination
from engine.casework.plans import StoredPlans
from engine.casework.store import Store, check_schema
from engine.clock import wall_clock_ms
from engine.runtime.doctor.finding import Finding, fail, ok, warn
from engine.runtime.gaps import Gap
from engine.runtime.kafka.accepted import accepted, agreed
from engine.runtime.kafka.plans import plan_in_force
from engine.runtime.retention import rebuild_ms
from rules.errors import PlanUnreadable

OLDEST = 13
CONNECTIONS = 16
CLOCKS_APART_MS = 2_000
CLOCKS_TOO_FAR_MS = 60_000
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint of a partition: the next offset to read, and when it was written (ms)."""

    position: int
    written_t: int


@dataclass(slots=True)
class Known:
    """What the database knows of the log; None where it knows nothing."""

    findings: list[Finding] = field(default_factory=list)
    partitions: int | None = None
    gaps: tuple[Gap, ...] = ()
    need_ms: int | None = None
    heads: Mapping[int, Head] = field(default_factory=dict)


def look_at_database(url: str) -> Known:
    """Return what was found and what it knows."""
    known = Known()
    if not url:
        said = "none is set: workers keep checkpoints and cases in PostgreSQL"
        mend = "echo 'database = \"postgresql+psycopg://user:password@host/name\"' >> tongguan.toml"
        known.findings.append(fail("database", said, mend))
        return known
    try:
        with closing(Store.connect(url)) as store:
            _look(store, known)
    except BadStore as error:
        mend = "echo 'database = \"postgresql+psycopg://user:password@host/name\"' >> tongguan.toml"
        known.findings.append(fail("database", str(error), mend))
    except StoreAway as error:
        said = f"{error} ({error.__cause__.__class__.__name__}: {_first_line(error.__cause__)})"
        known.findings.append(fail("database", said, "pg_isready -d URL    # does it run, are name and password right"))
    return known


def _look(store: Store, known: Known) -> None:
    if store.engine.dialect.name != "postgresql":
        mend = "echo 'database = \"postgresql+psycopg://user:password@host/name\"' >> tongguan.toml"
        known.findings.append(fail("database", f"{store.name} is a file; workers share a PostgreSQL", mend))
        return
    with store.read() as db:
        before = wall_clock_ms()
        server = {name: db.execute(text(f"SHOW {name}")).scalar_one() for name in ("server_version_num", "fsync")}
        limits = {name: db.execute(text(f"SHOW {name}")).scalar_one() for name in TIMEOUTS}
        server["synchronous_commit"] = db.execute(text("SHOW synchronous_commit")).scalar_one()
        standby = db.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
        spare = db.execute(text(_SPARE)).scalar_one()
        theirs = int(db.execute(text("SELECT 1000 * extract(epoch FROM clock_timestamp())")).scalar_one())
        ours = (before + wall_clock_ms()) // 2
    known.findings += _server(store, server, limits, standby, int(spare))
    known.findings.append(_clock(theirs - ours))
    try:
        check_schema(store)
    except SchemaMismatch as error:
        known.findings.append(fail("migrations", str(error), "tongguan db upgrade"))
        return
    known.findings.append(ok("migrations", "the newest schema"))
    _know(store, known)


_SPARE = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*)
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


def _server(
    store: Store, server: Mapping[str, Any], limits: Mapping[str, Any], standby: bool, spare: int
) -> list[Finding]:
    findings = []
    release = int(server["server_version_num"]) // 10_000
    if release < OLDEST:
        findings.append(warn("database", f"PostgreSQL {release} is not tried", f"use PostgreSQL {OLDEST} or later"))
    elif standby:
        findings.append(
            fail("database", f"{store.name} is a standby that takes no writes", "name the primary in `database`")
        )
    else:
        findings.append(ok("database", f"{store.name}, PostgreSQL {release}"))
    off = [name for name in ("fsync", "synchronous_commit") if server[name] == "off"]
    if off:
        mend = "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off) + "; SELECT pg_reload_conf()"
        said = f"{', '.join(off)} is off: what is acknowledged may be lost with the power"
        findings.append(warn("durability", said, f'psql -d URL -c "{mend}"'))
    none = [name for name, value in limits.items() if value in ("0", "0ms")]
    if none:
        said = f"{', '.join(none)} does not hold: something between drops what the connection asks for"
        findings.append(warn("timeouts", said, "let the pooler pass `options`, or connect to PostgreSQL itself"))
    else:
        findings.append(ok("timeouts", ", ".join(f"{name} {value}" for name, value in limits.items())))
    if spare < CONNECTIONS:
        said = f"{spare} connections are left, a worker may take {CONNECTIONS}"
        findings.append(
            warn("connections", said, 'psql -d URL -c "ALTER SYSTEM SET max_connections = 200"    # and restart it')
        )
    return findings


def _clock(ahead_ms: int) -> Finding:
    """Judge how far the database's clock is ahead of ours."""
    side = "ahead of" if ahead_ms > 0 else "behind"
    said = f"the database's clock is {abs(ahead_ms) / 1000:.1f} s {side} this machine's"
    mend = "timedatectl set-ntp true    # here and there"
    if abs(ahead_ms) >= CLOCKS_TOO_FAR_MS:
        return fail("clock", said, mend)
    return warn("clock", said, mend) if abs(ahead_ms) >= CLOCKS_APART_MS else ok("clock", said)


def _know(store: Store, known: Known) -> None:
    """Read what the database knows of the log."""
    with store.read() as db:
        known.partitions = agreed(db)
        known.gaps = accepted(db)
        columns = (checkpoint_head.c.partition, checkpoint_head.c.position, checkpoint_head.c.written_t)
        known.heads = {row.partition: Head(row.position, row.written_t) for row in db.execute(select(*columns))}
        failing = db.execute(select(destination).where(destination.c.failed > 0)).all()
    for row in failing:
        said = f"{row.name} did not take a message {row.failed} times: {row.detail}"
        known.findings.append(warn("destinations", said, "mend the receiver, or take it out of the file of webhooks"))
    now = plan_in_force(store)
    if now is None:
        known.findings.append(fail("plan", "none is in force: workers judge nothing", "tongguan plan set"))
        return
    try:
        plan = StoredPlans(store).plan(now.digest)
    except PlanUnreadable as error:
        known.findings.append(
            fail("plan", f"{now.digest[:12]}: {error}", "use the newer release, or: tongguan plan set")
        )
        return
    if plan is None:
        known.findings.append(fail("plan", f"{now.digest[:12]} is in force and not stored", "tongguan plan set"))
        return
    known.need_ms = rebuild_ms(plan)
    known.findings.append(ok("plan", f"{now.digest[:12]} is in force"))


def _first_line(error: BaseException | None) -> str:
    return str(getattr(error, "orig", error)).strip().splitlines()[0] if error is not None else ""
