"""Streams as lists: readings in, changes out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.detect.batch import RecordBatch
from engine.detect.changes import encode
from engine.detect.detector import Detector
from engine.detect.output import Output
from geo.grids import GridSet
from geo.polygons import Polygons
from geo.zones import ZoneSet
from rules.kinds import Kinds, load_kinds
from rules.load import load_rules
from rules.plan import Plan
from rules.registry import Registry, Row

S, M, H, D = 1_000, 60_000, 3_600_000, 86_400_000
Item = dict[str, Any]

PONDING = """
id: flood.ponding
version: 3
title: 积水
source: test
reads: water.level
"""


def square(west: int, south: int, side: int) -> list[tuple[int, int]]:
    """A ring of a square in 1e-7 degrees."""
    return [(west, south), (west + side, south), (west + side, south + side), (west, south + side)]


def polygons(rings: Iterable[list[tuple[int, int]]]) -> Polygons:
    return Polygons.build([[[ring]] for ring in rings])


def plan_of(
    *rules: str,
    registry: Iterable[Row] = (),
    max_delay: int = 0,
    max_age: int = 7 * D,
    grids: Mapping[str, list[tuple[int, int]]] | None = None,
    zones: Mapping[str, list[tuple[int, int]]] | None = None,
    kinds: Kinds | None = None,
) -> Plan:
    """Build a plan from the text of rules, through the real loader."""
    sets = {name: ZoneSet(name, polygons([ring])) for name, ring in (zones or {}).items()}
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(rules):
            (Path(folder) / f"rule{number}.yaml").write_text(text, encoding="utf-8")
        loaded = load_rules(Path(folder), kinds=kinds or load_kinds(), zones=frozenset(sets))
    assert not loaded.faults, [str(fault) for fault in loaded.faults]
    grid_set = None if grids is None else GridSet(sorted(grids), polygons(grids[code] for code in sorted(grids)))
    return Plan(loaded.rules, kinds, Registry(registry), grid_set, sets, max_delay_ms=max_delay, max_age_ms=max_age)


def reading(t: int, v: float | bool, sensor: str = "s1", kind: str = "water.level", **more: Any) -> Item:
    return {"sensor": sensor, "kind": kind, "t": t, "v": v, **more}


def tick(t: int, **more: Any) -> Item:
    return {"kind": "tick", "t": t, **more}


@dataclass
class Heard:
    """What came out, as plain values."""

    items: list[Item] = field(default_factory=list)
    late: list[tuple[str, int, int]] = field(default_factory=list)
    rejects: list[tuple[str, int, int]] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)

    def take(self, output: Output) -> None:
        self.items += [json.loads(encode(item)) for item in output.items]
        self.late += [(row.reason, row.offset, row.index) for row in output.late]
        self.rejects += [(str(row.reason), row.offset, row.index) for row in output.rejects]
        self.outputs.append(output)

    @property
    def changes(self) -> list[Item]:
        return [item for item in self.items if "change" in item]

    @property
    def brief(self) -> list[tuple[Any, ...]]:
        """(change, level or None, t) of each change, with its cause if not a reading; ("mark", t), ("still", t)."""
        return [_brief(item) for item in self.items]


def _brief(item: Item) -> tuple[Any, ...]:
    if "mark" in item:
        return ("mark", item["mark"])
    if "still" in item:
        return ("still", item["t"])
    short = (item["change"], item["level"], item["t"])
    return short if item["cause"] == "reading" else (*short, item["cause"])


def text_of(record: Item | Sequence[Item] | str) -> bytes:
    return record.encode() if isinstance(record, str) else json.dumps(record).encode()


def batch_of(records: Sequence[Any], first: int = 1, log_times: Sequence[int] | None = None) -> RecordBatch:
    return RecordBatch.from_records([text_of(r) for r in records], first_offset=first, log_times=log_times)


def offline(plan: Plan, records: Sequence[Any], *, marks: bool = False, finish: bool = True) -> Heard:
    """Run detect over a file: a record is a reading, a list of readings (a frame), a tick, or text."""
    heard = Heard()
    detector = Detector(offline_plan=plan, marks=marks)
    heard.take(detector.step(batch_of(records)))
    if finish:
        heard.take(detector.finish())
    return heard


def live(plans: Sequence[Plan], log: Sequence[tuple[int, Any]], *, marks: bool = False) -> Heard:
    """Run detect over a log of (log time, record); a `Plan` as record is its plan record, at its log time."""
    heard = Heard()
    detector = Detector({plan.digest: plan for plan in plans}, marks=marks)
    records = [{"kind": "plan", "digest": r.digest, "t": t} if isinstance(r, Plan) else r for t, r in log]
    heard.take(detector.step(batch_of(records, log_times=[t for t, _ in log])))
    return heard
