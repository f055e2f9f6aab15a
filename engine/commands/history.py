"""`tongguan journal export`, `quarantine list | replay`: what the log has, of an embedded engine or on Kafka."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer

from engine.clock import wall_clock_ms
from engine.commands.run import told
from engine.runtime.config import Config, load
from engine.runtime.errors import Unusable
from engine.runtime.export import lines_of, reading_line
from engine.runtime.journal import Journal
from engine.runtime.log import Stream
from engine.runtime.quarantine import replay, rows

journal = typer.Typer(help="The records of the log.", no_args_is_help=True)
quarantine = typer.Typer(help="Readings that were rejected.", no_args_is_help=True)

DataFolder = Annotated[Path | None, typer.Option("--data", help="The data folder of an embedded engine.")]
Broker = Annotated[str | None, typer.Option("--broker", help="Kafka of the workers: host:port.")]
Database = Annotated[str | None, typer.Option("--database", help="PostgreSQL of the workers: a URL.")]


@journal.command("export")
def journal_export(
    stream: Annotated[Stream, typer.Option(help="Which stream.")] = Stream.READINGS,
    data: DataFolder = None,
    broker: Broker = None,
    partition: Annotated[int, typer.Option(min=0, help="Which partition, on Kafka.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="A file; standard output if not given.")] = None,
) -> None:
    """Write a stream as NDJSON: readings as `tongguan detect` takes them, changes as it prints them.

    Without --data it is the log of the workers, where the settings name a broker. A line a record, empty for one that
    is not there: line 1 is offset 1 of a journal, offset 0 of Kafka.
    Example: tongguan journal export --stream city.readings --data data > readings.ndjson
    """
    with told(), out.open("wb") if out else _stdout() as file:
        config = _settings(data, broker, None)
        if config.broker:
            asyncio.run(_export(config, stream, partition, file))
            return
        with _opened(Path(config.data)) as log:
            for line in lines_of(log, stream):
                file.write(line + b"\n")


@quarantine.command("list")
def quarantine_list(
    data: DataFolder = None,
    broker: Broker = None,
    database: Database = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
) -> None:
    """Print what was rejected as JSON lines: its number, when, why, where from, its raw text, and if it came back.

    Example: tongguan quarantine list --reason bad_kind
    """
    with told():
        config = _settings(data, broker, database)
        if config.broker:
            asyncio.run(_list(config, reason, limit))
            return
        with _opened(Path(config.data)) as log:
            for row in list(rows(log, reason=reason))[-limit:]:
                _print(row.offset, row.log_time, row.said, {"replayed_as": row.replayed_as})


@quarantine.command("replay")
def quarantine_replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers that `list` prints.")] = None,
    data: DataFolder = None,
    broker: Broker = None,
    database: Database = None,
    reason: Annotated[str | None, typer.Option(help="Everything rejected for this reason.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
    actor: Annotated[str | None, typer.Option("--as", help="Who does it; the system user if not given.")] = None,
) -> None:
    """Put rejected texts into the log again, after a fix; each comes back once, and who did it is kept.

    Works beside a running engine too. Example: tongguan quarantine replay --reason bad_kind
    """
    if not numbers and not reason and not everything:
        typer.echo("tongguan: give numbers, --reason or --all", err=True)
        raise typer.Exit(2)
    who = actor or os.environ.get("USER") or f"uid {os.getuid()}"
    with told():
        config = _settings(data, broker, database)
        if config.broker:
            missing = asyncio.run(_replay(config, numbers or (), reason, who))
        else:
            missing = _replay_embedded(Path(config.data), numbers or (), reason, who)
    for number in sorted(missing):
        typer.echo(f"tongguan: no row {number} in the quarantine", err=True)
    if missing:
        raise typer.Exit(1)


def _replay_embedded(data: Path, numbers: Sequence[int], reason: str | None, who: str) -> set[int]:
    with _opened(data, live_clock=True) as log:
        chosen = [row for row in rows(log, reason=reason) if not numbers or row.offset in numbers]
        done = [offset for row in chosen if (offset := replay(log, row, actor=who, at_ms=wall_clock_ms()))]
    typer.echo(f"replayed {len(done)} of {len(chosen)}" + (f" as records {done[0]} to {done[-1]}" if done else ""))
    return set(numbers) - {row.offset for row in chosen}


def _settings(data: Path | None, broker: str | None, database: str | None) -> Config:
    """Return the settings; a data folder that is named is meant, whatever broker they know."""
    if data is not None:
        broker = broker or ""
    flags = {"data": None if data is None else str(data), "broker": broker, "database": database}
    return load(None, os.environ, flags)


# ---- on Kafka; its clients are imported only here, since that takes a while


async def _export(config: Config, stream: Stream, partition: int, file: BinaryIO) -> None:
    from engine.runtime.kafka.client import Connection
    from engine.runtime.kafka.history import history

    done = -1
    async for kept in history(Connection.from_config(config), f"{config.topic_prefix}{stream}", partition):
        if stream == Stream.READINGS:
            file.write(b"\n" * (kept.offset - done - 1) + reading_line(kept.value, kept.log_time) + b"\n")
            done = kept.offset
        elif stream != Stream.ALERTS or b'"change"' in kept.value:
            file.write(kept.value + b"\n")


async def _rows(config: Config, reason: str | None) -> AsyncIterator[Any]:
    from engine.casework.store import Store
    from engine.runtime.kafka import quarantine as kafka
    from engine.runtime.kafka.client import Connection
    from engine.runtime.kafka.topics import Topics

    store = Store.connect(config.database) if config.database else None
    try:
        topics = Topics(config.topic_prefix)
        async for row in kafka.rows(Connection.from_config(config), topics, store, reason=reason):
            yield row
    finally:
        if store is not None:
            store.close()


async def _list(config: Config, reason: str | None, limit: int) -> None:
    for row in [row async for row in _rows(config, reason)][-limit:]:
        _print(row.offset, row.log_time, row.said, {"replayed_by": row.replayed_by})


async def _replay(config: Config, numbers: Sequence[int], reason: str | None, who: str) -> set[int]:
    from engine.casework.service import Casework
    from engine.casework.store import Store
    from engine.runtime.kafka import quarantine as kafka
    from engine.runtime.kafka.client import Connection
    from engine.runtime.kafka.sending import Sender
    from engine.runtime.kafka.topics import Topics

    if not config.database:
        raise Unusable("replay: must know what came back before; give --database too")
    chosen = [row async for row in _rows(config, reason) if not numbers or row.offset in numbers]
    sender, store = Sender(Connection.from_config(config), "tongguan-replay"), Store.connect(config.database)
    try:
        log_time = None
        if config.log_time == "record":
            from engine.casework.plans import StoredPlans

            log_time = Casework(store, StoredPlans(store)).clock() or 0
        done = await kafka.replay(
            sender, Topics(config.topic_prefix), store, chosen, actor=who, now_ms=wall_clock_ms(), log_time=log_time
        )
    finally:
        await sender.stop()
        store.close()
    typer.echo(f"replayed {done} of {len(chosen)}")
    return set(numbers) - {row.offset for row in chosen}


# ---- embedded


def _print(number: int, log_time: int, said: dict[str, Any], back: dict[str, Any]) -> None:
    when = datetime.fromtimestamp(log_time / 1000, UTC).isoformat(timespec="milliseconds")
    typer.echo(orjson.dumps({"number": number, "at": when, **said, **back}).decode())


@contextmanager
def _opened(data: Path, *, live_clock: bool = False) -> Iterator[Journal]:
    """Open the journal of a folder, beside a running engine or without one; a folder without one is refused."""
    path = data / "journal.db"
    if not path.exists():
        raise Unusable(f"{path}: no journal here; give the engine's --data, or --broker")
    # on a player's clock what comes without log time gets that of the record before
    log = Journal(path, clock=lambda: 0 if not live_clock or log.on_players_clock else wall_clock_ms())
    try:
        yield log
    finally:
        log.close()


@contextmanager
def _stdout() -> Iterator[BinaryIO]:
    """Standard output; whoever reads it may stop."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
