"""Reading `<name>.test.yaml`.

sensor, kind, place, start     defaults of the file or of a case: sensor S1, the rule's only kind, no place,
                               2026-06-01T08:00:00+08:00
zones: {SET: [[[lon, lat], …], …]}      zone sets to play in, each a list of rings
cases:
  - name: what must or must not happen, in a sentence
    registered: [S1]                    sensors that are in the registry
    readings:
      - {at: 0s, v: 12}                 also sensor, kind, place, attrs
      - {from: 1m, to: 5m, every: 1m, v: 12}        both ends included; v: [10, 30] goes evenly from 10 to 30
      - {at: 6m, tick: true}            the log's clock goes on, nobody speaks
    expect:                             all changes, in order; [] when nothing may happen
      - {at: 1m, change: raised, level: yellow}     also cause (reading), previous, sensor, kind, since, value
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geo.errors import GeoError
from geo.zones import ZoneSet
from rules import fields
from rules.document import FaultList, Node, read_text, read_yaml
from rules.faults import Fault
from rules.instants import instant_ms
from rules.model import LEVEL_WORDS, Rule
from rules.registry_file import SENSOR
from rules.trial_zones import read_zones
from rules.trials import Expected, Given, Scalar, Trial, Trials

START = "2026-06-01T08:00:00+08:00"
CHANGES = ("raised", "escalated", "downgraded", "cleared")
CAUSES = ("reading", "quiet", "absent", "schedule")
MAX_READINGS = 100_000
_DEFAULTS = ("sensor", "kind", "place", "start")

Place = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class _Defaults:
    sensor: str
    kind: str | None
    place: Place
    start_ms: int


def load_trials(path: Path, rule: Rule, tz: str) -> tuple[Trials | None, list[Fault]]:
    """Read the trials of a rule; None and every fault where the file cannot be used.

    A file must have a case in which the rule speaks and one in which it must not.
    """
    faults = FaultList(str(path))
    text = read_text(path, faults)
    document = None if text is None else read_yaml(text, faults)
    trials = None if document is None else _Reader(rule, tz, faults).whole(document)
    return (None if faults.faults else trials), faults.faults


class _Reader:
    def __init__(self, rule: Rule, tz: str, faults: FaultList) -> None:
        self.rule = rule
        self.tz = tz
        self.faults = faults

    def whole(self, document: Node) -> Trials | None:
        section = fields.Section.open(document, "", self.faults, (*_DEFAULTS, "zones", "cases"))
        if section is None:
            return None
        start = instant_ms(START, self.tz) or 0
        only = self.rule.reads[0] if len(self.rule.reads) == 1 else None
        defaults = self.defaults(section, _Defaults("S1", only, None, start))
        zones: Mapping[str, ZoneSet] = {}
        if (node := section.get("zones")) is not None:
            try:
                zones = read_zones(node, self.faults)
            except GeoError as error:
                self.faults.add(node, "zones", "must be polygons", str(error))
        cases = section.need("cases")
        if cases is None:
            return None
        if not cases.items:
            self.faults.add(cases, "cases", "must be a list of cases")
            return None
        trials = [self.case(node, f"cases[{number}].", defaults) for number, node in enumerate(cases.items)]
        if not self.faults.faults and len({bool(trial.expected) for trial in trials if trial is not None}) < 2:
            rule = "must have a case in which the rule speaks and one in which it must not"
            self.faults.add(cases, "cases", rule, f"{len(trials)} of one sort")
        return Trials(self.faults.file, tuple(trial for trial in trials if trial is not None), zones)

    def defaults(self, section: fields.Section, outer: _Defaults) -> _Defaults:
        faults = self.faults
        start = fields.text(section.get("start"), section.key("start"), faults)
        start_ms = None if start is None else instant_ms(start, self.tz)
        if start is not None and start_ms is None:
            faults.add(section.found["start"], section.key("start"), "must be RFC 3339 with an offset, or a date")
        return _Defaults(
            self.sensor(section) or outer.sensor,
            self.kind(section) or outer.kind,
            self.place(section) or outer.place,
            outer.start_ms if start_ms is None else start_ms,
        )

    def case(self, node: Node, prefix: str, outer: _Defaults) -> Trial | None:
        known = ("name", *_DEFAULTS, "registered", "readings", "expect")
        section = fields.Section.open(node, prefix, self.faults, known)
        if section is None:
            return None
        name = fields.text(section.need("name"), section.key("name"), self.faults)
        defaults = self.defaults(section, outer)
        given: list[Given] = []
        for number, item in enumerate(self.listed(section, "readings")):
            given += self.readings(item, section.key(f"readings[{number}]."), defaults)
        expected: list[Expected] = []
        levels: dict[tuple[str, str], str | None] = {}
        for number, item in enumerate(self.listed(section, "expect")):
            change = self.change(item, section.key(f"expect[{number}]."), defaults, levels)
            expected += [] if change is None else [change]
        given.sort(key=lambda each: each.at_ms)
        registered = self.registered(section, defaults)
        return Trial(name or "", node.line, defaults.start_ms, tuple(given), tuple(expected), registered)

    def readings(self, node: Node, prefix: str, outer: _Defaults) -> list[Given]:
        known = ("at", "from", "to", "every", "v", "tick", "sensor", "kind", "place", "attrs")
        section = fields.Section.open(node, prefix, self.faults, known)
        if section is None:
            return []
        times = self.times(section)
        if "tick" in section.found:
            return [Given(at, "", "tick") for at in times]
        kind = self.kind(section) or outer.kind
        if kind is None:
            self.faults.add(node, section.key("kind"), "is required where the rule reads several kinds", "nothing")
        attrs = self.attrs(section)
        values = self.values(section, len(times))
        sensor, place = self.sensor(section) or outer.sensor, self.place(section) or outer.place
        return [Given(at, sensor, kind or "", v, place, attrs) for at, v in zip(times, values, strict=False)]

    def times(self, section: fields.Section) -> list[int]:
        """Read `at`, or `from`, `to` and `every`."""
        faults, found = self.faults, section.found
        if "at" in found:
            for name in ("from", "to", "every"):
                if name in found:
                    faults.add(section.keys[name], section.key(name), "cannot stand beside at", "both")
            at = fields.duration(found["at"], section.key("at"), faults)
            return [] if at is None else [at]
        first = fields.duration(section.need("from"), section.key("from"), faults)
        last = fields.duration(section.need("to"), section.key("to"), faults)
        every = fields.duration(section.need("every"), section.key("every"), faults, least_ms=1)
        if first is None or last is None or every is None:
            return []
        if not first <= last or (last - first) // every > MAX_READINGS:
            faults.add(found["to"], section.key("to"), f"must be from `from` on, with at most {MAX_READINGS} readings")
            return []
        return list(range(first, last + 1, every))

    def values(self, section: fields.Section, count: int) -> list[float]:
        node = section.need("v")
        if node is None:
            return []
        if node.items is not None and len(node.items) == 2:
            ends = [fields.number(item, section.key("v"), self.faults) for item in node.items]
            first, last = ends[0] or 0.0, ends[1] or 0.0
            return [first + (last - first) * step / max(count - 1, 1) for step in range(count)]
        value = (
            float(node.value) if isinstance(node.value, bool) else fields.number(node, section.key("v"), self.faults)
        )
        return [value or 0.0] * count

    def change(
        self, node: Node, prefix: str, outer: _Defaults, levels: dict[tuple[str, str], str | None]
    ) -> Expected | None:
        known = ("at", "change", "level", "cause", "previous", "sensor", "kind", "since", "value")
        section = fields.Section.open(node, prefix, self.faults, known)
        if section is None:
            return None
        before = len(self.faults.faults)
        at = fields.duration(section.need("at"), section.key("at"), self.faults)
        change = fields.word(section.need("change"), section.key("change"), self.faults, CHANGES)
        cause = fields.word(section.get("cause"), section.key("cause"), self.faults, CAUSES) or "reading"
        level = self.level(section, "level", needed=change != "cleared")
        key = self.sensor(section) or outer.sensor, self.kind(section) or outer.kind or ""
        previous = self.level(section, "previous") if "previous" in section.found else levels.get(key)
        levels[key] = level
        since = fields.duration(section.get("since"), section.key("since"), self.faults)
        value = fields.number(section.get("value"), section.key("value"), self.faults)
        if len(self.faults.faults) > before or at is None or change is None:
            return None
        return Expected(at, *key, change, cause, level, previous, since, value)

    def level(self, section: fields.Section, name: str, *, needed: bool = False) -> str | None:
        node = section.need(name) if needed else section.get(name)
        if node is None or (node.scalar and node.value is None and not needed):
            return None
        return fields.word(node, section.key(name), self.faults, tuple(LEVEL_WORDS))

    def registered(self, section: fields.Section, outer: _Defaults) -> tuple[tuple[str, str, Place], ...]:
        nodes = self.listed(section, "registered") if "registered" in section.found else []
        rule = "must be a sensor's name"
        names = [fields.matching(node, section.key("registered"), self.faults, SENSOR, rule) for node in nodes]
        kinds = [outer.kind] if outer.kind is not None else self.rule.reads
        return tuple((name, kind, outer.place) for name in names if name for kind in kinds)

    def listed(self, section: fields.Section, name: str) -> list[Node]:
        node = section.need(name)
        if node is not None and node.items is None:
            self.faults.add(node, section.key(name), "must be a list")
        return (node.items if node is not None else None) or []

    def sensor(self, section: fields.Section) -> str | None:
        rule = "must be 1 to 64 of A-Z a-z 0-9 . _ : -"
        return fields.matching(section.get("sensor"), section.key("sensor"), self.faults, SENSOR, rule)

    def kind(self, section: fields.Section) -> str | None:
        return fields.word(section.get("kind"), section.key("kind"), self.faults, self.rule.reads)

    def place(self, section: fields.Section) -> Place:
        node = section.get("place")
        if node is None:
            return None
        key = section.key("place")
        if node.items is None or len(node.items) != 2:
            self.faults.add(node, key, "must be [lon, lat]")
            return None
        lon, lat = (fields.number(item, key, self.faults) for item in node.items)
        return None if lon is None or lat is None else (lon, lat)

    def attrs(self, section: fields.Section) -> tuple[tuple[str, Scalar], ...]:
        node = section.get("attrs")
        body = None if node is None else fields.Section.open(node, section.key("attrs."), self.faults, None)
        if body is None:
            return ()
        return tuple((name, value.value) for name, value in body.items() if value.scalar)
