"""`tongguan demo`: a simulated city in one process — simulate, detect, casework, console; nothing to set up."""

from __future__ import annotations

import gzip
import logging
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from engine.api.app import create_app
from engine.api.metrics import Metrics
from engine.api.routes.state import metrics_app
from engine.api.server import Listener, bind
from engine.api.services import Settings
from engine.casework.duty import RosterFile
from engine.casework.people import Actor, Role
from engine.commands.city_files import CityFiles, own_file, own_kinds, own_rules, played, use_categories
from engine.commands.counting import Counted, Gauges
from engine.commands.playing import Player
from engine.commands.run import told
from engine.commands.services import services_of
from engine.commands.telling import STYLES, Teller, moment_name
from engine.runtime.config import duration_ms
from engine.runtime.embedded import Embedded, Limits
from rules.civil import CITY_TZ
from rules.kinds import Kinds, shipped_kinds
from rules.load import load_rules
from rules.plan import Plan
from rules.registry import Registry
from rules.registry_file import load_registry
from simulators.days import Days
from simulators.errors import ScenarioError
from simulators.ground import ground_of
from simulators.load import load as load_scenario
from simulators.pace import Pace
from simulators.scenario import Scenario

USUAL = "cloudburst"
METRICS_PORT = 9464
DUTY = Path(str(files("geo"))) / "cities" / "shengzhou" / "duty.yaml"
REFRESH_HZ = 4.0
SHOWN = 18


def demo(
    scenario: Annotated[str, typer.Option(help="What happens: bad-day, kitchen-fire, …, or a scenario file.")] = USUAL,
    seed: Annotated[int, typer.Option(min=0, help="Another seed tells another story.")] = 1,
    speed: Annotated[float, typer.Option(min=0.1, max=3600, help="Times faster than life.")] = 60.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0: a free one.")] = 8080,
    duration: Annotated[str, typer.Option(help="Leave after so many seconds (or 3m); 0: when told to.")] = "0",
    serve_for_minutes: Annotated[
        float, typer.Option("--serve-for-minutes", min=0.0, help="The same in minutes.")
    ] = 0.0,
    sensors: Annotated[int, typer.Option(min=1, help="How many sensors the city has.")] = 5000,
    data: Annotated[Path, typer.Option(help="Where it keeps its stories, a folder for each seed.")] = Path(
        ".tongguan/demo"
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin the story anew.")] = False,
    city: Annotated[Path | None, typer.Option(help="Folder of a city (geo import); default: the shipped one.")] = None,
    english: Annotated[bool, typer.Option("--english", help="Sentences in English.")] = False,
    retention_age: Annotated[str, typer.Option(help="How long its log keeps readings, on the city's clock.")] = "30d",
) -> None:
    """Watch a simulated city: warnings climb, cases open, are worked on, and close when the sensor says so.

    Without --scenario a storm floods an underpass. Stop it any way you like (also with kill -9) and start it again: it
    goes on where it stopped. The console (and POST /api/v1/player) pauses it, speeds it and lets it jump. The day after
    the scenario tells another story of its kind, and so on every day.
    Example: tongguan demo --scenario bad-day --seed 2
    """
    limit_s = serve_for_minutes * 60.0 or _seconds(duration)
    limits = _limits(retention_age)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    with told():
        script = _script(scenario)
        names = ["seed" if script.name == USUAL else script.name, str(seed), str(sensors)]
        folder = data / "-".join(names if city is None else [city.resolve().name, *names])
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        _demo(ended, folder, script, seed, speed, port, limit_s, sensors, english, city, limits)


def _script(name: str) -> Scenario:
    try:
        return load_scenario(name)
    except ScenarioError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text)
    if found is None:
        raise typer.BadParameter(f"must be a number of seconds, or 3m; got {text!r}", param_hint="--duration")
    return float(found[1]) * {"s": 1, None: 1, "m": 60, "h": 3600}[found[2]]


def _limits(retention_age: str) -> Limits:
    try:
        return Limits(retention_age_ms=duration_ms(retention_age))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--retention-age") from None


def _demo(
    ended: threading.Event,
    folder: Path,
    script: Scenario,
    seed: int,
    speed: float,
    port: int,
    limit_s: float,
    sensors: int,
    english: bool,
    chosen: Path | None,
    limits: Limits,
) -> None:
    folder.mkdir(0o700, parents=True, exist_ok=True)
    place, made_up = played(chosen, folder / "city")
    if made_up:
        typer.echo(f"{place.name}：{chosen} 里没有的（传感器、道路、积水点等）为演示虚构", err=True)
    # a city of one's own is played as it is: sensors beyond those that it has would be doubles
    all_of_them = chosen is not None and sensors >= len(place.sensors)
    days = Days(script, ground_of(place), seed, None if all_of_them else sensors)
    registry = folder / "registry.csv"
    days.today.network.write_registry(registry, drill=script.drill)
    grids = folder / "grids.geojson.gz"
    if not grids.exists():
        grids.write_bytes(gzip.compress(place.grids.geojson(), 6, mtime=0))
    use_categories(None, chosen)
    kinds = own_kinds(chosen)
    rules = load_rules(own_rules(chosen), kinds=kinds, zones=place.zones)
    plan = Plan(rules.rules, kinds, _sensors(registry, chosen, kinds), place.grids, place.zones, CITY_TZ)
    city = CityFiles(plan, place.grids, place.name, place.divisions, tuple(map(str, rules.faults)))
    metrics = Metrics(CollectorRegistry())
    counted, teller = Counted(metrics), Teller(plan, english=english)
    engine = Embedded(folder, plan, [counted, teller], player=True, limits=limits)
    try:
        metrics.registry.register(Gauges(engine))
        engine.start()
        player = Player(engine, days, Pace(speed))
        with _serving(engine, city, metrics, counted, port, player) as address:
            _watch(ended, engine, player, teller, address, limit_s)
    finally:
        engine.stop()


