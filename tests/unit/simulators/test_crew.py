"""Crews come, say done too early once, come back, and finish when the danger is truly gone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import msgspec
import pytest

from simulators.crew import Act, CaseSeen, Crews
from simulators.ground import Ground
from simulators.load import load
from simulators.run import Simulation
from simulators.world import Danger

MINUTE_MS = 60_000
AFTER = {"accept": "accepted", "file": "filed", "dispatch": "dispatched", "start": "handling", "finish": "handled"}
FIRST = CaseSeen(
    "WO-1", "dispatched", "下穿通道积水", "drainage", 120.82, 29.6, 0, 0, ("report", "accept", "file", "dispatch")
)


class Office:
    """A desk with one case; moves take effect at once, as the table of moves says."""

    def __init__(self, case: CaseSeen) -> None:
        self.case, self.now, self.acts = case, 0, list[tuple[int, Act]]()
        self.refuses = False

    def cases(self) -> Sequence[CaseSeen]:
        return [self.case]

    def act(self, act: Act) -> str | None:
        self.acts.append((self.now, act))
        if self.refuses:
            return "412"
        state = AFTER.get(act.move, self.case.state)
        since = self.now if state != self.case.state else self.case.since_ms
        self.case = msgspec.structs.replace(self.case, state=state, since_ms=since, moves=(*self.case.moves, act.move))
        return None

    def send_back(self) -> None:
        self.case = msgspec.structs.replace(self.case, state="handling", since_ms=self.now, rework=self.case.rework + 1)


class Water:
    """Depth by minute, as a table."""

    def __init__(self, depths: dict[int, float], office: Office) -> None:
        self._depths, self._office = depths, office

    def danger(self, lon: float, lat: float, about: tuple[str, ...] = ()) -> Danger:
        assert (lon, lat, about) == (120.82, 29.6, ("water",))
        minute = self._office.now // MINUTE_MS
        seen = [depth for at, depth in sorted(self._depths.items()) if at <= minute]
        return Danger("water", seen[-1], max(seen))


def moves(office: Office) -> list[str]:
    return [act.move for _, act in office.acts]


def run(crews: Crews, office: Office, minutes: range) -> None:
    for minute in minutes:
        office.now = minute * MINUTE_MS
        crews.tick(office.now)


def test_a_crew_answers_comes_and_says_done_too_early_once() -> None:
    office = Office(FIRST)
    crews = Crews(1, Water({0: 20.0, 20: 43.0, 60: 36.0, 80: 31.0, 110: 20.0, 125: 3.0}, office), office)
    run(crews, office, range(100))
    assert moves(office) == ["comment", "start", "finish"]
    assert [at // MINUTE_MS for at, _ in office.acts][2] == 80
    assert "积水深约" in office.acts[1][1].note
    office.send_back()
    run(crews, office, range(100, 125))
    assert moves(office) == ["comment", "start", "finish"]
    run(crews, office, range(125, 140))
    assert moves(office) == ["comment", "start", "finish", "finish"]
    assert office.acts[3][1].note == "返工后积水已排净，路面已清理，恢复通行。"


def test_a_crew_is_not_hasty_about_a_puddle() -> None:
    office = Office(FIRST)
    crews = Crews(1, Water({0: 14.0, 40: 9.0, 60: 2.0}, office), office)
    run(crews, office, range(90))
    assert [(at // MINUTE_MS, act.move) for at, act in office.acts if act.move == "finish"] == [(60, "finish")]


def test_travel_takes_from_nine_to_fifteen_minutes_and_hangs_on_seed_and_case() -> None:
    travels = set()
    for seed in range(6):
        office = Office(FIRST)
        crews = Crews(seed, Water({0: 20.0}, office), office)
        for second in range(0, 1200, 10):
            office.now = second * 1000
            crews.tick(office.now)
        travels |= {at for at, act in office.acts if act.move == "start"}
    assert len(travels) > 3
    assert all(9 * MINUTE_MS <= at <= 15 * MINUTE_MS + 10_000 for at in travels)


def test_a_new_crew_object_goes_on_where_the_old_one_stopped() -> None:
    depths = {0: 20.0, 20: 43.0, 60: 36.0, 80: 31.0}
    whole, halves = Office(FIRST), Office(FIRST)
    run(Crews(1, Water(depths, whole), whole), whole, range(100))
    for minutes in (range(0, 7), range(7, 43), range(43, 100)):
        run(Crews(1, Water(depths, halves), halves), halves, minutes)
    assert whole.acts == halves.acts


def test_a_refused_move_is_tried_again_but_not_hammered() -> None:
    office = Office(msgspec.structs.replace(FIRST, moves=(*FIRST.moves, "comment")))
    office.refuses = True
    crews = Crews(1, Water({0: 20.0}, office), office)
    run(crews, office, range(30))
    assert 5 <= len(office.acts) <= 11
    office.refuses = False
    run(crews, office, range(30, 34))
    assert office.case.state == "handling"


@pytest.mark.parametrize(
    ("state", "move", "role"),
    [
        ("reported", "accept", "operator"),
        ("accepted", "file", "operator"),
        ("filed", "dispatch", "dispatcher"),
        ("returned", "dispatch", "dispatcher"),
    ],
)
def test_the_duty_officer_passes_on_what_the_system_leaves_to_people(state: str, move: str, role: str) -> None:
    office = Office(msgspec.structs.replace(FIRST, state=state))
    crews = Crews(1, Water({0: 0.0}, office), office)
    act = crews.decide(office.case, 3 * MINUTE_MS)
    assert act is not None
    assert (act.move, act.role, act.department) == (move, role, "drainage")
    assert crews.decide(office.case, 1_000) is None


@pytest.mark.parametrize("state", ["handled", "closed", "suspended", "rejected"])
def test_nobody_touches_a_case_that_waits_for_others(state: str) -> None:
    office = Office(msgspec.structs.replace(FIRST, state=state))
    assert Crews(1, Water({0: 0.0}, office), office).decide(office.case, 500 * MINUTE_MS) is None


def test_a_case_without_a_place_or_danger_is_done_after_some_work() -> None:
    office = Office(msgspec.structs.replace(FIRST, lon=None, lat=None))
    crews = Crews(1, Water({0: 40.0}, office), office)
    run(crews, office, range(60))
    assert moves(office) == ["comment", "start", "finish"]


@pytest.mark.parametrize("seed", [1, 2])
def test_in_the_cloudburst_the_crew_says_done_with_about_31_cm_still_standing(seed: int, ground: Ground) -> None:
    simulation = Simulation(load("cloudburst"), ground, seed)
    flood = simulation.world.flood
    assert flood is not None
    assert flood.target is not None
    spot = ground.low[flood.target]
    start = simulation.scenario.starts_ms
    case = msgspec.structs.replace(FIRST, lon=spot.lon, lat=spot.lat, since_ms=start + 17 * MINUTE_MS)
    office = Office(case)
    crews = Crews(seed, simulation.world, office)
    depth: dict[str, float] = {}
    end = start + 120 * MINUTE_MS
    for batch in takewhile(lambda b: b.t_ms <= end, simulation.batches(after_ms=start + 16 * MINUTE_MS)):
        office.now = batch.t_ms
        for act in crews.tick(batch.t_ms):
            depth[act.move] = float(flood.basins.depth_cm()[flood.target])
    assert moves(office) == ["comment", "start", "finish"]
    assert 29.5 <= depth["finish"] <= 32.5
    assert depth["start"] > 10.0


def test_an_inspector_looks_and_the_supervisor_closes_where_no_sensor_does() -> None:
    office = Office(msgspec.structs.replace(FIRST, state="handled", by_person=True))
    crews = Crews(1, Water({0: 20.0}, office), office)
    act = crews.decide(office.case, 20 * MINUTE_MS)
    assert act is not None
    assert (act.move, act.role, act.passes) == ("verify", "inspector", False)
    passed = Crews(1, Water({0: 1.0}, office), office).decide(office.case, 20 * MINUTE_MS)
    assert passed is not None
    assert passed.passes
    closed = crews.decide(msgspec.structs.replace(office.case, state="verified"), 20 * MINUTE_MS)
    assert closed is not None
    assert (closed.move, closed.role) == ("close", "supervisor")
