"""`tongguan bridge`: readings that come over MQTT, brought into the log."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec import structs
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.api.routes.state import health_app
from engine.api.server import Listener, bind
from engine.api.services import Settings, Status
from engine.runtime.bridge.bridge import Bridge
from engine.runtime.bridge.payloads import Topic
from engine.runtime.bridge.sinks import HttpSink, Sink
from engine.runtime.bridge.source import Source, broker_of
from engine.runtime.bridge.spool import Spool
from engine.runtime.config import Config, load, size_bytes
from engine.runtime.errors import ConfigFault, Refused, RuntimeFault
from engine.runtime.kafka.client import Connection


def bridge(
    source: Annotated[str, typer.Argument(help="mqtt://[user@]host[:1883], or mqtts:// for TLS.")],
    to: Annotated[str, typer.Option(help="kafka://host:port (several with commas), or http(s)://host:port.")],
    topic: Annotated[
        str, typer.Option(help="Filter; levels {sensor} and {kind} name what payloads need not say.")
    ] = "city/readings/#",
    client_id: Annotated[
        str, typer.Option(help="The session at the MQTT broker; one bridge each.")
    ] = "tongguan-bridge",
    mqtt: Annotated[Literal["5", "3.1.1"], typer.Option(help="Version of MQTT.")] = "5",
    spool: Annotated[Path, typer.Option(help="Folder for what waits while the log is away.")] = Path("spool"),
    spool_size: Annotated[str, typer.Option(help="Beyond it nothing is acknowledged.")] = "1GiB",
    token: Annotated[str, typer.Option(envvar="TONGGUAN_TOKEN", help="Bearer token for http(s)://.")] = "",
    registry: Annotated[str | None, typer.Option(help="Sensors, for the gateways that they hang on.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings; ./tongguan.toml if there is one.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of metrics and health; 0: a free one.")] = None,
) -> None:
    """Bring MQTT messages into the log; each is acknowledged once the log, or the disk while it is away, has it.

    Example: tongguan bridge mqtt://127.0.0.1 --to http://127.0.0.1:8080 --topic 'city/{kind}/{sensor}'
    """
    with told():
        settings = load(config, os.environ, {"registry": registry, "metrics_port": metrics_port})
        levels = Topic(topic)
        broker = broker_of(
            source,
            user=settings.mqtt_user,
            password=settings.mqtt_password,
            ca=settings.mqtt_ca,
            cert=settings.mqtt_cert,
            key=settings.mqtt_key,
            client_id=client_id,
            v5=mqtt == "5",
        )
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
        )
        logging.getLogger("httpx").setLevel(logging.WARNING)
        disk = Spool(spool, _size(spool_size))
        try:
            asyncio.run(_bridge(Source(broker, levels.filter), disk, to, token, levels, settings))
        finally:
            disk.close()


def _size(text: str) -> int:
    try:
        return size_bytes(text)
    except ValueError as error:
        raise ConfigFault([f"--spool-size: {error}"]) from error


async def _bridge(source: Source, disk: Spool, to: str, token: str, topic: Topic, settings: Config) -> None:
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    running = Bridge(source, _sink(to, token, topic, settings), disk)
    with _listening(running, settings) as url:
        typer.echo(f"tongguan bridge: {topic.filter} to {to} (metrics {url}), {disk.messages} messages wait on disk")
        sys.stdout.flush()
        await running.run(ended)


def _sink(to: str, token: str, topic: Topic, settings: Config) -> Sink:
    scheme, _, rest = to.partition("://")
    if scheme in ("http", "https") and rest:
        return HttpSink(to, token, topic)
    if scheme == "kafka" and rest:
        log = Connection.from_config(structs.replace(settings, broker=rest.rstrip("/")))
        return _kafka_sink(log, topic, settings)
    raise Refused(f"--to must be kafka://host:port or http(s)://host:port; got {to}")


def _kafka_sink(log: Connection, topic: Topic, settings: Config) -> Sink:
    """Return the sink; what it takes to read a registry is imported only here, so that other bridges start at once."""
    from engine.commands.city_files import read_registry
    from engine.detect.offline import FilesRefused
    from engine.runtime.bridge.kafka_sink import KafkaSink
    from engine.runtime.kafka.topics import Topics

    try:
        registry = read_registry(settings)
    except FilesRefused as fault:
        raise Refused(str(fault)) from fault
    return KafkaSink(log, Topics(settings.topic_prefix).readings, topic, registry, partial(_agreed, settings.database))


def _agreed(database: str) -> int | None:
    """Return how many partitions the workers' database agreed on, None where the settings name none. StoreAway."""
    if not database:
        return None
    from engine.casework.store import Store
    from engine.runtime.kafka.accepted import agreed

    with closing(Store.connect(database)) as store, store.read() as db:
        return agreed(db)


