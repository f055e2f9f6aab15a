"""The log and who reads it: do checkpoints and log meet, how far behind are the workers, and what time is it there."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from engine.clock import wall_clock_ms
from engine.runtime.doctor.database import CLOCKS_APART_MS, CLOCKS_TOO_FAR_MS, Head
from engine.runtime.doctor.finding import Finding, fail, ok, warn
from engine.runtime.errors import RuntimeFault
from engine.runtime.gaps import command
from engine.runtime.kafka.asking import Asked
from engine.runtime.kafka.client import Connection
from engine.runtime.kafka.fetching import begin_offsets, end_offsets
from engine.runtime.kafka.refusals import DATABASE
from engine.runtime.kafka.topics import Found
from engine.runtime.log import Stream

OLD_MS = 120_000
"""Of a checkpoint with records behind it; the alert of the same name waits as long."""
SHOWN = 8


async def look_at_log(
    connection: Connection, readings: Found, heads: Mapping[int, Head], *, player: bool
) -> list[Finding]:
    """Hold the checkpoints of the database against the log."""
    places = [TopicPartition(readings.name, one) for one in range(readings.partitions)]
    try:
        begins = await begin_offsets(connection, places)
        ends = await end_offsets(connection, places)
        last = 0 if player else await Asked(connection, readings.name).last_log_time()
    except RuntimeFault as fault:
        return [fail("log", str(fault), "start the brokers that have its partitions")]
    now = wall_clock_ms()
    bounds = {place.partition: (begins[place], ends[place]) for place in places}
    findings = _meet(bounds, heads)
    if last > now + CLOCKS_APART_MS:
        said = f"the broker's clock is {(last - now) / 1000:.1f} s ahead of this machine's"
        judged = fail if last > now + CLOCKS_TOO_FAR_MS else warn
        findings.append(judged("clock", said, "timedatectl set-ntp true    # here and there"))
    return [*findings, _read(bounds, heads, now)]


def _meet(bounds: Mapping[int, tuple[int, int]], heads: Mapping[int, Head]) -> list[Finding]:
    """Look whether each checkpoint stands in the log."""
    findings = []
    for partition, head in sorted(heads.items()):
        if partition not in bounds:
            continue
        first, end = bounds[partition]
        if first <= head.position <= end:
            continue
        lost = f"begins at {first}" if head.position < first else f"ends at {end}: recreated, or of another time"
        said = f"city.readings/{partition}: the checkpoint stands at {head.position}, the log {lost}"
        findings.append(
            fail("checkpoints", said, command(Stream.READINGS, partition, head.position, first - 1, DATABASE))
        )
    return findings


def _read(bounds: Mapping[int, tuple[int, int]], heads: Mapping[int, Head], now: int) -> Finding:
    """Look whether somebody reads what there is."""
    lags = {one: end - (heads[one].position if one in heads else first) for one, (first, end) in bounds.items()}
    ages = {one: now - heads[one].written_t if one in heads else None for one in bounds}
    stuck = [one for one, age in ages.items() if lags[one] > 0 and (age is None or age > OLD_MS)]
    said = f"{sum(lags.values())} records behind the checkpoints"
    if not stuck:
        oldest = max((age for age in ages.values() if age is not None), default=0)
        return ok("lag", f"{said}, the oldest of which is {oldest / 1000:.0f} s old" if heads else said)
    names = ", ".join(map(str, stuck[:SHOWN])) + (", …" if len(stuck) > SHOWN else "")
    known = [age for one in stuck if (age := ages[one]) is not None]
    since = f"for {max(known) / 1000:.0f} s" if known else "yet"
    return fail(
        "lag", f"{said}; nobody has kept a checkpoint of partitions {names} {since}", "tongguan worker --name NAME"
    )
