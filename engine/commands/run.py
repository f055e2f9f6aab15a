"""`tongguan serve`: API and console, with or without an engine in the same process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry

from engine.api.app import create_app
from engine.api.metrics import Metrics
from engine.api.problems import OpenToTheWorld
from engine.api.routes.state import metrics_app
from engine.api.server import Listener, bind, check_bind
from engine.casework.duty import RosterFile
from engine.casework.errors import CaseworkFault
from engine.casework.tokens import list_tokens
from engine.commands.api_settings import settings_of
from engine.commands.city_files import CityFiles, read_city, use_categories
from engine.commands.counting import Counted, DestinationGauges, Gauges
from engine.commands.services import services_of
from engine.commands.upkeep import upkeep
from engine.detect.offline import FilesRefused
from engine.runtime.config import Config, duration_ms, load, printed, size_bytes
from engine.runtime.embedded import Embedded, Limits
from engine.runtime.errors import RuntimeFault
from engine.runtime.notify.beside import Beside
from engine.runtime.notify.posting import Poster, posters_of

_log = logging.getLogger("tongguan")


@contextmanager
def told() -> Iterator[None]:
    """Turn what the engine refuses into a sentence and an exit code: 1 refused, 75 try again."""
    try:
        yield
    except (RuntimeFault, CaseworkFault) as fault:
        typer.echo(f"tongguan: {fault}", err=True)
        raise typer.Exit(fault.exit_code) from None
    except (FilesRefused, OpenToTheWorld) as fault:
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
    city: Annotated[str | None, typer.Option(help="Folder of a city: grids, zones, sensors (geo import).")] = None,
    registry: Annotated[str | None, typer.Option(help="Sensors: CSV or GeoJSON.")] = None,
    grids: Annotated[str | None, typer.Option(help="Unit grids: GeoJSON.")] = None,
    zones: Annotated[str | None, typer.Option(help="Folder of <set>.geojson.")] = None,
    kinds: Annotated[str | None, typer.Option(help="The city's own kinds: YAML.")] = None,
    categories: Annotated[str | None, typer.Option(help="The city's own categories and departments: YAML.")] = None,
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
        use_categories(Path(settings.categories) if settings.categories else None, settings.city)
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
        roster = roster_of(config)
        posters = posters_of(config.webhooks, roster, engine.now_ms, config.tz)
        engine.destinations = [one.name for one in posters]
        engine.start()
        with _telling(engine, posters, metrics), _listening(engine, city, config, metrics, counted, roster):
            keeping = (engine.store, duration_ms(config.audit_age), ended)
            threading.Thread(target=upkeep, args=keeping, name="upkeep", daemon=True).start()
            ended.wait()
    finally:
        engine.stop()


@contextmanager
def _telling(engine: Embedded, posters: Sequence[Poster], metrics: Metrics) -> Iterator[None]:
    """Tell webhooks and robots of cases."""
    if not posters:
        yield
        return
    beside = Beside(engine.casework, posters, engine.relay.subscribe)
    metrics.registry.register(DestinationGauges(beside.progress))
    beside.start()
    engine.watch(beside.thread)
    try:
        yield
    finally:
        engine.stopping()
        beside.stop()


@contextmanager
def _listening(
    engine: Embedded, city: CityFiles, config: Config, metrics: Metrics, counted: Counted, roster: RosterFile
) -> Iterator[None]:
    settings = settings_of(config)
    services = services_of(engine, city, metrics, counted, settings, roster)
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


def roster_of(config: Config) -> RosterFile:
    """Return the roster of the duty room. Raises RosterRefused with every fault of its file."""
    return RosterFile(Path(config.duty) if config.duty else None, config.tz)


def limits_of(config: Config) -> Limits:
    """Return the engine's bounds as the settings give them."""
    return Limits(
        queue_bytes=size_bytes(config.queue_size),
        backlog_bytes=size_bytes(config.backlog_size),
        waiting_bytes=size_bytes(config.waiting_size),
        retention_age_ms=duration_ms(config.retention_age),
        retention_bytes=size_bytes(config.retention_size),
    )
