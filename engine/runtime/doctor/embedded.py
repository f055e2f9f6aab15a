"""The data folder of an embedded engine."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from engine.casework.errors import SchemaMismatch
from engine.casework.store import Store, check_schema
from engine.runtime.doctor.finding import Finding, fail, ok, warn
from engine.runtime.errors import RuntimeFault
from engine.runtime.sqlite import open_reader

FILES = ("journal.db", "checkpoints.db", "cases.db")


def look_at_folder(folder: Path) -> list[Finding]:
    """Look at the folder and its files; an engine may be at work on it."""
    if not folder.is_dir():
        return [fail("folder", f"{folder}: no such folder", f"tongguan serve --embedded --data {folder}    # makes it")]
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return [fail("folder", f"{folder} cannot be read and written", f"sudo chown -R $USER {folder}")]
    findings = [ok("folder", f"{folder} can be read and written")]
    findings += [_file(folder / name) for name in FILES if (folder / name).exists()]
    if (folder / "cases.db").exists() and findings[-1].mend == "":
        findings.append(_schema(folder / "cases.db"))
    return findings


def _file(path: Path) -> Finding:
    """Check one SQLite file page by page."""
    mend = f"tongguan restore --help    # from a backup; keep {path.name} for a look at what is left"
    try:
        with closing(open_reader(path)) as db:
            said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (RuntimeFault, sqlite3.Error) as error:
        return fail("files", str(error), mend)
    if said != "ok":
        return fail("files", f"{path}: {said}", mend)
    return ok("files", f"{path.name}: {path.stat().st_size >> 20} MiB, whole")


def _schema(path: Path) -> Finding:
    with closing(Store.open(path)) as store:
        try:
            check_schema(store)
        except SchemaMismatch as error:
            return warn("migrations", str(error), f"tongguan db upgrade --data {path.parent}")
    return ok("migrations", "the newest schema")
