"""`tongguan simulate`: readings of a seeded city, to a stream, a file or a server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, BinaryIO
from urllib.parse import parse_qs, urlsplit

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from engine.commands.city_files import played
from engine.detect.offline import FilesRefused
from engine.runtime.config import load as load_config
from engine.runtime.errors import BrokerAway, RuntimeFault
from geo.errors import GeoError
from simulators.describe import describe
from simulators.errors import SimulatorError, SinkBusy
from simulators.explain import explain
from simulators.ground import ground_of
from simulators.lines import tick
from simulators.load import fault_of, load
from simulators.pace import Pace, paced, parse_rate
from simulators.reading_yaml import parse_duration
from simulators.run import Batch, Simulation
from simulators.scenario import Scenario
from simulators.sinks import HttpSink, Sink, open_sink

FAILED, TRY_AGAIN = 1, 75


class Language(StrEnum):
    """Languages of sentences."""

    ZH = "zh"
    EN = "en"


def simulate(
    scenario: Annotated[str, typer.Option(help="bad-day, calm-day, kitchen-fire, …, or a file.")] = "cloudburst",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    rate: Annotated[str, typer.Option(help="1x is life, 60x a minute a second, max as fast as it goes.")] = "max",
    duration: Annotated[
        str, typer.Option(help="Of the story, such as 30m; 0s: endless. Default: the scenario's.")
    ] = "",
    to: Annotated[
        str,
        typer.Option(help="stdout, a file, http://host:port, mqtt://host/topic, or kafka://host:port?prefix=…."),
    ] = "stdout",
    truth: Annotated[Path | None, typer.Option(help="File for what really happened, JSON lines.")] = None,
    calls: Annotated[Path | None, typer.Option(help="File for citizens' calls, JSON lines.")] = None,
    sensors: Annotated[int | None, typer.Option(min=1, help="How many; default: all of the city.")] = None,
    registry: Annotated[Path | None, typer.Option(help="File for the registry of the sensors that are played.")] = None,
    city: Annotated[Path | None, typer.Option(help="Folder of a city; default: the shipped one.")] = None,
    skip: Annotated[str, typer.Option(help="Begin so far into the story, such as 20m; with no prelude.")] = "0s",
    starts: Annotated[str, typer.Option(help="When the story begins (where it is skipped to): now, or a date.")] = "",
    prelude: Annotated[bool, typer.Option(help="Also what lies before the story, fast.")] = True,
    fault: Annotated[
        list[str] | None, typer.Option(help="Such as 'drop_out: {chance: 0.1, kinds: [rain.minute]}'.")
    ] = None,
    ticks: Annotated[
        bool, typer.Option("--ticks", help="Also a tick every ten seconds, for stdout and files.")
    ] = False,
    frame: Annotated[int, typer.Option(min=1, max=10_000, help="Readings in a record, for Kafka.")] = 1,
    log_t: Annotated[bool, typer.Option("--log-t", help="Each reading says when it came in.")] = False,
    token: Annotated[str, typer.Option(envvar="TONGGUAN_TOKEN", help="Bearer token for a server.")] = "",
    describe_only: Annotated[
        bool, typer.Option("--describe", help="Print the story as a timeline, no readings.")
    ] = False,
    explain_only: Annotated[
        bool, typer.Option("--explain", help="Say in sentences what will happen with this seed, no readings.")
    ] = False,
    lang: Annotated[Language, typer.Option(help="Of the sentences.")] = Language.ZH,
) -> None:
    """Play a scenario: readings, and beside them the physical truth.

    How a Kafka broker is spoken to (TLS, SASL) is said by the settings, as for the engine. Where its topic keeps the
    time that records bring, the log runs on the player's clock, ticks included.
    Example: tongguan simulate --scenario cloudburst --seed 1 --to readings.ndjson --truth truth.ndjson
    """
    speed, lasts_ms, skip_ms = _rate(rate), _duration(duration), _duration(skip, "--skip") or 0
    if ticks and to.startswith(("http", "mqtt")):
        raise typer.BadParameter("servers tick by themselves", param_hint="--ticks")
    try:
        script = _script(scenario, starts, skip_ms, fault or [])
        simulation = _simulation(script, city, seed, sensors)
        if registry is not None:
            simulation.network.write_registry(registry, drill=script.drill)
        lasts_ms = script.lasts_ms if lasts_ms is None else lasts_ms
        if explain_only:
            for line in explain(simulation, lasts_ms or script.lasts_ms, english=lang is Language.EN):
                typer.echo(line)
            return
        if describe_only:
            for line in describe(simulation, lasts_ms or script.lasts_ms, english=lang is Language.EN):
                typer.echo(line)
            return
        batches = _chosen(simulation, lasts_ms, skip_ms, prelude=prelude, log_t=log_t)
        with ExitStack() as files:
            beside = [files.enter_context(path.open("wb")) if path is not None else None for path in (truth, calls)]
            sink = _sink(to, token, simulation, frame)
            _play(paced(batches, Pace(speed)), sink, beside[0], beside[1], ticks=ticks or _is_kafka(to))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (SimulatorError, GeoError, FilesRefused, RuntimeFault, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(TRY_AGAIN if isinstance(error, SinkBusy) else FAILED) from error


def _simulation(script: Scenario, city: Path | None, seed: int, sensors: int | None) -> Simulation:
    """The scenario in a city; what the city's folder lacks to be played is made up, always the same."""
    with TemporaryDirectory(prefix="tongguan-city-") as beside:
        place, made_up = played(city, Path(beside))
        if made_up:
            typer.echo(f"{place.name}: sensors, roads and sites are made up where {city} has none", err=True)
        return Simulation(script, ground_of(place), seed, sensors)


