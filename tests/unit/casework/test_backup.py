"""A backup is the store of one moment; restored, in whichever database, it goes on as if nothing had been lost."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image
from sqlalchemy import insert, select
from typer.testing import CliRunner

from engine.casework import log_schema, people_schema, receipts, schema
from engine.casework.backup import LEFT_OUT, TABLES, back_up, restore
from engine.casework.errors import BackupRefused, OffsetGap
from engine.casework.handover import hand_over
from engine.casework.photos import PhotoFolder, cleaned
from engine.casework.replay import differences, verify
from engine.casework.service import Casework, SensorValue, Settings
from engine.casework.store import Store, check_schema, upgrade
from engine.casework.tokens import create_token, list_tokens
from engine.cli import app
from tests.parts.postgres import Server, fresh

from .conftest import MINUTE, T0, Town, actor
from .play import Play

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))]


@pytest.fixture(params=BOTH)
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store to restore into."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            store = Store.open(tmp_path / "other.db")
            stack.callback(store.close)
        else:
            server: Server = request.getfixturevalue("postgres_server")
            store = stack.enter_context(fresh(server, migrated=False)).store
        yield store


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that a backup holds, without the audit."""
    with store.read() as db:
        return {
            table.name: [tuple(row) for row in db.execute(select(table).order_by(*table.primary_key.columns))]
            for table in TABLES
            if table is not schema.audit
        }


def picture() -> bytes:
    """Return a photo."""
    out = BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, "JPEG")
    return out.getvalue()


def saved(store: Store, path: Path) -> Path:
    """Write a backup."""
    back_up(store, path, program="0.0.0", now_ms=T0)
    return path


def full(town: Town) -> None:
    """Bring rows into every table."""
    Play(town, 7, [3]).go(45)
    town.handled("last")
    town.feed(b"{")
    town.casework.assign_positions()
    town.casework.keep_values([SensorValue("s1", "water.level", T0, 0.1 + 0.2, 3)])
    create_token(town.store, name="李工", role="handler", now_ms=T0)
    lines: dict[Any, dict[str, Any]] = {
        schema.plan: {"digest": "d" * 64, "short": "d" * 12, "body": b"\x00\xff", "offices": b"{}", "stored_t": T0},
        log_schema.log_identity: {"stream": "city.readings", "partitions": 4, "topic_id": None, "noted_t": T0},
        log_schema.skip: {"stream": "r", "partition": 0, "offset": 5, "reason": "毒", "actor": "李工", "t": T0},
        log_schema.gap: {
            "id": 1,
            "stream": "r",
            "partition": 0,
            "first": 1,
            "last": 2,
            "reason": "盘",
            "actor": "李",
            "t": T0,
        },
        log_schema.destination: {"name": "hook", "position": 3, "failed": 0, "next_t": None, "detail": None},
        log_schema.plan_now: {"name": "plan", "digest": "d" * 64, "set_t": T0, "actor": "李工"},
        log_schema.lease: {"name": "relay", "holder": "w1", "until_t": T0},
        people_schema.login_failure: {"key": "k" * 64, "failed": 1, "first_t": T0, "until_t": 0},
    }
    case = town.cases()[0].id
    photo, _ = cleaned(picture())
    town.casework.attach(case, photo, actor("operator"), t_ms=T0)
    with town.store.write() as db:
        for table, row in lines.items():
            db.execute(insert(table), [row])
        receipts.keep(db, [receipts.tried("robot:leader", case, 1, "taken", T0, "200")])
        hand_over(db, actor("operator"), "交班", T0, T0)


def test_what_is_restored_equals_what_was_backed_up_in_every_table(town: Town, other: Store, tmp_path: Path) -> None:
    full(town)
    path = saved(town.store, tmp_path / "cases.tongguan")
    end = restore(other, path, now_ms=T0 + 1)
    found = rows(other)
    assert found == rows(town.store)
    assert {name for name, lines in found.items() if not lines} == set()
    check_schema(other)
    assert create_token(other, name="新", role="viewer", now_ms=T0)  # numbers go on after the largest
    assert [token.id for token in list_tokens(other)] == [1, 2]
    for store, action in ((town.store, "store.backup"), (other, "store.restore")):
        with store.read() as db:
            told = db.execute(select(schema.audit.c.detail).where(schema.audit.c.action == action)).scalar_one()
        assert end.sha256 in told
    with other.read() as db:
        assert [db.execute(select(table)).all() for table in LEFT_OUT] == [[]] * len(LEFT_OUT)


def test_a_drill_after_the_restore_the_log_brings_the_cases_to_where_they_were(
    town: Town, other: Store, tmp_path: Path
) -> None:
    town.handled("a")
    town.raised("b", rule="fire.smoke")
    path = saved(town.store, tmp_path / "cases.tongguan")
    town.cleared("a")
    town.later(11 * MINUTE)
    town.escalated("b", rule="fire.smoke")
    town.raised("c", rule="gas.methane_leak", level="red")
    restore(other, path, now_ms=T0)
    again = Casework(other, town.casework.plans)
    assert again.cursor() < town.casework.cursor()
    again.apply([record for record in town.log if record.offset > again.cursor()])
    assert differences(town.store, other) == []


