"""Rosters as files: YAML with posts, people, shifts and substitutions, or CSV with a row a stint. Every fault is named.

A stint belongs to the day on which it begins; one that ends at or before its start ends on the next day.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import YAMLError

from engine.casework.errors import CaseworkFault

LIMIT_BYTES = 1 << 20
MOST_DAYS = 731
COLUMNS = ("date", "post", "shift", "from", "to", "name", "phone", "instead_of")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_KEYS = {
    "file": ({"posts", "shifts", "duties"}, {"people", "substitutions"}),
    "shift": ({"from", "to"}, {"title"}),
    "person": (set[str](), {"phone"}),
    "duty": ({"post", "shift"}, {"date", "from", "to", "people", "turns"}),
    "substitution": ({"date", "post", "shift", "out", "in"}, {"reason"}),
}


class RosterRefused(CaseworkFault):
    """A roster that cannot be used; `faults` are all that is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Duty(NamedTuple):
    """One person at a post for one shift; times ms, the end not included; `where` names the place in the file."""

    post: str
    shift: str
    day: date
    name: str
    phone: str | None
    start_t: int
    end_t: int
    instead_of: str | None
    where: str


def read_roster(path: Path, tz: str) -> tuple[dict[str, str], list[Duty]]:
    """Return the titles of the posts, in the order of the file, and all stints. Raises RosterRefused, OSError."""
    body = path.read_bytes()
    if len(body) > LIMIT_BYTES:
        raise RosterRefused([f"{path.name}: {len(body)} bytes; at most {LIMIT_BYTES}"])
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RosterRefused([f"{path.name}: must be UTF-8: {error}"]) from error
    reader = _Table(path.name, tz) if path.suffix.lower() == ".csv" else _Tree(path.name, tz)
    posts, duties = reader.read(text)
    reader.faults += _clashes(duties)
    if reader.faults:
        raise RosterRefused(reader.faults)
    return posts, duties


def _clashes(duties: list[Duty]) -> Iterator[str]:
    """Yield who is in two places at a time."""
    last: dict[str, Duty] = {}
    for duty in sorted(duties, key=lambda one: (one.name, one.start_t)):
        before = last.get(duty.name)
        if before is not None and before.end_t > duty.start_t:
            yield f"{duty.where}: {duty.name} is on duty at {before.post} at that time already ({before.where})"
        if before is None or duty.end_t > before.end_t:
            last[duty.name] = duty


class _Reader:
    def __init__(self, name: str, tz: str) -> None:
        self.name = name
        self.zone = ZoneInfo(tz)
        self.faults: list[str] = []

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{where}: {what}")

    def day(self, where: str, value: object) -> date | None:
        try:
            return date.fromisoformat(str(value).strip())
        except ValueError:
            self.fault(where, f"must be a date as 2026-07-18; got {value!r}")
            return None

    def clock(self, where: str, value: object) -> time | None:
        found = _CLOCK.fullmatch(str(value).strip())
        if found is None:
            self.fault(where, f'must be a time as "08:00", in quotes; got {value!r}')
            return None
        return time(int(found[1]), int(found[2]))

    def times(self, day: date, begin: time, end: time) -> tuple[int, int]:
        """Return start and end in ms; over midnight when the end is not after the start."""
        last = day + timedelta(days=end <= begin)
        return self._ms(day, begin), self._ms(last, end)

    def _ms(self, day: date, clock: time) -> int:
        return int(datetime.combine(day, clock, self.zone).timestamp()) * 1000


class _Table(_Reader):
    """CSV with the columns of COLUMNS; `shift`, `phone` and `instead_of` may be missing or empty."""

    def read(self, text: str) -> tuple[dict[str, str], list[Duty]]:
        rows = csv.DictReader(io.StringIO(text), strict=True)
        posts: dict[str, str] = {}
        duties = []
        try:
            missing = {"date", "post", "from", "to", "name"} - set(rows.fieldnames or ())
            unknown = set(rows.fieldnames or ()) - set(COLUMNS)
            if missing or unknown:
                self.fault(
                    f"{self.name}:1", f"columns missing: {sorted(missing)}; unknown: {sorted(map(str, unknown))}"
                )
                return {}, []
            for row in rows:
                duty = self._row(f"{self.name}:{rows.line_num}", row)
                if duty is not None:
                    posts.setdefault(duty.post, duty.post)
                    duties.append(duty)
        except csv.Error as error:
            self.fault(f"{self.name}:{rows.line_num}", str(error))
        return posts, duties

    def _row(self, where: str, row: Mapping[str, str | None]) -> Duty | None:
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if None in row:
            self.fault(where, "more cells than columns")
        for name in ("post", "name"):
            if not cells[name]:
                self.fault(where, f"{name} is empty")
        day = self.day(f"{where}: date", cells["date"])
        begin, end = (self.clock(f"{where}: {name}", cells[name]) for name in ("from", "to"))
        if day is None or begin is None or end is None or not cells["post"] or not cells["name"]:
            return None
        start_t, end_t = self.times(day, begin, end)
        shift = cells["shift"] or f"{cells['from']}–{cells['to']}"
        phone, instead = cells["phone"] or None, cells["instead_of"] or None
        return Duty(cells["post"], shift, day, cells["name"], phone, start_t, end_t, instead, where)


class _Plain(RoundTripConstructor):
    """Leaves dates as they are written, so that a wrong one is a fault with its place."""


_Plain.add_constructor("tag:yaml.org,2002:timestamp", lambda self, node: self.construct_scalar(node))


def _loader() -> YAML:
    loader = YAML(typ="rt")
    loader.Constructor = _Plain
    return loader


