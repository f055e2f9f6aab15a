"""Tokens: 256 random bits shown once, kept as SHA-256."""

from __future__ import annotations

import hashlib
import re
import secrets

import msgspec
from sqlalchemy import Connection, insert, select, update

from engine.casework.audit import row as audit_row
from engine.casework.errors import Refused
from engine.casework.people import TOKEN_ROLES, Actor, Role
from engine.casework.schema import audit, token
from engine.casework.store import Store

_AREA = re.compile(r"[0-9]{0,15}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret. Times ms."""

    id: int
    name: str
    role: str
    area: str
    department: str | None
    created_t: int
    expires_t: int | None
    revoked_t: int | None


def create_token(
    store: Store,
    *,
    name: str,
    role: str,
    area: str = "",
    department: str | None = None,
    expires_t: int | None = None,
    now_ms: int,
) -> str:
    """Make a token and return it; it is not kept and cannot be shown again. Raises Refused 422."""
    if role not in TOKEN_ROLES:
        raise Refused("bad_role", 422, f"角色须为 {'、'.join(TOKEN_ROLES)} 之一，收到 {role}")
    if not _AREA.fullmatch(area):
        raise Refused("bad_area", 422, f"辖区须为网格编码的前若干位数字，收到 {area}")
    if not _NAME.fullmatch(name) or (department is not None and not _NAME.fullmatch(department)):
        raise Refused("bad_name", 422, "名称和部门须为 1 至 64 个字符")
    if expires_t is not None and expires_t <= now_ms:
        raise Refused("bad_expiry", 422, "有效期须在将来")
    secret = "tg_" + secrets.token_urlsafe(32)
    row = {"hash": hashed(secret), "name": name, "role": role, "area": area, "department": department}
    with store.write() as db:
        db.execute(insert(token), [row | {"created_t": now_ms, "expires_t": expires_t, "revoked_t": None}])
        detail = f"role {role}, area {area or 'all'}, department {department or 'any'}"
        db.execute(insert(audit), [audit_row(now_ms, "command line", "token.create", name, detail)])
    return secret


def list_tokens(store: Store) -> list[TokenView]:
    """Return all tokens by number."""
    columns = [token.c[name] for name in TokenView.__struct_fields__]
    with store.read() as db:
        return [TokenView(**row._asdict()) for row in db.execute(select(*columns).order_by(token.c.id))]


def revoke_token(store: Store, number: int, *, now_ms: int) -> bool:
    """End a token by its number; False when there is none that is still good."""
    with store.write() as db:
        ended = update(token).where(token.c.id == number, token.c.revoked_t.is_(None)).values(revoked_t=now_ms)
        done = db.execute(ended).rowcount == 1
        if done:
            db.execute(insert(audit), [audit_row(now_ms, "command line", "token.revoke", str(number))])
    return done


def who(store: Store, secret: str, *, now_ms: int) -> Actor | None:
    """Return whose token it is; null when unknown, expired or revoked."""
    with store.read() as db:
        return whose(db, secret, now_ms=now_ms)


def whose(db: Connection, secret: str, *, now_ms: int) -> Actor | None:
    """Return the same within a transaction."""
    if not secret or len(secret) > 128:
        return None
    return of_hash(db, hashed(secret), now_ms=now_ms)


def of_hash(db: Connection, key: str, *, now_ms: int) -> Actor | None:
    """Return the same by the SHA-256 of the token."""
    row = db.execute(select(token).where(token.c.hash == key)).first()
    if row is None or row.revoked_t is not None or (row.expires_t is not None and row.expires_t <= now_ms):
        return None
    return Actor(name=row.name, role=Role(row.role), area=row.area, department=row.department)


def has_tokens(store: Store) -> bool:
    """Tell whether any token was ever made."""
    with store.read() as db:
        return db.execute(select(token.c.id).limit(1)).first() is not None


def hashed(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
