"""Batches as bytes from a real broker: every codec, both writers, resumed, transactional, compacted, in a group."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition

from engine.runtime.errors import BrokerAway, LogTimeMissing, OffLog
from engine.runtime.kafka.fetching import BatchConsumer, begin_offsets, end_offsets
from engine.runtime.kafka.records import Keyed, RawFetch, decode, decode_keyed, pieces
from engine.runtime.kafka.topics import Wanted
from tests.parts.broker import Broker

pytestmark = pytest.mark.needs("kafka")

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
DEADLINE_S = 60


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, DEADLINE_S))


def topic(broker: Broker, partitions: int = 1, **settings: str) -> str:
    """Make a topic of its own; settings are those of Kafka with _ for the dots."""
    name = f"fetched-{uuid4().hex[:12]}"
    broker.make((Wanted(name, partitions, 1, {key.replace("_", "."): value for key, value in settings.items()}),))
    return name


async def write(broker: Broker, name: str, records: list[tuple[Any, ...]], *, a_batch: int = 100, **more: Any) -> None:
    """Write (key, value, headers, time) in batches of `a_batch`, by aiokafka."""
    settings = {"acks": "all", "max_batch_size": 4 << 20, "max_request_size": 8 << 20} | more
    async with broker.connection.opened(AIOKafkaProducer(bootstrap_servers=broker.bootstrap, **settings)) as producer:
        for first in range(0, len(records), a_batch):
            batch = producer.create_batch()
            for key, value, headers, time in records[first : first + a_batch]:
                assert batch.append(key=key, value=value, timestamp=time, headers=headers) is not None
            batch.close()
            await (await producer.send_batch(batch, name, partition=0))


async def fetched(broker: Broker, name: str, position: int = 0, **more: Any) -> list[RawFetch]:
    """Fetch from `position` of partition 0 to the end."""
    partition = TopicPartition(name, 0)
    consumer = BatchConsumer(broker.connection, **more)
    await consumer.start()
    try:
        consumer.assign([partition])
        consumer.seek(partition, position)
        end = (await consumer.ends([partition]))[partition]
        found: list[RawFetch] = []
        while position < end:
            for raw in await consumer.fetch(timeout_ms=1000):
                assert raw.position == position
                position = raw.next_position
                found.append(raw)
    finally:
        await consumer.stop()
    return found


async def as_aiokafka(broker: Broker, name: str, position: int = 0) -> list[tuple[Any, ...]]:
    """Return (offset, time, key, value) as aiokafka's own consumer reads them."""
    partition = TopicPartition(name, 0)
    async with broker.connection.opened(broker.connection.consumer()) as consumer:
        consumer.assign([partition])
        consumer.seek(partition, position)
        end = (await consumer.end_offsets([partition]))[partition]
        rows: list[tuple[Any, ...]] = []
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                rows += [(one.offset, one.timestamp, one.key, one.value) for one in records]
        return rows


def rows_of(found: list[RawFetch], read: Callable[[RawFetch], Keyed] = decode_keyed) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for raw in found:
        keyed = read(raw)
        assert keyed.batch.log_time is not None
        rows += [
            (int(keyed.batch.offset[j]), int(keyed.batch.log_time[j]), keyed.key(j), keyed.value(j))
            for j in range(len(keyed))
        ]
    return rows


