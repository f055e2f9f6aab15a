"""The demo's player: the simulated city speaks into the journal on its own clock, its citizens call, its crews work.

The player remembers nothing: where the log ends, it goes on. What it does before a step is durable (calls, moves of
crews) carries a key or depends on the cases as they stand, so that a step that is played twice happens once.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from engine.api.services import PlayerView
from engine.casework.errors import Refused
from engine.casework.model import MOVES, Move
from engine.casework.people import Actor, Role
from engine.casework.service import CaseFilter, Report
from engine.casework.views import CaseView
from engine.runtime.embedded import PARTITION, Embedded
from engine.runtime.errors import Overloaded
from engine.runtime.log import Appended, Entry, Stream
from engine.runtime.readings import tick_record
from simulators.calls import Call
from simulators.crew import Act, CaseSeen, Crews
from simulators.days import Days
from simulators.pace import Pace, paced
from simulators.run import Batch

SECOND_MS, MINUTE_MS = 1000, 60_000
PRELUDE_COMMITS = 64
PATIENCE_S = 2.0
BREATH_S = 0.2
HOTLINE = Actor(name="12345", role=Role.CITIZEN)
EVERYONE = Actor(name="demo", role=Role.SUPERVISOR)


class DemoDesk:
    """The crews' way to the cases: what they see of them, and their moves."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self._seen: dict[str, tuple[int, CaseSeen]] = {}

    def cases(self) -> Sequence[CaseSeen]:
        """Return the open cases; only what changed is read anew."""
        page = self._engine.casework.cases(CaseFilter(open=True), EVERYONE, limit=1000)
        seen = [self._look(case) for case in page.cases]
        self._seen = {case.id: self._seen[case.id] for case in page.cases}
        return seen

    def _look(self, case: CaseView) -> CaseSeen:
        known = self._seen.get(case.id)
        if known is None or known[0] != case.seq:
            self._seen[case.id] = known = case.seq, self._read(case)
        return known[1]

    def _read(self, case: CaseView) -> CaseSeen:
        detail = self._engine.casework.case(case.id, EVERYONE)
        events = detail.events if detail is not None else []
        before = [None, *events]
        came = [
            event.t for event, last in zip(events, before, strict=False) if last is None or event.state != last.state
        ]
        return CaseSeen(
            id=case.id,
            state=case.state,
            title=case.title,
            department=case.department or "",
            lon=case.lon,
            lat=case.lat,
            since_ms=came[-1] if came else case.opened_t,
            rework=case.rework,
            moves=tuple(event.move for event in events if event.move in MOVES),
            category=case.category,
            by_person=case.close == "inspector" or "sensor_silent" in case.flags,
        )

    def act(self, act: Act) -> str | None:
        """Make a move at the time of the player's clock; return why it was refused, or None."""
        role = Role(act.role)
        actor = Actor(name=act.department if role == Role.HANDLER else "值班室", role=role)
        args = {"note": act.note}
        if act.move == Move.VERIFY:
            args["result"] = "pass" if act.passes else "fail"
        if act.move == Move.DISPATCH and act.department:
            args["department"] = act.department
        try:
            self._engine.casework.move(act.case, act.move, actor, args=args, t_ms=self._engine.now_ms())
        except Refused as refusal:
            return refusal.code
        self._engine.relay.wake()
        return None


