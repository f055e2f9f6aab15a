"""`tongguan plan set | show | list`: which plan is in force for workers on Kafka."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from engine.casework import schema
from engine.casework.store import Store, check_schema
from engine.clock import wall_clock_ms
from engine.commands.city_files import read_city
from engine.commands.run import told
from engine.detect.offline import FilesRefused
from engine.runtime.config import Config, load
from engine.runtime.errors import ConfigFault, Refused
from engine.runtime.kafka.asking import Asked
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.plans import DatabasePlans, PlanWriter, name_plan, plan_in_force
from engine.runtime.kafka.sending import Sender
from engine.runtime.kafka.topics import Topics
from rules.canonical import kind_data
from rules.plan import Plan

app = typer.Typer(help="Which plan workers judge by: rules, registry, grids, zones, kinds.", no_args_is_help=True)
MOST = 20

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings; ./tongguan.toml if there is one.")]
Broker = Annotated[str | None, typer.Option(help="Kafka: host:port, several with commas.")]
Database = Annotated[str | None, typer.Option(help="postgresql+psycopg://user:password@host/name.")]


@app.command("set")
def set_plan(
    config: ConfigFile = None,
    broker: Broker = None,
    database: Database = None,
    rules: Annotated[str | None, typer.Option(help="Folder of rule files; the shipped ones if not given.")] = None,
    city: Annotated[str | None, typer.Option(help="Folder of a city: grids, zones, sensors (geo import).")] = None,
    registry: Annotated[str | None, typer.Option(help="Sensors: CSV or GeoJSON.")] = None,
    grids: Annotated[str | None, typer.Option(help="Unit grids: GeoJSON.")] = None,
    zones: Annotated[str | None, typer.Option(help="Folder of <set>.geojson.")] = None,
    kinds: Annotated[str | None, typer.Option(help="The city's own kinds: YAML.")] = None,
    tz: Annotated[str | None, typer.Option(help="Time zone of the city.")] = None,
    max_delay: Annotated[str | None, typer.Option(help="How long readings wait for those before them: 30s.")] = None,
    max_age: Annotated[str | None, typer.Option(help="Older readings are stale: 7d.")] = None,
    log_time: Annotated[str | None, typer.Option(help="commit, or record on a player's clock.")] = None,
    at: Annotated[
        str | None,
        typer.Option(help="On a player's clock: from when on, RFC 3339; the last record's time if not given."),
    ] = None,
    actor: Annotated[str | None, typer.Option("--as", help="Who does it; the system user if not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change and leave.")] = False,
) -> None:
    """Read the city's files, store them as a plan, and put it in force in every partition; durable on return.

    Example: tongguan plan set --rules /etc/tongguan/rules --registry sensors.csv --dry-run
    """
    flags = {key: value for key, value in locals().items() if key not in ("config", "actor", "dry_run", "at")}
    begin_ms = _time(at)
    who = actor or os.environ.get("USER") or f"uid {os.getuid()}"
    with _opened(config, flags) as (settings, store):
        files = read_city(settings)
        if files.faults:
            raise FilesRefused([*files.faults, "no plan was set: without these rules the city would be half blind"])
        now = plan_in_force(store)
        before = DatabasePlans(store).get(now.digest) if now is not None else None
        for line in differences(before, files.plan):
            typer.echo(line)
        if dry_run:
            return
        connection = Connection.from_config(settings)
        name_plan(store, files.plan, who, wall_clock_ms())
        digest, partitions = uvloop.run(_written(settings, connection, store, begin_ms))
    typer.echo(f"plan {digest[:12]} is in force in {partitions} partitions")


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"--at must be a date and time such as 2026-07-18T17:00:00+08:00; got {text!r}"
        ) from None
    if found.tzinfo is None:
        raise typer.BadParameter(f"--at must have an offset, such as +08:00; got {text!r}")
    return int(found.timestamp() * 1000)


async def _written(
    config: Config, connection: Connection, store: Store, begin_ms: int | None = None
) -> tuple[str, int]:
    topic = Topics(config.topic_prefix).readings

    async def log_times(partitions: list[int]) -> list[int]:
        if config.log_time == "commit":
            return [wall_clock_ms()] * len(partitions)
        if begin_ms is not None:
            return [begin_ms] * len(partitions)
        return await asyncio.gather(*(Asked(connection, topic, one).last_log_time() for one in partitions))

    sender = Sender(connection, "tongguan-plan", timeout_s=30.0)
    with ThreadPoolExecutor(1) as threads:
        try:
            return await PlanWriter(store, sender, topic, log_times, threads).write()
        finally:
            await sender.stop()


@app.command("show")
def show(
    plan: Annotated[str, typer.Argument(help="First digits of a plan; the one in force if not given.")] = "",
    config: ConfigFile = None,
    database: Database = None,
) -> None:
    """Print what a plan is made of.

    Example: tongguan plan show 3f09
    """
    with _opened(config, {"database": database}) as (_, store):
        now = plan_in_force(store)
        digest = _digest_of(store, plan) if plan else (now.digest if now else "")
        if not digest:
            raise Refused("no plan is in force; set one with `tongguan plan set`")
        plans = DatabasePlans(store)
        found = plans.get(digest)
        if found is None:
            raise Refused(f"plan {digest[:12]}: {plans.unreadable.get(digest, 'not stored')}")
        for line in summary(found):
            typer.echo(line)
        if now is not None and now.digest == digest:
            typer.echo(f"in force since {_date(now.set_t)}, set by {now.actor}")


@app.command("list")
def list_plans(config: ConfigFile = None, database: Database = None) -> None:
    """Print every plan that is stored, the latest last.

    Example: tongguan plan list
    """
    with _opened(config, {"database": database}) as (_, store):
        now = plan_in_force(store)
        columns = schema.plan.c
        with store.read() as db:
            rows = db.execute(select(columns.digest, columns.stored_t).order_by(columns.stored_t, columns.digest)).all()
    table = Table("plan", "stored", "", box=None)
    for row in rows:
        table.add_row(row.digest[:12], _date(row.stored_t), "in force" if now and now.digest == row.digest else "")
    Console().print(table)


def _digest_of(store: Store, beginning: str) -> str:
    with store.read() as db:
        query = select(schema.plan.c.digest).where(schema.plan.c.digest.startswith(beginning, autoescape=True))
        found = db.execute(query).scalars().all()
    if len(found) != 1:
        raise Refused(f"{len(found)} plans begin with {beginning!r}; `tongguan plan list` names them")
    return str(found[0])


def summary(plan: Plan) -> Iterator[str]:
    """Say what a plan is made of, a line each."""
    yield f"plan {plan.digest}"
    names = [rule.id for rule in plan.rules]
    yield f"rules: {len(names)} ({', '.join(names[:MOST])}{', …' if len(names) > MOST else ''})"
    yield f"registry: {len(plan.registry)} rows"
    yield f"grids: {len(plan.grids) if plan.grids else 0}"
    yield f"zones: {', '.join(plan.zones) or 'none'}"
    yield f"kinds: {sum(1 for _ in plan.kinds)}"
    yield f"tz {plan.tz}, max_delay {plan.max_delay_ms} ms, max_age {plan.max_age_ms} ms"


def differences(before: Plan | None, after: Plan) -> Iterator[str]:
    """Say what another plan changes, a line each; rules whose digest stays keep their state."""
    if before is None:
        yield "no plan was in force; this is the first"
        yield from summary(after)
        return
    if before.digest == after.digest:
        yield f"plan {after.short} is in force already; nothing changes"
        return
    yield f"plan {before.short} → {after.short}"
    for what, old, new in zip(("rules", "registry", "kinds", "zones"), _parts(before), _parts(after), strict=True):
        yield from _named(what, old, new, "changed: its state and open alerts end" if what == "rules" else "changed")
    grids = [plan.grids.canonical() if plan.grids else b"" for plan in (before, after)]
    if grids[0] != grids[1]:
        counts = [len(plan.grids) if plan.grids else 0 for plan in (before, after)]
        yield f"grids: changed ({counts[0]} → {counts[1]})"
    for name in ("tz", "max_delay_ms", "max_age_ms"):
        if getattr(before, name) != getattr(after, name):
            yield f"{name}: {getattr(before, name)} → {getattr(after, name)}"


def _parts(plan: Plan) -> tuple[Mapping[str, object], ...]:
    """Return rules, registry, kinds and zones by name, each with what tells whether it changed."""
    return (
        {rule.id: plan.rule_digest(rule.id) for rule in plan.rules},
        {f"{row.sensor} {row.kind}": row for row in plan.registry.rows},
        {kind.name: kind_data(kind) for kind in plan.kinds},
        {name: zones.canonical() for name, zones in plan.zones.items()},
    )


def _named(what: str, old: Mapping[str, object], new: Mapping[str, object], changed: str) -> Iterator[str]:
    rows = [f"{name}: new" for name in sorted(new.keys() - old.keys())]
    rows += [f"{name}: gone" for name in sorted(old.keys() - new.keys())]
    rows += [f"{name}: {changed}" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    yield from (f"{what}: {row}" for row in rows[:MOST])
    if len(rows) > MOST:
        yield f"{what}: and {len(rows) - MOST} more"


@contextmanager
def _opened(config: Path | None, flags: dict[str, str | None]) -> Iterator[tuple[Config, Store]]:
    with told():
        settings = load(config, os.environ, flags)
        if not settings.database:
            raise ConfigFault(["database: plans of workers are kept in PostgreSQL; got none"])
        store = Store.connect(settings.database)
        try:
            check_schema(store)
            yield settings, store
        finally:
            store.close()


def _date(t_ms: int) -> str:
    return datetime.fromtimestamp(t_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
