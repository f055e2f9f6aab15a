"""Photos of cases: brought by whoever works on the case, seen by whoever may see it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from engine.api.guard import actor, desk
from engine.api.problems import Problem
from engine.api.routes.cases import CaseId, known_case
from engine.api.services import Services, Unavailable
from engine.casework.attaching import AttachmentView
from engine.casework.people import Actor
from engine.casework.photos import PhotoFolder, cleaned

ENCODER = msgspec.json.Encoder()
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
PICTURE = {"schema": {"type": "string", "format": "binary", "maxLength": 8 << 20}}
DOCUMENTED = {"requestBody": {"required": True, "content": dict.fromkeys(ENDINGS, PICTURE)}}
Number = Annotated[int, Path(ge=1, le=999, description="the photo's number in its case")]


def _folder(services: Services) -> PhotoFolder:
    if services.photos is None:
        raise Problem(503, "no_photos", "this process keeps no photos")
    return services.photos


def _take(services: Services, case_id: str, caller: Actor, body: bytes) -> AttachmentView:
    folder = _folder(services)
    services.casework.may_attach(case_id, caller)
    photo, kept = cleaned(body)
    try:
        folder.keep(photo.sha256, kept)
    except OSError as error:
        raise Unavailable(f"照片无法保存 / the photo cannot be kept: {error.strerror}") from error
    return services.casework.attach(case_id, photo, caller, t_ms=services.now_ms())


def _found(request: Request, case_id: str) -> list[AttachmentView]:
    found = desk(request).services.casework.attachments(known_case(case_id), actor(request))
    if found is None:
        raise Problem(404, "no_such_case", f"no case {case_id}")
    return found


def add_routes(router: APIRouter) -> None:
    """Add the routes of photos."""

    @router.post(
        "/api/v1/cases/{case_id}/attachments",
        tags=["attachments"],
        response_class=Response,
        status_code=201,
        openapi_extra=DOCUMENTED,
    )
    async def attach(request: Request, case_id: CaseId) -> Response:
        """Add a photo to a case: the bytes of a JPEG, PNG or WebP picture, at most 8 MiB and 50 million pixels.

        It is kept without EXIF, place or any other text, upright and at most 4096 pixels long. The same picture again
        is the same photo. A move of the case: `attach`.
        """
        body = await request.body()
        services = desk(request).services
        view = await run_in_threadpool(_take, services, known_case(case_id), actor(request), body)
        headers = {"location": view.url, "cache-control": "no-store"}
        return Response(ENCODER.encode({"attachment": view}), 201, headers, "application/json")

    @router.get("/api/v1/cases/{case_id}/attachments", tags=["attachments"], response_class=Response)
    def list_attachments(request: Request, case_id: CaseId) -> Response:
        """The photos of a case, by number."""
        body = ENCODER.encode({"attachments": _found(request, case_id)})
        return Response(body, headers={"cache-control": "no-store"}, media_type="application/json")

    @router.get("/api/v1/cases/{case_id}/attachments/{number}", tags=["attachments"], response_class=Response)
    def one_attachment(request: Request, case_id: CaseId, number: Number) -> Response:
        """One photo."""
        found = next((one for one in _found(request, case_id) if one.n == number), None)
        body = _folder(desk(request).services).read(found.sha256) if found is not None else None
        if found is None or body is None:
            raise Problem(404, "no_such_photo", f"case {case_id} has no photo {number}, or its file is lost")
        tag = f'"{found.sha256[:32]}"'
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        headers["content-disposition"] = f'inline; filename="{case_id}-{number}.{ENDINGS[found.type]}"'
        return Response(body, headers=headers, media_type=found.type)
