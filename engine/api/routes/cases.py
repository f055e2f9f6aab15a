"""Cases: lists, one case's story, reports and moves of people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from engine.api.guard import actor, desk
from engine.api.places import parse_box
from engine.api.problems import Problem
from engine.casework import words
from engine.casework.queries import CURSOR
from engine.casework.service import CaseFilter, Report
from engine.casework.views import CaseView

MANY = "one or more, joined by commas"
Words = Annotated[str | None, Query(max_length=400, description=MANY)]
Cursor = Annotated[
    str | None,
    Query(max_length=400, description="`cursor` of the page before", json_schema_extra={"pattern": CURSOR}),
]


def listed(known: Iterable[str]) -> dict[str, str]:
    """Return how a parameter is described that takes some of these words."""
    words = "|".join(known)
    return {"pattern": f"^(({words})(,({words}))*)?$"}


Levels = Annotated[
    str | None,
    Query(max_length=400, description=MANY, json_schema_extra=listed(("blue", "yellow", "orange", "red"))),
]
States = Annotated[str | None, Query(max_length=400, description=MANY, json_schema_extra=listed(words.STATES))]
Text = Annotated[str, Field(max_length=4000)]
Short = Annotated[str, Field(min_length=1, max_length=120)]
Url = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s]+$")]
Drill = Annotated[bool | None, Query(description="true: only exercises, false: none, not given: both")]
CASE_ID = re.compile(r"WO-\d{8}-[A-Z2-7]{10}")
CaseId = Annotated[str, Path(json_schema_extra={"pattern": "^WO-[0-9]{8}-[A-Z2-7]{10}$"})]
ENCODER = msgspec.json.Encoder()


class MoveBody(BaseModel):
    """One move, and what it needs: which fields are asked for depends on the move (spec/cases.md)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    move: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$", examples=["accept"])]
    note: Text | None = None
    reason: Text | None = None
    department: Short | None = None
    departments: Annotated[list[Short], Field(max_length=20)] | None = None
    officer: Short | None = None
    work_order: Short | None = None
    result: Literal["pass", "fail"] | None = None
    override: bool | None = None
    due: Annotated[int, Field(ge=0, le=4_102_444_800_000, description="ms since 1970 UTC")] | None = None
    into: Short | None = None
    photos: Annotated[list[Url], Field(max_length=20)] | None = None


