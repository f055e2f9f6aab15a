"""Tickets and sessions end when they must."""

from __future__ import annotations

from engine.api.sessions import KEPT, Tickets
from engine.casework.people import Actor, Role

SOMEONE = Actor(name="张三", role=Role.VIEWER)


class Clock:
    """Seconds that a test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def tickets(clock: Clock) -> Tickets:
    return Tickets(60.0, clock)


def test_a_ticket_is_spent_once() -> None:
    held = tickets(Clock())
    secret = held.issue(lambda: SOMEONE)
    credential = held.spend(secret)
    assert credential is not None
    assert credential() == SOMEONE
    assert held.spend(secret) is None


def test_a_ticket_ends_after_its_time_and_not_before() -> None:
    clock = Clock()
    held = tickets(clock)
    early, late = held.issue(lambda: SOMEONE), held.issue(lambda: SOMEONE)
    clock.now_s += 59.999
    assert held.spend(early) is not None
    clock.now_s += 0.001
    assert held.spend(late) is None


def test_looking_keeps_a_session_and_ending_ends_it() -> None:
    held = tickets(Clock())
    secret = held.issue(lambda: SOMEONE)
    assert held.look(secret) is not None
    assert held.look(secret) is not None
    held.end(secret)
    assert held.look(secret) is None


def test_secrets_are_long_and_never_the_same() -> None:
    held = tickets(Clock())
    secrets = {held.issue(lambda: SOMEONE) for _ in range(1000)}
    assert len(secrets) == 1000
    assert min(map(len, secrets)) >= 43


def test_what_is_kept_is_bounded_and_the_oldest_ends_first() -> None:
    held = tickets(Clock())
    first = held.issue(lambda: SOMEONE)
    second = held.issue(lambda: SOMEONE)
    for _ in range(KEPT - 1):
        held.issue(lambda: SOMEONE)
    assert held.look(first) is None
    assert held.look(second) is not None
