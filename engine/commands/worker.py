"""`tongguan worker`: one Kafka worker, with its metrics and health."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.api.metrics import Metrics
from engine.api.routes.state import health_app
from engine.api.server import Listener, bind
from engine.api.services import Settings, Status
from engine.casework.errors import CaseworkFault
from engine.clock import wall_clock_ms
from engine.commands.city_files import use_categories
from engine.commands.counting import Counted, Figures, gauge
from engine.commands.run import told
from engine.runtime.config import Config, load, printed
from engine.runtime.errors import RuntimeFault
from engine.runtime.kafka.worker import Worker, WorkerStatus

AGAIN = 75
LEAVE_S = 45.0
_log = logging.getLogger("tongguan")


def worker(
    config: Annotated[Path | None, typer.Option(help="Settings; ./tongguan.toml if there is one.")] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Show the settings and leave.")] = False,
    broker: Annotated[str | None, typer.Option(help="Kafka: host:port, several with commas.")] = None,
    database: Annotated[str | None, typer.Option(help="postgresql+psycopg://user:password@host/name.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of this worker, its own; the machine's if not given.")] = None,
    group: Annotated[str | None, typer.Option(help="Workers of one group share the readings.")] = None,
    webhooks: Annotated[str | None, typer.Option(help="File of webhooks: TOML.")] = None,
    log_time: Annotated[str | None, typer.Option(help="commit, or record on a player's clock.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of metrics and health; 0: a free one.")] = None,
) -> None:
    """Work on a share of city.readings, and take turns at casework, commands, ticks and the relay.

    Example: tongguan worker --broker kafka:9092 --database postgresql+psycopg://tongguan@db/tongguan --name w1
    """
    flags = {key: value for key, value in locals().items() if key not in ("config", "print_config")}
    with told():
        settings = load(config, os.environ, flags)
        if print_config:
            typer.echo(printed(settings))
            return
        code = run(settings)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread that waits for a database that is away must not keep the process


def run(config: Config) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code.

    Raises ConfigFault, FilesRefused, OSError for a port taken.
    """
    log_to_stderr()
    use_categories(Path(config.categories) if config.categories else None, config.city)
    metrics = Metrics(CollectorRegistry())
    one = Worker(config, Counted(metrics))
    metrics.registry.register(WorkerGauges(one))
    side = Listener(
        health_app(metrics.registry, WorkerHealth(one), Settings(allowed_hosts=tuple(config.allowed_hosts))),
        bind(config.metrics_host, config.metrics_port),
    )
    side.start()
    typer.echo(f"统管 Tongguan: worker {one.name}, broker {config.broker} (metrics {side.url})")
    sys.stdout.flush()
    try:
        uvloop.run(_until_signalled(one))
    except (RuntimeFault, CaseworkFault) as fault:
        _log.critical("%s", fault)
        return fault.exit_code
    except Exception:  # noqa: BLE001 - the edge of the process: it is started again
        _log.critical("the worker died", exc_info=True)
        return AGAIN
    finally:
        side.stop()
    return 0


def log_to_stderr() -> None:
    """Log what we say; of the libraries, what is not said better by us."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for name, level in (("alembic", "WARNING"), ("aiokafka", "CRITICAL"), ("faust", "ERROR"), ("mode", "ERROR")):
        logging.getLogger(name).setLevel(level)
    for name in ("httpx", "uvicorn", "engine.runtime.kafka.app"):
        logging.getLogger(name).setLevel("WARNING")


async def _until_signalled(one: Worker) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        if not stopping.is_set():
            timer = threading.Timer(LEAVE_S, os._exit, (AGAIN,))  # what is not handed over by then is replayed
            timer.daemon = True
            timer.start()
        stopping.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)
    await one.run(stopping)


class WorkerHealth:
    """The worker in the words of the API."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def status(self) -> Status:
        """Return the present figures."""
        now = self._worker.status()
        if now is None:
            return Status(False, None, None, 0, 0.0, reasons=("正在启动 / starting",))
        waiting = sum(one.lag or 0 for one in now.partitions)
        reasons = (*now.refusals, *(f"等待应答 / waits: {text}" for text in now.away))
        return Status(now.ready, None, None, waiting, 0.0, reasons=reasons, faults=now.refusals)

    def alive(self) -> bool:
        """Return False when the worker's loop is stuck."""
        return self._worker.alive()