class ReportBody(BaseModel):
    """What a citizen or an operator reports. `lon`, `lat` are WGS-84, both or neither."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    category: Annotated[str, Field(pattern=r"^[0-9]{2,8}$", examples=["0401"])]
    text: Text = ""
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    grid: Annotated[str, Field(pattern=r"^[0-9]{15}$")] | None = None
    level: Literal["blue", "yellow", "orange", "red"] | None = None
    contact_name: Annotated[str, Field(max_length=60)] | None = None
    contact_phone: Annotated[str, Field(max_length=40)] | None = None
    drill: bool = False
    photos: Annotated[list[Url], Field(max_length=20)] = []


def split(joined: str | None) -> tuple[str, ...]:
    """Return the words of a filter joined by commas."""
    return tuple(word for word in (joined or "").split(",") if word)


STATES = frozenset(words.STATES)
LEVELS = frozenset(("blue", "yellow", "orange", "red"))


def known_words(name: str, given: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    for word in given:
        if word not in known:
            raise Problem(
                400, "bad_parameter", f"{name}: unknown value {word[:40]!r}; known: {','.join(sorted(known))}"
            )
    return given


def case_filter(
    request: Request,
    state: States = None,
    level: Levels = None,
    category: Words = None,
    department: Words = None,
    grid: Annotated[str, Query(pattern=r"^[0-9]{0,15}$", description="a prefix of grid codes")] = "",
    bbox: Annotated[str | None, Query(description="west,south,east,north, WGS-84, borders included")] = None,
    overdue: bool | None = None,
    open: bool | None = None,  # noqa: A002  (the name of the parameter)
    drill: Drill = None,
    q: Annotated[str, Query(max_length=100, description="searched in id, title, text and sensor")] = "",
) -> CaseFilter:
    """Return what a list or a stream of cases is limited to."""
    return CaseFilter(
        state=known_words("state", split(state), STATES),
        level=known_words("level", split(level), LEVELS),
        category=split(category),
        department=split(department),
        grid=grid,
        bbox=parse_box(bbox),
        overdue=overdue,
        open=open,
        drill=drill,
        q=q,
        now_ms=desk(request).services.now_ms(),
    )


def parse_version(if_match: str | None) -> int:
    """Return the version that `If-Match: "<version>"` names; 428 without the header, 400 for anything else."""
    if if_match is None:
        raise Problem(428, "if_match_required", 'a move needs If-Match: "<version>" of the case as you saw it')
    found = re.fullmatch(r'"(\d{1,9})"', if_match.strip(), re.ASCII)
    if found is None:
        raise Problem(400, "bad_if_match", f'If-Match must be one version in quotes, as "3"; got {if_match[:60]!r}')
    return int(found[1])


def parse_key(key: str | None, *, required: bool) -> str | None:
    """Return an Idempotency-Key of 1 to 128 visible ASCII characters; 400 otherwise, or if required and missing."""
    if key is None:
        if required:
            raise Problem(
                400, "idempotency_key_required", "a report needs an Idempotency-Key: its case id is made of it"
            )
        return None
    if re.fullmatch(r"[\x21-\x7e]{1,128}", key) is None:
        raise Problem(400, "bad_idempotency_key", "Idempotency-Key must be 1 to 128 visible ASCII characters")
    return key


def known_case(case_id: str) -> str:
    """Return a well-formed case id; 404 for anything else, without asking the store."""
    if CASE_ID.fullmatch(case_id) is None:
        raise Problem(404, "no_such_case", f"no case {case_id[:40]!r}")
    return case_id


def case_answer(view: CaseView, status: int = 200) -> Response:
    """Return one case with its version as ETag."""
    headers = {"etag": f'"{view.version}"', "location": f"/api/v1/cases/{view.id}", "cache-control": "no-store"}
    return Response(ENCODER.encode({"case": view}), status, headers, "application/json")


VERSION = {"pattern": '^"[0-9]{1,9}"$'}
KEY = {"pattern": "^[!-~]{1,128}$"}
IfMatch = Annotated[
    str | None, Header(description='the version of the case as you saw it, as `"3"`', json_schema_extra=VERSION)
]
Key = Annotated[
    str | None, Header(description="the same key with the same content is carried out once", json_schema_extra=KEY)
]
Filter = Annotated[CaseFilter, Depends(case_filter)]


def add_routes(router: APIRouter) -> None:
    """Add the routes of cases."""

    @router.get("/api/v1/cases", tags=["cases"], response_class=Response)
    def list_cases(
        request: Request,
        where: Filter,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """Cases of the caller, the latest opened first; `cursor` of the answer asks for the next page."""
        page = desk(request).services.casework.cases(where, actor(request), cursor=cursor, limit=limit)
        return Response(ENCODER.encode(page), headers={"cache-control": "no-store"}, media_type="application/json")

    @router.get("/api/v1/cases/{case_id}", tags=["cases"], response_class=Response)
    def one_case(request: Request, case_id: CaseId) -> Response:
        """One case with its events, alerts and reports, and the moves that the caller may make now (`case.moves`)."""
        detail = desk(request).services.casework.case(known_case(case_id), actor(request))
        if detail is None:
            raise Problem(404, "no_such_case", f"no case {case_id}")
        headers = {"etag": f'"{detail.case.version}"', "cache-control": "no-store"}
        return Response(ENCODER.encode(detail), headers=headers, media_type="application/json")

    @router.get("/api/v1/cases/{case_id}/values", tags=["cases"], response_class=Response)
    def values_of_case(request: Request, case_id: CaseId) -> Response:
        """Values of the case's sensors from an hour before the first raise to the close, `[t, v]` each, for charts."""
        series = desk(request).services.casework.values(known_case(case_id), actor(request))
        if series is None:
            raise Problem(404, "no_such_case", f"no case {case_id}")
        body = ENCODER.encode({"series": series})
        return Response(body, headers={"cache-control": "no-store"}, media_type="application/json")

    @router.post("/api/v1/cases", tags=["cases"], response_class=Response, status_code=201)
    def report_case(request: Request, body: ReportBody, idempotency_key: Key = None) -> Response:
        """Report: opens a case (201), or joins the open one that holds its merge key."""
        services = desk(request).services
        key = parse_key(idempotency_key, required=True)
        if (body.lon is None) != (body.lat is None):
            raise Problem(422, "invalid_body", "lon and lat go together")
        report = Report(**body.model_dump())
        view = services.casework.report(report, actor(request), idempotency_key=key, t_ms=services.now_ms())
        return case_answer(view, 201)

    @router.post("/api/v1/cases/{case_id}/moves", tags=["cases"], response_class=Response)
    def move_case(
        request: Request, case_id: CaseId, body: MoveBody, if_match: IfMatch = None, idempotency_key: Key = None
    ) -> Response:
        """Make a move; the answer is the case after it. 409: not now; 412: another move came first; 403: not yours."""
        services = desk(request).services
        version = parse_version(if_match)
        key = parse_key(idempotency_key, required=False)
        args: dict[str, Any] = body.model_dump(exclude_none=True, exclude={"move"})
        view = services.casework.move(
            known_case(case_id),
            body.move,
            actor(request),
            args=args,
            expected_version=version,
            idempotency_key=key,
            t_ms=services.now_ms(),
        )
        return case_answer(view)
