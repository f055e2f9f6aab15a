"""The baseline: aiokafka's record batches, msgspec, a dict. Nothing is kept for a restart; no group, no checkpoint."""

import os

import aiokafka.consumer.fetcher as fetcher
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from levels import Reading, State, see


class Batches(fetcher.PartitionRecords):
    """Values of a record batch as one list, without a ConsumerRecord each."""

    def _unpack_records(self):
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise ValueError("damaged batch")
            values = [record.value for record in batch if record.offset >= self.next_fetch_offset]
            self.next_fetch_offset = batch.next_offset
            yield values


async def main() -> None:
    fetcher.PartitionRecords = Batches
    broker, source, target = (os.environ[name] for name in ("PEER_BROKER", "PEER_INPUT", "PEER_OUTPUT"))
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=None, max_partition_fetch_bytes=4 << 20)
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=100, compression_type="lz4")
    await consumer.start()
    await producer.start()
    partitions = [TopicPartition(source, number) for number in range(4)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    decode = msgspec.json.Decoder(Reading).decode
    encode = msgspec.json.Encoder().encode
    states: dict[str, State] = {}
    while True:
        for batches in (await consumer.getmany(timeout_ms=1_000, max_records=20)).values():
            for values in batches:
                for value in values:
                    reading = decode(value)
                    sensor = reading.sensor
                    if sensor is None:
                        continue
                    before = states.get(sensor)
                    state, change = see(before, reading)
                    if state is not before:
                        if state is None:
                            del states[sensor]
                        else:
                            states[sensor] = state
                    if change is not None:
                        await producer.send(target, encode(change), key=sensor.encode())


uvloop.run(main())
