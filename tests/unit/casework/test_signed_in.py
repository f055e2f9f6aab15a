"""Browsers that are signed in stay so for their time, as long as their token is good."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.casework import signed_in
from engine.casework.people_schema import login_session
from engine.casework.store import Store
from engine.casework.tokens import create_token, list_tokens, revoke_token

T = 1_760_000_000_000
HOUR = 3_600_000


@pytest.fixture
def token(store: Store) -> str:
    return create_token(store, name="李工", role="operator", expires_t=T + 9 * HOUR, now_ms=T)


def name_of(store: Store, secret: str, at: int) -> str | None:
    found = signed_in.who(store, secret, now_ms=at)
    return None if found is None else found.name


def test_a_session_lasts_its_time_and_no_longer_than_its_token(store: Store, token: str) -> None:
    short = signed_in.begin(store, token, until_ms=T + HOUR, now_ms=T)
    long = signed_in.begin(store, token, until_ms=T + 12 * HOUR, now_ms=T)
    at = [T, T + HOUR - 1, T + HOUR, T + 9 * HOUR - 1, T + 9 * HOUR]
    assert [name_of(store, short, t) for t in at] == ["李工", "李工", None, None, None]
    assert [name_of(store, long, t) for t in at] == ["李工", "李工", "李工", "李工", None]


def test_a_session_ends_when_it_is_ended_and_when_its_token_is_revoked(store: Store, token: str) -> None:
    one, other = (signed_in.begin(store, token, until_ms=T + HOUR, now_ms=T) for _ in range(2))
    signed_in.end(store, one)
    signed_in.end(store, "of nobody")
    assert (name_of(store, one, T), name_of(store, other, T)) == (None, "李工")
    assert revoke_token(store, list_tokens(store)[0].id, now_ms=T)
    assert name_of(store, other, T) is None
    assert name_of(store, token, T) is None


def test_neither_secret_is_kept_and_what_ended_is_let_go_of(store: Store, token: str) -> None:
    old = signed_in.begin(store, token, until_ms=T + 1, now_ms=T)
    new = signed_in.begin(store, token, until_ms=T + HOUR, now_ms=T + 1)
    with store.read() as db:
        rows = db.execute(select(login_session)).all()
    assert len(rows) == 1
    assert not {old, new, token} & set(map(str, rows[0]))
