"""What is measured: which readings in which batches, under which plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import readings, town
from bench.p2.batches import Stream
from bench.p2.job import methane_town, one_rule
from bench.readings import CHUNK, SEED
from engine.detect.offline import PlanFiles, build_plan
from rules.plan import Plan

SHIPPED = Path("rules/library")
MAX_DELAY_MS = 2_000


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
    """The shipped rules with 20,000 grids, on the readings of P1."""
    made = readings.files(CHUNK, SEED)
    built = build_plan(PlanFiles(SHIPPED, made.registry, made.grids, made.zones, max_delay_ms=MAX_DELAY_MS))
    if built.rule_faults:
        raise SystemExit("\n".join(built.rule_faults))
    stream = Stream(town.build(SEED), count, SEED, built.plan.digest)
    return Case(name, "the 13 shipped rules, 20,000 grids", stream, built.plan)


OTHERS: dict[str, Callable[[int], Case]] = {
    "10": lambda count: peers_job("10", "10 records a batch", count // 8, records=10),
    "100": lambda count: peers_job("100", "100 records a batch", count, records=100),
    "5000": lambda count: peers_job("5000", "5,000 records a batch", count, records=5_000),
    "plain": lambda count: peers_job("plain", "1,000 records a batch, uncompressed", count, lz4=False),
    "shipped": lambda count: shipped("shipped", count),
}
"""What only our own run on."""
