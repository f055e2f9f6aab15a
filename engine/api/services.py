"""What the API needs of the rest of the engine, as protocols; `Services` is handed to `create_app`.

The API imports casework and never the runtime: whoever composes a process (`serve`, `demo`) gives it these parts.
All methods are called from worker threads unless they say otherwise; none may block for long while holding a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from engine.clock import wall_clock_ms

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from engine.casework.duty import RosterFile
    from engine.casework.photos import PhotoFolder
    from engine.casework.service import Casework


class Overloaded(Exception):
    """Raised by an intake that has no room now: the API answers 429 with `Retry-After`."""

    def __init__(self, detail: str, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Unavailable(Exception):
    """Raised when a store cannot be written (disk full, read-only, stopped): answered 503, nothing was accepted."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Rejected:
    """One reading that detect will reject: its position in the body from 0, and a code of the closed set of reasons."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What the engine's decoder says of one body.

    `readings` counts all elements, good and bad; 0 together with a reject means that the body could not be split: it
    is malformed (`rejected[0].reason` says how), is answered with 400 and is not appended.
    """

    readings: int
    rejected: tuple[Rejected, ...]


class Intake(Protocol):
    """Where readings go in. A body is one record: a JSON array or at least two lines of NDJSON, at most 1 MiB and
    10,000 readings, without control records standing alone (the API wraps a single line into an array)."""

    def judge(self, body: bytes) -> Judged:
        """Decode the body as detect will, without storing it."""

    def append(self, body: bytes, readings: int) -> None:
        """Append the body as one record of `city.readings` and return once it is durable.

        Raises `Overloaded` (nothing was stored, try again later) or `Unavailable` (nothing was stored).
        """


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One message of the outbox, after the relay gave it its position.

    `position` is unique, rises without bound and is what `Last-Event-ID` names. `type` is the SSE event name
    (`case` or `alert`). `data` is the JSON object to be sent, contact data already left out. The other fields are what
    filters and areas are judged by; null where unknown.
    """

    position: int
    type: str
    data: bytes
    case: str | None = None
    state: str | None = None
    level: str | None = None
    category: str | None = None
    department: str | None = None
    grid: str | None = None
    lon: float | None = None
    lat: float | None = None
    overdue: bool = False
    text: str = ""


class Relay(Protocol):
    """The one relay of the outbox: events in the order of their positions, which are given after commit."""

    def read(self, after: int, limit: int) -> Sequence[StreamEvent]:
        """Return at most `limit` events with `position > after`, ascending; empty when there is none yet."""

    def first(self) -> int:
        """Return the smallest position still kept (last + 1 when none is): older ones were trimmed."""

    def last(self) -> int:
        """Return the largest position given so far, 0 when none was."""

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` (from any thread; it returns at once) after positions were given; returns what ends that."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far the engine is.

    `clock_ms` is casework's time C (null before the first mark); `log_ms` the log time of the newest record; on a
    player's clock both run with it. `waiting` counts records of the readings log that detect has not yet judged, and
    `behind_s` how old, in seconds of the machine's clock, the oldest of them is. `faults` names, in Chinese and
    English, what the engine refuses to pass over, with the command that goes on; `gaps` likewise what was skipped
    knowingly. `counts` are what this process has judged since it began: readings, late, rejected, changes, opened;
    null where others judge (their `/metrics` tell), and then left out of answers.
    """

    ready: bool
    clock_ms: int | None
    log_ms: int | None
    waiting: int
    behind_s: float
    overloaded: bool = False
    plan: str | None = None
    reasons: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    counts: Mapping[str, float] | None = None


class Health(Protocol):
    """The state of the running process."""

    def status(self) -> Status:
        """Return the present figures; cheap, called about once a second."""

    def alive(self) -> bool:
        """Return False when a thread of the engine has ended that must not."""


@dataclass(frozen=True, slots=True)
class SensorRow:
    """One sensor and kind with its last released reading (`city.sensors`); `t`, `v` are null before the first."""

    sensor: str
    kind: str
    lon: float | None
    lat: float | None
    grid: str | None
    department: str | None
    site: str | None
    t: int | None = None
    v: float | None = None
    level: str | None = None