class Player:
    """Play days of a city into an engine on the player's clock."""

    def __init__(self, engine: Embedded, days: Days, pace: Pace) -> None:
        self._engine = engine
        self._days = days
        self.pace = pace
        self._crews = Crews(days.today.seed, days, DemoDesk(engine))
        self._under_way: list[Future[list[Appended]]] = []
        self.now_ms = engine.journal.last_log_time(Stream.READINGS, PARTITION)
        self.readings = 0
        self.prelude = True

    def view(self) -> PlayerView:
        """Return how the city is played, for people."""
        scenario = self._days.today.scenario
        return PlayerView(
            scenario=scenario.name,
            title=scenario.title,
            seed=self._days.today.seed,
            speed=self.pace.speed or 0.0,
            paused=self.pace.paused,
            now=self.now_ms or scenario.starts_ms - scenario.prelude.lasts_ms,
            starts=scenario.starts_ms,
            ends=scenario.starts_ms + scenario.lasts_ms,
            jump=self.pace.jump_ms,
            prelude=self.prelude,
        )

    def pause(self) -> None:
        """Stand still after the present step."""
        self.pace.pause()

    def resume(self) -> None:
        """Go on."""
        self.pace.resume()

    def run_at(self, speed: float) -> None:
        """Run so many times faster than life."""
        self.pace.run_at(speed)

    def jump(self, to_ms: int) -> None:
        """Hurry to a later moment; all that lies between is played."""
        self.pace.jump(to_ms)

    def run(self, stopping: threading.Event, until_ms: int | None = None) -> None:
        """Play on from the end of the log until `stopping` (then end the pace too) or a moment of the player's clock.

        The prelude goes as fast as it can.
        """
        after = self.now_ms or None

        for batch in paced(self._until(stopping, self._days.batches(after_ms=after)), self.pace):
            if stopping.is_set() or (until_ms is not None and batch.t_ms > until_ms):
                return
            self._play(batch, stopping)

    def _until(self, stopping: threading.Event, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            if stopping.is_set():
                return
            yield batch

    def _play(self, batch: Batch, stopping: threading.Event) -> None:
        if self.prelude and not batch.prelude:
            self._settle()
            self._engine.drain(60.0)
            self.prelude = False
        for call in batch.calls:
            self._call(call)
        self._append(batch, stopping)
        if batch.prelude:
            if len(self._under_way) >= PRELUDE_COMMITS:
                self._settle()
        else:
            self._act(batch.t_ms)
        self.now_ms = batch.t_ms
        self.readings += len(batch.lines)

    def _act(self, t_ms: int) -> None:
        """Let the crews work, once a minute; in between only who watches needs the engine to have followed."""
        whole = t_ms % MINUTE_MS == 0
        if whole or not self.pace.hurries:
            self._settle()
            self._engine.drain(PATIENCE_S)
        if whole:
            self._crews.tick(t_ms)

    def _append(self, batch: Batch, stopping: threading.Event) -> None:
        """Put a step into the log in one commit: a frame for each second of arrival, then a tick."""
        while self._engine.progress().overloaded and not stopping.wait(BREATH_S):
            pass
        entries = [*_frames(batch), tick_record(batch.t_ms)]
        while not stopping.is_set():
            try:
                self._under_way.append(self._engine.intake.submit(entries, batch.t_ms, must=False))
                return
            except Overloaded as busy:
                stopping.wait(busy.retry_after_s)

    def _settle(self) -> None:
        for done in self._under_way:
            done.result()
        self._under_way.clear()

    def _call(self, call: Call) -> None:
        said = f"{call.t}|{call.lon}|{call.lat}|{call.text}|{call.contact}"
        report = Report(
            category=call.category,
            text=call.text,
            lon=call.lon,
            lat=call.lat,
            contact_phone=call.contact,
            source="12345",
            drill=self._days.today.scenario.drill,
        )
        key = "call-" + hashlib.sha256(said.encode()).hexdigest()[:32]
        self._engine.casework.report(report, HOTLINE, idempotency_key=key, t_ms=call.t)
        self._engine.relay.wake()


def _frames(batch: Batch) -> list[Entry]:
    """Return the lines of a step as one NDJSON frame for each second in which they arrive, stamped with its end."""
    frames: dict[int, list[bytes]] = {}
    for line, arrives_ms in zip(batch.lines, batch.arrives_ms.tolist(), strict=True):
        frames.setdefault(min(arrives_ms // SECOND_MS * SECOND_MS + SECOND_MS, batch.t_ms), []).append(line)
    return [Entry(b"\n".join(lines), None, log_time) for log_time, lines in sorted(frames.items())]
