"""What engine/runtime/kafka/fetching.py and packing.py touch of aiokafka is still as it was read.

Where one of these fails after an update of aiokafka: read the piece named against those files, run tests/kafka, and
only then write down its new digest here.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, client, conn
from aiokafka.consumer import consumer, fetcher, group_coordinator, subscription_state
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.producer import message_accumulator

READ = {
    "Fetcher._proc_fetch_request": (fetcher.Fetcher._proc_fetch_request, "59bf948fff47"),
    "Fetcher.fetched_records": (fetcher.Fetcher.fetched_records, "be4348896b9b"),
    "FetchResult": (fetcher.FetchResult, "d7db13f06de8"),
    "PartitionRecords.__init__": (fetcher.PartitionRecords.__init__, "8ec1c2ae6ea1"),
    "PartitionRecords._unpack_records": (fetcher.PartitionRecords._unpack_records, "b803e6d46480"),
    "PartitionRecords._consume_aborted_up_to": (fetcher.PartitionRecords._consume_aborted_up_to, "56876530cd64"),
    "AIOKafkaConnection.connect": (conn.AIOKafkaConnection.connect, "b0f9ba7f0cf6"),
    "AIOKafkaConnection._read": (conn.AIOKafkaConnection._read, "7b892995c0b8"),
    "AIOKafkaConnection._handle_frame": (conn.AIOKafkaConnection._handle_frame, "46a7d9b8cf7c"),
    "create_conn": (conn.create_conn, "673276cbddb4"),
    "AIOKafkaClient.bootstrap": (client.AIOKafkaClient.bootstrap, "198943b004e5"),
    "AIOKafkaClient._get_conn": (client.AIOKafkaClient._get_conn, "68ce5d839171"),
    "AIOKafkaConsumer.__init__": (AIOKafkaConsumer.__init__, "01506f316191"),
    "AIOKafkaConsumer.start": (AIOKafkaConsumer.start, "2f1ba7044332"),
    "AIOKafkaConsumer.getmany": (AIOKafkaConsumer.getmany, "bc6d248e42a4"),
    "GroupCoordinator._on_join_complete": (group_coordinator.GroupCoordinator._on_join_complete, "0b0b3d204b40"),
    "TopicPartitionState.seek": (subscription_state.TopicPartitionState.seek, "c20b56d7ba7b"),
    "BatchBuilder": (message_accumulator.BatchBuilder, "8050802ca751"),
    "MessageBatch": (message_accumulator.MessageBatch, "36a7b1dac89d"),
    "StickyPartitionAssignor": (StickyPartitionAssignor, "c1e57411c9e1"),
}
"""What was read, and the first digits of the SHA-256 of its source."""


def digest(piece: Any) -> str:
    return hashlib.sha256(inspect.getsource(piece).encode()).hexdigest()[:12]


@pytest.mark.parametrize("name", READ)
def test_the_pieces_that_we_rely_on_are_those_that_were_read(name: str) -> None:
    piece, read = READ[name]
    assert digest(piece) == read, f"aiokafka changed {name}; the head of this file says what to do"


def test_the_names_that_we_put_others_in_place_of_are_looked_up_in_their_module() -> None:
    used = fetcher.Fetcher._proc_fetch_request.__code__.co_names
    assert {"MemoryRecords", "PartitionRecords"} <= set(used)
    assert "Fetcher" in AIOKafkaConsumer.start.__code__.co_names
    assert consumer.Fetcher is fetcher.Fetcher
    assert "AIOKafkaClient" in AIOKafkaConsumer.__init__.__code__.co_names
    assert "AIOKafkaConnection" in conn.create_conn.__code__.co_names
    assert {"StreamReader", "StreamWriter", "AIOKafkaProtocol"} <= set(names_of(conn.AIOKafkaConnection.connect))
    assert {"io", "BytesIO"} <= set(conn.AIOKafkaConnection._handle_frame.__code__.co_names)
    for maker in (client.AIOKafkaClient.bootstrap, client.AIOKafkaClient._get_conn):
        assert "create_conn" in maker.__code__.co_names
    for piece in (fetcher.Fetcher._proc_fetch_request, AIOKafkaConsumer.start, AIOKafkaConsumer.__init__):
        assert piece.__closure__ is None


def names_of(piece: Any) -> Iterator[str]:
    """Yield the names that a function looks up, within its own functions too."""
    yield from piece.__code__.co_names
    for inner in piece.__code__.co_consts:
        yield from getattr(inner, "co_names", ())


def test_other_consumers_of_the_process_are_as_the_library_made_them() -> None:
    import engine.runtime.kafka.fetching as ours

    assert fetcher.PartitionRecords is not ours.Undivided
    assert fetcher.MemoryRecords is not ours.Whole
    assert consumer.Fetcher is not ours._Fetcher
    assert consumer.AIOKafkaClient is not ours._Client
    assert conn.AIOKafkaConnection is not ours._Connection
