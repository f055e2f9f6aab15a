"""The rule as a frozen value: what spec/rules.md says, with durations in ms and levels in ascending order."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum

from rules.expression import Expression
from rules.schedule import Schedule


class LevelName(IntEnum):
    """Warning levels Ⅳ 蓝 < Ⅲ 黄 < Ⅱ 橙 < Ⅰ 红 (突发事件应对法)."""

    NONE = 0
    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4

    @property
    def word(self) -> str:
        """The name on the wire."""
        return self.name.lower()


SPAN = "span"
"""`absent: span`: raised at the end of a span of the schedule in which there was no sign of life."""

VERIFY_FOR_MS = 600_000
VERIFY_WAIT_MS = 1_800_000

LEVEL_WORDS = {level.word: level for level in LevelName if level is not LevelName.NONE}


class Op(IntEnum):
    GT = 0
    GE = 1
    LT = 2
    LE = 3
    EQ = 4
    NE = 5

    @property
    def sign(self) -> str:
        return (">", ">=", "<", "<=", "==", "!=")[self]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`x op value`; value is finite."""

    op: Op
    value: float

    def holds(self, x: float) -> bool:
        """Judge one number."""
        pairs = (x > self.value, x >= self.value, x < self.value, x <= self.value, x == self.value, x != self.value)
        return pairs[self.op]

    def __str__(self) -> str:
        return f"{self.op.sign} {number_text(self.value)}"


@dataclass(frozen=True, slots=True)
class Level:
    """One declared level. `set` is None in absent rules only; `clear` None means "not set"."""

    name: LevelName
    set: Comparison | None
    clear: Comparison | None = None
    for_ms: int = 0


class Agg(IntEnum):
    SUM = 0
    COUNT = 1
    MEAN = 2
    MIN = 3
    MAX = 4
    DELTA = 5
    RATE = 6
    RANGE = 7

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Window:
    """Panes of `step_ms` (at least 1,000), of which the last `over_ms / step_ms` count.

    With `last` each reading is a pane, `step_ms` is 1, and at most so many readings count, the present one included.
    """

    agg: Agg
    over_ms: int
    step_ms: int
    last: int | None = None

    @property
    def panes(self) -> int:
        return self.over_ms // self.step_ms


class Auto(StrEnum):
    """How far the system goes by itself."""

    REPORT = "report"
    FILE = "file"
    DISPATCH = "dispatch"


class Close(StrEnum):
    """Who proves that the work is done."""

    SENSOR = "sensor"
    INSPECTOR = "inspector"


class MergeBy(StrEnum):
    SENSOR = "sensor"
    GRID = "grid"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class Merge:
    """What makes two changes one case; `metres` with NEAR only, `within_ms` None: no limit."""

    by: MergeBy = MergeBy.SENSOR
    metres: float | None = None
    within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CaseSpec:
    """The `case` block (spec/cases.md). `priority` holds (level, number) pairs, ascending by level."""

    category: str
    department: str
    auto: Auto = Auto.REPORT
    close: Close = Close.INSPECTOR
    merge: Merge = Merge()
    priority: tuple[tuple[LevelName, int], ...] = ()
    verify_for_ms: int = VERIFY_FOR_MS
    verify_wait_ms: int = VERIFY_WAIT_MS

    @property
    def within_ms(self) -> int | None:
        return self.merge.within_ms


class Same(StrEnum):
    GRID = "grid"
    COMMUNITY = "community"
    STREET = "street"


@dataclass(frozen=True, slots=True)
class Member:
    """An alert that a correlation waits for."""

    alert: str
    at_least: LevelName


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rule over other rules' alerts; exactly one of `metres` and `same` is set. Judged by casework, not by detect."""

    members: tuple[Member, ...]
    within_ms: int
    metres: float | None
    same: Same | None
    level: LevelName


class Enabled(Enum):
    ON = "true"
    OFF = "false"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. A correlation has `correlate` and neither reads nor levels; all others have both, levels ascending.

    `absent_ms` beside a schedule: `absent: span`, and the longest silence that it lets pass.
    """

    id: str
    version: int
    title: str
    source: str
    runbook: str = ""
    reads: tuple[str, ...] = ()
    where: Expression | None = None
    measure: Expression | None = None
    window: Window | None = None
    levels: tuple[Level, ...] = ()
    clear_for_ms: int = 0
    max_gap_ms: int | None = None
    quiet_ms: int | None = None
    absent_ms: int | None = None
    schedule: Schedule | None = None
    correlate: Correlation | None = None
    case: CaseSpec | None = None
    enabled: Enabled = Enabled.ON
    path: str = field(default="", compare=False)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return tuple(e for e in (self.where, self.measure) if e is not None)

    @property
    def attrs(self) -> frozenset[str]:
        """Names of the attributes that the rule reads."""
        return frozenset[str]().union(*(e.attrs for e in self.expressions))

    @property
    def zones(self) -> frozenset[str]:
        """Names of the zone sets that the rule reads."""
        return frozenset[str]().union(*(e.zones for e in self.expressions))


def number_text(value: float) -> str:
    """Write a number as people do: 10 for 10.0."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
