"""The plan: all that shapes a decision beside the log, named by the SHA-256 of its canonical form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from geo.errors import GeoError
from geo.grids import GridSet
from geo.zones import ZoneSet
from rules.canonical import kind_data, row_data, row_of, rule_data
from rules.civil import CITY_TZ
from rules.document import FaultList, from_data
from rules.errors import PlanUnreadable
from rules.faults import listing
from rules.kinds import Kind, Kinds, load_kinds
from rules.model import Rule
from rules.registry import Registry
from rules.rule_file import Surroundings, read_rule

SEMANTICS = 1
"""Version of what the words of a plan mean; a change of it is a change of every plan."""

MAX_AGE_MS = 7 * 86_400_000
_MAGIC = b"tongguan plan 1\n"


class Plan:
    """An immutable plan; equal plans have equal digests.

    rules: ascending by id. zones: by name. calendars: files by name, bytes as they are. tz: of the city.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        kinds: Kinds | None = None,
        registry: Registry | None = None,
        grids: GridSet | None = None,
        zones: Mapping[str, ZoneSet] | None = None,
        tz: str = CITY_TZ,
        max_delay_ms: int = 0,
        max_age_ms: int = MAX_AGE_MS,
        calendars: Mapping[str, bytes] | None = None,
    ) -> None:
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.id))
        self.kinds = kinds if kinds is not None else load_kinds()
        self.registry = registry if registry is not None else Registry()
        self.grids = grids
        self.zones: dict[str, ZoneSet] = dict(sorted((zones or {}).items()))
        self.tz = tz
        self.max_delay_ms = max_delay_ms
        self.max_age_ms = max_age_ms
        self.calendars: dict[str, bytes] = dict(sorted((calendars or {}).items()))
        self._by_id = {rule.id: rule for rule in self.rules}
        if len(self._by_id) != len(self.rules):
            raise ValueError("two rules of a plan have one id")
        self._canonical = _pack(self._sections())
        self.digest = hashlib.sha256(self._canonical).hexdigest()
        self._rule_digests: dict[str, str] = {}

    @property
    def short(self) -> str:
        """The first 12 hex digits of the digest, as changes carry it."""
        return self.digest[:12]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Plan({self.short}, {len(self.rules)} rules, {len(self.registry)} registry rows)"

    @property
    def detect_rules(self) -> tuple[Rule, ...]:
        """The rules that detect runs: enabled or shadow, no correlations."""
        return tuple(r for r in self.rules if r.correlate is None and r.enabled.value != "false")

    def rule(self, rule_id: str) -> Rule | None:
        return self._by_id.get(rule_id)

    def canonical(self) -> bytes:
        """Return the bytes that are stored under the digest; equal plans give equal bytes."""
        return self._canonical

    @classmethod
    def from_canonical(cls, data: bytes) -> Plan:
        """Build the plan of `canonical` again, with the same digest.

        Raises PlanUnreadable for other bytes, other semantics, and a plan that this release reads otherwise.
        """
        sections = _unpack(data)
        try:
            plan = _plan_of(sections)
        except (KeyError, ValueError, TypeError, IndexError, GeoError) as error:
            raise PlanUnreadable(f"a stored plan cannot be read: {error!r}") from error
        if plan.canonical() != data:
            raise PlanUnreadable(f"a stored plan reads as another one, {plan.short}")
        return plan

    def rule_digest(self, rule_id: str) -> str:
        """Return the SHA-256 of a rule and of what it reads; a rule whose digest did not change keeps its state.

        It reads its kinds, its zones, place and `since` of the registry rows of its kinds, and the city's time zone if
        it asks for the hour. KeyError: no such rule.
        """
        if rule_id not in self._rule_digests:
            self._rule_digests[rule_id] = self._digest_of(self._by_id[rule_id])
        return self._rule_digests[rule_id]

    def _digest_of(self, rule: Rule) -> str:
        reads = frozenset(rule.reads)
        facts = {
            "semantics": SEMANTICS,
            "rule": rule_data(rule),
            "kinds": [kind_data(kind) for kind in self.kinds if kind.name in reads],
            "zones": {name: hashlib.sha256(self.zones[name].canonical()).hexdigest() for name in sorted(rule.zones)},
            "rows": [[r.sensor, r.kind, r.lon_e7, r.lat_e7, r.since_ms] for r in self.registry.rows if r.kind in reads],
            "tz": self.tz if any(expression.clock for expression in rule.expressions) else None,
        }
        return hashlib.sha256(_json(facts)).hexdigest()

    def _sections(self) -> dict[str, bytes]:
        settings = {
            "semantics": SEMANTICS,
            "tz": self.tz,
            "max_delay_ms": self.max_delay_ms,
            "max_age_ms": self.max_age_ms,
        }
        sections = {
            "settings": _json(settings),
            "kinds": _json([kind_data(kind) for kind in self.kinds]),
            "rules": _json([rule_data(rule) for rule in self.rules]),
            "registry": _json([row_data(row) for row in self.registry.rows]),
        }
        if self.grids is not None:
            sections["grids"] = self.grids.canonical()
        sections |= {f"zones/{name}": zones.canonical() for name, zones in self.zones.items()}
        return sections | {f"calendars/{name}": data for name, data in self.calendars.items()}


