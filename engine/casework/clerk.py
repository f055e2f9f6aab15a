"""Writing events, and what follows from each at once: keys given up, the next check set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.casework import closure, moves
from engine.casework.desk import Desk, Episode
from engine.casework.directory import category
from engine.casework.model import CaseState, Event, Move, State
from engine.casework.people import SYSTEM, Actor, Role

STILL_MS = 60_000  # how long an open episode's sensor says nothing while nothing changes (spec: stills)
_CHECK = "verify"
_AUTO: dict[str, tuple[Move, ...]] = {
    "report": (),
    "file": (Move.ACCEPT, Move.FILE),
    "dispatch": (Move.ACCEPT, Move.FILE, Move.DISPATCH),
}


class Clerk:
    """Writes into one transaction's desk; `position` is the offset of the alerts log that is being applied, `c` the
    time C."""

    def __init__(self, desk: Desk, position: int, c: int | None) -> None:
        self.desk = desk
        self.position = position
        self.c = c

    def record(
        self,
        case: CaseState,
        move: str,
        t_ms: int,
        *,
        actor: Actor = SYSTEM,
        note: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> Event:
        """Write the next event of a case and settle it."""
        event = Event(
            case=case.id,
            seq=case.seq + 1,
            move=str(move),
            actor=actor.name,
            role=str(actor.role),
            person=actor.role != Role.SYSTEM,
            t=t_ms,
            note=note,
            data=data or {},
            position=self.position,
        )
        self.desk.write_event(case, event, actor.address)
        self.settle(case)
        return event

    def settle(self, case: CaseState) -> None:
        """Give up the keys of a case that takes nothing more in, and set its next check."""
        if not case.is_open or case.state == State.SUSPENDED:
            self.desk.give_up_keys(case.id)
        heard = (self.desk.episodes[name].heard_t for name in case.alerts) if case.sensor_silent else ()
        due = closure.next_check(case, heard)
        self.desk.set_timer(case.id, _CHECK, due if due is None or self.c is None else max(due, self.c))

    def go_on(self, case: CaseState, t_ms: int) -> None:
        """Make the system's own first moves, as far as the case's `auto` says."""
        for move in _AUTO[case.auto]:
            data: dict[str, Any] = {}
            if move == Move.DISPATCH:
                further: Sequence[str] = category(case.category).further
                data = moves.effect(case, move, moves.Args(), SYSTEM, further)
            self.record(case, move, t_ms, data=data)

    def check(self, case: CaseState, due: int, line_of: Callable[[Episode], closure.Line | None]) -> None:
        """Carry out the check of a handled case that fell due: pass and close, send back, or hand to an inspector.

        Where there is nothing to say yet, it looks again when the next still can have come.
        """
        episodes = [self.desk.episodes[name] for name in sorted(case.alerts)]
        verdict = closure.judge(case, [(episode, line_of(episode)) for episode in episodes])
        self.desk.set_timer(case.id, _CHECK, None if verdict else max(due, self.c or due) + STILL_MS)
        for step in verdict:
            self.record(case, step.move, due, note=step.note, data=step.data)
