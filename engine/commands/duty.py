"""`tongguan duty check | now`: the roster (值班表) before it is in force."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from engine.casework.duty import RosterFile, Stint
from engine.casework.roster_file import RosterRefused
from engine.clock import wall_clock_ms
from engine.commands.run import told
from engine.runtime.config import load

app = typer.Typer(help="Who is on duty when (值班表).", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="A roster, YAML or CSV.")]


@app.command("check")
def check(file: File) -> None:
    """Name every fault of a roster.

    Example: tongguan duty check duty.yaml
    """
    roster = _read(file).roster()
    typer.echo(f"{file}: {len(roster.posts)} posts: {', '.join(roster.posts.values())}")


@app.command("now")
def now(file: File) -> None:
    """Say who is on duty now and next, by post.

    Example: tongguan duty now duty.yaml
    """
    for post in _read(file).view(wall_clock_ms(), plain=True).posts:
        typer.echo(f"{post.title}: {_names(post.now) or '无人'}; 下一班: {_names(post.next) or '未排'}")


def _names(stints: list[Stint]) -> str:
    zone = _zone()
    return "、".join(
        f"{one.name}（{one.shift} {datetime.fromtimestamp(one.start_t / 1000, zone):%m-%d %H:%M}）" for one in stints
    )


def _zone() -> ZoneInfo:
    return ZoneInfo(load(None, os.environ, {}).tz)


def _read(file: Path) -> RosterFile:
    with told():
        try:
            return RosterFile(file, str(_zone()))
        except RosterRefused as refused:
            for fault in refused.faults:
                typer.echo(f"tongguan: {fault}", err=True)
            raise typer.Exit(1) from None
