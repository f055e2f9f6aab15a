"""The peers' job in Bytewax, for `python -m bytewax.run flow:flow`: Kafka, decode, a stateful step by sensor, Kafka."""

import os
from copy import copy

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from levels import Reading, see

BROKERS = [os.environ["PEER_BROKER"]]
decode = msgspec.json.Decoder(Reading).decode
encode = msgspec.json.Encoder().encode


def decoded(messages):
    """Decode a batch, and key it by sensor."""
    readings = [decode(message.value) for message in messages]
    return [(reading.sensor, reading) for reading in readings if reading.sensor is not None]


class Levels(StatefulBatchLogic):
    """One sensor's levels; kept for good, since making it anew costs more than its few bytes."""

    __slots__ = ("state",)

    def __init__(self, state):
        self.state = state

    def on_batch(self, readings):
        changes = []
        for reading in readings:
            self.state, change = see(self.state, reading)
            if change is not None:
                changes.append(change)
        return changes, StatefulBatchLogic.RETAIN

    def snapshot(self):
        return copy(self.state)


flow = Dataflow("levels")
source = op.input(
    "readings",
    flow,
    KafkaSource(
        BROKERS,
        [os.environ["PEER_INPUT"]],
        batch_size=5_000,
        tail=True,
        add_config={"fetch.message.max.bytes": "4194304", "queued.max.messages.kbytes": "131072"},
    ),
)
keyed = op.flat_map_batch("decode", source, decoded)
changes = op.stateful_batch("levels", keyed, Levels)
messages = op.map("encode", changes, lambda item: KafkaSinkMessage(item[0].encode(), encode(item[1])))
op.output(
    "changes",
    messages,
    KafkaSink(BROKERS, os.environ["PEER_OUTPUT"], add_config={"linger.ms": "100", "compression.type": "lz4"}),
)
