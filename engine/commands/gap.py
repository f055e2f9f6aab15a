"""`tongguan gap accept | list`: going on knowingly past what the log has lost."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import orjson
import typer

from engine.casework.audit import note
from engine.casework.store import Store, check_schema, upgrade
from engine.clock import wall_clock_ms
from engine.commands.run import told
from engine.runtime.config import Config, load
from engine.runtime.errors import Unusable
from engine.runtime.gaps import Gap, record
from engine.runtime.journal import Journal
from engine.runtime.journal_file import keep_gap
from engine.runtime.lock import FolderLock
from engine.runtime.log import Stream
from engine.runtime.readings import tick_record

app = typer.Typer(help="What is passed over knowingly: damaged or lost parts of the log.", no_args_is_help=True)

Data = Annotated[str | None, typer.Option("--data", help="The data folder of an embedded engine.")]
Database = Annotated[str | None, typer.Option("--database", help="The case store of workers on Kafka.")]
Broker = Annotated[str | None, typer.Option("--broker", help="Kafka, to leave a record of the gap in its log.")]


@app.command("accept")
def accept(
    stream: Annotated[Stream, typer.Option(help="Which stream.")],
    first: Annotated[int, typer.Option("--from", min=0, help="The first offset that is missing.")],
    last: Annotated[int, typer.Option("--to", min=-1, help="The last one; below --from: the log began anew.")],
    actor: Annotated[str, typer.Option("--as", help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why it is right to go on.")],
    partition: Annotated[int, typer.Option(min=0, help="Which partition.")] = 0,
    data: Data = None,
    database: Database = None,
    broker: Broker = None,
) -> None:
    """Go on without a part of the log; the refusal prints the whole line. An embedded engine must not be running.

    Who did it is audited, city.quarantine gets a record of the gap, and the page shows it for a week.

    Example: tongguan gap accept --stream city.readings --from 12 --to 12 --as "李工" --reason "disk fault, no copy"
    """
    if not actor.strip() or not reason.strip():
        raise typer.BadParameter("--as and --reason must say something")
    gap = Gap(stream, partition, first, last, reason, actor, wall_clock_ms())
    with told():
        config = load(None, os.environ, {"data": data, "database": database, "broker": broker})
        if config.database and data is None:
            _accept_in_database(config, gap)
        else:
            _accept_in_journal(Path(config.data), gap)
    typer.echo(f"{stream}/{partition}: from {first} to {last} is passed over from now on")


def _accept_in_journal(data: Path, gap: Gap) -> None:
    path = data / "journal.db"
    if not path.exists():
        raise Unusable(f"{path}: no such file; is this the right --data folder?")
    if gap.last < gap.first:
        raise Unusable(f"--to must not be below --from ({gap.first}); got {gap.last}")
    with closing(_Locked(data)):
        with closing(Store.open(data / "cases.db")) as store:
            upgrade(store)
            subject = f"{gap.stream}/{gap.partition} {gap.first}..{gap.last}"
            note(store, gap.at_ms, gap.actor, "gap.accept", subject, gap.reason)
        keep_gap(path, gap)
        with closing(Journal(path, clock=lambda: gap.at_ms)) as log:
            log.append(Stream.QUARANTINE, 0, [record(gap)])
            if gap.stream == Stream.READINGS:  # something sound behind it, so that readers come past
                log.append(gap.stream, gap.partition, [tick_record(log.last_log_time(gap.stream, gap.partition))])


class _Locked(FolderLock):
    def close(self) -> None:
        self.release()


def _accept_in_database(config: Config, gap: Gap) -> None:
    from engine.runtime.kafka.accepted import accept as keep

    with closing(Store.connect(config.database)) as store:
        check_schema(store)
        keep(store, gap)
    if config.broker:
        asyncio.run(_leave_record(config, gap))


async def _leave_record(config: Config, gap: Gap) -> None:
    from engine.runtime.kafka.client import Connection
    from engine.runtime.kafka.topics import Topics

    connection = Connection.from_config(config)
    async with connection.opened(connection.producer()) as producer:
        await producer.send_and_wait(Topics(config.topic_prefix).quarantine, record(gap).value, partition=0)


@app.command("list")
def list_all(data: Data = None, database: Database = None) -> None:
    """Print what was accepted as missing, as JSON lines.

    Example: tongguan gap list --data /var/lib/tongguan
    """
    with told():
        config = load(None, os.environ, {"data": data, "database": database})
        for gap in _accepted(config, data):
            typer.echo(orjson.dumps(gap).decode())


def _accepted(config: Config, data: str | None) -> tuple[Gap, ...]:
    if config.database and data is None:
        from engine.runtime.kafka.accepted import accepted

        with closing(Store.connect(config.database)) as store, store.read() as db:
            return accepted(db)
    with closing(Journal(Path(config.data) / "journal.db", clock=lambda: 0)) as log:
        return log.gaps
