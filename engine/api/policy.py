"""Who may call which route: one table, default deny.

The table decides by role who gets through the door. What a caller then sees is limited to his area and department by
the queries, and which move he may make on which case by `engine.casework.people.may`.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.api.bodies import JSON, NDJSON, BodyRule

ROLES = (
    "operator", "dispatcher", "handler", "inspector", "supervisor", "admin", "auditor", "sensor", "viewer",
)  # fmt: skip
PEOPLE = frozenset(ROLES) - {"sensor"}
WORKERS = PEOPLE - {"viewer", "auditor"}
DUTY = frozenset({"operator", "dispatcher", "inspector", "supervisor"})
PICTURE = BodyRule(("image/jpeg", "image/png", "image/webp"), limit_bytes=8 << 20)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may call one route.

    `roles` are let in; `public` lets everyone in without signing in; `local` lets callers on this machine in (scrapes
    of `/metrics`), others by role; `ticket` takes a one-use ticket in the query, since EventSource sends no headers.
    """

    roles: frozenset[str] = frozenset()
    public: bool = False
    local: bool = False
    ticket: bool = False
    body: BodyRule | None = None


PUBLIC = Policy(public=True)
READ = Policy(PEOPLE)

POLICIES: dict[tuple[str, str], Policy] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/console/{path:path}"): PUBLIC,
    ("GET", "/login"): PUBLIC,
    ("POST", "/logout"): PUBLIC,
    ("POST", "/api/v1/login"): Policy(public=True, body=BodyRule()),
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/metrics"): Policy(frozenset({"admin", "auditor"}), local=True),
    ("GET", "/api/v1/me"): READ,
    ("GET", "/api/v1/status"): READ,
    ("POST", "/api/v1/readings"): Policy(frozenset({"sensor", "admin"}), body=BodyRule((JSON, NDJSON), large=True)),
    ("POST", "/api/v1/alertmanager"): Policy(frozenset({"sensor", "admin"}), body=BodyRule(large=True)),
    ("GET", "/api/v1/cases"): READ,
    ("GET", "/api/v1/cases/{case_id}"): READ,
    ("GET", "/api/v1/cases/{case_id}/values"): READ,
    ("POST", "/api/v1/cases"): Policy(WORKERS, body=BodyRule()),
    ("POST", "/api/v1/cases/{case_id}/moves"): Policy(PEOPLE, body=BodyRule()),
    ("POST", "/api/v1/cases/{case_id}/attachments"): Policy(WORKERS, body=PICTURE),
    ("GET", "/api/v1/cases/{case_id}/attachments"): READ,
    ("GET", "/api/v1/cases/{case_id}/attachments/{number}"): READ,
    ("GET", "/api/v1/duty"): READ,
    ("GET", "/api/v1/handover"): READ,
    ("POST", "/api/v1/handover"): Policy(DUTY, body=BodyRule()),
    ("POST", "/api/v1/handover/{number}/sign"): Policy(DUTY, body=BodyRule()),
    ("GET", "/api/v1/export/cases.csv"): Policy(PEOPLE - {"handler", "viewer"}),
    ("GET", "/api/v1/audit"): Policy(frozenset({"admin", "auditor"})),
    ("GET", "/api/v1/overview"): READ,
    ("GET", "/api/v1/alerts"): READ,
    ("GET", "/api/v1/alerts/changed"): READ,
    ("GET", "/api/v1/changes"): READ,
    ("GET", "/api/v1/sensors"): READ,
    ("GET", "/api/v1/sensors.geojson"): READ,
    ("GET", "/api/v1/sensors/{sensor}/values"): READ,
    ("GET", "/api/v1/sensors/{sensor}/attrs"): READ,
    ("GET", "/api/v1/grids.geojson"): READ,
    ("GET", "/api/v1/zones.geojson"): READ,
    ("GET", "/api/v1/player"): READ,
    ("POST", "/api/v1/player"): Policy(frozenset({"supervisor", "admin"}), body=BodyRule()),
    ("GET", "/api/v1/rules"): READ,
    ("GET", "/api/v1/kinds"): READ,
    ("GET", "/api/v1/categories"): READ,
    ("GET", "/api/v1/stream"): Policy(PEOPLE, ticket=True),
    ("POST", "/api/v1/stream/ticket"): READ,
}
