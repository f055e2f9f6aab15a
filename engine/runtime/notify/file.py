"""The file that says who is told of what: `[[webhook]]` tables for systems, `[[robot]]` tables for chat groups."""

from __future__ import annotations

import base64
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import msgspec

from engine.casework.model import MOVES, Note
from engine.casework.words import CHANGES
from engine.runtime.config import Duration
from engine.runtime.errors import ConfigFault

TIMEOUT_S = 10.0
EVENTS = frozenset({*MOVES, *(str(note) for note in Note), *CHANGES})
ROBOT_EVENTS = ("raised", "escalated", "report", "supervise")

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+\S*$")]
Timeout = Annotated[float, msgspec.Meta(gt=0, le=120)]


class Event(msgspec.Struct, frozen=True):
    """What is looked at in a message's event; `data.change` where it is a change of an alert."""

    move: str
    data: dict[str, Any] = {}


class Case(msgspec.Struct, frozen=True):
    """What is looked at in a message's case."""

    category: str
    drill: bool
    grid: str | None = None
    department: str | None = None
    level: str | None = None


class Message(msgspec.Struct, frozen=True):
    """A message of the outbox, as far as it is looked at."""

    id: str
    event: Event
    case: Case


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages. `categories`: beginnings of category codes, `area` of grid codes; `events`: moves, or changes of
    alerts; `levels`: of the alert that changed, else of the case after it. Empty: all. Exercises (演练) never."""

    name: Name
    url: Url
    categories: list[Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,4}$")]] = []
    area: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,15}$")] = ""
    departments: list[Annotated[str, msgspec.Meta(min_length=1, max_length=64)]] = []
    events: list[str] = []
    levels: list[Literal["blue", "yellow", "orange", "red"]] = []
    timeout_s: Timeout = TIMEOUT_S

    def wants(self, message: Message) -> bool:
        """Tell whether a message is sent here."""
        case = message.case
        if case.drill or not (case.grid or "").startswith(self.area):
            return False
        if self.categories and not case.category.startswith(tuple(self.categories)):
            return False
        if self.departments and case.department not in self.departments:
            return False
        change = message.event.data.get("change") or {}
        if self.events and not {message.event.move, change.get("change")} & set(self.events):
            return False
        return not self.levels or change.get("level", case.level) in self.levels

    def fault(self) -> str:
        """Return what no single field shows, empty if nothing."""
        unknown = sorted(set(self.events) - EVENTS)
        if unknown:
            return f"events: unknown {', '.join(unknown)}; known are {', '.join(sorted(EVENTS))}"
        return "" if httpx.URL(self.url).host else "url: has no host"


class Webhook(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A system that gets messages as they are, signed. `secret`: any text, or `whsec_` and base64."""

    secret: Annotated[str, msgspec.Meta(min_length=16)]

    @property
    def key(self) -> bytes:
        """Return the bytes that sign."""
        if self.secret.startswith("whsec_"):
            return base64.b64decode(self.secret.removeprefix("whsec_"), validate=True)
        return self.secret.encode()

    def fault(self) -> str:
        """Return what no single field shows, empty if nothing; ValueError for a secret that is no base64."""
        return super().fault() if self.key else "secret: is empty"


class Robot(Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The robot of a chat group, which gets sentences. `secret`: DingTalk's 加签; `at` and whoever is on duty at `post`
    are called by their mobile numbers; `link` with `{case}` in it leads to the case; what could not be told within
    `give_up` is not told any more."""

    kind: Literal["wecom", "dingtalk"]
    secret: str = ""
    at: list[Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9-]{5,20}$")]] = []
    at_all: bool = False
    post: str = ""
    link: str = ""
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    give_up: Duration = "12h"
    events: list[str] = msgspec.field(default_factory=lambda: [*ROBOT_EVENTS])

    def fault(self) -> str:
        """Return what no single field shows, empty if nothing."""
        if self.kind == "wecom" and self.secret:
            return "secret: a WeCom robot has none; its key stands in the url"
        return super().fault()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    webhook: list[Any] = []
    robot: list[Any] = []


def read_destinations(path: Path) -> list[Webhook | Robot]:
    """Read the file. ConfigFault names every fault, and no secret."""
    try:
        file = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigFault([f"webhooks: {path}: {error}"]) from error
    found: list[Webhook | Robot] = []
    faults = []
    tables: list[tuple[str, type[Webhook] | type[Robot], Any]]
    tables = [(f"webhook {n}", Webhook, row) for n, row in enumerate(file.webhook, start=1)]
    tables += [(f"robot {n}", Robot, row) for n, row in enumerate(file.robot, start=1)]
    for name, kind, row in tables:
        try:
            one = msgspec.convert(row, kind)
            found.append(one)
            if one.fault():
                faults.append(f"webhooks: {path}: {name}: {one.fault()}")
        except (msgspec.ValidationError, httpx.InvalidURL, ValueError) as error:
            faults.append(f"webhooks: {path}: {name}: {error}")
    names = [one.name for one in found]
    faults += [
        f"webhooks: {path}: two destinations are named {name!r}" for name in sorted({*names}) if names.count(name) > 1
    ]
    if faults:
        raise ConfigFault(faults)
    return found