class WorkerGauges(Collector):
    """What a worker says of itself at the moment of the scrape."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def describe(self) -> list[Metric]:
        """Name nothing beforehand."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield nothing before the worker has started."""
        now = self._worker.status()
        if now is None:
            return
        yield from self._of_partitions(now)
        yield from self._of_turns(now)

    def _of_partitions(self, now: WorkerStatus) -> Iterator[Metric]:
        label = ("partition",)
        lag: Figures = {(str(one.partition),): one.lag for one in now.partitions if one.lag is not None}
        yield gauge("partition_lag_records", "Records not yet judged.", label, lag)
        wall = wall_clock_ms()
        behind: Figures = {}
        for one in now.partitions:
            if one.watermark_ms is not None and one.watermark_ms > 0:
                newest = one.log_time_ms if self._worker.config.log_time == "record" else wall
                behind[str(one.partition),] = max(0, (newest or wall) - one.watermark_ms) / 1000
        yield gauge("watermark_delay_seconds", "Newest log time less the watermark.", label, behind)
        ages: Figures = {(str(one.partition),): one.checkpoint_age_s for one in now.partitions}
        yield gauge("checkpoint_age_seconds", "Since the newest checkpoint.", label, ages)
        held: Figures = {(str(one.partition),): one.waiting_bytes for one in now.partitions}
        yield gauge("waiting_bytes", "Readings that wait for their order.", label, held)
        stopped: Figures = {
            (str(one.partition), str(one.refusal.reason) if one.refusal else ""): 1
            for one in now.partitions
            if one.refusal is not None
        }
        yield gauge("partition_refused", "Partitions that stand still.", ("partition", "reason"), stopped)
        clocks = [one.log_time_ms for one in now.partitions if one.log_time_ms and one.lag is not None and one.lag < 10]
        if clocks and self._worker.config.log_time == "commit":
            off: Figures = {(): (max(clocks) - wall) / 1000}
            yield gauge("clock_offset_seconds", "The log's clock less this machine's.", (), off)
        anew = CounterMetricFamily("tongguan_consumer_rebuilds_total", "Consumers that stood still and were made anew.")
        anew.add_metric((), now.rebuilt)
        yield anew

    def _of_turns(self, now: WorkerStatus) -> Iterator[Metric]:
        casework = now.casework
        turns: Figures = {("casework",): casework.owned, ("ticks",): now.ticking, ("relay",): now.relaying}
        yield gauge("turn", "What one worker does at a time, and this one does now.", ("what",), turns)
        if casework.owned:
            if casework.lag is not None:
                yield gauge("casework_lag_records", "Records of city.alerts not applied.", (), {(): casework.lag})
            yield gauge("casework_refused", "Casework stands still.", (), {(): bool(casework.refusal)})
        yield gauge("database_away", "Casework waits for the database.", (), {(): bool(casework.away)})
        done = CounterMetricFamily("tongguan_commands_total", "Commands of other systems.", labels=("outcome",))
        for outcome, n in now.commands.items():
            done.add_metric((outcome,), n)
        yield done
        waiting: Figures = {(name,): one.waiting for name, one in now.destinations.items()}
        yield gauge("destination_lag_messages", "Messages not told yet.", ("destination",), waiting)
        failed: Figures = {(name,): one.failed for name, one in now.destinations.items()}
        yield gauge("destination_failures", "Tries in a row that failed.", ("destination",), failed)
