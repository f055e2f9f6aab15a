"""Making topics while the controller has not heard of the brokers for a moment."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import errors as kafka_errors

from engine.runtime.errors import BrokerRefused
from engine.runtime.kafka.topics import Wanted, _make

TOO_FEW = kafka_errors.InvalidReplicationFactorError.errno
FENCED = "Unable to replicate the partition 1 time(s): All brokers are currently fenced."
FEW = "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached"


class Cluster:
    """What Kafka's admin client answers, in turn; then that all is made."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    async def create_topics(self, new: list[Any]) -> SimpleNamespace:
        self.asked.append([topic.name for topic in new])
        refused = self.answers.pop(0) if self.answers else {}
        rows = [
            {"topic": t.name, "error_code": TOO_FEW if t.name in refused else 0, "error_message": refused.get(t.name)}
            for t in new
        ]
        return SimpleNamespace(to_object=lambda: {"topic_errors": rows})


def make(cluster: Cluster) -> tuple[str, ...]:
    return asyncio.run(_make(cluster, [Wanted("a", 1, 1, {}), Wanted("b", 1, 1, {})]))


def test_a_topic_refused_because_brokers_are_fenced_is_asked_for_again_alone() -> None:
    cluster = Cluster({"b": FENCED}, {"b": FENCED})
    assert make(cluster) == ("a", "b")
    assert cluster.asked == [["a", "b"], ["b"], ["b"]]


def test_with_too_few_brokers_nothing_is_tried_again() -> None:
    cluster = Cluster({"b": FEW})
    with pytest.raises(BrokerRefused, match=r"cannot be reached.*--single-node"):
        make(cluster)
    assert len(cluster.asked) == 1
