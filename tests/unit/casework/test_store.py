"""The case store: its schema, its durability, its one writer at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from engine.casework.errors import SchemaMismatch
from engine.casework.schema import case_key, metadata
from engine.casework.store import Store, check_schema, upgrade

from .conftest import Town


def test_the_migrations_lead_to_the_tables_that_the_code_uses(store: Store) -> None:
    with store.engine.connect() as db:
        assert compare_metadata(MigrationContext.configure(db), metadata) == []


def test_upgrade_says_where_it_is_and_does_nothing_twice(store: Store) -> None:
    assert upgrade(store) == upgrade(store) == "0002"
    check_schema(store)


def test_an_empty_store_and_one_of_a_newer_program_are_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(SchemaMismatch, match="an empty store; run `tongguan db upgrade`"):
        check_schema(Store.open(tmp_path / "other.db"))
    with store.write() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match="got schema 9999"):
        check_schema(store)
    with pytest.raises(SchemaMismatch, match="9999 is newer"):
        upgrade(store)


def test_every_connection_writes_ahead_syncs_fully_and_keeps_foreign_keys(store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    with store.read() as one, store.read() as two:
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


def test_the_tables_can_be_made_in_postgresql_too() -> None:
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect())).strip().startswith("CREATE TABLE")
