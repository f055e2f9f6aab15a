"""Logging in: a name with its token, and waiting after too many failures, also after a restart."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.casework import logins
from engine.casework.errors import Refused
from engine.casework.logins import LIMITS, TOKEN_LIMIT, WINDOW_MS, TooManyTries, log_in, unknown_token
from engine.casework.people_schema import login_failure
from engine.casework.schema import audit
from engine.casework.store import Store
from engine.casework.tokens import create_token, revoke_token

T = 1_760_000_000_000


@pytest.fixture
def token(store: Store) -> str:
    return create_token(store, name="李工", role="operator", now_ms=T)


def fails(store: Store, name: str, secret: str, address: str = "10.0.0.1", at: int = T) -> str:
    with pytest.raises(Refused) as refused:
        log_in(store, name, secret, address, at)
    return refused.value.code


def lines(store: Store) -> list[tuple[str, str, str | None]]:
    with store.read() as db:
        rows = db.execute(select(audit).where(audit.c.action.startswith("login")).order_by(audit.c.id))
        return [(row.action, row.actor, row.address) for row in rows]


def test_a_name_with_its_token_logs_in(store: Store, token: str) -> None:
    assert log_in(store, "李工", token, "10.0.0.1", T).role == "operator"
    assert lines(store) == [("login", "李工", "10.0.0.1")]


def test_the_answer_does_not_tell_whether_there_is_such_a_name(store: Store, token: str) -> None:
    said = set()
    for name, secret in (("李工", "wrong"), ("nobody", "wrong"), ("nobody", token)):
        with pytest.raises(Refused) as refused:
            log_in(store, name, secret, "10.0.0.1", T)
        said.add((refused.value.code, refused.value.status, refused.value.detail))
    assert len(said) == 1
    assert [action for action, *_ in lines(store)] == ["login.failed"] * 3


def test_a_revoked_token_logs_nobody_in(store: Store, token: str) -> None:
    assert revoke_token(store, 1, now_ms=T)
    assert fails(store, "李工", token, at=T + 1) == "wrong_login"


@pytest.mark.parametrize("name", ["李工", "nobody"])
def test_after_five_failures_a_name_waits_at_this_address_even_with_the_right_token(
    store: Store, token: str, name: str
) -> None:
    for n in range(LIMITS["pair"]):
        assert fails(store, name, "wrong", at=T + n) == "wrong_login"
    last = T + LIMITS["pair"] - 1
    with pytest.raises(TooManyTries) as refused:
        log_in(store, name, token, "10.0.0.1", last + 1000)
    assert refused.value.wait_s == WINDOW_MS // 1000 - 1
    assert log_in(store, "李工", token, "10.0.0.2", last + 1000)
    assert fails(store, name, "wrong", at=last + WINDOW_MS - 1) == "too_many_tries"
    assert log_in(store, "李工", token, "10.0.0.1", last + WINDOW_MS)


def test_an_address_waits_after_twenty_names(store: Store, token: str) -> None:
    for n in range(LIMITS["address"]):
        assert fails(store, f"name {n}", "wrong") == "wrong_login"
    assert fails(store, "李工", token) == "too_many_tries"
    assert log_in(store, "李工", token, "10.0.0.2", T)


def test_a_name_waits_after_fifty_failures_from_anywhere(store: Store, token: str) -> None:
    for n in range(LIMITS["name"]):
        assert fails(store, "李工", "wrong", f"10.0.{n}.1") == "wrong_login"
    assert fails(store, "李工", token, "10.1.1.1") == "too_many_tries"


def test_a_success_forgets_the_failures_of_the_name_at_this_address(store: Store, token: str) -> None:
    for _ in range(3):
        for _ in range(LIMITS["pair"] - 1):
            fails(store, "李工", "wrong")
        log_in(store, "李工", token, "10.0.0.1", T)


def test_failures_of_long_ago_do_not_count(store: Store) -> None:
    for n in range(2 * LIMITS["pair"]):
        assert fails(store, "李工", "wrong", at=T + n * (WINDOW_MS + 1)) == "wrong_login"


def test_a_restart_forgets_nothing(file_store: Store) -> None:
    token = create_token(file_store, name="李工", role="operator", now_ms=T)
    for _ in range(LIMITS["pair"]):
        fails(file_store, "李工", "wrong")
    path = str(file_store.engine.url.database)
    file_store.close()
    again = Store.open(path)
    assert fails(again, "李工", token) == "too_many_tries"
    again.close()


def test_unknown_tokens_of_one_address_are_counted_too(store: Store) -> None:
    assert [unknown_token(store, "10.0.0.1", T) for _ in range(TOKEN_LIMIT)] == [0] * TOKEN_LIMIT
    assert unknown_token(store, "10.0.0.1", T + 1000) == WINDOW_MS // 1000 - 1
    assert unknown_token(store, "10.0.0.2", T) == 0
    assert len(lines(store)) == TOKEN_LIMIT + 1


def test_no_secret_is_kept_that_was_typed_into_the_wrong_field(store: Store, token: str) -> None:
    fails(store, token[:64], "李工")
    with store.read() as db:
        said = str(db.execute(select(audit)).all()) + str(db.execute(select(login_failure)).all())
    assert token[:20] not in said


def test_what_no_longer_counts_is_forgotten(store: Store) -> None:
    fails(store, "李工", "wrong")
    logins.trim(store, T + WINDOW_MS + 1)
    with store.read() as db:
        assert db.execute(select(login_failure)).first() is None
