"""Detect without a log: files in, alert changes out. What `tongguan detect` and the benchmark call."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.detect.changes import Item, Mark, encode
from engine.detect.items import Items
from engine.detect.output import LateRow, RejectRow
from geo.errors import FileRefused
from geo.grids import GridSet
from geo.zones import ZoneSet, load_zones
from rules.civil import CITY_TZ
from rules.errors import Refused
from rules.kinds import Kinds, load_kinds
from rules.load import load_rules
from rules.plan import MAX_AGE_MS, Plan
from rules.registry import Registry
from rules.registry_file import load_registry


class FilesRefused(Exception):
    """Files without which no plan can be built; `faults` are lines that name each fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class PlanFiles:
    """The files and settings that make a plan; grids and zones that name no coordinate system are WGS-84 (RFC 7946)."""

    rules: Path
    registry: Path | None = None
    grids: Path | None = None
    zones: Path | None = None
    kinds: Path | None = None
    max_delay_ms: int = 0
    max_age_ms: int = MAX_AGE_MS
    tz: str = CITY_TZ


@dataclass(frozen=True, slots=True)
class Built:
    """A plan, and the faults of the rules that are left out of it."""

    plan: Plan
    rule_faults: tuple[str, ...]


def build_plan(files: PlanFiles) -> Built:
    """Load everything and build the plan. Raises FilesRefused, all faults named, for anything but a rule."""
    faults: list[str] = []
    kinds = _kinds(files, faults)
    registry = _registry(files, kinds, faults)
    grids, zones = _grids(files, faults), _zones(files, faults)
    if faults:
        raise FilesRefused(faults)
    loaded = load_rules(files.rules, kinds=kinds, zones=frozenset(zones), tz=files.tz)
    plan = Plan(
        loaded.rules,
        kinds,
        registry,
        grids,
        zones,
        files.tz,
        files.max_delay_ms,
        files.max_age_ms,
    )
    return Built(plan, tuple(str(fault) for fault in loaded.faults))


def _kinds(files: PlanFiles, faults: list[str]) -> Kinds:
    try:
        return load_kinds(files.kinds)
    except Refused as refusal:
        faults += [str(fault) for fault in refusal.faults]
        return load_kinds()


def _registry(files: PlanFiles, kinds: Kinds, faults: list[str]) -> Registry:
    if files.registry is None:
        return Registry()
    try:
        return load_registry(files.registry, kinds, files.tz)
    except Refused as refusal:
        faults += [str(fault) for fault in refusal.faults]
        return Registry()


def _grids(files: PlanFiles, faults: list[str]) -> GridSet | None:
    if files.grids is None:
        return None
    try:
        return GridSet.from_geojson(files.grids, assume="wgs84")
    except FileRefused as refusal:
        faults += [str(fault) for fault in refusal.faults]
        return None


def _zones(files: PlanFiles, faults: list[str]) -> dict[str, ZoneSet]:
    if files.zones is None:
        return {}
    try:
        return load_zones(files.zones, assume="wgs84")
    except FileRefused as refusal:
        faults += [str(fault) for fault in refusal.faults]
        return {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is printed beside the changes of enabled rules."""

    shadow: bool = False
    marks: bool = False

    def lines(self, items: Items) -> bytes:
        """Return items as NDJSON."""
        return b"".join(encode(item) + b"\n" for item in self.chosen(items))

    def chosen(self, items: Items) -> Iterator[Item]:
        for item in items if self.marks else items.changes:
            if isinstance(item, Mark) or self.shadow or not item.shadow:
                yield item


def late_line(row: LateRow | RejectRow) -> bytes:
    """Return a row of `--late` or `--rejects` as a JSON line: `raw` is the reading's own text, or `raw_base64`."""
    text: dict[str, object] = {"reason": str(row.reason), "line": row.offset, "index": row.index}
    try:
        text["raw"] = row.raw.decode("utf-8")
    except UnicodeDecodeError:
        text["raw_base64"] = base64.b64encode(row.raw).decode("ascii")
    return msgspec.json.encode(text) + b"\n"
