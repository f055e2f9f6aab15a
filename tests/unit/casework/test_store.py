"""The case store: its schema and migrations, its durability, its one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, String, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from engine.casework import schema
from engine.casework.errors import BadStore, SchemaMismatch
from engine.casework.replay import differences
from engine.casework.schema import case_key, metadata
from engine.casework.service import CaseFilter
from engine.casework.store import Store, check_schema, renumber, upgrade
from tests.parts.postgres import Server

from .conftest import MINUTE, Town, actor

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))]


@pytest.fixture(params=BOTH)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return a store without any tables."""
    server: Server | None = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    name = server.make(migrated=False) if server is not None else ""
    found = Store.connect(server.at(name) if server is not None else tmp_path / "bare.db")
    yield found
    found.close()
    if server is not None:
        server.drop(name)


def test_the_migrations_lead_to_the_tables_that_the_code_uses(bare: Store) -> None:
    assert upgrade(bare) == upgrade(bare) == "0004"
    check_schema(bare)
    with bare.read() as db:
        assert compare_metadata(MigrationContext.configure(db), metadata) == []


@pytest.mark.parametrize("release", ["0001", "0002", "0003"])
def test_a_store_of_a_release_before_is_upgraded_with_all_that_is_in_it(
    bare: Store, file_store: Store, release: str
) -> None:
    town = Town(file_store)
    town.handled()
    town.feed(b"{")
    town.raised("b", rule="fire.smoke", level="red")
    upgrade(bare, release)
    _copy(file_store, bare)
    with pytest.raises(SchemaMismatch, match=rf"needs schema 0004; got schema {release}; run `tongguan db upgrade`"):
        check_schema(bare)
    assert upgrade(bare) == "0004"
    assert differences(file_store, bare) == []
    with bare.write() as db:
        renumber(db)
    town.later(40 * MINUTE)
    Town(bare).casework.apply(town.log)
    assert differences(file_store, bare) == []


def _copy(source: Store, to: Store) -> None:
    """Copy the rows of the tables that an older store has, in its columns."""
    found = MetaData()
    with to.read() as db:
        found.reflect(db)
    with source.read() as here, to.write() as there:
        for table in (table for table in metadata.sorted_tables if table.name in found.tables):
            names = [column.name for column in found.tables[table.name].columns]
            rows = [row._asdict() for row in here.execute(select(*(table.c[name] for name in names)))]
            if rows:
                there.execute(insert(found.tables[table.name]), rows)


def test_an_empty_store_and_one_of_a_newer_program_are_refused(bare: Store) -> None:
    with pytest.raises(SchemaMismatch, match="an empty store; run `tongguan db upgrade`"):
        check_schema(bare)
    upgrade(bare)
    with bare.write() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuses in (check_schema, upgrade):
        with pytest.raises(SchemaMismatch, match="schema 9999 is newer than this program's 0004; use the newer"):
            refuses(bare)


def test_tables_of_something_else_are_refused(bare: Store) -> None:
    with bare.write() as db:
        db.execute(text("CREATE TABLE wordpress (id INTEGER)"))
    with pytest.raises(SchemaMismatch, match="got tables of something else"):
        check_schema(bare)


@pytest.mark.parametrize("where", ["mysql://u:secret@h/db", "postgresql+asyncpg://u:secret@h/db", "://", "a://b:c"])
def test_a_url_that_names_no_store_of_ours_is_refused_without_its_password(where: str) -> None:
    with pytest.raises(BadStore, match=r"^database: ") as found:
        Store.connect(where)
    assert "secret" not in str(found.value)


def test_every_connection_writes_ahead_syncs_fully_and_keeps_foreign_keys(file_store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    with file_store.read() as one, file_store.read() as two:
        for db in (one, two):
            found = {name: db.execute(text(f"PRAGMA {name}")).scalar_one() for name in wanted}
            assert found == wanted


def test_a_write_that_fails_leaves_nothing(town: Town) -> None:
    def half() -> None:
        with town.store.write() as db:
            db.execute(case_key.delete())
            raise ZeroDivisionError

    town.raised()
    with pytest.raises(ZeroDivisionError):
        half()
    with town.store.read() as db:
        assert len(db.execute(select(case_key)).all()) == 1


def test_the_database_itself_forbids_a_second_case_with_one_key_and_a_key_of_no_case(town: Town) -> None:
    town.raised()
    with town.store.read() as db:
        key, case = db.execute(select(case_key)).one()
    for row in ({"key": key, "case": case}, {"key": "other", "case": "WO-20250101-AAAAAAAAAA"}):
        with pytest.raises(IntegrityError), town.store.write() as db:
            db.execute(insert(case_key), [row])


def test_text_is_ordered_by_code_points_whatever_the_database_was_made_with(store: Store) -> None:
    wanted = ["A", "B", "a", "b", "é", "丁", "三", "𠀀"]
    with store.write() as db:
        db.execute(insert(schema.move_total), [{"move": name, "number": 0} for name in reversed(wanted)])
    with store.read() as db:
        assert list(db.execute(select(schema.move_total.c.move).order_by(schema.move_total.c.move)).scalars()) == wanted


def test_reading_sees_one_state_while_others_write(town: Town) -> None:
    town.raised("a")
    with town.store.read() as db:
        before = db.execute(select(schema.cases.c.id)).all()
        town.raised("b")
        assert db.execute(select(schema.cases.c.id)).all() == before
    assert len(town.casework.cases(CaseFilter(), actor("supervisor")).cases) == 2


def test_text_columns_of_postgresql_have_the_order_of_code_points_in_every_table(bare: Store) -> None:
    if bare.engine.dialect.name == "sqlite":
        return
    upgrade(bare)
    with bare.read() as db:
        tables = set(inspect(db).get_table_names()) - {"alembic_version"}
        columns = [(table, column) for table in sorted(tables) for column in inspect(db).get_columns(table)]
    texts = {
        f"{table}.{column['name']}": column["type"].collation
        for table, column in columns
        if isinstance(column["type"], String)
    }
    assert set(texts.values()) == {"C"}