@pytest.mark.parametrize("a_batch", [1, 10, 100, 5000])
@pytest.mark.parametrize("codec", CODECS)
def test_what_aiokafka_wrote_is_read_as_aiokafka_reads_it(broker: Broker, codec: str | None, a_batch: int) -> None:
    draw = random.Random(a_batch)
    count = 60 if a_batch == 1 else 3 * a_batch
    texts: list[bytes | None] = [
        None,
        b"",
        *(draw.randbytes(length) for length in (1, 63, 64, 190, 500_000 // a_batch)),
    ]
    records = [
        (draw.choice(texts), draw.choice(texts[:-1]), [("h", b"x"), ("", b"")] if j % 3 else [], 1_790_000_000_000 + j)
        for j in range(count)
    ]
    name = topic(broker, message_timestamp_type="CreateTime", max_message_bytes=str(8 << 20))
    run(write(broker, name, records, a_batch=a_batch, compression_type=codec))
    middle = count // 2 + 1
    for position in (0, middle, count - 1):
        found = rows_of(run(fetched(broker, name, position)))
        assert found == run(as_aiokafka(broker, name, position))
        assert [row[2:] for row in found] == [(key, value) for key, value, *_ in records[position:]]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_java_wrote_is_read_as_aiokafka_reads_it(broker: Broker, codec: str) -> None:
    name = topic(broker, message_timestamp_type="LogAppendTime")
    lines = [f"key{j}:" + f"reading {j} 读数 " * (j % 20) for j in range(500)]
    broker.tool(
        "org.apache.kafka.tools.ConsoleProducer",
        *("--bootstrap-server", broker.bootstrap, "--topic", name, "--compression-codec", codec),
        *("--property", "parse.key=true", "--property", "key.separator=:"),
        stdin="\n".join(lines) + "\n",
    )
    found = run(fetched(broker, name))
    assert rows_of(found) == run(as_aiokafka(broker, name))
    assert [f"{key.decode()}:{value.decode()}" for *_, key, value in rows_of(found)] == lines
    assert sum(len(decode(raw, appended=True)) for raw in found) == len(lines)


@pytest.mark.parametrize("codec", CODECS)
def test_records_of_a_mebibyte_come_whole_however_little_is_fetched(broker: Broker, codec: str | None) -> None:
    draw = random.Random(1)
    records = [(b"k", draw.randbytes(1 << 20), [], 1_790_000_000_000) for _ in range(4)]
    name = topic(broker, max_message_bytes=str(8 << 20))
    run(write(broker, name, records, a_batch=2, compression_type=codec))
    found = run(fetched(broker, name, max_partition_bytes=10_000))
    assert [value for *_, value in rows_of(found)] == [value for _, value, *_ in records]


def test_a_last_batch_that_is_cut_is_fetched_again(broker: Broker) -> None:
    records = [(None, bytes([j % 251]) * 900, [], 1_790_000_000_000) for j in range(400)]
    name = topic(broker)
    run(write(broker, name, records, a_batch=7))
    found = run(fetched(broker, name, max_partition_bytes=10_000))
    assert len(found) > 10
    assert any(raw.next_position < max(decode(raw).offset) + 8 for raw in found)
    assert [value for *_, value in rows_of(found)] == [value for _, value, *_ in records]


def test_of_transactions_only_what_was_committed_is_read(broker: Broker) -> None:
    name = topic(broker)

    async def work() -> None:
        producers = [
            AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=f"{name}-{j}") for j in range(2)
        ]
        plain = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
        for producer in (*producers, plain):
            await producer.start()
        first, second = producers
        for round_ in range(4):
            await first.begin_transaction()
            await second.begin_transaction()
            for j in range(5):
                await first.send_and_wait(name, b"first %d.%d" % (round_, j), partition=0)
                await second.send_and_wait(name, b"second %d.%d" % (round_, j), partition=0)
                await plain.send_and_wait(name, b"plain %d.%d" % (round_, j), partition=0)
            await (first.commit_transaction() if round_ % 2 else first.abort_transaction())
            await (second.abort_transaction() if round_ < 2 else second.commit_transaction())
        for producer in (*producers, plain):
            await producer.stop()
        reader, here = BatchConsumer(broker.connection), TopicPartition(name, 0)
        await reader.start()
        # the broker writes the mark of a transaction after it has answered; 60 records and 8 marks
        while (await reader.ends([here]))[here] < 68:
            pass
        await reader.stop()

    run(work())
    found = run(fetched(broker, name))
    expected = run(as_aiokafka(broker, name))
    assert rows_of(found) == expected
    assert len(expected) == 20 + 10 + 10
    for position in (0, 7, 16, 17, 30, 44, 60):
        small = rows_of(run(fetched(broker, name, position, max_partition_bytes=200)))
        assert small == [row for row in expected if row[0] >= position]
    assert max(raw.next_position for raw in found) == 4 * 17


def test_compacted_topics_are_read_with_their_holes_and_null_values(broker: Broker) -> None:
    name = topic(
        broker,
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms="1",
    )
    keys = [b"sensor %d" % j for j in range(5)]

    async def work() -> list[RawFetch]:
        position = 0
        for _ in range(DEADLINE_S):
            await write(broker, name, [(keys[j % 5], b"%d" % j * 100, [], None) for j in range(200)], a_batch=9)
            await write(broker, name, [(keys[0], None, [], None)])
            found = await fetched(broker, name)
            position = found[-1].next_position
            if sum(len(decode_keyed(raw)) for raw in found) < position:
                return found
            await asyncio.sleep(1)
        raise AssertionError("nothing was compacted")

    found = run(work())
    rows = rows_of(found)
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
    assert (keys[0], None) in [row[2:] for row in rows]
    assert sum(len(piece) for raw in found for piece, _ in pieces(raw, gapless=False)) == len(rows)


def test_time_is_the_logs_or_the_producers_as_the_topic_says(broker: Broker) -> None:
    records = [(None, b"x", [], 1_000_000 + j) for j in range(5)]
    created, appended = topic(broker), topic(broker, message_timestamp_type="LogAppendTime")
    for name in (created, appended):
        run(write(broker, name, records))
    assert [row[1] for row in rows_of(run(fetched(broker, created)))] == [time for *_, time in records]
    with pytest.raises(LogTimeMissing, match=f"{created}, partition 0, offset 0"):
        decode(run(fetched(broker, created))[0], appended=True)
    (raw,) = run(fetched(broker, appended))
    times = decode(raw, appended=True).log_time
    assert times is not None
    assert times.min() == times.max() > 1_700_000_000_000


def test_a_position_that_the_log_does_not_have_is_refused(broker: Broker) -> None:
    name = topic(broker)
    run(write(broker, name, [(None, b"x", [], None)] * 3))

    async def beyond() -> None:
        partition = TopicPartition(name, 0)
        consumer = BatchConsumer(broker.connection)
        await consumer.start()
        try:
            consumer.assign([partition])
            consumer.seek(partition, 9)
            while True:
                await consumer.fetch(timeout_ms=1000)
        finally:
            await consumer.stop()

    with pytest.raises(OffLog, match=f"{name}, partition 0: no offset 9"):
        run(beyond())
    where = TopicPartition(name, 0)
    assert run(end_offsets(broker.connection, [where])) == {where: 3}
    assert run(begin_offsets(broker.connection, [where])) == {where: 0}


class Seeking(ConsumerRebalanceListener):  # type: ignore[misc]
    """Begin each partition at 0, once it was asked for."""

    def __init__(self) -> None:
        self.assigned: list[set[TopicPartition]] = []
        self.consumer: BatchConsumer | None = None

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        del revoked

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        assert self.consumer is not None
        assert self.consumer.paused() == set(assigned)
        self.assigned.append(set(assigned))


async def until(true: Callable[[], bool], step: Callable[[], Awaitable[Any]]) -> None:
    while not true():
        await step()


def test_partitions_that_a_group_assigns_wait_for_their_position_whatever_was_committed(broker: Broker) -> None:
    name = topic(broker, 4)
    group = f"group-{name}"

    async def work() -> None:
        await write(broker, name, [(None, b"x", [], None)] * 3)
        seen = [Seeking(), Seeking()]
        consumers = [BatchConsumer(broker.connection, group=group, instance=f"w{j}") for j in range(2)]
        for one, listener in zip(consumers, seen, strict=True):
            listener.consumer = one
            one.subscribe([name], listener)
        first, second = consumers
        await first.start()
        await until(lambda: bool(seen[0].assigned), lambda: first.fetch(timeout_ms=50))
        assert len(first.assignment()) == 4
        await first.commit({TopicPartition(name, 0): 2})
        await second.start()
        both = lambda: asyncio.gather(*(one.fetch(timeout_ms=50) for one in consumers))  # noqa: E731
        await until(lambda: len(seen[0].assigned) > 1 and bool(seen[1].assigned), both)
        await until(lambda: {len(one.assignment()) for one in consumers} == {2}, both)
        assert first.assignment() < seen[0].assigned[0]
        assert not first.assignment() & second.assignment()
        owner = next(one for one in consumers if TopicPartition(name, 0) in one.assignment())
        assert await owner.fetch(timeout_ms=500) == []
        owner.seek(TopicPartition(name, 0), 1)
        owner.resume(TopicPartition(name, 0))
        found: list[RawFetch] = []
        while not found:
            found = await owner.fetch(timeout_ms=500)
        assert [row[0] for row in rows_of(found)] == [1, 2]
        for one in consumers:
            await one.stop()

    run(work())


def test_who_commits_all_the_time_does_not_keep_the_group_from_settling(broker: Broker) -> None:
    name = topic(broker, 2)
    group = f"group-{name}"

    async def work() -> None:
        seen = [Seeking(), Seeking()]
        consumers = [
            BatchConsumer(broker.connection, group=group, instance=f"w{j}", session_ms=6000, heartbeat_ms=500)
            for j in range(2)
        ]
        for one, listener in zip(consumers, seen, strict=True):
            listener.consumer = one
            one.subscribe([name], listener)
        first, second = consumers
        await first.start()
        done = 0

        async def commit() -> None:
            nonlocal done
            await first.fetch(timeout_ms=5)
            with suppress(BrokerAway):
                done += await first.commit(dict.fromkeys(first.assignment(), 0))

        joining = asyncio.create_task(second.start())
        await until(lambda: bool(seen[1].assigned), commit)
        done = 0
        await until(lambda: done >= 200, commit)
        assert len(seen[0].assigned) <= 2
        assert len(seen[1].assigned) == 1
        await joining
        for one in consumers:
            await one.stop()

    run(work())


def test_a_paused_partition_is_not_fetched_and_goes_on_where_it_was(broker: Broker) -> None:
    name = topic(broker, 2)

    async def work() -> None:
        await write(broker, name, [(None, b"%d" % j, [], None) for j in range(50)])
        here = TopicPartition(name, 0)
        consumer = BatchConsumer(broker.connection)
        await consumer.start()
        consumer.assign([here, TopicPartition(name, 1)])
        for partition in consumer.assignment():
            consumer.seek(partition, 0)
        consumer.pause(here)
        assert consumer.paused() == {here}
        assert await consumer.fetch(timeout_ms=500) == []
        consumer.resume(here)
        found: list[RawFetch] = []
        while not found:
            found = await consumer.fetch(timeout_ms=500)
        assert [row[0] for row in rows_of(found)] == list(range(50))
        await consumer.stop()

    run(work())
