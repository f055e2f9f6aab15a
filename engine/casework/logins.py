"""Logging in with a name and its token; whoever fails too often waits, also after a restart.

Failures are counted for a name from one address, for an address, and for a name from anywhere; the answer is the same
whether there is such a name or not. What is kept are hashes: a secret typed into the wrong field is not.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from engine.casework import tokens
from engine.casework.audit import row as audit_row
from engine.casework.errors import Refused
from engine.casework.people import Actor
from engine.casework.people_schema import login_failure
from engine.casework.schema import audit
from engine.casework.store import Store

WINDOW_MS = 15 * 60_000
LIMITS = {"pair": 5, "address": 20, "name": 50}
TOKEN_LIMIT = 100  # requests with unknown tokens of one address; a good token is let in all the same
NAME_LIMIT = 64


class TooManyTries(Refused):
    """Too many failed; `wait_s` until the next try."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("too_many_tries", 429, f"登录失败次数过多，请 {wait_s} 秒后再试")
        self.wait_s = wait_s


def log_in(store: Store, name: str, token: str, address: str, now_ms: int) -> Actor:
    """Return who logs in. Raises TooManyTries, and Refused 401 for a wrong name or token."""
    keys = _keys(name, address)
    with store.write() as db:
        wait_s = _wait_s(db, list(keys), now_ms)
        if wait_s:
            raise TooManyTries(wait_s)
        actor = tokens.whose(db, token, now_ms=now_ms)
        if actor is not None and hmac.compare_digest(actor.name.encode(), name.encode()):
            db.execute(delete(login_failure).where(login_failure.c.key == next(iter(keys))))
            line = audit_row(now_ms, name, "login", name, "token", str(actor.role), address)
            db.execute(insert(audit), [line])
            return actor
        _count(db, keys, now_ms)
        db.execute(insert(audit), [audit_row(now_ms, _named(name), "login.failed", _named(name), "", None, address)])
    raise Refused("wrong_login", 401, "用户名或令牌不对")


def unknown_token(store: Store, address: str, now_ms: int) -> int:
    """Count a request with a token that nobody has, or a link that was used; return for how many seconds the address
    is refused, 0 if it is not yet."""
    keys = {_hash("token", address): TOKEN_LIMIT}
    with store.read() as db:
        wait_s = _wait_s(db, list(keys), now_ms)
    if wait_s:
        return wait_s
    with store.write() as db:
        _count(db, keys, now_ms)
        db.execute(insert(audit), [audit_row(now_ms, "?", "login.failed", "?", "unknown token", None, address)])
    return 0


def trim(store: Store, now_ms: int) -> None:
    """Forget failures that no longer count."""
    with store.write() as db:
        over = (login_failure.c.until_t <= now_ms, login_failure.c.first_t < now_ms - WINDOW_MS)
        db.execute(delete(login_failure).where(*over))


def _keys(name: str, address: str) -> dict[str, int]:
    """Return what is counted, with its limit; the name from this address first."""
    name = name[:NAME_LIMIT]
    return {
        _hash("pair", name, address): LIMITS["pair"],
        _hash("address", address): LIMITS["address"],
        _hash("name", name): LIMITS["name"],
    }


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def _named(name: str) -> str:
    """Return a name for the audit; of what may be a secret nothing is kept."""
    return "tg_***" if "tg_" in name else name[:NAME_LIMIT]


def _wait_s(db: Connection, keys: list[str], now_ms: int) -> int:
    until = select(login_failure.c.until_t).where(login_failure.c.key.in_(keys))
    left = max(db.execute(until).scalars(), default=0) - now_ms
    return -(-left // 1000) if left > 0 else 0


def _count(db: Connection, keys: Mapping[str, int], now_ms: int) -> None:
    """Count a failure; at its limit a key is refused until a window later."""
    found = {row.key: row for row in db.execute(select(login_failure).where(login_failure.c.key.in_(list(keys))))}
    db.execute(delete(login_failure).where(login_failure.c.key.in_(list(keys))))
    rows = []
    for key, limit in keys.items():
        row = found.get(key)
        fresh = row is None or row.first_t < now_ms - WINDOW_MS
        failed = 1 if row is None or fresh else row.failed + 1
        first = now_ms if row is None or fresh else row.first_t
        rows.append(
            {"key": key, "failed": failed, "first_t": first, "until_t": now_ms + WINDOW_MS if failed >= limit else 0}
        )
    db.execute(insert(login_failure), rows)
