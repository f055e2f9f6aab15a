"""`tongguan backup`, `tongguan restore`: the case store and its plans as one file, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from engine.casework.backup import back_up
from engine.casework.backup import restore as restore_into
from engine.casework.photos import PhotoFolder
from engine.casework.store import Store
from engine.clock import wall_clock_ms
from engine.commands.run import told
from engine.runtime.config import load
from engine.runtime.errors import Unusable
from engine.runtime.lock import FolderLock

Data = Annotated[str | None, typer.Option("--data", help="The data folder of an embedded engine.")]
Database = Annotated[str | None, typer.Option("--database", help="PostgreSQL of the workers: a URL.")]


def backup(
    to: Annotated[
        Path, typer.Option("--to", help="The file; one that is there is replaced when the new one is whole.")
    ],
    data: Data = None,
    database: Database = None,
) -> None:
    """Write cases, alerts, people's moves, photos, tokens and plans of one moment into one file. All go on working.

    The file holds citizens' contact data: keep it as you keep those. Readings are in the log, not in it.

    Example: tongguan backup --to /backup/cases-2025-10-09.tongguan --database postgresql+psycopg://tongguan@db/tongguan
    """
    with told(), opened_store(data, database) as store:
        end = back_up(store, to, program=version("tongguan"), now_ms=wall_clock_ms(), photos=_photos(data))
    typer.echo(f"{to}: {end.rows} rows, sha256 {end.sha256}")


def restore(
    file: Annotated[Path, typer.Argument(help="What `tongguan backup` wrote.")],
    data: Data = None,
    database: Database = None,
    new_log: Annotated[
        bool, typer.Option("--new-log", help="The log is another one than the backup's and is read from its start.")
    ] = False,
) -> None:
    """Fill an empty database, or an empty data folder, from a backup: all of it or, if anything is wrong, nothing.

    Then start the workers: they apply what city.alerts has got since the backup, as far as the log still has it.

    Example: tongguan restore /backup/cases-2025-10-09.tongguan --database postgresql+psycopg://tongguan@db/tongguan
    """
    with told(), opened_store(data, database, fresh=True) as store:
        first = 0 if store.engine.dialect.name == "postgresql" else 1
        log = first if new_log else None
        end = restore_into(store, file, now_ms=wall_clock_ms(), new_log=log, photos=_photos(data))
    typer.echo(f"{store.name}: {end.rows} rows restored")


def _photos(data: str | None) -> PhotoFolder:
    """Return the folder of photos: in the data folder, whatever the database."""
    return PhotoFolder(Path(load(None, os.environ, {"data": data}).data) / "attachments")


@contextmanager
def opened_store(data: str | None, database: str | None, *, fresh: bool = False) -> Iterator[Store]:
    """Open the store of the data folder, if one is named, or of the database that the settings name.

    A folder that is to be filled is made, and locked against an engine that runs on it.
    """
    named = "" if data is not None and database is None else database
    config = load(None, os.environ, {"data": data, "database": named})
    if config.database:
        with closing(Store.connect(config.database)) as store:
            yield store
        return
    folder = Path(config.data)
    path = folder / "cases.db"
    if not fresh and not path.exists():
        raise Unusable(f"{path}: no such file; is this the right --data folder?")
    folder.mkdir(0o700, parents=True, exist_ok=True)
    lock = FolderLock(folder) if fresh else None
    try:
        with closing(Store.open(path)) as store:
            yield store
    finally:
        if lock is not None:
            lock.release()
