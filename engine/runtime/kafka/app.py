"""The Faust app that carries the agents, with everything of Faust that is not to be relied on left out.

Faust 0.15.3 with aiokafka 0.14, and what is done about it here:

- Its web server, leader topic, tables, producer and data folder are not started; topics are never made by it.
- Its consumer reads uncommitted records and has a way of its own to name credentials: the client is made by
  `Connection`, as all others are.
- It drops records below the largest offset read, so that a seek backwards loses them when records are under way: it is
  made to forget what it read. Every record comes to the agent, and the cursor in the database decides.
- It keeps a list of what was acknowledged, which grows for ever behind a hole: nothing is acknowledged to it. The
  group's offsets are for lag tools and are committed by the agents.
- It ends itself when a commit fails, as with a broker that restarts: a failed commit is only logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faust.app.base import App as FaustApp
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from yarl import URL

from engine.runtime.kafka.client import Connection

BUFFERED = 1_024
FETCHED = 1_000
NEVER_S = 1e9
_log = logging.getLogger(__name__)


class _Forgetful(dict[Any, Any]):
    """Offsets read, by partition: never any."""

    def __missing__(self, _partition: Any) -> None:
        return None

    def __setitem__(self, _partition: Any, _offset: Any) -> None: ...

    def update(self, *_offsets: Any, **_more: Any) -> None: ...


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        made: Any = transport.make_consumer()
        return made

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        consumer = self._ensure_consumer()
        ours = {TopicPartition(tp.topic, tp.partition): at for tp, at in offsets.items()}
        try:
            await consumer.commit({tp: at for tp, at in ours.items() if tp in consumer.assignment()})
        except (kafka_errors.KafkaError, OSError) as error:
            _log.debug("offsets for lag tools are not committed now: %s", error)
            return False
        return True


class _Consumer(driver.Consumer):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._read_offset = _Forgetful()

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _Transport(driver.Transport):
    Consumer = _Consumer
    make_consumer: Any


class _Boot(BootStrategy):
    enable_web = False
    enable_kafka_producer = False


class App(FaustApp):
    """An app that starts its consumer and its agents, and nothing else."""

    BootStrategy = _Boot

    def _create_directories(self) -> None: ...


def make_app(connection: Connection, group: str, *, session_ms: int) -> App:
    """Return an app in a group; a worker that is silent for `session_ms` loses its partitions to another one."""
    app = App(
        group,
        broker=[URL(f"kafka://{server}") for server in connection.servers],
        loop=asyncio.get_running_loop(),
        autodiscover=False,
        web_enabled=False,
        store="memory://",
        processing_guarantee="at_least_once",
        topic_disable_leader=True,
        topic_allow_declare=False,
        reply_create_topic=False,
        key_serializer="raw",
        value_serializer="raw",
        stream_buffer_maxsize=BUFFERED,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        stream_processing_timeout=NEVER_S,
        broker_commit_interval=5.0,
        broker_commit_livelock_soft_timeout=NEVER_S,
        table_standby_replicas=0,
        worker_redirect_stdouts=False,
    )
    transport = _Transport(app.conf.broker, app, loop=app.loop)
    transport.make_consumer = lambda: connection.consumer(
        client_id="tongguan-agents",
        group_id=group,
        auto_offset_reset="earliest",  # of a group without offsets; the database's cursor decides afterwards
        partition_assignment_strategy=[RoundRobinPartitionAssignor],
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=max(100, session_ms // 5),
        rebalance_timeout_ms=session_ms,
        max_poll_interval_ms=(1 << 31) - 1,  # a database away is no reason to leave; the watchdog looks
        max_poll_records=FETCHED,
    )
    app.transport = app.producer_transport = transport
    return app
