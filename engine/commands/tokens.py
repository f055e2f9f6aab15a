"""`tongguan token create | list | revoke`, `tongguan db upgrade | verify`: who may call the API, and the case store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DatabaseError, OperationalError

from engine.casework.errors import CaseworkFault, Refused
from engine.casework.people import TOKEN_ROLES
from engine.casework.plans import StoredPlans
from engine.casework.replay import Difference
from engine.casework.replay import verify as rerun_and_compare
from engine.casework.service import AlertRecord, Settings
from engine.casework.store import Store, check_schema, upgrade
from engine.casework.tokens import TokenView, create_token, list_tokens, revoke_token
from engine.clock import wall_clock_ms
from engine.runtime.caseworking import alert_records
from engine.runtime.config import Config, duration_ms, load
from engine.runtime.errors import RuntimeFault, Unusable
from engine.runtime.journal import Journal
from engine.runtime.log import Stream, read_through

if TYPE_CHECKING:
    from engine.runtime.kafka.history import Kept

app = typer.Typer(help="Who may call the API: tokens with a role, an area and a department.", no_args_is_help=True)
db = typer.Typer(help="The tables of the case store.", no_args_is_help=True)

Data = Annotated[str | None, typer.Option("--data", help="The data folder of an embedded engine.")]
Database = Annotated[str | None, typer.Option("--database", help="PostgreSQL of the workers: a URL.")]
BATCH_BYTES = 1 << 20
SHOWN = 50


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="Who will hold it, e.g. a name or a system.")],
    role: Annotated[str, typer.Option(help=", ".join(TOKEN_ROLES))],
    area: Annotated[str, typer.Option(help="Leading digits of grid codes; the whole city if not given.")] = "",
    department: Annotated[str | None, typer.Option(help="A department; any if not given.")] = None,
    expires: Annotated[str | None, typer.Option(help="How long it is good: 12h, 90d; for ever if not given.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it to a new file instead; nothing is done where there is one.")
    ] = None,
    data: Data = None,
    database: Database = None,
) -> None:
    """Make a token and print it: once, it is kept as a hash only.

    Example: tongguan token create --name "排水处 李工" --role handler --department drainage --expires 90d
    """
    if out is not None and out.exists():
        typer.echo(f"{out}: there is one already")
        return
    with _store(data, database) as store, _written(out) as write:
        now = wall_clock_ms()
        until = now + _duration(expires) if expires else None
        write(create_token(store, name=name, role=role, area=area, department=department, expires_t=until, now_ms=now))


@contextmanager
def _written(out: Path | None) -> Iterator[Callable[[str], object]]:
    """Give what takes the token: the terminal, or a new file for owner and group, gone again if no token is made."""
    if out is None:
        yield typer.echo
        return
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        yield lambda secret: os.write(file, secret.encode())
    except BaseException:
        out.unlink()
        raise
    finally:
        os.close(file)


@app.command("list")
def list_all(data: Data = None, database: Database = None) -> None:
    """Print all tokens, without their secrets.

    Example: tongguan token list --data /var/lib/tongguan
    """
    with _store(data, database) as store:
        rows = list_tokens(store)
    table = Table("number", "name", "role", "area", "department", "made", "state", box=None)
    for row in rows:
        made = _date(row.created_t)
        table.add_row(str(row.id), row.name, row.role, row.area or "all", row.department or "any", made, _state(row))
    Console().print(table)


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(help="The number that `list` prints.")],
    data: Data = None,
    database: Database = None,
) -> None:
    """End a token; whoever holds it is nobody from now on.

    Example: tongguan token revoke 3
    """
    with _store(data, database) as store:
        if not revoke_token(store, number, now_ms=wall_clock_ms()):
            typer.echo(f"tongguan: no good token has number {number}", err=True)
            raise typer.Exit(1)
    typer.echo(f"token {number} is revoked")


@db.command("upgrade")
def db_upgrade(data: Data = None, database: Database = None) -> None:
    """Bring the case store to this program's schema; the file of an embedded engine is made if it is missing.

    Example: tongguan db upgrade --data /var/lib/tongguan
    """
    with _store(data, database, ready=upgrade) as store:
        typer.echo(f"case store: schema {upgrade(store)}")


@db.command("verify")
def db_verify(
    data: Data = None,
    database: Database = None,
    broker: Annotated[str | None, typer.Option(help="Kafka: host:port, several with commas.")] = None,
    topic_prefix: Annotated[str | None, typer.Option(help="Put before the name of every topic.")] = None,
) -> None:
    """Rerun the alerts log and people's moves in an empty store, and compare: cases follow from those two.

    For a store at rest (no worker, no engine runs) or a copy of it. Kafka must still have city.alerts from its start.

    Example: tongguan db verify --data /var/lib/tongguan
    """
    with _told():
        flags = {"data": data, "database": "" if data is not None and database is None else database}
        config = load(None, os.environ, flags | {"broker": broker, "topic_prefix": topic_prefix})
        found = _verified_database(config) if config.database else _verified_folder(Path(config.data))
    for difference in found[:SHOWN]:
        typer.echo(str(difference))
    typer.echo(f"case store: {len(found)} differences" if found else "case store: the rerun gives the same")
    if found:
        raise typer.Exit(1)


def _verified_folder(folder: Path) -> list[Difference]:
    with _journal(folder / "journal.db") as log, _opened(folder) as store:
        check_schema(store)
        return rerun_and_compare(store, _alerts(log), StoredPlans(store), Settings(), folder)


def _verified_database(config: Config) -> list[Difference]:
    from engine.runtime.kafka.accepted import agreed

    with closing(Store.connect(config.database)) as store:
        check_schema(store)
        with store.read() as db:
            partitions = agreed(db)
        settings = Settings(partitions=partitions or 0, first_offset=0)
        return rerun_and_compare(store, _alerts_on_kafka(config), StoredPlans(store), settings)


def _alerts_on_kafka(config: Config) -> Iterator[AlertRecord]:
    """Yield the records of city.alerts, as far as they are asked for."""
    from engine.runtime.kafka.client import Connection
    from engine.runtime.kafka.history import history
    from engine.runtime.kafka.topics import Topics

    kept = history(Connection.from_config(config), Topics(config.topic_prefix).alerts, 0)
    with asyncio.Runner() as runner:
        record = runner.run(_next(kept))
        if record is not None and record.offset:
            raise Unusable(f"city.alerts is kept from offset {record.offset} only: what was before is not known")
        try:
            while record is not None:
                yield AlertRecord(record.offset, record.value, record.log_time)
                record = runner.run(_next(kept))
        finally:
            runner.run(kept.aclose())


async def _next(kept: AsyncGenerator[Kept]) -> Kept | None:
    return await anext(kept, None)


def _alerts(log: Journal) -> Iterator[AlertRecord]:
    done, end = log.start(Stream.ALERTS, 0) - 1, log.end(Stream.ALERTS, 0)
    for found in read_through(log, Stream.ALERTS, 0, done, end, limit_bytes=BATCH_BYTES):
        yield from alert_records(found, done)
        done = int(found.offset[-1])


@contextmanager
def _journal(path: Path) -> Iterator[Journal]:
    if not path.exists():
        raise FileNotFoundError(2, "no journal here; give the engine's --data", str(path))
    log = Journal(path, clock=wall_clock_ms)
    try:
        yield log
    finally:
        log.close()


@contextmanager
def _store(
    data: str | None, database: str | None, *, ready: Callable[[Store], object] = check_schema
) -> Iterator[Store]:
    """Open the case store: of the data folder, made and upgraded if need be, or the database that the settings name.

    A data folder that is named is meant, whatever database they know.
    """
    with _told():
        if data is not None:
            database = database or ""
        config = load(None, os.environ, {"data": data, "database": database})
        if config.database:
            with closing(Store.connect(config.database)) as store:
                ready(store)
                yield store
            return
        folder = Path(config.data)
        folder.mkdir(0o700, parents=True, exist_ok=True)
        with _opened(folder) as store:
            upgrade(store)
            yield store


@contextmanager
def _opened(folder: Path) -> Iterator[Store]:
    store = Store.open(folder / "cases.db")
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _told() -> Iterator[None]:
    """Turn what is refused into a sentence and an exit code: 1 failed, 2 wrong use, 75 try again."""
    try:
        yield
    except Refused as fault:
        typer.echo(f"tongguan: {fault.detail}", err=True)
        raise typer.Exit(2) from None
    except (CaseworkFault, RuntimeFault) as fault:
        typer.echo(f"tongguan: {fault}", err=True)
        raise typer.Exit(fault.exit_code) from None
    except DatabaseError as error:
        typer.echo(f"tongguan: case store: {error.orig}", err=True)
        raise typer.Exit(75 if isinstance(error, OperationalError) else 1) from None
    except OSError as error:
        typer.echo(f"tongguan: {error}", err=True)
        raise typer.Exit(1) from None


def _folder(data: str | None) -> Path:
    return Path(load(None, os.environ, {"data": data}).data)


def _duration(text: str) -> int:
    try:
        return duration_ms(text)
    except ValueError as error:
        typer.echo(f"tongguan: --expires {error}", err=True)
        raise typer.Exit(2) from None


def _date(t_ms: int) -> str:
    return datetime.fromtimestamp(t_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _state(row: TokenView) -> str:
    if row.revoked_t is not None:
        return f"revoked {_date(row.revoked_t)}"
    if row.expires_t is not None:
        return f"{'expired' if row.expires_t <= wall_clock_ms() else 'good until'} {_date(row.expires_t)}"
    return "good"
