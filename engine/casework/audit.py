"""Who did what besides moves: kept for good."""

from __future__ import annotations

from sqlalchemy import insert

from engine.casework.schema import audit
from engine.casework.store import Store


def note(store: Store, t_ms: int, actor: str, action: str, subject: str, detail: str) -> None:
    """Keep one line of the audit, durable on return."""
    row = {"t": t_ms, "actor": actor, "action": action, "subject": subject, "detail": detail}
    with store.write() as db:
        db.execute(insert(audit), [row])
