"""Many rows in one statement: on PostgreSQL they travel as one JSON parameter, on SQLite as the driver's many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    Text,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]
_DIALECT = make_url("postgresql+psycopg://").get_dialect()()


def among(db: Connection, wanted: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a text column is one of the values, as one parameter however many they are."""
    if db.dialect.name == "postgresql":
        return wanted == func.any(literal(list(values), ARRAY(Text)))
    each = func.json_each(msgspec.json.encode(list(values)).decode()).table_valued(column("value", Text))
    return wanted.in_(select(each.c.value))


def insert_rows(db: Connection, table: Table, rows: Sequence[Row], *, known: bool = False) -> int:
    """Insert rows in their order and return how many; `known`: those whose key is there already are left out."""
    if not rows:
        return 0
    if db.dialect.name == "postgresql":
        return _run(db, _insertion(table, tuple(rows[0]), known), rows)
    statement = sqlite.insert(table).on_conflict_do_nothing() if known else insert(table)
    return db.execute(statement, list(rows)).rowcount


def update_rows(db: Connection, table: Table, key: Sequence[str], rows: Sequence[Row]) -> int:
    """Set all columns of rows that are known by `key`, and return how many there were."""
    if not rows:
        return 0
    if db.dialect.name == "postgresql":
        return _run(db, _changing(table, tuple(key), tuple(rows[0])), rows)
    statement = update(table).where(*(table.c[name] == bindparam(f"_{name}") for name in key))
    statement = statement.values({name: bindparam(f"_v_{name}") for name in rows[0] if name not in key})
    bound = [{(f"_{name}" if name in key else f"_v_{name}"): value for name, value in row.items()} for row in rows]
    return db.execute(statement, bound).rowcount


def delete_rows(db: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Delete the rows that have these values."""
    if not keys:
        return
    if db.dialect.name == "postgresql":
        _run(db, _deletion(table, tuple(keys[0])), keys)
        return
    bound = [{f"_{name}": value for name, value in key.items()} for key in keys]
    db.execute(delete(table).where(*(table.c[name[1:]] == bindparam(name) for name in bound[0])), bound)


def add_up(db: Connection, table: Table, key: str, number: str, rows: Sequence[Row]) -> None:
    """Add to the numbers of rows that are there, and make those that are not."""
    if not rows:
        return
    make = postgresql.insert(table) if db.dialect.name == "postgresql" else sqlite.insert(table)
    more = table.c[number] + make.excluded[number]
    db.execute(make.on_conflict_do_update(index_elements=[key], set_={number: more}), list(rows))


def _run(db: Connection, statement: str, rows: Sequence[Row]) -> int:
    return db.execute(text(statement), {"rows": msgspec.json.encode(rows).decode()}).rowcount


@cache
def _insertion(table: Table, names: tuple[str, ...], known: bool) -> str:
    values = ", ".join(_value(table, name) for name in names)
    into = f"{_q(table.name)} ({', '.join(map(_q, names))})"
    conflict = " ON CONFLICT DO NOTHING" if known else ""
    return f"INSERT INTO {into} SELECT {values} FROM {_given(table, names)}{conflict}"


@cache
def _changing(table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> str:
    values = ", ".join(f"{_q(name)} = {_value(table, name)}" for name in names if name not in key)
    return f"UPDATE {_q(table.name)} SET {values} FROM {_given(table, names)} WHERE {_same(table, key)}"


@cache
def _deletion(table: Table, key: tuple[str, ...]) -> str:
    return f"DELETE FROM {_q(table.name)} USING {_given(table, key)} WHERE {_same(table, key)}"


def _same(table: Table, key: tuple[str, ...]) -> str:
    return " AND ".join(f"{_q(table.name)}.{_q(name)} = given.{_q(name)}" for name in key)


def _given(table: Table, names: tuple[str, ...]) -> str:
    kinds = (f"{_q(name)} {_kind(table, name)}" for name in names)
    return f"json_to_recordset(CAST(:rows AS json)) AS given({', '.join(kinds)})"


def _kind(table: Table, name: str) -> str:
    kind = table.c[name].type
    return "text" if isinstance(kind, LargeBinary) else kind.compile(dialect=_DIALECT)


def _value(table: Table, name: str) -> str:
    given = f"given.{_q(name)}"
    return f"decode({given}, 'base64')" if isinstance(table.c[name].type, LargeBinary) else given


def _q(name: str) -> str:
    return f'"{name}"'
