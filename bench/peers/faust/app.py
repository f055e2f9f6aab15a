"""The peers' job in Faust: one agent, its state in a table. `faust -A app worker --without-web`."""

import os

import faust
import msgspec
from levels import Reading, State, see

app = faust.App(
    os.environ["PEER_GROUP"],
    broker=f"kafka://{os.environ['PEER_BROKER']}",
    datadir=os.environ["PEER_STATE"],
    topic_replication_factor=1,
    topic_partitions=4,
    consumer_auto_offset_reset="earliest",
    producer_compression_type="lz4",
    producer_linger=0.1,
    web_enabled=False,
)
readings = app.topic(os.environ["PEER_INPUT"], value_type=bytes, value_serializer="raw")
changes = app.topic(os.environ["PEER_OUTPUT"], value_type=bytes, value_serializer="raw")
states = app.Table("levels", schema=faust.Schema(key_type=str, value_type=bytes, value_serializer="raw"), partitions=4)

decode = msgspec.json.Decoder(Reading).decode
encode = msgspec.json.Encoder().encode


@app.agent(readings)
async def judge(stream):
    async for value in stream:
        reading = decode(value)
        sensor = reading.sensor
        if sensor is None:
            continue
        stored = states.get(sensor)
        state, change = see(msgspec.msgpack.decode(stored, type=State) if stored else None, reading)
        if state is not None:
            fresh = msgspec.msgpack.encode(state)
            if fresh != stored:
                states[sensor] = fresh
        elif stored:
            del states[sensor]
        if change is not None:
            await changes.send(key=sensor.encode(), value=encode(change))
