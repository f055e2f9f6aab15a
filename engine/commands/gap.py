"""`tongguan gap accept | list`: going on knowingly past what the log has lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import orjson
import typer

from engine.casework.audit import note
from engine.casework.store import Store, upgrade
from engine.commands.run import told
from engine.runtime.errors import Unusable
from engine.runtime.gaps import Gap, record
from engine.runtime.journal import Journal
from engine.runtime.journal_file import keep_gap
from engine.runtime.lock import FolderLock
from engine.runtime.log import Stream
from engine.runtime.readings import tick_record

app = typer.Typer(help="What is passed over knowingly: damaged or lost parts of the log.", no_args_is_help=True)

Data = Annotated[Path, typer.Option("--data", help="The data folder.")]


@app.command("accept")
def accept(
    stream: Annotated[Stream, typer.Option(help="Which stream.")],
    first: Annotated[int, typer.Option("--from", min=0, help="The first offset that is missing.")],
    last: Annotated[int, typer.Option("--to", min=-1, help="The last one.")],
    actor: Annotated[str, typer.Option("--as", help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why it is right to go on.")],
    partition: Annotated[int, typer.Option(min=0, help="Which partition.")] = 0,
    data: Data = Path("data"),
) -> None:
    """Go on without a part of the log; the refusal prints the whole line. The engine must not be running.

    Who did it is audited, city.quarantine gets a record of the gap, and the page shows it for a week.

    Example: tongguan gap accept --stream city.readings --from 12 --to 12 --as "李工" --reason "disk fault, no copy"
    """
    if not actor.strip() or not reason.strip():
        raise typer.BadParameter("--as and --reason must say something")
    with told():
        _accept(data, Gap(stream, partition, first, last, reason, actor, time.time_ns() // 1_000_000))
    typer.echo(f"{stream}/{partition}: offsets {first} to {last} are passed over from now on")


def _accept(data: Path, gap: Gap) -> None:
    path = data / "journal.db"
    if not path.exists():
        raise Unusable(f"{path}: no such file; is this the right --data folder?")
    if gap.last < gap.first:
        raise Unusable(f"--to must not be below --from ({gap.first}); got {gap.last}")
    lock = FolderLock(data)
    try:
        _audit(data, gap)
        keep_gap(path, gap)
        log = Journal(path, clock=lambda: gap.at_ms)
        try:
            log.append(Stream.QUARANTINE, 0, [record(gap)])
            if gap.stream == Stream.READINGS:  # something sound behind it, so that readers come past
                log.append(gap.stream, gap.partition, [tick_record(log.last_log_time(gap.stream, gap.partition))])
        finally:
            log.close()
    finally:
        lock.release()


def _audit(data: Path, gap: Gap) -> None:
    store = Store.open(data / "cases.db")
    try:
        upgrade(store)
        note(
            store,
            gap.at_ms,
            gap.actor,
            "gap.accept",
            f"{gap.stream}/{gap.partition} {gap.first}..{gap.last}",
            gap.reason,
        )
    finally:
        store.close()


@app.command("list")
def list_all(data: Data = Path("data")) -> None:
    """Print what was accepted as missing, as JSON lines.

    Example: tongguan gap list --data /var/lib/tongguan
    """
    with told():
        log = Journal(data / "journal.db", clock=lambda: 0)
        try:
            for gap in log.gaps:
                typer.echo(orjson.dumps(gap).decode())
        finally:
            log.close()
