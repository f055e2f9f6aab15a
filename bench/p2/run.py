"""One run of one contender: started, sampled while it works, ended; then read from what it wrote."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.p2 import topics
from bench.p2.batches import PARTITIONS, Stream
from bench.p2.processes import Tree, cpu_s
from bench.p2.topics import Told
from bench.readings import BEGIN_MS, MINUTE_MS
from bench.town import SENSORS
from rules.partition import home_partition

SAMPLE_S = 0.25
FIRST_OUTPUT_S = 120.0
"""After so long without a first change a contender is given up."""
STILL_S = 20.0
"""Without a further change for so long it has come to the end of the topic, or to its own."""
WARM_FROM = 0.2


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU seconds used by the contender's processes, and by a database beside it, at one moment."""

    at_s: float
    cpu_s: float
    beside_s: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Readings per CPU-second and per second, over a part of a run."""

    readings: int
    cpu_s: float
    wall_s: float
    beside_s: float

    @property
    def per_cpu_s(self) -> float:
        return self.readings / self.cpu_s if self.cpu_s else 0.0

    @property
    def per_s(self) -> float:
        return self.readings / self.wall_s if self.wall_s else 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to. `fault` says why it does not count."""

    whole: Rates
    warm: Rates
    changes: int
    fault: str | None


async def watch(tree: Tree, broker: str, output: str, seconds: float, beside: set[int]) -> list[Sample]:
    """Sample until `seconds` after the first change, or until nothing more comes."""
    samples = [Sample(time.time(), 0.0, cpu_s(beside))]
    began = first = last = samples[0].at_s
    before = 0
    async with topics.end_of(broker, output) as end:
        while tree.ended() is None:
            await asyncio.sleep(SAMPLE_S)
            now, count = time.time(), await end()
            samples.append(Sample(now, tree.cpu_s(), cpu_s(beside)))
            if count > before:
                first = now if not before else first
                last, before = now, count
            if not before and now - began > FIRST_OUTPUT_S:
                break
            if before and (now - first > seconds or now - last > STILL_S):
                break
    return samples


class Progress:
    """How many readings had been judged when, by the latest change of each partition."""

    def __init__(self, changes: list[Told], stream: Stream) -> None:
        """Take the changes as the output topic has them. A sensor speaks once a minute, so that `t` says how far."""
        home = {sensor: home_partition(sensor, PARTITIONS) for sensor in stream.town.ids}
        share = np.bincount(list(home.values())) / SENSORS
        upto = [0.0] * PARTITIONS
        self.at_ms: list[int] = []
        self.judged: list[float] = []
        for told in changes:
            partition = home[told.said.sensor]
            number = min((told.said.t - BEGIN_MS) * SENSORS / MINUTE_MS, stream.readings)
            if number > upto[partition]:
                upto[partition] = number
            self.at_ms.append(max(told.at_ms, self.at_ms[-1] if self.at_ms else 0))
            self.judged.append(float(np.dot(upto, share)))
        self.upto_t = [BEGIN_MS + number * MINUTE_MS / SENSORS for number in upto]


def rates(samples: list[Sample], progress: Progress) -> tuple[Rates, Rates]:
    """Return the rates of the whole run, from its start, and of its part after the first 20 % of the readings."""
    end_s, judged = progress.at_ms[-1] / 1000, progress.judged[-1]
    warm = bisect_left(progress.judged, WARM_FROM * judged)
    warm_s = progress.at_ms[warm] / 1000
    start = samples[0]
    ended, warmed = _at(samples, end_s), _at(samples, warm_s)
    return (
        _between(start, ended, judged),
        _between(warmed, ended, judged - progress.judged[warm]),
    )


def _between(first: Sample, last: Sample, readings: float) -> Rates:
    return Rates(round(readings), last.cpu_s - first.cpu_s, last.at_s - first.at_s, last.beside_s - first.beside_s)


def _at(samples: list[Sample], at_s: float) -> Sample:
    """Return what had been used at a moment, between two samples in proportion."""
    for one, two in pairwise(samples):
        if two.at_s >= at_s:
            part = max(0.0, (at_s - one.at_s) / (two.at_s - one.at_s))
            return Sample(
                at_s, one.cpu_s + part * (two.cpu_s - one.cpu_s), one.beside_s + part * (two.beside_s - one.beside_s)
            )
    return samples[-1]
