"""Alertmanager's webhook: what is wrong with the platform itself becomes a case for the supervisor."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from engine.api.guard import actor, desk
from engine.casework.service import Fault

Name = Annotated[str, Field(max_length=1024)]
Labels = Annotated[dict[Name, Annotated[str, Field(max_length=4096)]], Field(max_length=100)]
LEVELS = {"critical": "red", "warning": "yellow"}
DEAD_MAN = "none"
"""The severity of an alert that always fires: it is no fault."""
SHOWN = 20


class Alert(BaseModel):
    """One alert of a group; what else Alertmanager says of it is passed over."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = {}
    startsAt: Name
    endsAt: Name = ""
    fingerprint: Name


class Webhook(BaseModel):
    """Version 4 of Alertmanager's webhook."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    status: Literal["firing", "resolved"]
    groupLabels: Labels = {}
    commonLabels: Labels = {}
    commonAnnotations: Labels = {}
    truncatedAlerts: Annotated[int, Field(ge=0)] = 0
    alerts: Annotated[list[Alert], Field(max_length=500)]


def _digest(*parts: object) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _name(hook: Webhook) -> str:
    return _plain(hook.groupLabels.get("alertname") or hook.commonLabels.get("alertname") or "alerts")


def _sentence(alert: Alert) -> str:
    said = [alert.annotations.get(name, "") for name in ("summary", "description")]
    where = ", ".join(f"{k}={v}" for k, v in sorted(alert.labels.items()) if k not in ("alertname", "severity"))
    return _plain("\n".join(part for part in (*said, where) if part))


def _plain(text: str) -> str:
    """Return a text without what no database takes."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _faults(hook: Webhook) -> list[tuple[str, Fault]]:
    """Return what casework is told, each with its idempotency key: repeats of Alertmanager say the same.

    A group is one case. Each of its alerts that fires is noted once, and that all of them are gone.
    """
    group = f"{_name(hook)[:120]}|{_digest(hook.groupLabels)}"
    title = _plain(hook.commonAnnotations.get("summary") or _name(hook)).partition("\n")[0][:120]
    if hook.status == "resolved":
        ended = sorted((alert.fingerprint, alert.startsAt, alert.endsAt) for alert in hook.alerts)
        return [(f"over-{_digest(group, ended)}", Fault(group=group, title=title, text=f"已恢复：{title}", over=True))]
    found = []
    for alert in hook.alerts:
        if alert.status == "firing" and alert.labels.get("severity") != DEAD_MAN:
            key = f"fires-{_digest(group, alert.fingerprint, alert.startsAt)}"
            level = LEVELS.get(alert.labels.get("severity", ""), "blue")
            text = _sentence(alert)[:3900] or title
            found.append((key, Fault(group=group, title=title, text=text, level=level)))
    return found


def add_routes(router: APIRouter) -> None:
    """Add `POST /api/v1/alertmanager`."""

    @router.post("/api/v1/alertmanager", tags=["platform"])
    def alertmanager(request: Request, body: Webhook) -> dict[str, Any]:
        """Take a group of alerts about the platform: one case for the supervisor, recovered once all are resolved."""
        services = desk(request).services
        cases = [
            services.casework.platform(fault, actor(request), idempotency_key=key, t_ms=services.now_ms())
            for key, fault in _faults(body)
        ]
        return {"cases": sorted({case for case in cases if case is not None})}