def _plan_of(sections: dict[str, bytes]) -> Plan:
    settings = orjson.loads(sections["settings"])
    if settings["semantics"] != SEMANTICS:
        raise PlanUnreadable(f"a stored plan is of semantics {settings['semantics']}, this release of {SEMANTICS}")
    kinds = Kinds(
        Kind(k["name"], k["unit"], float(k["range"][0]), float(k["range"][1]), k["title"])
        for k in orjson.loads(sections["kinds"])
    )
    zones = {name: ZoneSet.from_canonical(data) for name, data in _folder(sections, "zones/")}
    grids = GridSet.from_canonical(sections["grids"]) if "grids" in sections else None
    around = Surroundings(kinds, frozenset(zones), settings["tz"])
    return Plan(
        [_rule_of(data, around) for data in orjson.loads(sections["rules"])],
        kinds,
        Registry(row_of(row) for row in orjson.loads(sections["registry"])),
        grids,
        zones,
        settings["tz"],
        settings["max_delay_ms"],
        settings["max_age_ms"],
        dict(_folder(sections, "calendars/")),
    )


def _rule_of(data: dict[str, Any], around: Surroundings) -> Rule:
    faults = FaultList("plan")
    rule = read_rule(from_data(data), "", around, faults)
    if rule is None:
        raise PlanUnreadable(f"a rule of a stored plan cannot be read:\n{listing(faults.faults)}")
    return rule


def _folder(sections: dict[str, bytes], prefix: str) -> list[tuple[str, bytes]]:
    return [(name[len(prefix) :], data) for name, data in sections.items() if name.startswith(prefix)]


def _json(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def _pack(sections: dict[str, bytes]) -> bytes:
    """Lay sections out in order of name: length and bytes of the name, of the data (lengths: 8 bytes, little)."""
    parts = [_MAGIC]
    for name in sorted(sections):
        for part in (name.encode(), sections[name]):
            parts += [len(part).to_bytes(8, "little"), part]
    return b"".join(parts)


def _unpack(data: bytes) -> dict[str, bytes]:
    if not data.startswith(_MAGIC):
        raise PlanUnreadable("these bytes are no plan of this format")
    at, parts = len(_MAGIC), []
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        at += 8 + size
        if at > len(data):
            raise PlanUnreadable("a stored plan is cut off")
        parts.append(data[at - size : at])
    if len(parts) % 2:
        raise PlanUnreadable("a stored plan is cut off")
    return {name.decode(): part for name, part in zip(parts[::2], parts[1::2], strict=True)}