def _sensors(played: Path, chosen: Path | None, kinds: Kinds) -> Registry:
    """The sensors that are played, and those of the city's own kinds, whose readings others post."""
    registry = load_registry(played, kinds, CITY_TZ)
    own = own_file(chosen, "sensors.csv")
    if own is None:
        return registry
    ours = [row for row in load_registry(own, kinds, CITY_TZ).rows if row.kind not in shipped_kinds()]
    return Registry([*registry.rows, *ours])


@contextmanager
def _serving(
    engine: Embedded, city: CityFiles, metrics: Metrics, counted: Counted, port: int, player: Player
) -> Iterator[str]:
    """Serve the page and the metrics; yield the link that logs the viewer in."""
    services = services_of(engine, city, metrics, counted, Settings(), RosterFile(DUTY, CITY_TZ), player=player)
    app = create_app(services)
    main = Listener(app, bind("127.0.0.1", port), before_stop=app.close)
    try:
        beside = bind("127.0.0.1", METRICS_PORT)
    except OSError:
        beside = bind("127.0.0.1", 0)
    side = Listener(metrics_app(services), beside)
    main.start()
    side.start()
    viewer = Actor(name="demo", role=Role.SUPERVISOR)
    try:
        yield main.url.rstrip("/") + app.login_path(lambda: viewer)
    finally:
        main.stop()
        side.stop()


def _watch(
    ended: threading.Event, engine: Embedded, player: Player, teller: Teller, address: str, limit_s: float
) -> None:
    """Play and tell until the end: a live view on a terminal, else a line a sentence."""
    console = Console(highlight=False)
    position = engine.relay.position

    def hear() -> None:
        nonlocal position
        for row in engine.relay.read(position, 1000):
            position = row.position
            teller.message(row)

    lock = threading.Lock()

    def woken() -> None:
        with lock:
            hear()

    quiet = engine.relay.subscribe(woken)
    failed: list[BaseException] = []

    def play() -> None:
        try:
            player.run(ended)
        except BaseException as error:  # noqa: BLE001 - told where the demo ends
            failed.append(error)
            ended.set()

    playing = threading.Thread(target=play, name="player", daemon=True)
    until = time.monotonic() + limit_s if limit_s else None
    playing.start()
    try:
        _show(console, ended, engine, player, teller, address, until)
    finally:
        ended.set()
        player.pace.end()
        playing.join(10.0)
        quiet()
    if failed:
        raise failed[0]


def _show(
    console: Console, ended: threading.Event, engine: Embedded, player: Player, teller: Teller, address: str,
    until: float | None,
) -> None:  # fmt: skip
    def over() -> bool:
        return ended.is_set() or (until is not None and time.monotonic() > until)

    if not console.is_terminal:
        print(f"统管 Tongguan: {address}", flush=True)
        teller.listener = lambda t_ms, _, text: print(teller.time(t_ms), text, flush=True)
        while not over():
            ended.wait(0.2)
        return
    with Live(console=console, refresh_per_second=REFRESH_HZ, screen=False) as live, suppress(KeyboardInterrupt):
        while not over():
            live.update(_view(engine, player, teller, address))
            ended.wait(1 / REFRESH_HZ)


def _view(engine: Embedded, player: Player, teller: Teller, address: str) -> Group:
    """Return the live view: where to look, how far the story is, and what happened last."""
    progress = engine.progress()
    counts = engine.casework.counts()
    cases = sum(count.count for count in counts.cases)
    alerts = sum(count.count for count in counts.alerts)
    now = moment_name(CITY_TZ, player.now_ms) if player.now_ms else "—"
    pace = "快进前奏 prelude" if player.prelude else "暂停 paused" if player.pace.paused else f"{player.pace.speed:g}×"
    head = Table.grid(padding=(0, 2))
    head.add_row("统管 Tongguan", Text(address, style="bold cyan"))
    head.add_row("城市时间", f"{now}（{pace}）　读数 {player.readings:,}　未结案件 {cases}　未解除报警 {alerts}")
    if progress.waiting:
        head.add_row(
            "", Text(f"检测滞后 {progress.behind_s:.1f} 秒", style="yellow" if progress.behind_s > 1 else "dim")
        )
    lines = list(teller.sentences)[-SHOWN:]
    said = [Text(f"{teller.time(t)}  {text}", style=STYLES.get(level, "")) for t, level, text in lines]
    return Group(head, Text(""), *said)
