"""One-use tickets, and the sessions of browsers that came by a link, in the memory of this process.

Who signed in with a token is kept in the store (engine/casework/signed_in.py).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.casework.people import Actor

Credential = Callable[[], "Actor | None"]
"""Answers who the caller is now; None once the token was revoked or the session ended."""

COOKIE = "tongguan_session"
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Held:
    credential: Credential
    until_s: float


def _nobody() -> Actor | None:
    return None


class Tickets:
    """Secrets that stand for a credential until they end; `clock` answers seconds that never go back.

    At most 10,000 are kept: beyond that the oldest ends first.
    """

    def __init__(self, ttl_s: float, clock: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def issue(self, credential: Credential) -> str:
        """Return a new secret of 256 random bits for a credential."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            self._sweep()
            self._held[secret] = _Held(credential, self._clock() + self._ttl_s)
        return secret

    def spend(self, secret: str) -> Credential | None:
        """Return the credential and end the secret; None if it is unknown, spent or past its time."""
        with self._lock:
            held = self._held.pop(secret, None)
        return held.credential if held is not None and self._clock() < held.until_s else None

    def look(self, secret: str) -> Credential | None:
        """Return the credential and keep the secret; None if it is unknown or past its time."""
        with self._lock:
            held = self._held.get(secret)
        return held.credential if held is not None and self._clock() < held.until_s else None

    def first(self, name: str) -> bool:
        """Tell whether a name was not here for the whole time, and note that it is now."""
        with self._lock:
            self._sweep()
            known = self._held.pop(name, None)
            now = self._clock()
            self._held[name] = _Held(_nobody, now + self._ttl_s)
        return known is None or known.until_s <= now

    def end(self, secret: str) -> None:
        """Forget a secret; unknown ones too."""
        with self._lock:
            self._held.pop(secret, None)

    def _sweep(self) -> None:
        now = self._clock()
        # issued in order of their ends, so that the ended ones stand first
        while self._held:
            oldest = next(iter(self._held))
            if self._held[oldest].until_s > now and len(self._held) < KEPT:
                return
            del self._held[oldest]


class Sessions:
    """Everything that stands for a person in a browser.

    `login` tickets come from the process that prints the link, `stream` tickets from a signed-in caller, `browser`
    secrets, of those who came by a link, live in the cookie.
    """

    def __init__(self, ticket_ttl_s: float, session_ttl_s: float, clock: Callable[[], float]) -> None:
        self.login = Tickets(session_ttl_s, clock)
        self.stream = Tickets(ticket_ttl_s, clock)
        self.browser = Tickets(session_ttl_s, clock)
