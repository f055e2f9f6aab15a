"""A database that stops, a writer that stands still, a writer that comes back: cases are as if none of it had been."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, make_url, select, text

from engine.casework import schema
from engine.casework.errors import CursorLost, StoreAway
from engine.casework.patience import MORE_S, as_long_as_it_takes
from engine.casework.replay import differences
from engine.casework.service import Casework
from engine.casework.store import CONNECTIONS, Store
from tests.kafka.proxy import Proxy, ProxyBeside
from tests.parts.postgres import Database, Server, fresh

from .conftest import Town

pytestmark = pytest.mark.needs("postgres")


def impatient(url: str, **limits: int) -> Store:
    """Open the store with shorter limits, in ms."""
    options = "%20".join(f"-c%20{name}%3D{value}" for name, value in limits.items())
    return Store.connect(f"{url}?options={options}")


def test_every_connection_has_limits_for_all_that_could_wait_without_end(database: Database) -> None:
    wanted = {
        "statement_timeout": "1min",
        "lock_timeout": "20s",
        "idle_in_transaction_session_timeout": "15s",
        "application_name": "tongguan",
    }
    with database.store.read() as db:
        assert {name: db.execute(text(f"SHOW {name}")).scalar_one() for name in wanted} == wanted
        assert db.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
        assert db.execute(text("SHOW transaction_read_only")).scalar_one() == "on"
    with database.store.write() as db:
        assert db.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    pool = database.store.engine.pool
    assert pool.size() + pool._max_overflow == CONNECTIONS  # type: ignore[attr-defined]


def test_a_database_that_is_stopped_is_away_by_name_and_the_same_store_goes_on_when_it_is_back(
    postgres_server: Server,
) -> None:
    if postgres_server.folder is None:
        pytest.skip("the PostgreSQL of TONGGUAN_TEST_POSTGRES is not ours to stop")
    with fresh(postgres_server) as database:
        town = Town(database.store)
        town.raised("a")
        record = town.write(town.change("b", "raised", "red"))
        postgres_server.stop_now()
        try:
            for use in (town.casework.cursor, lambda: town.casework.apply([record])):
                with pytest.raises(StoreAway, match=r"^case store: postgresql\+psycopg://tongguan:\*\*\*@") as away:
                    use()
                assert away.value.exit_code == 75
        finally:
            postgres_server.start()
        assert town.casework.cursor() == 1
        town.casework.apply([record])
        assert len(town.cases()) == 2


def test_a_zombie_loses_the_swap_and_nothing_of_what_it_did_is_there(database: Database) -> None:
    town = Town(database.store)
    other = Store.connect(database.url)
    zombie = Casework(other, town.casework.plans)
    assert zombie.cursor() == 0
    town.raised("a")
    town.cleared("a")
    with pytest.raises(CursorLost):
        zombie.apply([town.log[0], town.write(town.change("b", "raised", "red"))._replace(offset=2)])
    with town.store.read() as db:
        assert db.execute(select(schema.episode.c.id)).all() == [("ep_a",)]
    assert zombie.cursor() == 2
    other.close()


def test_a_writer_frozen_before_its_commit_loses_its_turn_and_all_that_it_wrote(postgres_server: Server) -> None:
    with fresh(postgres_server) as one, fresh(postgres_server) as two:
        town, alone = Town(one.store), Town(two.store)
        frozen_store = impatient(one.url, idle_in_transaction_session_timeout=300)
        written, thawed = threading.Event(), threading.Event()
        caught: list[BaseException] = []

        def freeze() -> None:
            written.set()
            assert thawed.wait(60)

        frozen = Casework(frozen_store, town.casework.plans, before_commit=freeze)
        records = [town.write(town.change(name, "raised", "red")) for name in ("a", "b")]

        def work() -> None:
            try:
                frozen.apply(records)
            except StoreAway as fault:
                caught.append(fault)

        thread = threading.Thread(target=work)
        thread.start()
        assert written.wait(60)
        assert town.casework.apply(records).opened == 2  # waits until the database takes the turn from the other
        thawed.set()
        thread.join(60)
        assert [fault.exit_code for fault in caught if isinstance(fault, StoreAway)] == [75]
        alone.casework.apply(records)
        assert differences(alone.store, town.store) == []
        assert frozen.cursor() == 2
        frozen_store.close()


def test_a_writer_whose_turn_does_not_come_in_time_says_so(database: Database) -> None:
    waiting = impatient(database.url, lock_timeout=200)
    with database.store.write(), pytest.raises(StoreAway, match="lock timeout"), waiting.write():
        pass
    waiting.close()


def test_a_statement_without_end_is_ended(database: Database) -> None:
    hasty = impatient(database.url, statement_timeout=200)
    with pytest.raises(StoreAway, match="statement timeout"), hasty.read() as db:
        db.execute(text("SELECT pg_sleep(60)"))
    hasty.close()


def interrupted(proxy: ProxyBeside, db: Connection) -> None:
    proxy.silence()
    db.execute(text("SELECT 1"))


def test_a_server_that_says_nothing_is_given_up_a_little_after_its_own_limit(database: Database) -> None:
    url = make_url(database.url)
    with Proxy(url.port or 5432).beside() as proxy:
        led = impatient(url.set(port=proxy.proxy.port).render_as_string(hide_password=False), statement_timeout=300)
        with pytest.raises(StoreAway, match="says nothing"), led.write() as db:
            interrupted(proxy, db)
        proxy.speak()
        with led.read() as db:
            assert db.execute(text("SELECT 1")).scalar_one() == 1
        led.close()


def test_what_may_take_its_time_does(database: Database) -> None:
    hasty = impatient(database.url, statement_timeout=100)
    with hasty.write() as db:
        as_long_as_it_takes(db)
        assert db.execute(text("SELECT 1 FROM pg_sleep(0.5)")).scalar_one() == 1
        assert db.connection.driver_connection.patience_s is None
    with hasty.read() as db:
        assert db.connection.driver_connection.patience_s == MORE_S + 0.1
    hasty.close()