class Sensors(Protocol):
    """The registered sensors and those seen, with their last values. For people, never for decisions."""

    def rows(self) -> Sequence[SensorRow]:
        """Return every (sensor, kind), sorted by (sensor, kind), with its last value."""

    def grid_of(self, sensor: str) -> str | None:
        """Return the unit grid of a registered sensor with a place, else null."""

    def attrs_of(self, sensor: str, kind: str) -> Mapping[str, object] | None:
        """Return the attributes of the last reading, null where they are not known."""


class Layers(Protocol):
    """The city's areas as GeoJSON."""

    def features(
        self, level: Literal["county", "street", "community", "grid"], bbox: tuple[float, float, float, float] | None
    ) -> Sequence[Mapping[str, object]]:
        """Return GeoJSON features (WGS-84) of a level that touch the box (west, south, east, north), by ascending code.

        Each has `properties.code`, `.name` and what is known of it (`department`, `officer`, `centre` [lon, lat]).
        """

    def zones(self) -> Sequence[Mapping[str, object]]:
        """Return the zones that rules ask about as GeoJSON features; `properties.set` names the set of each."""

    def bounds(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north of the city in degrees."""

    def name(self) -> str:
        """Return the Chinese name of the city."""

    def edition(self) -> str:
        """Return by what the present areas are known: another one when they changed."""


class PlayerView(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulated city is played. Times in ms; `speed`: times faster than life; `jump`: where it hurries to, null
    when it does not; `prelude`: whether what lies before the story is still played, as fast as it goes."""

    scenario: str
    title: str
    seed: int
    speed: float
    paused: bool
    now: int
    starts: int
    ends: int
    jump: int | None = None
    prelude: bool = False


class Playing(Protocol):
    """The player of a simulated city."""

    def view(self) -> PlayerView:
        """Return how it is played."""

    def pause(self) -> None:
        """Stand still."""

    def resume(self) -> None:
        """Go on."""

    def run_at(self, speed: float) -> None:
        """Run so many times faster than life."""

    def jump(self, to_ms: int) -> None:
        """Hurry to a later moment."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and addresses of the API; everything has a default that is safe on loopback.

    `allowed_hosts` are host names (without port) beyond the loopback ones; `allowed_origins` whole origins
    (`https://console.example`) beyond the same origin. `trusted_proxies` are addresses whose X-Forwarded-For is
    believed.
    """

    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    body_limit_bytes: int = 1 << 20
    form_limit_bytes: int = 64 << 10
    header_limit_bytes: int = 16 << 10
    body_timeout_s: float = 20.0
    send_timeout_s: float = 30.0
    heartbeat_s: float = 15.0
    ticket_ttl_s: float = 60.0
    session_ttl_s: float = 12 * 3600.0
    streams_limit: int = 256
    intake_limit_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that `create_app` is given.

    `now_ms` is the time of people's moves: the machine's clock, or casework's C on a player's clock.
    `wall_ms` is the machine's clock, by which tokens end. `rules` are the rules of the running plan as JSON objects
    in the shape of their files, `kinds` its kinds. `registry` holds the metrics that `/metrics` prints. `photos` null:
    none are taken; `roster` null: no posts are known; `player` null: life is the clock; `tz` is the city's, for tables.
    """

    casework: Casework
    intake: Intake | None
    relay: Relay
    health: Health
    sensors: Sensors
    layers: Layers
    rules: Callable[[], Sequence[Mapping[str, object]]]
    kinds: Callable[[], Sequence[Mapping[str, object]]]
    registry: CollectorRegistry
    now_ms: Callable[[], int]
    settings: Settings = field(default_factory=Settings)
    wall_ms: Callable[[], int] = wall_clock_ms
    photos: PhotoFolder | None = None
    roster: RosterFile | None = None
    tz: str = "Asia/Shanghai"
    player: Playing | None = None
