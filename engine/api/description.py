"""The OpenAPI description, with the views of casework as schemas and problems for every error."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from engine.api.problems import MEDIA_TYPE
from engine.api.routes.duty import HandoverNow
from engine.api.services import PlayerView
from engine.casework.attaching import AttachmentView
from engine.casework.audit import Page
from engine.casework.duty import DutyView
from engine.casework.handover import HandoverView
from engine.casework.overview import Overview
from engine.casework.values import Series
from engine.casework.views import AlertNews, AlertPage, CaseDetail, CasePage, CaseView, ChangeView


class CaseAnswer(msgspec.Struct):
    """One case after a move or a report."""

    case: CaseView


class ChangesAnswer(msgspec.Struct):
    """Alert changes in the order of the alerts log."""

    changes: list[ChangeView]


class ValuesAnswer(msgspec.Struct):
    """Values of a case's sensors."""

    series: list[Series]


class AttrsAnswer(msgspec.Struct):
    """What a sensor said beside its last value; null where that is not known."""

    attrs: dict[str, str | int | float | bool | None] | None


class AttachmentAnswer(msgspec.Struct):
    """One photo of a case."""

    attachment: AttachmentView


class AttachmentsAnswer(msgspec.Struct):
    """The photos of a case, by number."""

    attachments: list[AttachmentView]


class ProblemDocument(msgspec.Struct):
    """RFC 9457; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


ANSWERS: dict[tuple[str, str], Any] = {
    ("/api/v1/cases", "get"): CasePage,
    ("/api/v1/cases", "post"): CaseAnswer,
    ("/api/v1/cases/{case_id}", "get"): CaseDetail,
    ("/api/v1/cases/{case_id}/moves", "post"): CaseAnswer,
    ("/api/v1/cases/{case_id}/values", "get"): ValuesAnswer,
    ("/api/v1/cases/{case_id}/attachments", "post"): AttachmentAnswer,
    ("/api/v1/cases/{case_id}/attachments", "get"): AttachmentsAnswer,
    ("/api/v1/duty", "get"): DutyView,
    ("/api/v1/handover", "get"): HandoverNow,
    ("/api/v1/handover", "post"): HandoverView,
    ("/api/v1/handover/{number}/sign", "post"): HandoverView,
    ("/api/v1/player", "get"): PlayerView,
    ("/api/v1/player", "post"): PlayerView,
    ("/api/v1/audit", "get"): Page,
    ("/api/v1/overview", "get"): Overview,
    ("/api/v1/alerts", "get"): AlertPage,
    ("/api/v1/alerts/changed", "get"): AlertNews,
    ("/api/v1/sensors/{sensor}/values", "get"): ValuesAnswer,
    ("/api/v1/sensors/{sensor}/attrs", "get"): AttrsAnswer,
    ("/api/v1/changes", "get"): ChangesAnswer,
}
PICTURES = ("image/jpeg", "image/png", "image/webp")
MEDIA: dict[str, str | tuple[str, ...]] = {
    "/api/v1/cases/{case_id}/attachments/{number}": PICTURES,
    "/api/v1/export/cases.csv": "text/csv",
    "/api/v1/grids.geojson": "application/geo+json",
    "/api/v1/sensors.geojson": "application/geo+json",
    "/api/v1/zones.geojson": "application/geo+json",
    "/api/v1/stream": "text/event-stream",
    "/metrics": "text/plain",
}
REF = "#/components/schemas/{name}"
TOKEN = {"type": "http", "scheme": "bearer", "description": "a token of `tongguan token create`"}


REQUIRED = {
    ("/api/v1/cases", "post"): "idempotency-key",
    ("/api/v1/cases/{case_id}/moves", "post"): "if-match",
}
"""Headers without which the answer is 400 or 428."""


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the app's routes."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=app.routes,
    )
    kinds = [*dict.fromkeys(ANSWERS.values()), ProblemDocument]
    refs, schemas = msgspec.json.schema_components(kinds, ref_template=REF)
    known = dict(zip(kinds, refs, strict=True))
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas)
    components["securitySchemes"] = {"token": TOKEN}
    problem = {"description": "a problem", "content": {MEDIA_TYPE: {"schema": known[ProblemDocument]}}}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            answers.pop("422", None)  # FastAPI's own form of errors, which is not what is answered
            answers["default"] = problem
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == REQUIRED.get((path, method)):
                    parameter["required"] = True
                    parameter["schema"] = {"type": "string", "pattern": parameter["schema"]["pattern"]}
            if path.startswith("/api/"):
                operation["security"] = [{"token": []}]
            good = next((answers[code] for code in ("200", "201") if code in answers), None)
            if good is not None and (path, method) in ANSWERS:
                good["content"] = {"application/json": {"schema": known[ANSWERS[path, method]]}}
            elif good is not None and path in MEDIA:
                media = MEDIA[path]
                good["content"] = {name: {} for name in ((media,) if isinstance(media, str) else media)}
    return document
