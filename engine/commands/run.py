"""`tongguan serve`, `journal export`, `quarantine list | replay`: the running engine and its log."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer
from prometheus_client import CollectorRegistry

from engine.api.app import create_app
from engine.api.metrics import Metrics
from engine.api.problems import OpenToTheWorld
from engine.api.routes.state import metrics_app
from engine.api.server import Listener, bind, check_bind
from engine.api.services import Settings
from engine.casework.errors import CaseworkFault
from engine.casework.tokens import list_tokens
from engine.commands.city_files import CityFiles, read_city
from engine.commands.counting import Counted, Gauges
from engine.commands.services import services_of
from engine.detect.offline import FilesRefused
from engine.runtime.config import Config, duration_ms, load, printed, size_bytes
from engine.runtime.embedded import Embedded, Limits, wall_clock_ms
from engine.runtime.errors import RuntimeFault, Unusable
from engine.runtime.export import lines_of
from engine.runtime.journal import Journal
from engine.runtime.log import Stream
from engine.runtime.quarantine import replay, rows

journal = typer.Typer(help="The log of an embedded engine.", no_args_is_help=True)
quarantine = typer.Typer(help="Readings that were rejected.", no_args_is_help=True)
_log = logging.getLogger("tongguan")

DataFolder = Annotated[Path, typer.Option("--data", help="The data folder.")]


@contextmanager
def told() -> Iterator[None]:
    """Turn what the engine refuses into a sentence and an exit code: 1 refused, 75 try again."""
    try:
        yield
    except RuntimeFault as fault:
        typer.echo(f"tongguan: {fault}", err=True)
        raise typer.Exit(fault.exit_code) from None
    except (CaseworkFault, FilesRefused, OpenToTheWorld) as fault:
        typer.echo(f"tongguan: {fault}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"tongguan: {error}", err=True)
        raise typer.Exit(75) from None


def serve(
    embedded: Annotated[bool, typer.Option("--embedded", help="Journal, detect and casework in this process.")] = False,
    config: Annotated[Path | None, typer.Option(help="Settings; ./tongguan.toml if there is one.")] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Show the settings and leave.")] = False,
    data: Annotated[str | None, typer.Option(help="The data folder.")] = None,
    rules: Annotated[str | None, typer.Option(help="Folder of rule files; the shipped ones if not given.")] = None,
    registry: Annotated[str | None, typer.Option(help="Sensors: CSV or GeoJSON.")] = None,
    grids: Annotated[str | None, typer.Option(help="Unit grids: GeoJSON.")] = None,
    zones: Annotated[str | None, typer.Option(help="Folder of <set>.geojson.")] = None,
    kinds: Annotated[str | None, typer.Option(help="The city's own kinds: YAML.")] = None,
    tz: Annotated[str | None, typer.Option(help="Time zone of the city.")] = None,
    max_delay: Annotated[str | None, typer.Option(help="How long readings wait for those before them: 30s.")] = None,
    max_age: Annotated[str | None, typer.Option(help="Older readings are stale: 7d.")] = None,
    log_time: Annotated[str | None, typer.Option(help="commit, or record on a player's clock.")] = None,
    broker: Annotated[str | None, typer.Option(help="Kafka of the workers: host:port, several with commas.")] = None,
    database: Annotated[str | None, typer.Option(help="PostgreSQL of the workers: a URL.")] = None,
    host: Annotated[str | None, typer.Option(help="Address of API and console.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of API and console; 0: a free one.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of metrics and health; 0: a free one.")] = None,
) -> None:
    """Serve API and console: of workers on Kafka and PostgreSQL, or with --embedded of an engine in this process.

    Example: tongguan serve --embedded --data /var/lib/tongguan
    """
    flags = {name: value for name, value in locals().items() if name not in ("embedded", "config", "print_config")}
    with told():
        settings = load(config, os.environ, flags)
        if print_config:
            typer.echo(printed(settings))
            return
        ended = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: ended.set())
        if embedded:
            serve_until(ended, settings, limits_of(settings))
        elif settings.broker and settings.database:
            from engine.commands.cluster import serve_cluster  # only here: it takes a while to import

            serve_cluster(ended, settings)
        else:
            typer.echo(
                "tongguan: serve needs --embedded (log, detect and casework in this process), "
                "or both --broker and --database (where `tongguan worker` does that work)",
                err=True,
            )
            raise typer.Exit(2)


def serve_until(ended: threading.Event, config: Config, limits: Limits) -> None:
    """Run the engine with its API until `ended` is set; the address is printed once it answers."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    city = read_city(config)
    for fault in city.faults:
        _log.error("left out: %s", fault)
    metrics = Metrics(CollectorRegistry())
    counted = Counted(metrics)
    engine = Embedded(Path(config.data), city.plan, [counted], player=config.log_time == "record", limits=limits)
    try:
        check_bind(config.host, len(list_tokens(engine.store)))
        metrics.registry.register(Gauges(engine))
        engine.start()
        with _listening(engine, city, config, metrics, counted):
            ended.wait()
    finally:
        engine.stop()


