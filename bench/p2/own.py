"""Our own contender: the telemetry service as a worker composes it, alone in its process. `python -m bench.p2.own`

Casework, commands and the relay, which a worker runs beside it on whoever's turn it is, begin behind city.alerts.
Settings are those of a worker, from TONGGUAN_*.
"""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop
from prometheus_client import CollectorRegistry

from engine.api.metrics import Metrics
from engine.casework.store import Store
from engine.commands.counting import Counted
from engine.commands.worker import log_to_stderr
from engine.runtime.config import Config, duration_ms, load, size_bytes
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.means import Limits
from engine.runtime.kafka.plans import DatabasePlans
from engine.runtime.kafka.telemetry import Telemetry
from engine.runtime.kafka.topics import Topics


async def judge(config: Config) -> None:
    """Judge until SIGTERM, or until telemetry gives up."""
    store = Store.connect(config.database)
    telemetry = Telemetry(
        Connection.from_config(config),
        Topics(config.topic_prefix),
        store,
        DatabasePlans(store),
        Counted(Metrics(CollectorRegistry())),
        name=config.name,
        group=config.group,
        limits=Limits(
            checkpoint_s=duration_ms(config.checkpoint_every) / 1000,
            waiting_bytes=size_bytes(config.waiting_size),
            player=config.log_time == "record",
        ),
        session_ms=duration_ms(config.session_timeout),
    )
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await telemetry.start()
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait((stopped, telemetry.failed), return_when=asyncio.FIRST_COMPLETED)
    if telemetry.failed.done():
        telemetry.failed.result()
    await telemetry.stop()
    store.close()


if __name__ == "__main__":
    log_to_stderr()
    uvloop.run(judge(load(None, os.environ, {})))
