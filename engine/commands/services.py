"""What the API asks for, given by an embedded engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import msgspec

from engine.api.metrics import Metrics
from engine.api.services import (
    Judged,
    Overloaded,
    Playing,
    Rejected,
    Services,
    Settings,
    Status,
    StreamEvent,
    Unavailable,
)
from engine.casework.duty import RosterFile
from engine.casework.outbox import OutboxRow, positions
from engine.casework.photos import PhotoFolder
from engine.clock import wall_clock_ms
from engine.commands.city_files import CityFiles
from engine.commands.city_services import CityLayers, CitySensors, kinds_of, rules_of
from engine.commands.counting import Counted
from engine.detect.batch import RecordBatch
from engine.detect.decode.decoder import Decoder
from engine.detect.decode.frames import split
from engine.detect.decode.reasons import Refusal
from engine.detect.decode.vocabulary import Vocabulary
from engine.runtime import errors
from engine.runtime.embedded import Embedded
from engine.runtime.gaps import banner
from engine.runtime.latest import attributes
from engine.runtime.readings import frames_that_fit
from rules.plan import Plan

MOST_SERIES = 500_000


class Judge:
    """What detect will say of a body under a plan, before it is in the log."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._fresh()

    def _fresh(self) -> None:
        self._vocabulary = Vocabulary(self._plan)
        self._decoder = Decoder(self._plan, self._vocabulary, ())

    def judge(self, body: bytes) -> Judged:
        """Return how many readings a body has and which detect will reject."""
        batch = RecordBatch.from_records([body], log_times=[wall_clock_ms()])
        with self._lock:
            if self._vocabulary.count > MOST_SERIES:
                self._fresh()
            found = self._decoder.decode(batch)
        rejected = tuple(Rejected(reject.index, str(reject.reason)) for reject in found.rejects)
        if found.n == 0 and len(rejected) == 1 and not _is_frame(body):
            return Judged(0, rejected)
        return Judged(found.n + len(rejected), rejected)


class EmbeddedIntake:
    """Readings into the journal."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self.judge = Judge(engine.plan).judge

    def append(self, body: bytes, readings: int) -> None:
        """Append a body, in parts where its log times would not fit beside it; durable on return."""
        log_time = self._engine.now_ms() if self._engine.player else None
        try:
            self._engine.intake.append(frames_that_fit(body, readings), log_time=log_time)
        except errors.Overloaded as error:
            raise Overloaded(str(error), error.retry_after_s) from error
        except errors.RuntimeFault as error:
            raise Unavailable(str(error)) from error


def _is_frame(body: bytes) -> bool:
    try:
        return split(body).framed
    except Refusal:
        return False


class _Told(msgspec.Struct, frozen=True):
    """What filters of the stream look at in a message's case."""

    state: str
    level: str | None
    category: str
    department: str | None
    grid: str | None
    lon: float | None
    lat: float | None
    title: str
    text: str | None = None
    sensor: str | None = None
    flags: list[str] = []


class _Message(msgspec.Struct, frozen=True):
    case: _Told


_messages = msgspec.json.Decoder(_Message)


class EmbeddedRelay:
    """The outbox as events of the stream."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine

    def read(self, after: int, limit: int) -> list[StreamEvent]:
        """Return published events after a position."""
        return [event_of(row) for row in self._engine.relay.read(after, limit)]

    def first(self) -> int:
        """Return the smallest position kept."""
        return positions(self._engine.store)[0]

    def last(self) -> int:
        """Return the largest position published."""
        return self._engine.relay.position

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after each publication."""
        return self._engine.relay.subscribe(wake)


def event_of(row: OutboxRow) -> StreamEvent:
    """Return a message of the outbox as an event of the stream."""
    case = _messages.decode(row.payload).case
    return StreamEvent(
        position=row.position,
        type="case",
        data=row.payload,
        case=row.case,
        state=case.state,
        level=case.level,
        category=case.category,
        department=case.department,
        grid=case.grid,
        lon=case.lon,
        lat=case.lat,
        overdue="overdue" in case.flags,
        text=" ".join(filter(None, (row.case, case.title, case.text, case.sensor))),
    )


class EmbeddedHealth:
    """The engine's progress in the words of the API."""

    def __init__(self, engine: Embedded, counted: Counted) -> None:
        self._engine = engine
        self._counted = counted

    def status(self) -> Status:
        """Return the present figures."""
        now = self._engine.progress()
        reasons = [*now.faults]
        if now.behind_s >= 5:
            reasons.append(f"检测滞后 {now.behind_s:.0f} 秒 / detect is {now.behind_s:.0f} s behind")
        if now.overloaded:
            reasons.append("读数过多，暂缓接收 / too many readings, come back later")
        return Status(
            ready=now.ready,
            clock_ms=now.clock_ms,
            log_ms=now.log_ms,
            waiting=now.waiting,
            behind_s=now.behind_s,
            overloaded=now.overloaded,
            plan=self._engine.plan.short,
            reasons=tuple(reasons),
            faults=now.faults,
            gaps=banner(self._engine.journal.gaps, wall_clock_ms()),
            counts=dict(self._counted.totals),
        )

    def alive(self) -> bool:
        """Return False when a thread of the engine has ended."""
        return self._engine.alive()


def services_of(
    engine: Embedded,
    city: CityFiles,
    metrics: Metrics,
    counted: Counted,
    settings: Settings,
    roster: RosterFile | None = None,
    player: Playing | None = None,
) -> Services:
    """Put together what `create_app` is given."""
    return Services(
        casework=engine.casework,
        intake=EmbeddedIntake(engine),
        relay=EmbeddedRelay(engine),
        health=EmbeddedHealth(engine, counted),
        sensors=CitySensors(engine.plan, engine.sensors, partial(attributes, engine.journal)),
        layers=CityLayers(city),
        rules=lambda: rules_of(engine.plan),
        kinds=lambda: kinds_of(engine.plan),
        registry=metrics.registry,
        now_ms=engine.now_ms,
        settings=settings,
        photos=PhotoFolder(engine.folder / "attachments"),
        roster=roster,
        tz=city.plan.tz,
        player=player,
    )