@contextmanager
def _listening(engine: Embedded, city: CityFiles, config: Config, metrics: Metrics, counted: Counted) -> Iterator[None]:
    settings = Settings(allowed_hosts=tuple(config.allowed_hosts), allowed_origins=tuple(config.allowed_origins))
    services = services_of(engine, city, metrics, counted, settings)
    app = create_app(services)
    main = Listener(app, bind(config.host, config.port), before_stop=app.close)
    side = Listener(metrics_app(services), bind(config.metrics_host, config.metrics_port))
    main.start()
    side.start()
    engine.watch(main.thread)
    engine.watch(side.thread)
    typer.echo(f"统管 Tongguan: {main.url} (metrics {side.url}), data in {config.data}, plan {city.plan.short}")
    sys.stdout.flush()
    try:
        yield
    finally:
        engine.stopping()
        main.stop()
        side.stop()


def limits_of(config: Config) -> Limits:
    """Return the engine's bounds as the settings give them."""
    return Limits(
        queue_bytes=size_bytes(config.queue_size),
        backlog_bytes=size_bytes(config.backlog_size),
        waiting_bytes=size_bytes(config.waiting_size),
        retention_age_ms=duration_ms(config.retention_age),
        retention_bytes=size_bytes(config.retention_size),
    )


@journal.command("export")
def journal_export(
    stream: Annotated[Stream, typer.Option(help="Which stream.")] = Stream.READINGS,
    data: DataFolder = Path("data"),
    out: Annotated[Path | None, typer.Option("--out", help="A file; standard output if not given.")] = None,
) -> None:
    """Write a stream as NDJSON: readings as `tongguan detect` takes them, changes as it prints them.

    Example: tongguan journal export --stream city.readings --data data > readings.ndjson
    """
    with told(), _opened(data) as log, out.open("wb") if out else _stdout() as file:
        for line in lines_of(log, stream):
            file.write(line + b"\n")


@quarantine.command("list")
def quarantine_list(
    data: DataFolder = Path("data"),
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
) -> None:
    """Print what was rejected as JSON lines: its number, when, why, where from, its raw text, and if it came back.

    Example: tongguan quarantine list --reason bad_kind
    """
    with told(), _opened(data) as log:
        for row in list(rows(log, reason=reason))[-limit:]:
            when = datetime.fromtimestamp(row.log_time / 1000, UTC).isoformat(timespec="milliseconds")
            line = {"number": row.offset, "at": when, **row.said, "replayed_as": row.replayed_as}
            typer.echo(orjson.dumps(line).decode())


@quarantine.command("replay")
def quarantine_replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers that `list` prints.")] = None,
    data: DataFolder = Path("data"),
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
    with told(), _opened(data, live_clock=True) as log:
        chosen = [row for row in rows(log, reason=reason) if not numbers or row.offset in numbers]
        missing = set(numbers or ()) - {row.offset for row in chosen}
        done = [offset for row in chosen if (offset := replay(log, row, actor=who, at_ms=wall_clock_ms()))]
        typer.echo(f"replayed {len(done)} of {len(chosen)}" + (f" as records {done[0]} to {done[-1]}" if done else ""))
        for number in sorted(missing):
            typer.echo(f"tongguan: no row {number} in the quarantine", err=True)
    if missing:
        raise typer.Exit(1)


@contextmanager
def _opened(data: Path, *, live_clock: bool = False) -> Iterator[Journal]:
    """Open the journal of a folder, beside a running engine or without one; a folder without one is refused."""
    path = data / "journal.db"
    if not path.exists():
        raise Unusable(f"{path}: no journal here; give the engine's --data")
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
