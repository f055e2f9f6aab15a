"""Record batches as bytes from aiokafka: the one place that knows its insides (0.14), and what a guard test watches.

aiokafka's fetcher makes, of each partition in a response, a `PartitionRecords` over `MemoryRecords`, both looked up
among the names of its module. Here the same methods run among names of ours, where these two keep the bytes whole, and
where a connection reads into memory that is not copied again. The library itself is left as it is for the other clients
of the process. All else is aiokafka's: group membership, one
response a partition at most waiting, pausing, the position of each partition.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka import client as client_module
from aiokafka import conn as conn_module
from aiokafka import errors as kafka_errors
from aiokafka.consumer import fetcher as fetcher_module
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from engine.runtime.errors import BrokerRefused, OffLog
from engine.runtime.kafka.arriving import Arriving, View
from engine.runtime.kafka.client import Connection, consuming
from engine.runtime.kafka.records import RawFetch, position_behind

Partition: TypeAlias = TopicPartition

SESSION_MS: Final = 10_000
HEARTBEAT_MS: Final = 3_000
REBALANCE_MS: Final = 30_000
POLL_MS: Final = 300_000


MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
KEPT_BYTES: Final = 256 << 20


@cache
def keep_buffers() -> None:
    """Let the C library keep what fetches free: given back and taken again it costs more than all of decoding."""
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_THRESHOLD, KEPT_BYTES // 2)
        mallopt(TRIM_THRESHOLD, KEPT_BYTES)


class Whole:
    """In the place of `MemoryRecords`: what a response has for one partition, as it is."""

    def __init__(self, data: bytes | memoryview | None) -> None:
        self.data = b"" if data is None else data

    def has_next(self) -> bool:
        return len(self.data) > 0

    def size_in_bytes(self) -> int:
        return len(self.data)


class Undivided:
    """In the place of `PartitionRecords`: one item, all the batches, and the position behind them."""

    def __init__(
        self,
        tp: Any,
        records: Whole,
        aborted_transactions: Any,
        fetch_offset: int,
        key_deserializer: Any,
        value_deserializer: Any,
        check_crcs: bool,
        isolation_level: int,
    ) -> None:
        del key_deserializer, value_deserializer, check_crcs, isolation_level
        self.next_fetch_offset = fetch_offset
        aborted = tuple((int(producer), int(first)) for producer, first in aborted_transactions or ())
        behind = max(fetch_offset, position_behind(records.data, fetch_offset))
        self._raw: RawFetch | None = RawFetch(tp.topic, tp.partition, fetch_offset, records.data, aborted, behind)

    def __iter__(self) -> Iterator[RawFetch]:
        return self

    def __next__(self) -> RawFetch:
        raw, self._raw = self._raw, None
        if raw is None:
            raise StopIteration
        self.next_fetch_offset = raw.next_position
        return raw


def _among(function: Any, names: Mapping[str, Any]) -> Any:
    """Return the same function, looking up the names of its module among those first."""
    within = {**function.__globals__, **names}
    twin = FunctionType(function.__code__, within, function.__name__, function.__defaults__, function.__closure__)
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


class _Fetcher(fetcher_module.Fetcher):  # type: ignore[misc]
    _proc_fetch_request = _among(
        fetcher_module.Fetcher._proc_fetch_request, {"MemoryRecords": Whole, "PartitionRecords": Undivided}
    )


class _Connection(conn_module.AIOKafkaConnection):  # type: ignore[misc]
    connect = _among(
        conn_module.AIOKafkaConnection.connect,
        {
            "asyncio": SimpleNamespace(
                StreamReader=lambda limit, loop: Arriving(),  # noqa: ARG005
                StreamWriter=lambda transport, protocol, reader, loop: asyncio.StreamWriter(  # noqa: ARG005
                    transport, protocol, None, loop
                ),
            ),
            "AIOKafkaProtocol": lambda closed, reader, loop: reader.until(closed),  # noqa: ARG005
        },
    )
    _handle_frame = _among(conn_module.AIOKafkaConnection._handle_frame, {"io": SimpleNamespace(BytesIO=View)})


_connecting = {"create_conn": _among(conn_module.create_conn, {"AIOKafkaConnection": _Connection})}


class _Client(client_module.AIOKafkaClient):  # type: ignore[misc]
    bootstrap = _among(client_module.AIOKafkaClient.bootstrap, _connecting)
    _get_conn = _among(client_module.AIOKafkaClient._get_conn, _connecting)


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    __init__ = _among(AIOKafkaConsumer.__init__, {"AIOKafkaClient": _Client})
    start = _among(AIOKafkaConsumer.start, {"Fetcher": _Fetcher})


class _Held(ConsumerRebalanceListener):  # type: ignore[misc]
    """Stop new partitions where they stand, before anything of them is fetched from where the group was."""

    def __init__(self, consumer: Any, listener: Any) -> None:
        self._consumer = consumer
        self._listener = listener
        self.joining = False

    async def on_partitions_revoked(self, revoked: Iterable[Partition]) -> None:
        self.joining = True
        if self._listener is not None:
            await _done(self._listener.on_partitions_revoked(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[Partition]) -> None:
        for partition in assigned:
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)
        self.joining = False
        if self._listener is not None:
            await _done(self._listener.on_partitions_assigned(assigned))


class BatchConsumer:
    """A consumer whose records stay in their batches. All of it belongs to one event loop.

    Partitions that a group assigns come paused and without a position of ours: seek, then resume.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        group: str | None = None,
        instance: str | None = None,
        client_id: str = "tongguan",
        max_partition_bytes: int = 4 << 20,
        fetch_bytes: int = 32 << 20,
        isolation: str = "read_committed",
        session_ms: int = SESSION_MS,
        heartbeat_ms: int = HEARTBEAT_MS,
        rebalance_ms: int = REBALANCE_MS,
    ) -> None:
        keep_buffers()
        self.connection = connection
        self._held: _Held | None = None
        self._consumer = _Consumer(
            **connection.common(client_id),
            **consuming(isolation)
            | {"check_crcs": False, "fetch_max_bytes": fetch_bytes, "max_partition_fetch_bytes": max_partition_bytes},
            group_id=group,
            group_instance_id=instance,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=heartbeat_ms,
            rebalance_timeout_ms=rebalance_ms,
            max_poll_interval_ms=POLL_MS,
            # its memory of who had what stands in the class
            partition_assignment_strategy=(type("Sticky", (StickyPartitionAssignor,), {}),),
            max_poll_records=None,
        )

    async def start(self) -> None:
        """Connect; a subscription made before is joined. BrokerAway, BrokerRefused."""
        try:
            await self._consumer.start()
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise await self.connection.why(error) from error

    async def stop(self) -> None:
        """Leave the group (but for a static member) and disconnect."""
        await self._consumer.stop()

    def subscribe(self, topics: Iterable[str], listener: Any = None) -> None:
        """Ask the group for a share of the partitions; `listener` is a ConsumerRebalanceListener."""
        self._held = _Held(self._consumer, listener)
        self._consumer.subscribe(topics=list(topics), listener=self._held)

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Take these partitions, without a group."""
        self._consumer.assign(list(partitions))

    def assignment(self) -> set[Partition]:
        """Return the partitions that are ours."""
        return set(self._consumer.assignment())

    def seek(self, partition: Partition, position: int) -> None:
        """Read on from `position`; what was fetched before is dropped."""
        self._consumer.seek(partition, position)

    def pause(self, *partitions: Partition) -> None:
        """Fetch no more of these partitions; what was fetched is dropped at the next `fetch`."""
        self._consumer.pause(*partitions)

    def resume(self, *partitions: Partition) -> None:
        """Fetch these partitions again."""
        self._consumer.resume(*partitions)

    def paused(self) -> set[Partition]:
        """Return the partitions that are not fetched."""
        return set(self._consumer.paused())

    async def fetch(
        self, *partitions: Partition, timeout_ms: int = 200, most_partitions: int | None = None
    ) -> list[RawFetch]:
        """Return what was fetched, at most once a partition; nothing when the time is up.

        OffLog: the log does not have the position that was asked for. BrokerAway, BrokerRefused.
        """
        try:
            found = await self._consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=most_partitions)
        except kafka_errors.OffsetOutOfRangeError as error:
            raise OffLog({(tp.topic, tp.partition): at for tp, at in error.args[0].items()}) from error
        except kafka_errors.NoOffsetForPartitionError as error:
            raise OffLog({(tp.topic, tp.partition): -1 for tp in error.args}) from error
        except (kafka_errors.KafkaError, OSError) as error:
            raise self.connection.fault(error) from error
        return [raw for fetched in found.values() for raw in fetched]

    async def commit(self, positions: Mapping[Partition, int]) -> bool:
        """Tell the group the next offsets to read, for lag tools; ours is the checkpoint's.

        While the group shares out anew nothing is told, and False returned: it would wait behind the joining, be
        refused as of a past generation, and aiokafka (0.14) would then join once more, without end.
        """
        if self._held is not None and self._held.joining:
            return False
        try:
            await self._consumer.commit(dict(positions))
        except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
            raise self.connection.fault(error) from error
        return True

    async def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the offset that the next record (committed, where that is asked for) of each partition will have."""
        return await _offsets(self.connection, self._consumer.end_offsets, partitions)

    async def begins(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the first offset that each partition keeps."""
        return await _offsets(self.connection, self._consumer.beginning_offsets, partitions)


async def _done(answer: Any) -> None:
    if asyncio.iscoroutine(answer):
        await answer


async def end_offsets(connection: Connection, partitions: Iterable[Partition]) -> dict[Partition, int]:
    """Return the ends of partitions as seen on a connection of its own: what a watchdog believes."""
    return await _asked(connection, list(partitions), "end_offsets")


async def begin_offsets(connection: Connection, partitions: Iterable[Partition]) -> dict[Partition, int]:
    """Return the first offset that each partition keeps, on a connection of its own."""
    return await _asked(connection, list(partitions), "beginning_offsets")


async def _asked(connection: Connection, partitions: list[Partition], what: str) -> dict[Partition, int]:
    async with connection.opened(connection.consumer(client_id="tongguan-ends")) as consumer:
        # of a topic that is not there the library would ask until its time is up
        strange = {partition.topic for partition in partitions} - await consumer.topics()
        if strange:
            raise BrokerRefused(
                f"broker {connection.bootstrap}: no topic {', '.join(sorted(strange))}, or no right to see it "
                "(authorization); `tongguan topics create` makes topics"
            )
        return await _offsets(connection, getattr(consumer, what), partitions)


async def _offsets(connection: Connection, ask: Any, partitions: Iterable[Partition]) -> dict[Partition, int]:
    try:
        return dict(await ask(list(partitions)))
    except (TimeoutError, kafka_errors.KafkaError, OSError) as error:
        raise connection.fault(error) from error