@contextmanager
def told() -> Iterator[None]:
    """Turn a refusal into a sentence and an exit code: 1 refused, 75 try again."""
    try:
        yield
    except RuntimeFault as fault:
        typer.echo(f"tongguan: {fault}", err=True)
        raise typer.Exit(fault.exit_code) from None
    except OSError as error:
        typer.echo(f"tongguan: {error}", err=True)
        raise typer.Exit(75) from None


@contextmanager
def _listening(running: Bridge, settings: Config) -> Iterator[str]:
    registry = CollectorRegistry()
    registry.register(BridgeMetrics(running))
    hosts = Settings(allowed_hosts=tuple(settings.allowed_hosts))
    sock = bind(settings.metrics_host, settings.metrics_port)
    listener = Listener(health_app(registry, BridgeHealth(running), hosts), sock)
    listener.start()
    try:
        yield listener.url
    finally:
        listener.stop()


class BridgeHealth:
    """The bridge in the words of the API's health: ready while both sides are there and messages are acknowledged."""

    def __init__(self, running: Bridge) -> None:
        self._bridge = running

    def status(self) -> Status:
        """Return what holds the bridge up."""
        figures, source = self._bridge.figures, self._bridge.source
        reasons = []
        if source.fault:
            reasons.append(f"MQTT 未连接 / MQTT is away: {source.fault}")
        if figures.log_away:
            reasons.append(f"日志不可用，消息暂存磁盘 / the log is away, messages wait on disk: {figures.log_away}")
        if figures.no_room:
            reasons.append(f"磁盘已满，不再确认 / no room, nothing is acknowledged: {figures.no_room}")
        return Status(
            ready=not reasons,
            clock_ms=None,
            log_ms=None,
            waiting=self._bridge.spool.messages,
            behind_s=0.0,
            reasons=tuple(reasons),
        )

    def alive(self) -> bool:
        """A bridge that cannot go on ends its process."""
        return True


class BridgeMetrics(Collector):
    """What the bridge says at the moment of the scrape."""

    def __init__(self, running: Bridge) -> None:
        self._bridge = running

    def describe(self) -> list[Metric]:
        """Name nothing beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield counters and gauges."""
        figures, spool, source = self._bridge.figures, self._bridge.spool, self._bridge.source
        counters = {
            "messages_total": ("Messages that came.", figures.messages),
            "acknowledged_total": ("Messages that the log or the disk has.", figures.acknowledged),
            "readings_total": ("Readings that the log has taken.", figures.readings),
            "refused_total": ("Texts that the server refused for good; kept in the spool.", figures.refused),
            "dropped_total": ("Messages of QoS 0 for which there was no room.", source.dropped),
        }
        for name, (text, count) in counters.items():
            family = CounterMetricFamily(f"tongguan_bridge_{name}", text)
            family.add_metric((), count)
            yield family
        gauges = {
            "spool_messages": ("Messages that wait on disk.", spool.messages),
            "spool_bytes": ("Bytes of the spool that are in use.", spool.size_bytes()),
            "spool_oldest_seconds": ("Age of the oldest message on disk.", spool.oldest_s()),
            "mqtt_connected": ("1 while there is a session with the MQTT broker.", source.connected),
            "log_connected": ("0 while the log takes nothing.", figures.log_away is None),
            "no_room": ("1 while nothing is acknowledged for want of room.", figures.no_room is not None),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"tongguan_bridge_{name}", text, value=float(value))
