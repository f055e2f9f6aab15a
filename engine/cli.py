"""The one command, `tongguan`. A command's module is imported when it is called, so that help comes at once."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

COMMANDS: Final = {
    "demo": ("demo:demo", "A simulated city in one process: watch a storm become cases."),
    "serve": ("run:serve", "API and console; with --embedded the whole engine."),
    "worker": ("worker:worker", "One worker on Kafka: its share of the readings, its turn at casework."),
    "doctor": ("doctor:doctor", "What is wrong with a deployment, and the line that mends it."),
    "topics": ("topics:app", "The topics of a city on Kafka."),
    "plan": ("plan:app", "Which plan workers judge by."),
    "simulate": ("simulate:simulate", "Readings of a seeded city."),
    "detect": ("detect:detect", "Readings in, alert changes out; no broker, no database, no clock."),
    "quality": ("quality:quality", "How well the rules find what is true in simulated cities."),
    "rules": ("rules:app", "Check rules, list them, play their test cases."),
    "geo": ("geo:app", "Unit grids, zones, coordinate systems."),
    "journal": ("history:journal", "The records of the log."),
    "quarantine": ("history:quarantine", "Readings that were rejected."),
    "gap": ("gap:app", "What is passed over knowingly: damaged or lost parts of the log."),
    "bridge": ("bridge:bridge", "Readings that come over MQTT, brought into the log."),
    "duty": ("duty:app", "Who is on duty when."),
    "audit": ("audit:app", "Who did, exported and read what."),
    "token": ("tokens:app", "Who may call the API."),
    "db": ("tokens:db", "The tables of the case store."),
    "backup": ("backup:backup", "The case store and its plans as one file."),
    "restore": ("backup:restore", "An empty case store filled from a backup."),
}
"""Where each command stands in engine.commands (a function or a group), and what it does."""


class Lazily(TyperGroup):
    """Know commands by name; import the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else loaded(name), rest


def loaded(name: str) -> Any:
    """Import a command and give it as the command line calls it."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"engine.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
    else:
        one = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        one.command(name)(found)
        command = typer.main.get_command(one)
    command.name = name
    return command


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tongguan {version('tongguan')}")
        raise typer.Exit


def root(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """统管 Tongguan: a city's sensors in, closed cases out.

    Example: tongguan demo
    """


app = typer.Typer(cls=Lazily, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.callback()(root)
for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help)(lambda: None)


def main() -> None:
    """Run the command line."""
    app(prog_name="tongguan")


if __name__ == "__main__":
    main()
