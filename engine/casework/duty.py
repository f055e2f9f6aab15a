"""值班表: who is on duty at which post, now and next."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from engine.casework.privacy import mask_phone
from engine.casework.roster_file import Duty, RosterRefused, read_roster


class Stint(msgspec.Struct, frozen=True, kw_only=True):
    """One person at a post: from `start_t`, included, to `end_t`, not (ms); `instead_of` whom he stands in for."""

    shift: str
    name: str
    phone: str | None
    start_t: int
    end_t: int
    instead_of: str | None


class PostView(msgspec.Struct, frozen=True, kw_only=True):
    """A post: those on duty now (nobody: empty), and those of the next shift that begins."""

    post: str
    title: str
    now: list[Stint]
    next: list[Stint]


class DutyView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on duty at `t`; `faults` of a roster file that was changed and cannot be read: the one before holds."""

    t: int
    posts: list[PostView]
    faults: list[str]


class Roster:
    """All stints of a file, by post in the order of their starts."""

    def __init__(self, posts: Mapping[str, str], duties: Iterable[Duty]) -> None:
        self.posts = dict(posts)
        self._stints: defaultdict[str, list[Stint]] = defaultdict(list)
        for duty in sorted(duties, key=lambda one: (one.start_t, one.name)):
            stint = Stint(**{name: getattr(duty, name) for name in Stint.__struct_fields__})
            self._stints[duty.post].append(stint)
        self._longest = {post: max(one.end_t - one.start_t for one in stints) for post, stints in self._stints.items()}

    def at(self, post: str, t_ms: int) -> list[Stint]:
        """Return who is on duty at a post, in the order of their names."""
        stints = self._stints.get(post, [])
        first = bisect_left(stints, t_ms - self._longest.get(post, 0), key=lambda one: one.start_t)
        last = bisect_left(stints, t_ms + 1, key=lambda one: one.start_t)
        return sorted((one for one in stints[first:last] if one.end_t > t_ms), key=lambda one: one.name)

    def after(self, post: str, t_ms: int) -> list[Stint]:
        """Return those of the next shift of a post that begins after a time."""
        stints = self._stints.get(post, [])
        first = bisect_left(stints, t_ms + 1, key=lambda one: one.start_t)
        return [one for one in stints[first:] if one.start_t == stints[first].start_t]


class RosterFile:
    """A roster that follows its file: it is read again when the file was changed; no path: no posts."""

    def __init__(self, path: Path | None, tz: str) -> None:
        """Raises RosterRefused with every fault of the file."""
        self._path = path
        self._tz = tz
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._roster = Roster({}, ())
        self._faults: list[str] = []
        if path is not None:
            self._read(path)
            if self._faults:
                raise RosterRefused(self._faults)

    def roster(self) -> Roster:
        """Return the roster of the file as it is now, or as it was when it was last sound."""
        if self._path is not None:
            with self._lock:
                self._read(self._path)
        return self._roster

    def view(self, t_ms: int, *, plain: bool) -> DutyView:
        """Return who is on duty; phone numbers in full only if `plain`."""
        roster = self.roster()

        def shown(stints: list[Stint]) -> list[Stint]:
            if plain:
                return stints
            return [msgspec.structs.replace(one, phone=mask_phone(one.phone)) for one in stints]

        posts = [
            PostView(post=post, title=title, now=shown(roster.at(post, t_ms)), next=shown(roster.after(post, t_ms)))
            for post, title in roster.posts.items()
        ]
        return DutyView(t=t_ms, posts=posts, faults=list(self._faults))

    def _read(self, path: Path) -> None:
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp == self._stamp:
                return
            self._roster = Roster(*read_roster(path, self._tz))
            self._stamp, self._faults = stamp, []
        except OSError as error:
            self._faults = [f"{path}: {error.strerror}"]
        except RosterRefused as refused:
            self._stamp, self._faults = stamp, refused.faults