class _Tree(_Reader):
    """YAML: posts, shifts, people, duties (people together, or by turns a day each), substitutions."""

    def read(self, text: str) -> tuple[dict[str, str], list[Duty]]:
        try:
            tree = _loader().load(text)
        except YAMLError as error:
            self.fault(self.name, " ".join(str(error).split()))
            return {}, []
        if not self._keys(self.name, tree, "file"):
            return {}, []
        self._posts = {str(key): str(title) for key, title in self._map(tree, "posts").items()}
        self._shifts = dict(self._read_shifts(self._map(tree, "shifts")))
        self._people = {str(name): self._phone(name, row) for name, row in self._map(tree, "people").items()}
        duties = [duty for row in self._list(tree, "duties") for duty in self._duty(row)]
        for row in self._list(tree, "substitutions"):
            duties = self._substituted(row, duties)
        return self._posts, duties

    def _keys(self, where: str, row: Any, kind: str) -> bool:
        needed, further = _KEYS[kind]
        if not isinstance(row, dict):
            self.fault(where, f"must be a mapping with {', '.join(sorted(needed | further))}")
            return False
        missing, unknown = needed - set(row), set(map(str, row)) - needed - further
        if missing or unknown:
            self.fault(where, f"missing: {sorted(missing)}; unknown: {sorted(unknown)}")
        return not missing

    def _map(self, tree: Any, name: str) -> dict[Any, Any]:
        found = tree.get(name)
        if found is not None and not isinstance(found, dict):
            self.fault(f"{self.name}: {name}", "must be a mapping")
        return found if isinstance(found, dict) else {}

    def _list(self, tree: Any, name: str) -> list[Any]:
        found = tree.get(name)
        if found is not None and not isinstance(found, list):
            self.fault(f"{self.name}: {name}", "must be a list")
        return found if isinstance(found, list) else []

    def _where(self, row: Any) -> str:
        line = getattr(getattr(row, "lc", None), "line", None)
        return self.name if line is None else f"{self.name}:{line + 1}"

    def _read_shifts(self, rows: Mapping[Any, Any]) -> Iterator[tuple[str, tuple[str, time, time]]]:
        for name, row in rows.items():
            where = f"{self._where(row)}: shifts.{name}"
            if not self._keys(where, row, "shift"):
                continue
            begin, end = (self.clock(f"{where}.{key}", row[key]) for key in ("from", "to"))
            if begin is not None and end is not None:
                yield str(name), (str(row.get("title", name)), begin, end)

    def _phone(self, name: object, row: Any) -> str | None:
        if row is None or not self._keys(f"{self._where(row)}: people.{name}", row, "person"):
            return None
        phone = row.get("phone")
        return None if phone is None else str(phone)

    def _known(self, where: str, row: Mapping[str, Any]) -> bool:
        """Tell whether post and shift are those of the file."""
        found: dict[str, Mapping[str, object]] = {"post": self._posts, "shift": self._shifts}
        wrong = [f"no {kind} {row[kind]!r}" for kind, known in found.items() if str(row[kind]) not in known]
        for what in wrong:
            self.fault(where, what)
        return not wrong

    def _person(self, where: str, name: object) -> str:
        if str(name) not in self._people:
            self.fault(where, f"{name!r} is not among people")
        return str(name)

    def _duty(self, row: Any) -> Iterator[Duty]:
        where = self._where(row)
        if not self._keys(where, row, "duty") or not self._known(where, row):
            return
        days = self._days(where, row)
        given = [name for name in ("people", "turns") if row.get(name)]
        if len(given) != 1 or not isinstance(row[given[0]], list):
            self.fault(where, "needs either people (together) or turns (one a day), a list of names")
            return
        names = [self._person(where, name) for name in row[given[0]]]
        for number, day in enumerate(days):
            for name in names if given[0] == "people" else [names[number % len(names)]]:
                yield self._stint(where, row, day, name, None)

    def _days(self, where: str, row: Mapping[str, Any]) -> list[date]:
        if ("date" in row) == ("from" in row) or ("to" in row and "from" not in row):
            self.fault(where, "needs either date, or from and to")
            return []
        if "date" in row:
            day = self.day(f"{where}: date", row["date"])
            return [] if day is None else [day]
        first, last = (self.day(f"{where}: {key}", row.get(key)) for key in ("from", "to"))
        if first is None or last is None:
            return []
        if not 0 <= (last - first).days < MOST_DAYS:
            self.fault(where, f"from {first} to {last}: must be 1 to {MOST_DAYS} days")
            return []
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    def _stint(self, where: str, row: Mapping[str, Any], day: date, name: str, instead_of: str | None) -> Duty:
        title, begin, end = self._shifts[str(row["shift"])]
        start_t, end_t = self.times(day, begin, end)
        return Duty(str(row["post"]), title, day, name, self._people.get(name), start_t, end_t, instead_of, where)

    def _substituted(self, row: Any, duties: list[Duty]) -> list[Duty]:
        where = self._where(row)
        if not self._keys(where, row, "substitution") or not self._known(where, row):
            return duties
        day = self.day(f"{where}: date", row["date"])
        name, out = self._person(where, row["in"]), str(row["out"])
        title = self._shifts[str(row["shift"])][0]
        gone = [d for d in duties if (d.post, d.shift, d.day, d.name) == (str(row["post"]), title, day, out)]
        if day is not None and not gone:
            self.fault(where, f"{out} is not on duty at {row['post']} in shift {row['shift']} of {day}")
        if day is None or not gone:
            return duties
        return [*(d for d in duties if d not in gone), self._stint(where, row, day, name, out)]
