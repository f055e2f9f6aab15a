"""Make the secrets of this city at its first start: random ones, in a volume that only its services mount."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

FOLDER = Path("/etc/tongguan")


def keep(name: str, text: str) -> None:
    """Write a file for owner and group, unless it is there."""
    path = FOLDER / name
    if not path.exists():
        fresh = FOLDER / f"{name}.new"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w") as file:
            file.write(text)
        fresh.rename(path)


keep("postgres.password", secrets.token_urlsafe(32))
keep("grafana.password", secrets.token_urlsafe(32))
password = (FOLDER / "postgres.password").read_text()
keep("tongguan.toml", f'database = "postgresql+psycopg://tongguan:{password}@postgres/tongguan"\n')
