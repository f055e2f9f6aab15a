"""Who people are, and who may do which move on which case."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """Roles of tokens; `citizen` and `system` are never a token's."""

    OPERATOR = "operator"
    DISPATCHER = "dispatcher"
    HANDLER = "handler"
    INSPECTOR = "inspector"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    AUDITOR = "auditor"
    SENSOR = "sensor"
    VIEWER = "viewer"
    CITIZEN = "citizen"
    SYSTEM = "system"


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts. `area` is a prefix of grid codes ("" is the whole city); `department` null is any department."""

    name: str
    role: Role
    area: str = ""
    department: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """An answer with its named reason: ok, role, area, department."""

    allowed: bool
    reason: str
