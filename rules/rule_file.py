"""One document to one rule (spec/rules.md)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from rules import fields
from rules.case_block import read_case
from rules.civil import CITY_TZ
from rules.contradictions import contradictions
from rules.correlation import KEYS as CORRELATION_KEYS
from rules.correlation import read_correlation
from rules.document import FaultList, Node
from rules.errors import ExpressionError
from rules.expression import Expression, Type, compile_expression
from rules.kinds import Kinds
from rules.model import LEVEL_WORDS, SPAN, Agg, CaseSpec, Enabled, Level, Rule, Window
from rules.names import RULE_ID, RULE_ID_FORM
from rules.schedule import Schedule
from rules.schedule_file import read_schedule

KEYS = (
    *("id", "version", "title", "source", "runbook", "reads", "where", "measure", "window", "levels", "clear_for"),
    *("max_gap", "quiet", "absent", "schedule", "correlate", "case", "enabled"),
)
ABSENT_EXCLUDES = ("where", "measure", "window", "quiet", "max_gap", "clear_for")
MAX_PANES = 100_000
MAX_LAST = 1_000
_ENABLED = {True: Enabled.ON, False: Enabled.OFF, "shadow": Enabled.SHADOW}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rule may refer to. `complete`: a rule must tell its version, title and source."""

    kinds: Kinds
    zones: Collection[str] = field(default=())
    tz: str = CITY_TZ
    complete: bool = False


def read_rule(document: Node, path: str, around: Surroundings, faults: FaultList) -> Rule | None:
    """Read and check a rule; None and at least one fault where it cannot be used."""
    before = len(faults.faults)
    correlates = document.entries is not None and any(key.text == "correlate" for key, _ in document.entries)
    section = fields.Section.open(document, "", faults, CORRELATION_KEYS if correlates else KEYS)
    if section is None:
        return None
    read = _Reader(section, around, faults)
    rule = read.correlation(path) if correlates else read.rule(path)
    return None if len(faults.faults) > before else rule


