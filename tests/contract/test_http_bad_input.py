"""Bad input over HTTP: each named case gets its documented answer, and nothing else is disturbed.

The table is the documentation: what comes, the status, the stable code of the problem document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.town import DRAIN_EAST, Town, now_ms, open_town

JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
READINGS, CASES = "/api/v1/readings", "/api/v1/cases"
MOVES = CASES + "/{case}/moves"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        yield running


@dataclass(frozen=True)
class Bad:
    """One case: what is sent, and what must come back."""

    name: str
    method: str
    path: str
    status: int
    code: str
    body: bytes | Iterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    role: str | None = "admin"


def good(**more: object) -> dict[str, object]:
    return {"sensor": DRAIN_EAST, "kind": "drain.level", "t": now_ms(), "v": 20.0, **more}


def many(count: int) -> bytes:
    return b"[" + b",".join([b'{"sensor":"a","kind":"drain.level","t":1,"v":1}'] * count) + b"]"


def send(what: str, body: bytes | str, status: int, code: str, path: str = READINGS, **headers: str) -> Bad:
    sent = body.encode() if isinstance(body, str) else body
    return Bad(f"readings: {what}", "POST", path, status, code, sent, {**JSON, **dashed(headers)}, "sensor")


def report(what: str, body: str, status: int, code: str, **headers: str) -> Bad:
    keyed = {**JSON, "idempotency-key": what.replace(" ", "-").replace(",", "")} | dashed(headers)
    if what == "no Idempotency-Key":
        del keyed["idempotency-key"]
    return Bad(f"report: {what}", "POST", CASES, status, code, body.encode(), keyed, "operator")


def move(what: str, if_match: str | None, body: str, status: int, code: str, path: str = MOVES) -> Bad:
    headers = JSON if if_match is None else {**JSON, "if-match": if_match}
    return Bad(f"move: {what}", "POST", path, status, code, body.encode(), headers, "operator")


def dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def get(name: str, path: str, status: int, code: str, **headers: str) -> Bad:
    return Bad(name, "GET", path, status, code, headers=dashed(headers))


REPORT = json.dumps({"category": "0101", "text": "垃圾"})
COMMENT = json.dumps({"move": "comment", "note": "x"})
DEEP = "[" * 20_000 + "]" * 20_000

TABLE = [
    # readings
    send("text that is no JSON", "[not json", 400, "bad_json"),
    send("an array whose parts are no JSON", "[nonsense, more]", 400, "bad_json"),
    send("one object where an array belongs", json.dumps(good()), 400, "not_an_array"),
    send("a string", '"hello"', 400, "not_an_array"),
    send("nothing at all", "", 400, "empty_body"),
    send("only white space", " \n\t ", 400, "empty_body"),
    send("an array that is cut off", many(3)[:-5], 400, "bad_json"),
    send("a comma too many", "[,]", 400, "bad_json"),
    send("bytes that are not UTF-8", b'[{"sensor":"\xff\xfe"}]', 400, "bad_json"),
    send("over 1 MiB", b"[" + b" " * (1 << 20) + b"]", 413, "body_too_large"),
    send("over 10,000", b"[" + b",".join([b"{}"] * 10_001) + b"]", 413, "too_many_readings"),
    send("a form", "a=b", 415, "unsupported_media_type", content_type="application/x-www-form-urlencoded"),
    send(
        "plain text, as a form of another site can send",
        many(1),
        415,
        "unsupported_media_type",
        content_type="text/plain",
    ),
    send("another charset", many(1), 415, "unsupported_media_type", content_type="application/json; charset=gbk"),
    send("packed", many(1), 415, "unsupported_encoding", content_encoding="gzip"),
    send("a query parameter", many(1), 400, "unknown_parameter", READINGS + "?mode=fast"),
    Bad(
        "readings: NDJSON of which no line is JSON",
        "POST",
        READINGS,
        400,
        "bad_json",
        b"hello\nworld\n",
        NDJSON,
        "sensor",
    ),
    # reports
    report("malformed JSON", '{"category":', 400, "bad_json"),
    report("nested 20,000 deep", DEEP, 400, "bad_json"),
    report("an array", "[]", 422, "invalid_body"),
    report("no category", '{"text":"x"}', 422, "invalid_body"),
    report("an unknown field", '{"category":"0101","colour":"red"}', 422, "invalid_body"),
    report("a number for a text", '{"category":"0101","text":5}', 422, "invalid_body"),
    report("NaN for a place", '{"category":"0101","lon":NaN,"lat":29.6}', 422, "invalid_body"),
    report("1e400 for a place", '{"category":"0101","lon":1e400,"lat":29.6}', 422, "invalid_body"),
    report("a place off the earth", '{"category":"0101","lon":29.6,"lat":120.8}', 422, "invalid_body"),
    report("half a place", '{"category":"0101","lon":120.8}', 422, "invalid_body"),
    report("a photo that is a script", '{"category":"0101","photos":["javascript:alert(1)"]}', 422, "invalid_body"),
    report("a lone surrogate", '{"category":"0101","text":"\\ud800"}', 422, "invalid_body"),
    report("a zero character", '{"category":"0101","text":"a\\u0000b"}', 422, "bad_args"),
    report("over 64 KiB", '{"category":"0101","text":"' + "x" * 70_000 + '"}', 413, "body_too_large"),
    report("no Idempotency-Key", REPORT, 400, "idempotency_key_required"),
    report("an Idempotency-Key with a space", REPORT, 400, "bad_idempotency_key", idempotency_key="a b"),
    report("an Idempotency-Key of 200 characters", REPORT, 400, "bad_idempotency_key", idempotency_key="k" * 200),
    # moves
    move("no If-Match", None, COMMENT, 428, "if_match_required"),
    move("If-Match without quotes", "1", COMMENT, 400, "bad_if_match"),
    move("a weak If-Match", 'W/"1"', COMMENT, 400, "bad_if_match"),
    move("If-Match of anything", "*", COMMENT, 400, "bad_if_match"),
    move("If-Match of a version long gone", '"0"', COMMENT, 412, "version_changed"),
    move("a move that does not exist", '"1"', '{"move":"explode"}', 422, "no_such_move"),
    move("a move that is not for now", '"1"', '{"move":"file"}', 409, "not_now"),
    move("an argument of another move", '"1"', '{"move":"accept","due":5}', 422, "bad_args"),
    move("a due time that is a text", '"1"', '{"move":"accept","due":"soon"}', 422, "invalid_body"),
    move("a case that does not exist", '"1"', COMMENT, 404, "no_such_case", CASES + "/WO-20260101-AAAAAAAAAA/moves"),
    move("a path for a case id", '"1"', COMMENT, 404, "not_found", CASES + "/..%2f..%2fetc%2fpasswd/moves"),
    # lists
    get("list: a cursor of nobody", CASES + "?cursor=hello", 422, "bad_cursor"),
    get("list: a limit of 0", CASES + "?limit=0", 400, "bad_parameter"),
    get("list: a limit of 1,001", CASES + "?limit=1001", 400, "bad_parameter"),
    get("list: a limit that is no number", CASES + "?limit=ten", 400, "bad_parameter"),
    get("list: an unknown state", CASES + "?state=sleeping", 400, "bad_parameter"),
    get("list: an unknown level", CASES + "?level=purple", 400, "bad_parameter"),
    get("list: a misspelt filter", CASES + "?stat=reported", 400, "unknown_parameter"),
    get("list: a filter twice", CASES + "?grid=33&grid=44", 400, "bad_parameter"),
    get("list: a grid that is no code", CASES + "?grid=33%25", 400, "bad_parameter"),
    get("list: a box of three numbers", CASES + "?bbox=1,2,3", 400, "bad_bbox"),
    get("list: a box inside out", CASES + "?bbox=121,29,120,30", 400, "bad_bbox"),
    get("list: a box of NaN", CASES + "?bbox=nan,29,121,30", 400, "bad_bbox"),
    get("list: a box off the earth", CASES + "?bbox=-190,29,121,30", 400, "bad_bbox"),
    get("grids: an unknown level", "/api/v1/grids.geojson?level=galaxy", 400, "bad_parameter"),
    get("grids: a box of words", "/api/v1/grids.geojson?bbox=a,b,c,d", 400, "bad_bbox"),
    get("case: a malformed id", CASES + "/WO-1", 404, "no_such_case"),
    get("case: SQL for an id", CASES + "/WO-20260101-AAAAAAAAAA'--", 404, "no_such_case"),
    # stream
    get("stream: a Last-Event-ID that is no position", "/api/v1/stream", 400, "bad_last_event_id", last_event_id="-1"),
    get("stream: a Last-Event-ID without end", "/api/v1/stream", 400, "bad_last_event_id", last_event_id="9" * 40),
    Bad("stream: a ticket of nobody", "GET", "/api/v1/stream?ticket=hello", 401, "not_signed_in", role=None),
    # who and where from
    Bad("no token", "GET", CASES, 401, "not_signed_in", role=None),
    Bad(
        "a token of nobody",
        "GET",
        CASES,
        401,
        "not_signed_in",
        headers={"authorization": "Bearer tg_nobody"},
        role=None,
    ),
    Bad(
        "another way to sign in", "GET", CASES, 401, "not_signed_in", headers={"authorization": "Basic YTpi"}, role=None
    ),
    Bad("a spent login link", "GET", "/login?ticket=hello", 401, "ticket_spent", role=None),
    get("another site asks", CASES, 403, "cross_site", sec_fetch_site="cross-site", sec_fetch_mode="cors"),
    get("another port of this machine asks", CASES, 403, "cross_site", origin="http://127.0.0.1:1"),
    get("a page of no origin asks", CASES, 403, "cross_site", origin="null"),
    get("a name that was rebound to this address", CASES, 421, "host_not_allowed", host="evil.example"),
    get("a Host that is no host", CASES, 421, "host_not_allowed", host="127.0.0.1/..@evil"),
    # paths and methods
    get("a path that does not exist", "/api/v1/nothing", 404, "not_found"),
    get("a slash too many", CASES + "/", 404, "not_found"),
    get("a file above the page's folder", "/console/..%2f__init__.py", 404, "not_found"),
    get("a Python file of the page's folder", "/console/__init__.py", 404, "not_found"),
    get("a file by its whole path", "/console/%2fetc%2fpasswd", 404, "not_found"),
    Bad("a method that a route has not", "DELETE", CASES, 405, "method_not_allowed"),
    Bad("a method that nobody has", "BREW", CASES, 400, "bad_request"),
    get("headers of 20 KiB", CASES, 431, "headers_too_large", x_padding="x" * 20_000),
]


def test_the_names_of_the_table_are_unique() -> None:
    assert len({one.name for one in TABLE}) == len(TABLE) >= 60


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_bad_input_gets_its_documented_answer(town: Town, bad: Bad) -> None:
    before = footprint(town)
    path = bad.path.replace("{case}", town.case_of(DRAIN_EAST)["id"])
    with town.client(bad.role, headers=bad.headers) as client:
        answer = client.send(client.build_request(bad.method, town.url + path, content=bad.body))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (bad.status, bad.code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == bad.status
    assert problem["type"] == f"urn:tongguan:problem:{bad.code}"
    assert problem["detail"]
    assert footprint(town) == before, "refused input must leave no trace"


def footprint(town: Town) -> tuple[object, ...]:
    """What bad input must not change: cases with their versions, and the records that are no ticks."""
    cases = sorted((one["id"], one["version"], one["seq"]) for one in town.cases())
    return cases, town.readings_stored()
