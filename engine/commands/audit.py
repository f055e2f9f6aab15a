"""`tongguan audit export`: who did, exported and read what, as a file."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
import typer

from engine.casework.audit import Line, Wanted, lines, note
from engine.casework.case_table import BOM
from engine.clock import wall_clock_ms
from engine.commands.backup import Data, Database, opened_store
from engine.commands.run import told
from engine.runtime.config import load

app = typer.Typer(help="Who did, exported and read what.", no_args_is_help=True)
CLOCK = "%Y-%m-%d %H:%M:%S"


@app.command("export")
def export(
    since: Annotated[str | None, typer.Option(help="A day or time of the city: 2026-01-01, 2026-01-01T08:00.")] = None,
    until: Annotated[str | None, typer.Option(help="The same; not included.")] = None,
    actor: Annotated[str, typer.Option(help="Only what this one did.")] = "",
    action: Annotated[str, typer.Option(help="Only actions that begin so: case., login, export.")] = "",
    form: Annotated[Literal["csv", "ndjson"], typer.Option("--format", help="csv or ndjson.")] = "csv",
    to: Annotated[Path | None, typer.Option(help="A new file; standard output if not given.")] = None,
    data: Data = None,
    database: Database = None,
) -> None:
    """Write the audit, the oldest line first; the writing is a line of it too.

    Example: tongguan audit export --since 2026-01-01 --to audit.csv
    """
    with told(), opened_store(data, database) as store:
        zone = ZoneInfo(load(None, os.environ, {}).tz)
        wanted = Wanted(since=_moment(since, zone), until=_moment(until, zone), actor=actor, action=action)
        note(store, wall_clock_ms(), "command line", "export.audit", to.name if to else "standard output", "")
        found = lines(store, wanted)
        if to is None:
            number = _write(sys.stdout, found, form, zone)
        else:
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                number = _write(file, found, form, zone)
    typer.echo(f"{number} lines", err=True)


def _write(out: IO[str], found: Iterable[Line], form: str, zone: ZoneInfo) -> int:
    number = 0
    sheet = csv.writer(out)
    if form == "csv":
        out.write(BOM)
        sheet.writerow(["id", "time", "actor", "role", "address", "action", "subject", "detail"])
    for line in found:
        number += 1
        if form == "csv":
            moment = datetime.fromtimestamp(line.t / 1000, zone).strftime(CLOCK)
            row = (line.id, moment, line.actor, line.role, line.address, line.action, line.subject, line.detail)
            sheet.writerow(row)
        else:
            out.write(msgspec.json.encode(line).decode() + "\n")
    return number


def _moment(text: str | None, zone: ZoneInfo) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        typer.echo(f"tongguan: must be a day or time as 2026-01-01 or 2026-01-01T08:00; got {text!r}", err=True)
        raise typer.Exit(2) from None
    return int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp() * 1000)
