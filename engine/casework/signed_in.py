"""Browsers that are signed in with a token: kept in the store, so that they stay so when the engine starts anew.

Both secrets, the cookie's and the token's, are kept as SHA-256. A session ends with its token.
"""

from __future__ import annotations

import secrets

from sqlalchemy import delete, insert, select

from engine.casework import tokens
from engine.casework.people import Actor
from engine.casework.people_schema import login_session
from engine.casework.store import Store


def begin(store: Store, token: str, *, until_ms: int, now_ms: int) -> str:
    """Sign a browser in until then; return the secret of its cookie."""
    secret = secrets.token_urlsafe(32)
    row = {"key": tokens.hashed(secret), "token": tokens.hashed(token), "until_t": until_ms}
    with store.write() as db:
        db.execute(delete(login_session).where(login_session.c.until_t <= now_ms))
        db.execute(insert(login_session), [row])
    return secret


def who(store: Store, secret: str, *, now_ms: int) -> Actor | None:
    """Return who is signed in with a cookie; None when it is unknown or past its time, or its token came to its end."""
    mine = login_session.c.key == tokens.hashed(secret)
    with store.read() as db:
        token = db.execute(select(login_session.c.token).where(mine, login_session.c.until_t > now_ms)).scalar()
        return None if token is None else tokens.of_hash(db, token, now_ms=now_ms)


def end(store: Store, secret: str) -> None:
    """Sign a browser out; unknown ones too."""
    with store.write() as db:
        db.execute(delete(login_session).where(login_session.c.key == tokens.hashed(secret)))
