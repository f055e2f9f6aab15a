"""What is measured: which readings in which batches, under which plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import measured, readings, town
from bench.p2.batches import Stream
from bench.p2.job import methane_town, one_rule
from bench.readings import CHUNK, SEED
from rules.plan import Plan


@dataclass(frozen=True, slots=True)
class Case:
    """Readings in a topic of their own, `<name>.city.readings`, and the plan that judges them."""

    name: str
    title: str
    stream: Stream
    plan: Plan

    @property
    def prefix(self) -> str:
        return f"{self.name}."


def peers_job(name: str, title: str, count: int, *, records: int = 1_000, lz4: bool = True) -> Case:
    """The peers' job."""
    plan = one_rule()
    whole = -(-count // CHUNK) * CHUNK  # so that fewer readings are the first of more
    stream = Stream(methane_town(SEED), whole, SEED, plan.digest, 0, records, lz4)
    return Case(name, title, stream, plan)


def shipped(name: str, count: int) -> Case:
    """The rules and readings of P1, with 20,000 grids."""
    made = readings.files(CHUNK, SEED)
    plan = measured.plan(made)
    return Case(name, "the 13 rules of P1, 20,000 grids", Stream(town.build(SEED), count, SEED, plan.digest), plan)


OTHERS: dict[str, Callable[[int], Case]] = {
    "10": lambda count: peers_job("10", "10 records a batch", count // 8, records=10),
    "100": lambda count: peers_job("100", "100 records a batch", count, records=100),
    "5000": lambda count: peers_job("5000", "5,000 records a batch", count, records=5_000),
    "plain": lambda count: peers_job("plain", "1,000 records a batch, uncompressed", count, lz4=False),
    "shipped": lambda count: shipped("shipped", count),
}
"""What only our own run on."""
