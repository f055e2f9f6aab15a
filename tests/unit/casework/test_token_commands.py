"""`tongguan token` and `tongguan db`."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from engine.casework.people import Role
from engine.casework.store import Store
from engine.casework.tokens import who
from engine.commands.tokens import app, db


def run(group: object, *words: str) -> tuple[int, str, str]:
    """Call a command as a shell would."""
    result = CliRunner().invoke(group, list(words))  # type: ignore[arg-type]
    return result.exit_code, result.stdout, result.stderr


def test_a_token_is_printed_once_listed_without_its_secret_and_revoked(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "new"))
    code, out, _ = run(app, "create", "--name", "li", "--role", "handler", "--department", "gas", *data)
    secret = out.strip()
    assert (code, secret[:3]) == (0, "tg_")
    store = Store.open(tmp_path / "new" / "cases.db")
    found = who(store, secret, now_ms=2_000_000_000_000)
    assert found is not None
    assert (found.name, found.role, found.department) == ("li", Role.HANDLER, "gas")
    code, out, _ = run(app, "list", *data)
    assert (code, "li" in out, secret in out) == (0, True, False)
    assert run(app, "revoke", "1", *data)[0] == 0
    assert who(store, secret, now_ms=2_000_000_000_000) is None
    code, _, err = run(app, "revoke", "1", *data)
    assert (code, "no good token has number 1" in err) == (1, True)
    store.close()


def test_wrong_use_is_told_and_makes_nothing(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    for words in (["--role", "king"], ["--role", "viewer", "--expires", "soon"], ["--role", "viewer", "--area", "x"]):
        code, out, err = run(app, "create", "--name", "li", *words, *data)
        assert (code, out) == (2, "")
        assert err.startswith("tongguan: ")
    assert "li" not in run(app, "list", *data)[1]


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = run(app, "list", "--data", str(tmp_path / "file"))
    assert (code, "file" in err) == (1, True)


def test_a_case_store_that_is_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cases.db").write_text("these are not tables" * 100)
    code, _, err = run(app, "list", "--data", str(tmp_path))
    assert (code, "not a database" in err) == (1, True)


def test_db_upgrade_makes_the_store_and_verify_asks_for_the_journal(tmp_path: Path) -> None:
    code, out, _ = run(db, "upgrade", "--data", str(tmp_path))
    assert (code, out) == (0, "case store: schema 0004\n")
    code, _, err = run(db, "verify", "--data", str(tmp_path))
    assert (code, "no journal here" in err) == (1, True)
