"""People's data, logins, photos, exports and the audit, from outside."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from engine.api.gate import HEADERS
from engine.api.services import Settings
from engine.casework.logins import LIMITS
from engine.casework.tokens import list_tokens, revoke_token
from engine.runtime.log import Stream
from rules.registry import Row
from tests.town import DRAIN_EAST, EAST, LAT, LON, WEST, Town, now_ms, open_town

PHONE, IDENTITY = "13812345678", "330683199001011234"
EXERCISE = Row("DL-X", "drain.level", LON + 5000, LAT + 5000, "drainage", drill=True)
TOLD = f"电话{PHONE}，身份证{IDENTITY}，=1+1"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    settings = Settings(trusted_proxies=("127.0.0.1",))
    with open_town(tmp_path_factory.mktemp("town"), settings, more=[EXERCISE]) as running:
        for sensor in (DRAIN_EAST, EXERCISE.sensor):
            running.read(sensor, "drain.level", 95)
        report = {"category": "0405", "text": TOLD, "lon": LON / 1e7, "lat": LAT / 1e7}
        report |= {"contact_name": "张三丰", "contact_phone": PHONE}
        with running.client("operator") as client:
            for key, drill in (("real", False), ("drill", True)):
                sent = client.post("/api/v1/cases", json={**report, "drill": drill}, headers={"idempotency-key": key})
                assert sent.status_code == 201
                assert PHONE not in sent.text
        running.settle()
        yield running


def lines(town: Town, **where: Any) -> list[dict[str, Any]]:
    with town.client("auditor") as client:
        found: list[dict[str, Any]] = client.get("/api/v1/audit", params={"limit": 1000, **where}).json()["lines"]
    return found


def photo(kind: str = "JPEG", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(out, kind, **more)
    return out.getvalue()


# ---- what is hidden


def test_no_number_leaves_but_on_the_page_of_one_case_to_whom_needs_it(town: Town) -> None:
    (case,) = [one["id"] for one in town.cases() if one["text"] and not one["drill"]]
    with town.client("operator") as client:
        assert client.get(f"/api/v1/cases/{case}").json()["reports"][0]["contact_phone"] == PHONE
        with client.stream("GET", "/api/v1/stream", params={"after": "0"}) as stream:
            told = next(line for line in stream.iter_lines() if line.startswith("data:") and case in line)
        texts = {
            "list": client.get("/api/v1/cases").text,
            "search": client.get("/api/v1/cases", params={"q": "电话"}).text,
            "export": client.get("/api/v1/export/cases.csv").text,
            "stream": told,
            "handover": client.get("/api/v1/handover").text,
        }
    for role in ("viewer", "auditor", "admin"):
        with town.client(role) as client:
            texts[role] = client.get(f"/api/v1/cases/{case}").text
    records = town.engine.journal.read(Stream.CASES, 0, 0, limit_bytes=16 << 20).values
    texts["city.cases"] = b"".join(records).decode()
    texts["audit"] = json.dumps(lines(town), ensure_ascii=False)
    for where, text in texts.items():
        assert not [secret for secret in (PHONE, IDENTITY, "张三丰") if secret in text], where
    assert "138****5678" in texts["list"]


def test_who_read_a_citizens_data_is_in_the_audit_with_his_address(town: Town) -> None:
    (case,) = [one["id"] for one in town.cases() if one["text"] and not one["drill"]]
    with town.client("inspector", headers={"x-forwarded-for": "203.0.113.9, 10.1.2.3"}) as client:
        client.get(f"/api/v1/cases/{case}")
    (line,) = lines(town, action="contact.read", actor="inspector--None")
    assert (line["subject"], line["role"], line["address"]) == (case, "inspector", "10.1.2.3")


def test_alerts_of_exercises_are_asked_for_apart_from_real_ones(town: Town) -> None:
    with town.client("viewer") as client:
        found = {
            drill: [
                one["sensor"]
                for one in client.get("/api/v1/alerts", params={"drill": drill}).raise_for_status().json()["alerts"]
            ]
            for drill in ("true", "false")
        }
        refused = client.get("/api/v1/alerts", params={"drill": "maybe"})
        (parameter,) = [
            one
            for one in client.get("/openapi.json").json()["paths"]["/api/v1/alerts"]["get"]["parameters"]
            if one["name"] == "drill"
        ]
    assert found == {"true": [EXERCISE.sensor], "false": [DRAIN_EAST]}
    assert refused.status_code == 400
    assert "exercises" in parameter["description"]


def test_an_export_is_a_table_for_spreadsheets_that_marks_exercises_and_is_noted(town: Town) -> None:
    with town.client("supervisor") as client:
        answer = client.get("/api/v1/export/cases.csv")
        english = client.get("/api/v1/export/cases.csv", params={"lang": "en", "drill": "true"}).text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("\ufeff案件编号,演练,")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert sorted(row["演练"] for row in rows) == ["", "", "演练", "演练"]
    assert {row["联系电话"] for row in rows} == {"", "138****5678"}
    assert {row["联系人"] for row in rows} == {"", "张**"}
    drills = list(csv.DictReader(io.StringIO(english.removeprefix("\ufeff"))))
    assert [row["drill"] for row in drills] == ["drill"] * 2
    assert {row["department"] for row in drills} == {"Drainage network office", EAST}
    assert {row["category_title"] for row in drills} == {"Surcharged drain"}
    assert [line["subject"] for line in lines(town, action="export", actor="supervisor--None")] == ["cases.csv"] * 2
    with town.client("supervisor", WEST) as client:
        assert client.get("/api/v1/export/cases.csv").text.count("\n") == 1
    with town.client("viewer") as client:
        assert client.get("/api/v1/export/cases.csv").status_code == 403


def test_the_audit_is_for_auditors_of_the_whole_city(town: Town) -> None:
    with town.client("auditor", EAST) as client:
        assert client.get("/api/v1/audit").json()["code"] == "whole_city_only"
    with town.client("supervisor") as client:
        assert client.get("/api/v1/audit").status_code == 403
    with town.client("auditor") as client:
        page = client.get("/api/v1/audit", params={"limit": 2}).json()
        rest = client.get("/api/v1/audit", params={"limit": 2, "cursor": page["cursor"]}).json()
    numbers = [line["id"] for line in (*page["lines"], *rest["lines"])]
    assert numbers == sorted(numbers, reverse=True)
    assert {"case.report", "token.create", "login"} <= {line["action"] for line in lines(town)}


# ---- logging in


def test_a_person_logs_in_with_name_and_token_and_out_again(town: Town) -> None:
    secret = town.token("dispatcher")
    with town.client(None) as browser:
        answer = browser.post("/api/v1/login", json={"name": "dispatcher--None", "token": secret})
        assert answer.json() == {"name": "dispatcher--None", "role": "dispatcher", "area": "", "department": None}
        assert re.search("HttpOnly.*SameSite=strict", answer.headers["set-cookie"])
        assert browser.get("/api/v1/me").json() == answer.json()
        assert browser.post("/logout", headers={"origin": town.url}).status_code == 204
        assert browser.get("/api/v1/me").status_code == 401
    assert [line["action"] for line in lines(town, actor="dispatcher--None")][:2] == ["logout", "login"]


def test_who_is_signed_in_stays_so_when_the_engine_starts_anew_until_the_token_ends(tmp_path: Path) -> None:
    with open_town(tmp_path) as town:
        secret = town.token("dispatcher")
        with town.client(None) as browser:
            me = browser.post("/api/v1/login", json={"name": "dispatcher--None", "token": secret}).json()
            cookies = dict(browser.cookies)
    with open_town(tmp_path) as town, town.client(None, cookies=cookies) as browser:
        assert browser.get("/api/v1/me").json() == me
        assert browser.post("/api/v1/stream/ticket").json()["code"] == "origin_required"
        assert browser.post("/api/v1/stream/ticket", headers={"origin": town.url}).status_code == 200
        (number,) = [one.id for one in list_tokens(town.engine.store) if one.name == me["name"]]
        assert revoke_token(town.engine.store, number, now_ms=now_ms())
        assert browser.get("/api/v1/me").json()["code"] == "not_signed_in"


def test_who_fails_too_often_waits_and_is_told_how_long(town: Town) -> None:
    body = {"name": "handler--None", "token": "wrong"}
    away = {"x-forwarded-for": "198.51.100.7"}
    with town.client(None) as client:
        said = [client.post("/api/v1/login", json=body, headers=away) for _ in range(LIMITS["pair"] + 1)]
        assert [one.status_code for one in said] == [401] * LIMITS["pair"] + [429]
        assert 0 < int(said[-1].headers["retry-after"]) <= 900
        right = {"name": "handler--None", "token": town.token("handler")}
        assert client.post("/api/v1/login", json=right, headers=away).status_code == 429
        assert client.post("/api/v1/login", json=right).status_code == 200
        nobody = client.post("/api/v1/login", json={"name": "没有这个人", "token": "wrong"})
        assert {name: nobody.json()[name] for name in ("code", "detail")} == {
            name: said[0].json()[name] for name in ("code", "detail")
        }
    failed = lines(town, action="login.failed", actor="handler--None")
    assert {line["address"] for line in failed} == {"198.51.100.7"}


def test_a_token_of_nobody_is_noted_and_a_programs_first_call_is_a_login(town: Town) -> None:
    headers = {"authorization": "Bearer tg_nobody", "x-forwarded-for": "198.51.100.9"}
    assert httpx.get(f"{town.url}/api/v1/me", headers=headers, trust_env=False).status_code == 401
    assert [line["action"] for line in lines(town) if line["address"] == "198.51.100.9"] == ["login.failed"]
    with town.client("sensor", headers={"x-forwarded-for": "198.51.100.10"}) as client:
        for _ in range(3):
            client.post("/api/v1/readings", json=[])
    assert [line["action"] for line in lines(town) if line["address"] == "198.51.100.10"] == ["login"]


# ---- photos


def test_a_photo_is_added_listed_and_shown_to_whom_may_see_the_case(town: Town) -> None:
    case = town.case_of(DRAIN_EAST)["id"]
    path = f"/api/v1/cases/{case}/attachments"
    exif = Image.Exif()
    exif[0x010E] = "SECRET-PLACE"
    with town.client("operator") as client:
        # the type is what the bytes say, whatever is declared
        answer = client.post(path, content=photo(exif=exif), headers={"content-type": "image/png"})
        assert (answer.status_code, answer.json()["attachment"]["type"]) == (201, "image/jpeg")
        shown = client.get(answer.headers["location"])
        assert shown.headers["content-type"] == "image/jpeg"
        assert b"SECRET-PLACE" not in shown.content
        assert client.get(shown.url, headers={"if-none-match": shown.headers["etag"]}).status_code == 304
        assert [one["n"] for one in client.get(path).json()["attachments"]] == [1]
        event = client.get(f"/api/v1/cases/{case}").json()["events"][-1]
        assert (event["move"], event["data"]["photos"]) == ("attach", [answer.headers["location"]])
        assert client.get(f"{path}/2").status_code == 404
    with town.client("operator", WEST) as client:
        assert client.get(f"{path}/1").status_code == 404
        assert client.post(path, content=photo(), headers={"content-type": "image/jpeg"}).status_code == 403
    with town.client("viewer") as client:
        assert client.get(f"{path}/1").content == shown.content
        assert client.post(path, content=photo(), headers={"content-type": "image/jpeg"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (photo("GIF"), "image/gif", 415, "unsupported_media_type"),
        (photo("GIF"), "image/png", 422, "not_a_photo"),
        (b"<script>alert(1)</script>", "image/jpeg", 422, "not_a_photo"),
        (b"", "image/jpeg", 400, "empty_body"),
        (bytes((8 << 20) + 1), "image/jpeg", 413, "body_too_large"),
    ],
    ids=["a type that is not taken", "a GIF called PNG", "a script", "nothing", "too large"],
)
def test_what_is_no_photo_is_refused(town: Town, body: bytes, kind: str, status: int, code: str) -> None:
    path = f"/api/v1/cases/{town.case_of(DRAIN_EAST)['id']}/attachments"
    with town.client("operator") as client:
        answer = client.post(path, content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_photo_that_cannot_be_kept_is_not_taken(town: Town) -> None:
    folder = town.engine.folder / "attachments"
    aside = folder.rename(folder.with_name("aside")) if folder.exists() else None
    folder.write_bytes(b"")  # no folder can be made where a file stands
    case = town.case_of(DRAIN_EAST)
    try:
        with town.client("operator") as client:
            path, body = f"/api/v1/cases/{case['id']}/attachments", photo("WEBP")
            answer = client.post(path, content=body, headers={"content-type": "image/webp"})
        assert (answer.status_code, town.case_of(DRAIN_EAST)["version"]) == (503, case["version"])
    finally:
        folder.unlink()
        if aside is not None:
            aside.rename(folder)


# ---- the headers of every answer


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/api/v1/me", {}),
        ("GET", "/nowhere", {}),
        ("POST", "/", {}),
        ("GET", "/", {"host": "evil.example"}),
        ("GET", "/api/v1/cases", {"x-long": "x" * 20_000}),
        ("GET", "/openapi.json", {}),
        ("GET", "/readyz", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_every_answer_keeps_pages_of_others_and_inline_code_out(
    town: Town, method: str, path: str, headers: dict[str, str]
) -> None:
    with town.client(None, headers=headers) as client:
        answer = client.request(method, path)
    for name, value in HEADERS:
        assert answer.headers[name.decode()] == value.decode()
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"


def test_no_page_has_inline_code(town: Town) -> None:
    from engine.api.routes.page import files

    pages = [name for name in files() if name.endswith(".html")]
    assert "index.html" in pages
    with town.client(None) as client:
        for name in pages:
            text = client.get(f"/console/{name}").text
            assert not re.search(r"<script(?![^>]*\bsrc=)", text), name
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), name