def test_a_restored_store_refuses_a_log_that_begins_after_it(town: Town, other: Store, tmp_path: Path) -> None:
    town.raised("a")
    path = saved(town.store, tmp_path / "cases.tongguan")
    town.later(MINUTE)
    town.later(MINUTE)
    restore(other, path, now_ms=T0)
    with pytest.raises(OffsetGap, match="offset 2; got 3"):
        Casework(other, town.casework.plans).apply(town.log[2:])


def test_an_embedded_store_moves_to_another_log_and_what_comes_again_there_is_known(
    town: Town, other: Store, tmp_path: Path
) -> None:
    town.handled("a")
    town.feed(b"{")
    path = saved(town.store, tmp_path / "cases.tongguan")
    restore(other, path, now_ms=T0, new_log=0)
    there = Town(other, Settings(first_offset=0, partitions=2))
    before = [there.story(case.id) for case in there.cases()]
    assert there.casework.cursor() == -1
    replayed = [record._replace(offset=at) for at, record in enumerate(town.log)]
    applied = there.casework.apply(replayed)
    assert (applied.changes, applied.events, applied.quarantined) == (0, 0, {})
    assert [there.story(case.id) for case in there.cases()] == before
    fresh_one = there.change("b", "raised", "red", sensor="new")
    there.casework.apply([town.write(fresh_one)._replace(offset=len(replayed))])
    assert len(there.cases()) == 3
    with other.read() as db:
        assert list(db.execute(select(schema.quarantine.c.offset)).scalars()) == [-1]


def test_a_store_with_anything_in_it_is_not_restored_into(town: Town, tmp_path: Path) -> None:
    town.raised()
    path = saved(town.store, tmp_path / "cases.tongguan")
    before = rows(town.store)
    with pytest.raises(BackupRefused, match="has rows; restore into an empty database or folder"):
        restore(town.store, path, now_ms=T0)
    assert rows(town.store) == before


