"""Departments at work, as people do: they come, they look, they say done too early once, they come back.

A crew decides from what it sees on the spot (the physical truth), from the case as its desk shows it and from the seed.
It remembers nothing that matters, so that it goes on after a restart as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from simulators.part import Danger
from simulators.streams import stream

MINUTE_MS = 60_000
HASTY_ABOVE = {"water": 30.0, "gas": 20.0}
"""Where a crew's first look tempts it to call a job done: peaks above this, in cm and %LEL."""
GONE_BELOW = {
    "water": 4.0, "gas": 3.0, "fire": 1.0, "electric": 40.0,
    "waste": 45.0, "street": 0.05, "pump": 1.0, "pressure": 3.0,
}  # fmt: skip
"""Where a danger is no longer one: cm, %LEL, smoke in % a metre, mA, % full, size, cm above the start level, kPa."""
ABOUT = {
    "0401": ("gas",), "0402": ("fire",), "0403": ("water",), "0404": ("water",), "0405": ("water",),
    "0406": ("fire", "street"), "0407": ("electric", "fire"), "0408": ("pressure", "gas"), "0409": ("street",),
    "0412": ("pump",), "0413": ("fire",), "0103": ("waste", "street"), "0109": ("waste",), "0110": ("waste",),
    "0107": ("street",), "0104": ("street",), "0501": ("street",), "0502": ("street",),
}  # fmt: skip
"""What dangers the cases of a category are about; of the others there is nothing to be seen on the spot."""
AGAIN_AFTER_MS = 2 * MINUTE_MS


class CaseSeen(msgspec.Struct, frozen=True):
    """A case as its department sees it.

    since_ms: when it came into its state, on the player's clock; rework: how often it was sent back; moves: the names
    of all moves so far, in order; by_person: whether a person looks whether it is done, not a sensor.
    """

    id: str
    state: str
    title: str
    department: str
    lon: float | None
    lat: float | None
    since_ms: int
    rework: int
    moves: tuple[str, ...] = ()
    category: str = "0404"
    by_person: bool = False


class Act(msgspec.Struct, frozen=True):
    """A move that someone makes: role as in the policy of moves, note in Chinese, of a check whether it passes."""

    case: str
    move: str
    role: str
    department: str
    note: str
    passes: bool = True


class Desk(Protocol):
    """The way to the cases; given by whoever runs the demo."""

    def cases(self) -> Sequence[CaseSeen]:
        """Return the open cases."""

    def act(self, act: Act) -> str | None:
        """Make a move; return None, or why it was refused."""


class Sight(Protocol):
    """Looking around at a place."""

    def danger(self, lon: float, lat: float, about: tuple[str, ...] = ()) -> Danger:
        """Return the physical danger there, now."""