def _rate(text: str) -> float | None:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rate") from error


def _is_kafka(to: str) -> bool:
    return urlsplit(to).scheme == "kafka"


def _sink(to: str, token: str, simulation: Simulation, frame: int) -> Sink:
    """Open where readings go; a Kafka broker by its address and, for the rest, the settings."""
    if not _is_kafka(to):
        return open_sink(to, token or None)
    # only here: these take a while to import
    from engine.runtime.kafka.client import Connection
    from engine.runtime.kafka.topics import Topics
    from simulators.kafka_sink import KafkaSink

    parts = urlsplit(to)
    prefix = parse_qs(parts.query).get("prefix", [None])[0]
    if parts.path.strip("/") or set(parse_qs(parts.query)) - {"prefix"}:
        raise typer.BadParameter(f"must be kafka://host:port[?prefix=…]; got {to}", param_hint="--to")
    config = load_config(None, os.environ, {"broker": parts.netloc or None, "topic_prefix": prefix})
    if not config.broker:
        raise typer.BadParameter("must name the broker: kafka://host:port", param_hint="--to")
    topic = Topics(config.topic_prefix).readings
    connection = Connection.from_config(config)
    with suppress(BrokerAway):  # the sink waits for it; what turns us away says why at once
        asyncio.run(connection.speaks())
    return KafkaSink(connection.kwargs(), topic, simulation.network.gateways(), frame=frame)


def _duration(text: str, hint: str = "--duration") -> int | None:
    if not text:
        return None
    ms = parse_duration(text)
    if ms is None or ms < 0:
        raise typer.BadParameter(f"must be a whole number and ms, s, m, h or d; got {text}", param_hint=hint)
    return ms


def _script(name: str, starts: str, skip_ms: int, faults: Sequence[str]) -> Scenario:
    """Read the scenario, move what is not skipped of it to `starts`, and add the faults of the command line."""
    script = load(name)
    if starts:
        try:
            begins = datetime.now(UTC) if starts == "now" else datetime.fromisoformat(starts)
        except ValueError as error:
            raise typer.BadParameter(f"must be now, or a date and time; got {starts}", param_hint="--starts") from error
        if begins.tzinfo is None:
            raise typer.BadParameter(f"must have an offset, such as +08:00; got {starts}", param_hint="--starts")
        script = replace(script, starts_ms=round(begins.timestamp()) * 1_000 - skip_ms)
    return replace(script, faults=(*script.faults, *(fault_of(text) for text in faults)))


def _chosen(simulation: Simulation, lasts_ms: int, skip_ms: int, *, prelude: bool, log_t: bool) -> Iterator[Batch]:
    """Yield the batches until the story has lasted `lasts_ms`, 0: without an end; none of its first `skip_ms`."""
    starts = simulation.scenario.starts_ms
    for batch in simulation.batches(after_ms=None if prelude and not skip_ms else starts + skip_ms, log_t=log_t):
        if lasts_ms and batch.t_ms > starts + lasts_ms:
            return
        yield batch


def _play(batches: Iterator[Batch], sink: Sink, truth: BinaryIO | None, calls: BinaryIO | None, *, ticks: bool) -> None:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("simulate")
        sent = 0
        for batch in batches:
            arrives_ms = batch.arrives_ms.tolist()
            if ticks:
                sink.send([*batch.lines, tick(batch.t_ms)], [*arrives_ms, batch.t_ms])
            else:
                sink.send(batch.lines, arrives_ms)
            if truth is not None and batch.truth:
                truth.write(b"\n".join(batch.truth) + b"\n")
            if calls is not None and batch.calls:
                calls.write(b"".join(msgspec.json.encode(call) + b"\n" for call in batch.calls))
            sent += len(batch.lines)
            _show(progress, task, batch, sent)
    sink.close()
    if isinstance(sink, HttpSink) and sink.rejected:
        console.print(f"the server rejected {sink.rejected} of {sent} readings; its quarantine says why")


def _show(progress: Progress, task: TaskID, batch: Batch, sent: int) -> None:
    when = datetime.fromtimestamp(batch.t_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    progress.update(task, description=f"{'prelude' if batch.prelude else 'story'} {when}  {sent:,} readings")