def lines_of(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """Return the file with other lines."""
    return gzip.compress(b"".join(change(gzip.decompress(path.read_bytes()).splitlines(keepends=True))))


DAMAGES: dict[str, Callable[[Path], bytes]] = {
    "cut": lambda path: path.read_bytes()[:-40],
    "a byte": lambda path: path.read_bytes()[:200] + bytes([path.read_bytes()[200] ^ 1]) + path.read_bytes()[201:],
    "a line gone": lambda path: lines_of(path, lambda lines: [*lines[:5], *lines[6:]]),
    "no end": lambda path: lines_of(path, lambda lines: lines[:-1]),
    "a value": lambda path: lines_of(path, lambda lines: [line.replace(b"drainage", b"drainagE") for line in lines]),
    "more": lambda path: lines_of(path, lambda lines: [*lines, b"{}\n"]),
    "not ours": lambda _: gzip.compress(b'{"kind":"tick"}\n'),
    "not packed": lambda _: b"SQLite format 3\x00",
    "nothing": lambda _: b"",
    "a later format": lambda path: lines_of(
        path, lambda lines: [lines[0].replace(b'backup":1', b'backup":2'), *lines[1:]]
    ),
    "another table": lambda path: lines_of(path, lambda lines: [line.replace(b'"mark"', b'"token"') for line in lines]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_refused_by_name_and_nothing_is_restored(
    file_store: Store, tmp_path: Path, damage: Callable[[Path], bytes]
) -> None:
    Town(file_store).raised()
    path = saved(file_store, tmp_path / "cases.tongguan")
    path.write_bytes(damage(path))
    store = Store.open(tmp_path / "other.db")
    with pytest.raises(BackupRefused, match=r"cases\.tongguan: "):
        restore(store, path, now_ms=T0)
    upgrade(store)
    assert not any(rows(store).values())
    store.close()


def test_a_backup_of_another_schema_says_which_program_restores_it(file_store: Store, tmp_path: Path) -> None:
    path = saved(file_store, tmp_path / "cases.tongguan")
    path.write_bytes(lines_of(path, lambda lines: [lines[0].replace(b'"0004"', b'"0001"'), *lines[1:]]))
    store = Store.open(tmp_path / "other.db")
    with pytest.raises(BackupRefused, match=r"has schema 0001, this program 0004; restore it with tongguan 0\.0\.0"):
        restore(store, path, now_ms=T0)
    store.close()


def test_a_backup_that_cannot_be_written_leaves_the_one_before(file_store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="no backup was written"):
        saved(file_store, tmp_path / "nowhere" / "cases.tongguan")
    path = saved(file_store, tmp_path / "cases.tongguan")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(found.name for found in tmp_path.iterdir() if "tongguan" in found.name) == ["cases.tongguan"]


def test_backups_of_the_same_rows_are_the_same_file(town: Town, tmp_path: Path) -> None:
    full(town)
    one, two = (saved(town.store, tmp_path / name) for name in ("one", "two"))
    grown = b'"store.backup"'  # each backup is a line of the audit, and so in the next one
    lines = [
        [line for line in gzip.decompress(path.read_bytes()).splitlines() if grown not in line] for path in (one, two)
    ]
    assert lines[0][:-1] == lines[1][:-1]


def test_a_backup_sees_one_moment_while_casework_goes_on(
    town: Town, other: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.raised("a")
    encode, told = msgspec.json.encode, []

    def write_meanwhile(line: object) -> bytes:
        if not told:
            told.append(line)
            town.raised("b")
        return encode(line)

    monkeypatch.setattr("engine.casework.backup.msgspec.json.encode", write_meanwhile)
    path = saved(town.store, tmp_path / "cases.tongguan")
    monkeypatch.undo()
    restore(other, path, now_ms=T0)
    assert verify(other, town.log, town.casework.plans, Settings()) == []


def test_the_commands_back_up_one_folder_and_fill_another(tmp_path: Path) -> None:
    run = CliRunner()
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "cases.tongguan"
    assert run.invoke(app, ["backup", "--to", str(file), "--data", str(here)]).exit_code == 1
    here.mkdir()
    store = Store.open(here / "cases.db")
    upgrade(store)
    Town(store).raised()
    store.close()
    done = run.invoke(app, ["backup", "--to", str(file), "--data", str(here)])
    assert (done.exit_code, "rows, sha256" in done.output) == (0, True)
    assert run.invoke(app, ["restore", str(file), "--data", str(there)]).exit_code == 0
    again = run.invoke(app, ["restore", str(file), "--data", str(there)])
    assert (again.exit_code, "has rows" in again.output) == (1, True)
    missing = run.invoke(app, ["restore", str(tmp_path / "none"), "--data", str(tmp_path / "third")])
    assert (missing.exit_code, "nothing was restored" in missing.output) == (1, True)


@pytest.mark.needs("postgres")
def test_the_commands_move_an_embedded_store_to_a_database(tmp_path: Path, postgres_server: Server) -> None:
    run = CliRunner()
    file = tmp_path / "cases.tongguan"
    store = Store.open(tmp_path / "cases.db")
    upgrade(store)
    town = Town(store)
    town.raised()
    assert run.invoke(app, ["backup", "--to", str(file), "--data", str(tmp_path)]).exit_code == 0
    with fresh(postgres_server, migrated=False) as there:
        done = run.invoke(app, ["restore", str(file), "--database", there.url, "--new-log"])
        assert done.exit_code == 0, done.output
        assert password_of(there.url) not in done.output
        assert Casework(there.store, town.casework.plans, Settings(first_offset=0)).cursor() == -1
        with there.store.read() as db:
            assert db.execute(select(schema.cases.c.id)).all() == [(town.only().id,)]
    store.close()


def password_of(url: str) -> str:
    """Return the password of a URL."""
    return url.split("://")[1].split("@")[0].split(":")[1]


def test_photos_come_along_and_a_damaged_one_is_refused(file_store: Store, tmp_path: Path) -> None:
    town = Town(file_store)
    town.raised()
    here, there = PhotoFolder(tmp_path / "here"), PhotoFolder(tmp_path / "there")
    photo, kept = cleaned(picture())
    here.keep(photo.sha256, kept)
    town.casework.attach(town.only().id, photo, actor("operator"), t_ms=T0)
    path = tmp_path / "cases.tongguan"
    back_up(file_store, path, program="0.0.0", now_ms=T0, photos=here)
    store = Store.open(tmp_path / "other.db")
    restore(store, path, now_ms=T0, photos=there)
    store.close()
    assert there.read(photo.sha256) == kept
    path.write_bytes(lines_of(path, lambda lines: [line.replace(b'"/9j/', b'"/9k/') for line in lines]))
    store = Store.open(tmp_path / "third.db")
    with pytest.raises(BackupRefused, match="not what it was"):
        restore(store, path, now_ms=T0, photos=there)
    store.close()


def test_a_backup_says_that_a_photo_is_lost(file_store: Store, tmp_path: Path) -> None:
    town = Town(file_store)
    town.raised()
    town.casework.attach(town.only().id, cleaned(picture())[0], actor("operator"), t_ms=T0)
    back_up(file_store, tmp_path / "x", program="0.0.0", now_ms=T0, photos=PhotoFolder(tmp_path / "none"))
    with file_store.read() as db:
        told = select(schema.audit.c.detail).where(schema.audit.c.action == "store.backup")
        assert "without 1 photos" in db.execute(told).scalar_one()