class Crews:
    """The departments of a city, and the duty officer who passes on what the system leaves to people."""

    def __init__(self, seed: int, sight: Sight, desk: Desk) -> None:
        self._seed, self._sight, self._desk = seed, sight, desk
        self._refused: dict[tuple[str, str], int] = {}

    def tick(self, t_ms: int) -> list[Act]:
        """Do what is due at this moment of the player's clock; return the moves that were made, in order."""
        made: list[Act] = []
        for case in sorted(self._desk.cases(), key=lambda case: case.id):
            act = self.decide(case, t_ms)
            if act is None or self._refused.get((act.case, act.move), t_ms) > t_ms:
                continue
            if self._desk.act(act) is None:
                made.append(act)
            else:
                self._refused[act.case, act.move] = t_ms + AGAIN_AFTER_MS
        return made

    def decide(self, case: CaseSeen, t_ms: int) -> Act | None:
        """Return the move that someone makes on this case now; None: nothing yet."""
        if case.state in OFFICE:
            return self._office(case, t_ms)
        if case.state == "dispatched":
            return self._come(case, t_ms)
        if case.state == "verified" or (case.state == "handled" and case.by_person):
            return self._check(case, t_ms)
        return self._work(case, t_ms) if case.state == "handling" else None

    def _minutes(self, case: CaseSeen, what: str, low: float, high: float) -> int:
        return round(MINUTE_MS * self._between(case, what, low, high))

    def _between(self, case: CaseSeen, what: str, low: float, high: float) -> float:
        return float(stream(self._seed, f"crew|{case.id}|{what}").uniform(low, high))

    def _look(self, case: CaseSeen) -> Danger:
        if case.lon is None or case.lat is None:
            return Danger("none", 0.0, 0.0)
        about = ABOUT.get(case.category, ())
        return self._sight.danger(case.lon, case.lat, about) if about else Danger("none", 0.0, 0.0)

    def _office(self, case: CaseSeen, t_ms: int) -> Act | None:
        """The duty officer takes up, files and dispatches what is not dispatched by itself."""
        move, role, note = OFFICE[case.state]
        if t_ms < case.since_ms + self._minutes(case, f"office|{move}", 0.5, 2.0):
            return None
        return Act(case.id, move, role, case.department, note)

    def _check(self, case: CaseSeen, t_ms: int) -> Act | None:
        """An inspector looks whether it is done; then the supervisor closes it."""
        what, role = ("close", "supervisor") if case.state == "verified" else ("verify", "inspector")
        if t_ms < case.since_ms + self._minutes(case, f"{what}|{case.rework}", 6.0, 14.0):
            return None
        if what == "close":
            return Act(case.id, "close", role, case.department, "处置完成，予以结案。")
        seen = self._look(case)
        done = seen.what == "none" or seen.now <= GONE_BELOW[seen.what]
        note = "现场核查：已处置到位。" if done else "现场核查：问题仍在，请继续处置。"
        return Act(case.id, "verify", role, case.department, note, done)

    def _come(self, case: CaseSeen, t_ms: int) -> Act | None:
        """Say that the order came in, then arrive."""
        answers, travels = self._minutes(case, "answer", 0.7, 2.0), self._minutes(case, "travel", 9.0, 15.0)
        if t_ms >= case.since_ms + travels:
            seen = self._look(case)
            note = "抢险队已到现场，开始处置。" if seen.what == "none" else _arrived(seen)
            return Act(case.id, "start", "handler", case.department, note)
        last = max((i for i, move in enumerate(case.moves) if move == "dispatch"), default=-1)
        if t_ms < case.since_ms + answers or "comment" in case.moves[last + 1 :]:
            return None
        left = round((case.since_ms + travels - t_ms) / MINUTE_MS)
        return Act(case.id, "comment", "handler", case.department, f"收到派单，队伍已出发，预计{left}分钟后到达。")

    def _work(self, case: CaseSeen, t_ms: int) -> Act | None:
        """Work until the danger is gone; the first time, after a serious one, only until it looks better."""
        seen = self._look(case)
        worked = t_ms - case.since_ms
        if seen.what == "none":
            done = worked >= self._minutes(case, f"work|{case.rework}", 12.0, 25.0)
            return Act(case.id, "finish", "handler", case.department, "已处置完毕，现场恢复正常。") if done else None
        if worked < self._minutes(case, f"least|{case.rework}", 4.0, 7.0):
            return None
        if seen.now <= GONE_BELOW[seen.what]:
            return Act(case.id, "finish", "handler", case.department, _gone(seen, case.rework))
        hasty = case.rework == 0 and seen.peak > HASTY_ABOVE.get(seen.what, float("inf"))
        if hasty and seen.now <= seen.peak * self._between(case, "hasty", 0.715, 0.735):
            return Act(case.id, "finish", "handler", case.department, _hasty(seen))
        return None


OFFICE = {
    "reported": ("accept", "operator", "情况属实，予以受理。"),
    "accepted": ("file", "operator", "符合立案条件，立案。"),
    "filed": ("dispatch", "dispatcher", "请责任单位尽快处置。"),
    "returned": ("dispatch", "dispatcher", "重新派遣，请尽快处置。"),
}
"""What the duty officer does with a case in each state: move, role, note."""


def _arrived(seen: Danger) -> str:
    if seen.what == "water" and seen.now < 3.0:
        return "抢险队已到现场，积水已基本退去，开始清淤、清理路面。"
    return ARRIVED[seen.what].format(now=seen.now)


ARRIVED = {
    "water": "抢险队已到现场，积水深约{now:.0f}厘米，已封闭道路，开始抽排。",
    "gas": "抢修队已到现场，测得可燃气体{now:.0f}%LEL，已设警戒并疏散人员，开始查漏。",
    "fire": "消防队已到场，正在疏散人员、出水灭火。",
    "electric": "电工已到现场，测得剩余电流{now:.0f}毫安，开始逐路排查。",
    "waste": "清运车已到，桶内满溢约{now:.0f}%，开始清运。",
    "street": "执法人员已到现场，正在劝导、处理。",
    "pump": "泵站人员已到，水泵停机，正在恢复供电并架设移动泵。",
    "pressure": "调压站人员已到，压力偏高{now:.0f}千帕，准备切换。",
}
GONE = {
    "water": "积水已排净，路面已清理，恢复通行。",
    "gas": "漏点已修复，复测合格，现场解除警戒。",
    "fire": "明火已扑灭，烟气排净，留人看守。",
    "electric": "故障回路已断开，复测剩余电流正常。",
    "waste": "已清运完毕，周边已清扫。",
    "street": "已处理完毕，现场恢复。",
    "pump": "水泵恢复运行，集水池水位正常。",
    "pressure": "已切换备用路，压力正常。",
}


def _hasty(seen: Danger) -> str:
    if seen.what == "water":
        return "水位已明显回落，抽排完成，请予核查。"
    return "已关闭阀门，浓度明显下降，请予核查。"


def _gone(seen: Danger, rework: int) -> str:
    return ("返工后" if rework else "") + GONE[seen.what]
