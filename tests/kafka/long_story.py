"""A long story of one town for the tests of a distributed system: readings in the order of their log times, on the
player's clock, late by up to `max_delay`, and what `tongguan detect` says of them.

The same numbers give the same bytes. Values wander across the levels of the rules, sensors fall silent and come back.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from aiokafka.errors import KafkaError

from engine.runtime.kafka.client import Connection
from rules.load import LIBRARY
from rules.partition import home_partition

BEGIN_MS = 1_767_225_600_000
LON, LAT, SIDE = 120.80, 29.60, 0.001
KINDS = (
    # kind, low, high, step: a walk between low and high
    ("gas.methane", 0.0, 60.0, 4.0),
    ("gas.pressure", 1.4, 2.6, 0.15),
    ("drain.level", 40.0, 130.0, 8.0),
    ("fire.smoke", 0.0, 18.0, 1.5),
    ("fire.residual_current", 50.0, 700.0, 60.0),
    ("waste.fill", 40.0, 120.0, 4.0),
)
RULES = (
    *("gas/methane_leak.yaml", "gas/methane_rise.yaml", "gas/pressure_drop.yaml", "gas/sensor_silent.yaml"),
    *("fire/smoke.yaml", "fire/residual_current.yaml", "waste/bin_full.yaml", "flood/drain_surcharge.yaml"),
)
BATCH_RECORDS = 500
FURTHER_MS = 7_200_000
"""How far the last ticks are behind the last reading, so that every timer in between fires."""


@dataclass(frozen=True)
class LongStory:
    """`sensors` speak every `period_ms`, `rounds` times; ticks come every `tick_ms`."""

    sensors: int
    rounds: int
    partitions: int
    seed: int = 1
    period_ms: int = 5_000
    tick_ms: int = 5_000
    max_delay_ms: int = 8_000

    @property
    def names(self) -> list[tuple[str, str]]:
        """Return sensor and kind by number."""
        return [(f"S-{n:05d}", KINDS[n % len(KINDS)][0]) for n in range(self.sensors)]

    @property
    def end_ms(self) -> int:
        """Return when the last reading may come in."""
        return BEGIN_MS + self.rounds * self.period_ms + self.max_delay_ms

    # ---- the plan

    def write_plan(self, folder: Path) -> list[str]:
        """Write rules, registry and grids; return the flags that name them."""
        for name in RULES:
            target = folder / "rules" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((LIBRARY / name).read_bytes())
        rows = ["sensor,kind,lon,lat,crs,department,site"]
        for number, (sensor, kind) in enumerate(self.names):
            lon, lat = LON + SIDE * (number % 20 + 0.5), LAT + SIDE * (number // 20 % 20 + 0.5)
            rows.append(f"{sensor},{kind},{lon:.6f},{lat:.6f},wgs84,ops,{sensor}号点位")
        (folder / "sensors.csv").write_text("\n".join(rows) + "\n", "utf-8")
        (folder / "grids.geojson").write_bytes(orjson.dumps(_grids()))
        seconds = self.max_delay_ms // 1000
        return [
            *("--rules", str(folder / "rules"), "--registry", str(folder / "sensors.csv")),
            *("--grids", str(folder / "grids.geojson"), "--max-delay", f"{seconds}s"),
        ]

    # ---- the log

    def seconds(self) -> Iterator[tuple[int, list[tuple[int, int, bytes, bytes]]]]:
        """Yield (log time of the tick at its end, records): each is (log time, number of the sensor, key, value).

        Records are in the order of their log times.
        """
        random = np.random.default_rng(self.seed)
        names = [(sensor.encode(), kind.encode()) for sensor, kind in self.names]
        bounds = np.array([KINDS[n % len(KINDS)][1:] for n in range(self.sensors)])
        value = random.uniform(bounds[:, 0], bounds[:, 1])
        silent_until = np.zeros(self.sensors, np.int64)
        waiting: list[tuple[int, int, bytes, bytes]] = []
        for round_ in range(self.rounds):
            begin = BEGIN_MS + round_ * self.period_ms
            value = value + random.normal(0, bounds[:, 2])
            value = np.where(value < bounds[:, 0], 2 * bounds[:, 0] - value, value)
            value = np.clip(np.where(value > bounds[:, 1], 2 * bounds[:, 1] - value, value), bounds[:, 0], bounds[:, 1])
            falls = (random.random(self.sensors) < 0.0002) & (round_ > 0)
            silent_until = np.where(falls, begin + random.integers(60_000, 3_600_000, self.sensors), silent_until)
            t = begin + random.integers(0, self.period_ms, self.sensors)
            log_time = t + random.integers(0, self.max_delay_ms + 1, self.sensors)
            for n in np.flatnonzero(silent_until <= begin).tolist():
                sensor, kind = names[n]
                said = b'{"sensor":"%s","kind":"%s","t":%d,"v":%.2f,"attrs":{"battery":%d}}' % (
                    *(sensor, kind), t[n], value[n], round_ % 100,
                )  # fmt: skip
                waiting.append((int(log_time[n]), n, sensor, said))
            upto = begin + self.period_ms
            waiting.sort()
            due = [record for record in waiting if record[0] <= upto]
            waiting = waiting[len(due) :]
            yield upto, due
        yield self.end_ms, waiting

    def last_ticks(self) -> list[int]:
        """Return the log times of ticks behind the last reading."""
        return [self.end_ms + step for step in range(60_000, FURTHER_MS + 1, 60_000)]

    def write_lines(self, path: Path) -> int:
        """Write the story for `tongguan detect`; return how many readings it has."""
        number = 0
        with path.open("wb") as file:
            for tick, records in self.seconds():
                number += len(records)
                file.writelines(value[:-1] + b',"log_t":%d}\n' % log_time for log_time, _, _, value in records)
                file.write(_tick(tick))
            for tick in self.last_ticks():
                file.write(_tick(tick))
        return number

    def expected(self, folder: Path, flags: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return what `tongguan detect` says, by sensor; `flags` as `write_plan` gave them."""
        story = folder / "story.ndjson"
        if not story.exists():
            self.write_lines(story)
        command = [sys.executable, "-m", "engine.cli", "detect", *flags, str(story)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return by_sensor(done.stdout.splitlines())

    async def tell(
        self,
        connection: Connection,
        topic: str,
        *,
        rate: float | None = None,
        told: asyncio.Event | None = None,
    ) -> int:
        """Write the story to Kafka, each partition in order, at most `rate` readings a second; return how many.

        A batch whose answer did not come is written again before the next one: its readings are then duplicates.
        """
        homes = [home_partition(sensor, self.partitions) for sensor, _ in self.names]
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        async with connection.opened(connection.producer(linger_ms=0)) as producer:
            for tick, records in self.seconds():
                parts: list[list[tuple[int, bytes | None, bytes]]] = [[] for _ in range(self.partitions)]
                for log_time, n, key, value in records:
                    parts[homes[n]].append((log_time, key, value))
                for part in parts:
                    part.append((tick, None, _tick(tick, logged=False)))
                await asyncio.gather(*(_send(producer, topic, p, part) for p, part in enumerate(parts)))
                number += len(records)
                if rate is not None and number / rate > loop.time() - began:
                    await asyncio.sleep(number / rate - (loop.time() - began))
                if told is not None:
                    told.set()
            for tick in self.last_ticks():
                last = [(tick, None, _tick(tick, logged=False))]
                await asyncio.gather(*(_send(producer, topic, p, last) for p in range(self.partitions)))
        return number


async def _send(producer: Any, topic: str, partition: int, records: Sequence[tuple[int, bytes | None, bytes]]) -> None:
    for first in range(0, len(records), BATCH_RECORDS):
        while True:
            batch = producer.create_batch()
            for log_time, key, value in records[first : first + BATCH_RECORDS]:
                assert batch.append(key=key, value=value, timestamp=log_time) is not None
            try:
                await (await producer.send_batch(batch, topic, partition=partition))
                break
            except KafkaError:
                await asyncio.sleep(0.2)


def _tick(t_ms: int, *, logged: bool = True) -> bytes:
    said = {"kind": "tick", "t": t_ms}
    return orjson.dumps(said | {"log_t": t_ms}) + b"\n" if logged else orjson.dumps(said)


def _grids() -> dict[str, Any]:
    features = []
    for number in range(400):
        west, south = LON + SIDE * (number % 20), LAT + SIDE * (number // 20)
        ring = [[west, south], [west + SIDE, south], [west + SIDE, south + SIDE], [west, south + SIDE], [west, south]]
        code = f"330683{1 + number // 100:03d}{1 + number // 20 % 5:03d}{1 + number % 20:03d}"
        geometry = {"type": "Polygon", "coordinates": [[[round(x, 7), round(y, 7)] for x, y in ring]]}
        features.append({"type": "Feature", "properties": {"code": code}, "geometry": geometry})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    return {"type": "FeatureCollection", "crs": crs, "features": features}


# ---- what was said, compared


def by_sensor(lines: Sequence[bytes]) -> dict[str, list[dict[str, Any]]]:
    """Return the changes of each sensor in the order in which they stand, without what may differ."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        change = orjson.loads(line)
        if "change" in change:
            del change["evidence"], change["plan"]
            found[change["sensor"]].append(change)
    return dict(found)


def without_repeats(lines: Sequence[bytes]) -> tuple[list[bytes], list[str]]:
    """Return the records of city.alerts without changes said again, and the ids that were said in different words."""
    seen: dict[str, bytes] = {}
    kept, contradicted = [], []
    for line in lines:
        change = orjson.loads(line)
        if "change" not in change:
            continue
        if change["id"] not in seen:
            seen[change["id"]] = line
            kept.append(line)
        elif seen[change["id"]] != line:
            contradicted.append(change["id"])
    return kept, contradicted


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a log of alerts: ids, none if it is right."""

    lost: list[str]
    unwanted: list[str]
    wrong: list[str]
    misordered: list[str]
    contradicted: list[str]

    @property
    def faults(self) -> dict[str, int]:
        """Return how many of each, of those that there are."""
        named = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        return {name: number for name, number in named.items() if number}


def judged(expected: dict[str, list[dict[str, Any]]], lines: Sequence[bytes]) -> Verdict:
    """Compare the records of city.alerts with what should have been said of each sensor, in order."""
    kept, contradicted = without_repeats(lines)
    found = by_sensor(kept)
    lost, unwanted, wrong, misordered = [], [], [], []
    for sensor in sorted({*expected, *found}):
        should, said = expected.get(sensor, []), found.get(sensor, [])
        wanted, got = {c["id"]: c for c in should}, {c["id"]: c for c in said}
        lost += [name for name in wanted if name not in got]
        unwanted += [name for name in got if name not in wanted]
        wrong += [name for name in wanted if name in got and wanted[name] != got[name]]
        order = [name for name in got if name in wanted]
        if order != [name for name in wanted if name in got]:
            misordered.append(sensor)
    return Verdict(lost, unwanted, wrong, misordered, contradicted)
