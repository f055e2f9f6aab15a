"""The outbox lets go of what everybody had for a week, from its beginning, and positions go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import insert

from engine.casework.log_schema import destination
from engine.casework.replay import differences
from engine.casework.store import Store
from engine.casework.trimming import DAY_MS, let_go, told

from .conftest import Town


def told_to(store: Store, name: str, position: int) -> None:
    with store.write() as db:
        db.execute(insert(destination), [{"name": name, "position": position, "failed": 0}])


@pytest.fixture
def messages(town: Town) -> int:
    """Raise some alerts; return how many messages that gives."""
    for name in "abcdefgh":
        town.raised(name)
    town.casework.assign_positions(1000)
    return town.casework.positions()[1]


def test_a_message_stays_for_a_week_and_until_everybody_had_it(town: Town, messages: int) -> None:
    store, now_ms = town.store, 100 * DAY_MS
    told_to(store, "city.cases", messages)
    told_to(store, "webhook:slow", 2)
    both = ["city.cases", "webhook:slow"]
    assert told(store, both) == 2
    assert told(store, [*both, "webhook:new"]) == 0
    assert let_go(store, messages, now_ms=now_ms) == 0
    assert let_go(store, messages, now_ms=now_ms + 7 * DAY_MS - 1) == 0, "not a week yet"
    assert let_go(store, told(store, both), now_ms=now_ms + 7 * DAY_MS) == 2, "what the slow one had"
    assert town.casework.positions() == (3, messages)
    assert let_go(store, messages, now_ms=now_ms + 8 * DAY_MS) == messages - 3
    assert town.casework.positions() == (messages, messages), "the newest stays"


def test_positions_go_on_and_cases_are_still_those_of_the_log(
    town: Town, messages: int, tmp_path: Path, empty: Path
) -> None:
    for when in (100, 108):
        let_go(town.store, messages, now_ms=when * DAY_MS)
    town.raised("later")
    town.casework.assign_positions(1000)
    first, last = town.casework.positions()
    assert first == messages < last
    assert [row.position for row in town.casework.read_outbox(0, 10)] == list(range(first, last + 1))
    again = Town(Store.open(shutil.copy(empty, tmp_path / "again.db")))
    again.casework.apply(town.log)
    assert differences(town.store, again.store) == []
    again.store.close()
