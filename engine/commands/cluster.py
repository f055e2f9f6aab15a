"""`tongguan serve` on Kafka and PostgreSQL: API and console beside the workers, as many of them as one likes."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import typer
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from engine.api.app import create_app
from engine.api.metrics import Metrics
from engine.api.routes.state import metrics_app
from engine.api.server import Listener, bind, check_bind
from engine.api.services import Services, Unavailable
from engine.casework.duty import RosterFile
from engine.casework.photos import PhotoFolder
from engine.casework.plans import StoredPlans
from engine.casework.service import Casework
from engine.casework.service import Settings as CaseSettings
from engine.casework.store import Store, check_schema
from engine.casework.tokens import list_tokens
from engine.clock import wall_clock_ms
from engine.commands.api_settings import settings_of
from engine.commands.city_files import city_of
from engine.commands.cluster_services import ClusterHealth, DatabaseRelay, KafkaIntake
from engine.commands.counting import CaseGauges, Figures, gauge
from engine.commands.in_force import LayersInForce, RunningPlan, SensorsInForce
from engine.commands.upkeep import upkeep
from engine.runtime.config import Config, duration_ms, size_bytes
from engine.runtime.kafka.background import Background
from engine.runtime.kafka.bounds import Watching
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.following import Following
from engine.runtime.kafka.intake import Intake
from engine.runtime.kafka.topics import Topics
from engine.runtime.sensors import LastKnown
from engine.runtime.watch import Threads, end_process


class LagGauges(Collector):
    """How many records of each partition are not judged, seen from outside of the workers."""

    def __init__(self, waiting: Callable[[], dict[int, int]]) -> None:
        self._waiting = waiting

    def describe(self) -> list[Metric]:
        """Name nothing beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the lag of each partition."""
        lag: Figures = {(str(partition),): n for partition, n in self._waiting().items()}
        yield gauge("partition_lag_records", "Records not yet judged.", ("partition",), lag)


def serve_cluster(ended: threading.Event, config: Config) -> None:
    """Serve until `ended` is set; the address is printed once it answers.

    Starts with the broker away, but not with the database: StoreAway, NoPlan, SchemaMismatch say why.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what concerns us we say ourselves, once
    connection = Connection.from_config(config)
    with ExitStack() as closing:
        store = Store.connect(config.database)
        closing.callback(store.close)
        check_schema(store)
        check_bind(config.host, len(list_tokens(store)))
        threads = Threads(end_process)
        services = _services(config, connection, store, threads, closing)
        threads.start("watch", threads.watching)
        closing.callback(threads.join, 5.0)
        closing.callback(threads.stopping.set)
        _listen(ended, services, config, threads, closing)


def _services(config: Config, connection: Connection, store: Store, threads: Threads, closing: ExitStack) -> Services:
    """Start what the API asks for; `closing` ends it."""
    topics, stopping = Topics(config.topic_prefix), threads.stopping
    casework = Casework(store, StoredPlans(store), CaseSettings(partitions=0, first_offset=0))
    known = LastKnown()
    running = RunningPlan(store, known, city_of(config))
    background = Background("kafka")
    closing.callback(background.stop)
    intake = Intake(background, connection, topics.readings, limit_bytes=size_bytes(config.queue_size))
    closing.callback(intake.close)
    watching = Watching(connection, topics.readings, topics.alerts, config.group)
    background.start(watching.run())
    background.start(Following(connection, topics.sensors, known).run())
    health = ClusterHealth(casework, watching, intake, running, threads.alive)
    relay = DatabaseRelay(casework)
    threads.watch(background.thread)
    threads.start("plan", lambda: running.run(stopping))
    threads.start("stream", lambda: relay.run(stopping))
    threads.start("upkeep", lambda: upkeep(store, duration_ms(config.audit_age), stopping))
    threads.start("health", lambda: health.run(stopping))
    metrics = Metrics(CollectorRegistry())
    metrics.registry.register(CaseGauges(casework))
    metrics.registry.register(LagGauges(health.waiting))
    players = config.log_time == "record"
    return Services(
        casework=casework,
        intake=KafkaIntake(intake, running, health.partitions, partial(_log_time, casework, players)),
        relay=relay,
        health=health,
        sensors=SensorsInForce(running),
        layers=LayersInForce(running),
        rules=lambda: running.now.rules,
        kinds=lambda: running.now.kinds,
        registry=metrics.registry,
        now_ms=lambda: (casework.clock() if players else None) or wall_clock_ms(),
        settings=settings_of(config),
        photos=PhotoFolder(Path(config.data) / "attachments"),
        roster=RosterFile(Path(config.duty) if config.duty else None, config.tz),
        tz=config.tz,
    )


def _log_time(casework: Casework, players: bool) -> int | None:
    """Return the time that a record brings (ms): casework's on a player's clock, else none. Unavailable before that."""
    clock = casework.clock() if players else None
    if players and clock is None:
        raise Unavailable("仿真时钟尚未开始 / the player's clock has not begun: nothing was marked yet")
    return clock


def _listen(ended: threading.Event, services: Services, config: Config, threads: Threads, closing: ExitStack) -> None:
    app = create_app(services)
    main = Listener(app, bind(config.host, config.port), before_stop=app.close)
    side = Listener(metrics_app(services), bind(config.metrics_host, config.metrics_port))
    for listener in (main, side):
        listener.start()
        closing.callback(listener.stop)
        threads.watch(listener.thread)
    closing.callback(threads.stopping.set)
    typer.echo(f"统管 Tongguan: {main.url} (metrics {side.url}), plan {services.health.status().plan}")
    sys.stdout.flush()
    ended.wait()
