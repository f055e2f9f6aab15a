"""The peers' job in Quix Streams: a stateful apply on the partition's RocksDB store, at least once, changelog on."""

import os

import msgspec
from levels import Reading, State, see
from quixstreams import Application
from quixstreams.models import Deserializer, Serializer


class ReadingDeserializer(Deserializer):
    def __init__(self):
        super().__init__()
        self._decode = msgspec.json.Decoder(Reading).decode

    def __call__(self, value, ctx):  # noqa: ARG002 - as the framework calls it
        return self._decode(value)


class ChangeSerializer(Serializer):
    def __init__(self):
        super().__init__()
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, value, ctx):  # noqa: ARG002 - as the framework calls it
        return self._encode(value)


def judge(reading, state):
    """Step one sensor; one with nothing going on keeps no state."""
    stored = state.get("levels")
    fresh, change = see(State(*stored) if stored else None, reading)
    if fresh is not None:
        listed = [fresh.level, fresh.yellow, fresh.orange, fresh.red, fresh.clear]
        if listed != stored:
            state.set("levels", listed)
    elif stored:
        state.delete("levels")
    return () if change is None else (change,)


app = Application(
    broker_address=os.environ["PEER_BROKER"],
    consumer_group=os.environ["PEER_GROUP"],
    auto_offset_reset="earliest",
    state_dir=os.environ["PEER_STATE"],
    consumer_extra_config={"fetch.message.max.bytes": 4 << 20, "queued.max.messages.kbytes": 131_072},
    producer_extra_config={"linger.ms": 100, "compression.type": "lz4"},
    loglevel="WARNING",
)
readings = app.topic(os.environ["PEER_INPUT"], key_deserializer="bytes", value_deserializer=ReadingDeserializer())
changes = app.topic(os.environ["PEER_OUTPUT"], key_serializer="bytes", value_serializer=ChangeSerializer())
stream = app.dataframe(readings)
stream = stream.filter(lambda reading: reading.sensor is not None)
stream = stream.apply(judge, stateful=True, expand=True)
stream.to_topic(changes)

if __name__ == "__main__":
    app.run()
