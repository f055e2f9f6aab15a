"""`tongguan doctor`: what is wrong with a deployment, and the line that mends it."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.commands.run import told
from engine.runtime.config import Config, load, masked, printed
from engine.runtime.doctor.finding import Finding, State

TAKES = {
    "tongguan topics create": ("config", "broker", "database", "topic_prefix", "log_time", "single_node"),
    "tongguan db upgrade": ("database",),
    "tongguan plan set": ("config", "broker", "database", "log_time"),
    "tongguan worker": ("config", "broker", "database", "log_time"),
}
"""Which of the flags that were given here each command takes as well."""
SIGNS = {State.OK: "ok  ", State.WARN: "WARN", State.FAIL: "FAIL"}


def doctor(
    config: Annotated[Path | None, typer.Option(help="Settings; ./tongguan.toml if there is one.")] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Show the settings and leave.")] = False,
    broker: Annotated[str | None, typer.Option(help="Kafka: host:port, several with commas.")] = None,
    database: Annotated[str | None, typer.Option(help="postgresql+psycopg://user:password@host/name.")] = None,
    topic_prefix: Annotated[str | None, typer.Option(help="Put before the name of every topic.")] = None,
    log_time: Annotated[str | None, typer.Option(help="commit, or record on a player's clock.")] = None,
    single_node: Annotated[bool | None, typer.Option("--single-node", help="One broker is meant: one copy.")] = None,
    data: Annotated[str | None, typer.Option(help="Look at the data folder of an embedded engine instead.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Look at broker, topics, database, log and machine; say what is wrong and what to type. It changes nothing.

    Exit 0: all is well, or nearly; 1: something fails.

    Example: tongguan doctor --broker kafka1:9092 --database postgresql+psycopg://tongguan@db/tongguan
    """
    flags = {key: value for key, value in locals().items() if key not in ("config", "print_config", "json")}
    with told():
        settings = load(config, os.environ, flags)
        if print_config:
            typer.echo(printed(settings))
            return
        findings = _examined(settings, embedded=data is not None or not (settings.broker or settings.database))
    given = {"config": config} | {key: flags[key] for key in flags if key != "data"}
    findings = [msgspec.structs.replace(finding, mend=_with_flags(finding.mend, given)) for finding in findings]
    for finding in findings:
        typer.echo(msgspec.json.encode(finding).decode() if json else _line(finding))
    if not json:
        typer.echo(_summary(findings))
    if any(finding.state is State.FAIL for finding in findings):
        raise typer.Exit(1)


def _examined(config: Config, *, embedded: bool) -> list[Finding]:
    from engine.runtime.doctor.examine import examine, examine_folder

    if embedded:
        return examine_folder(Path(config.data))
    return asyncio.run(examine(config, lambda: _need_ms(config)))


def _need_ms(config: Config) -> int:
    from engine.commands.city_files import read_city
    from engine.runtime.retention import rebuild_ms

    return rebuild_ms(read_city(config).plan)


def _with_flags(mend: str, given: Mapping[str, Any]) -> str:
    """Return the line with the flags that were given to this command, secrets masked."""
    command = next((one for one in TAKES if mend.startswith(one)), None)
    if command is None:
        return mend
    flags = [
        _flag(name, given[name]) for name in TAKES[command] if given.get(name) and f"--{_dashed(name)}" not in mend
    ]
    return " ".join((command, *flags)) + mend.removeprefix(command)


def _flag(name: str, value: Any) -> str:
    return f"--{_dashed(name)}" if value is True else f"--{_dashed(name)} {shlex.quote(str(masked(name, str(value))))}"


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _line(finding: Finding) -> str:
    said = f"{SIGNS[finding.state]}  {finding.check}: {finding.said}"
    return said + (f"\n      {finding.mend}" if finding.mend else "")


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.state for finding in findings)
    if not counts[State.FAIL] and not counts[State.WARN]:
        return f"all is well ({len(findings)} looks)"
    return f"{counts[State.FAIL]} fail, {counts[State.WARN]} warn, {counts[State.OK]} ok"