class _Reader:
    def __init__(self, section: fields.Section, around: Surroundings, faults: FaultList) -> None:
        self.section = section
        self.around = around
        self.faults = faults

    def rule(self, path: str) -> Rule | None:
        section = self.section
        schedule = self.schedule()
        absent = self.absent(schedule)
        rule = Rule(
            *self.head(),
            reads=self.reads(),
            where=self.expression("where", (Type.BOOL,)),
            measure=self.expression("measure", (Type.NUMBER, Type.BOOL)),
            window=self.window(),
            levels=self.levels(bare="absent" in section.found),
            clear_for_ms=self.duration("clear_for") or 0,
            max_gap_ms=self.duration("max_gap"),
            quiet_ms=self.duration("quiet"),
            absent_ms=absent,
            schedule=schedule,
            case=self.case(),
            enabled=self.enabled(),
            path=path,
        )
        contradictions(rule, section, self.faults)
        return rule

    def correlation(self, path: str) -> Rule | None:
        head = self.head()
        correlate = read_correlation(self.section, self.faults)
        return Rule(*head, correlate=correlate, case=self.case(), enabled=self.enabled(), path=path)

    def head(self) -> tuple[str, int, str, str, str]:
        """Read what names the rule. What only `rules check` wants is 1 or empty where it is missing."""
        section, faults = self.section, self.faults
        wanted = section.need if self.around.complete else section.get
        rule_id = fields.matching(section.need("id"), "id", faults, RULE_ID, RULE_ID_FORM)
        version = fields.whole(wanted("version"), "version", faults, 0, 2**31 - 1)
        title = fields.text(wanted("title"), "title", faults)
        source = fields.text(wanted("source"), "source", faults)
        runbook = fields.text(section.get("runbook"), "runbook", faults)
        return rule_id or "", 1 if version is None else version, title or "", source or "", runbook or ""

    def expression(self, key: str, wants: tuple[Type, ...]) -> Expression | None:
        node = self.section.get(key)
        if node is None:
            return None
        if not node.scalar or node.value is None:
            self.faults.add(node, key, "must be an expression")
            return None
        try:
            found = compile_expression(node.text, wants=wants, zones=self.around.zones, tz=self.around.tz)
        except ExpressionError as error:
            where = f" (at character {error.at + 1} of the expression)"
            self.faults.add(node, key, error.rule + where, error.got)
            return None
        return None if key == "measure" and found.text.strip() == "v" else found

    def reads(self) -> tuple[str, ...]:
        node = self.section.need("reads")
        if node is None:
            return ()
        if node.entries is not None or node.items == []:
            self.faults.add(node, "reads", "must be a kind, a list of kinds, or domain.*")
            return ()
        found: set[str] = set()
        for number, item in enumerate([node] if node.items is None else node.items):
            key = "reads" if node.items is None else f"reads[{number}]"
            found.update(self.kinds_named(item, key))
        return tuple(sorted(found))

    def kinds_named(self, node: Node, key: str) -> tuple[str, ...]:
        name = fields.text(node, key, self.faults, limit=80)
        if name is None:
            return ()
        known = self.around.kinds.names
        named = tuple(kind for kind in known if kind == name or (name.endswith(".*") and kind.startswith(name[:-1])))
        if not named:
            self.faults.add(node, key, f"must be a known kind, or domain.* of one; known are {', '.join(known)}")
        return named

    def window(self) -> Window | None:
        node = self.section.get("window")
        known = ("agg", "over", "step", "last")
        section = None if node is None else fields.Section.open(node, "window.", self.faults, known)
        if node is None or section is None:
            return None
        last = fields.whole(section.get("last"), "window.last", self.faults, 1, MAX_LAST)
        if "last" in section.found and "step" in section.found:
            self.faults.add(section.keys["step"], "window.step", "cannot stand in a window with last", "both")
            return None
        word = fields.word(section.need("agg"), "window.agg", self.faults, tuple(agg.word for agg in Agg))
        over = fields.duration(section.need("over"), "window.over", self.faults, least_ms=1)
        step = fields.duration(section.get("step"), "window.step", self.faults, least_ms=1000)
        if over is None or (step is None and "step" in section.found) or (last is None and "last" in section.found):
            return None
        if last is not None:
            return None if word is None else Window(Agg[word.upper()], over, 1, last)
        if step is None:
            step = max(over // 60, 1000)
            if over % step or (over % 60 and over > 60_000):
                self.faults.add(node, "window.step", f"is required: over/60 does not divide {over} ms", "nothing")
                return None
        elif over % step:
            self.faults.add(section.found["step"], "window.step", "must divide window.over")
            return None
        if over // step > MAX_PANES:
            self.faults.add(node, "window", f"must have at most {MAX_PANES} panes (over / step)", str(over // step))
            return None
        return None if word is None else Window(Agg[word.upper()], over, step)

    def levels(self, *, bare: bool) -> tuple[Level, ...]:
        node = self.section.need("levels")
        section = None if node is None else fields.Section.open(node, "levels.", self.faults, tuple(LEVEL_WORDS))
        if node is None or section is None:
            return ()
        if not node.entries:
            self.faults.add(node, "levels", "must have at least one level")
        if bare and len(section.found) > 1:
            self.faults.add(node, "levels", "must be exactly one level in a rule with absent", ", ".join(section.found))
        found = (self.level(section.key(name), name, body, bare=bare) for name, body in section.items())
        return tuple(sorted((level for level in found if level is not None), key=lambda level: level.name))

    def level(self, key: str, name: str, node: Node, *, bare: bool) -> Level | None:
        faults = self.faults
        if bare:
            if node.entries != []:
                faults.add(node, key, "must be empty, {}, in a rule with absent")
            return Level(LEVEL_WORDS[name], None)
        section = fields.Section.open(node, key + ".", faults, ("set", "clear", "for"))
        if section is None:
            return None
        setting = fields.comparison(section.need("set"), section.key("set"), faults)
        clear = fields.comparison(section.get("clear"), section.key("clear"), faults)
        for_ms = fields.duration(section.get("for"), section.key("for"), faults)
        return None if setting is None else Level(LEVEL_WORDS[name], setting, clear, for_ms or 0)

    def absent(self, schedule: Schedule | None) -> int | None:
        """Read a duration, or `span`: then the longest time from one sign of life to the end of the next span."""
        node = self.section.get("absent")
        if node is None:
            return None
        spans = node.value == SPAN
        for name in ABSENT_EXCLUDES if spans else (*ABSENT_EXCLUDES, "schedule"):
            if name in self.section.found:
                self.faults.add(self.section.keys[name], name, "cannot stand in a rule with absent", "both")
        if not spans:
            return fields.duration(node, "absent", self.faults, or_else=f", or {SPAN} with a schedule")
        if "schedule" not in self.section.found:
            self.faults.add(node, "absent", "must stand with a schedule, whose spans it means", "no schedule")
        if schedule is not None and schedule.always:
            self.faults.add(self.section.found["schedule"], "schedule", "must begin and end, so that there are spans")
        return 0 if schedule is None else schedule.longest_wait_ms

    def duration(self, name: str) -> int | None:
        return fields.duration(self.section.get(name), name, self.faults)

    def schedule(self) -> Schedule | None:
        node = self.section.get("schedule")
        return None if node is None else read_schedule(node, self.faults, self.around.tz)

    def case(self) -> CaseSpec | None:
        node = self.section.get("case")
        return None if node is None else read_case(node, self.faults)

    def enabled(self) -> Enabled:
        node = self.section.get("enabled")
        if node is None:
            return Enabled.ON
        if isinstance(node.value, bool) or node.value == "shadow":
            return _ENABLED[node.value]
        self.faults.add(node, "enabled", "must be true, false or shadow")
        return Enabled.OFF
