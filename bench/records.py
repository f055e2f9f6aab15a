"""How many readings a CPU-second take the way from the broker to columns: fetched, CRC checked, unpacked, found.

    python -m bench.records host:port [records]

Topics are made for the run (one partition; plain and lz4; 1, 10, 100, 1,000 and 5,000 records a batch) and stay.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import time
from uuid import uuid4

import uvloop
from aiokafka import AIOKafkaProducer, TopicPartition

from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.fetching import BatchConsumer
from engine.runtime.kafka.records import decode
from engine.runtime.kafka.topics import Wanted, make

VALUE_BYTES = 190
SIZES = (1, 10, 100, 1000, 5000)


def value(number: int) -> bytes:
    """Return a reading of 190 bytes, no two alike."""
    lon, lat = 116 + number % 9973 / 1e4, 39 + number % 9967 / 1e4
    text = (
        f'{{"sensor":"gas-{number % 20_000:06d}","kind":"gas.methane","t":{1_790_000_000_000 + number * 7},'
        f'"v":{number * 7919 % 10_007 / 100},"lon":{lon:.7f},"lat":{lat:.7f},'
        '"attrs":{"battery":"'
    )
    return (text + "x" * (VALUE_BYTES - len(text) - 3) + '"}}').encode()


async def fill(connection: Connection, topic: str, count: int, a_batch: int, codec: str | None) -> None:
    """Write `count` readings in batches of `a_batch`."""
    producer = AIOKafkaProducer(
        **connection.kwargs(), acks=1, compression_type=codec, max_batch_size=4 << 20, max_request_size=4 << 20
    )
    await producer.start()
    sent = []
    for first in range(0, count, a_batch):
        batch = producer.create_batch()
        for number in range(first, min(first + a_batch, count)):
            batch.append(key=b"gas-%06d" % (number % 20_000), value=value(number), timestamp=None)
        batch.close()
        sent.append(await producer.send_batch(batch, topic, partition=0))
    await asyncio.gather(*sent)
    await producer.stop()


async def read(connection: Connection, topic: str, count: int) -> tuple[float, float]:
    """Read all of it and return CPU and wall seconds of this process."""
    consumer = BatchConsumer(connection)
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek(partition, 0)
    seen = 0
    cpu, wall = time.process_time(), time.perf_counter()
    while seen < count:
        for raw in await consumer.fetch(timeout_ms=1000):
            seen += len(await asyncio.to_thread(decode, raw))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    await consumer.stop()
    return cpu, wall


async def main(bootstrap: str, count: int) -> None:
    """Fill and read each kind of topic, three rounds."""
    connection = Connection(bootstrap)
    mark = f"bytes{uuid4().hex[:8]}"
    topics = {}
    for codec in (None, "lz4"):
        for a_batch in SIZES:
            name = f"{mark}.{codec or 'plain'}.{a_batch}"
            topics[name] = count if a_batch >= 100 else count // 10
            await make(connection, [Wanted(name, 1, 1, {"max.message.bytes": str(8 << 20)})])
            await fill(connection, name, topics[name], a_batch, codec)
    print(f"{platform.machine()}, Python {platform.python_version()}; {VALUE_BYTES} bytes a value")
    print("M readings a CPU-second: median (least-most) of 3 rounds")
    rounds = [{name: await read(connection, name, size) for name, size in topics.items()} for _ in range(3)]
    for name, size in topics.items():
        cpu = sorted(size / one[name][0] / 1e6 for one in rounds)
        wall = sorted(size / one[name][1] / 1e6 for one in rounds)
        print(f"{name.partition('.')[2]:>12}: {cpu[1]:5.2f} ({cpu[0]:.2f}-{cpu[2]:.2f}), a wall second {wall[1]:5.2f}")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000))
