"""Names and numbers of citizens: what is hidden, from whom, and what is left alone."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import select

from engine.casework.counter import Report
from engine.casework.people import CONTACT_ROLES, READERS, Actor, Role
from engine.casework.privacy import mask_data, mask_message, mask_name, mask_phone, mask_text
from engine.casework.queries import CaseFilter
from engine.casework.schema import audit, outbox
from engine.casework.store import Store

from .conftest import T0, Town


@pytest.fixture
def town(file_store: Store) -> Town:
    """Return casework over an empty file."""
    return Town(file_store)


NUMBERS = ("13812345678", "330683199001011234")
TOLD = "我是张三，电话13812345678，身份证330683199001011234，桥下积水"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("电话13812345678。", "电话138****5678。"),
        ("138 1234 5678", "138****5678"),
        ("+86-138-1234-5678", "138****5678"),
        ("１３８１２３４５６７８", "１３８****５６７８"),
        ("家里 0575-83012345", "家里 0575-****2345"),
        ("身份证33068319900101123X", "身份证330***********123X"),
        ("330683 19900101 1234", "330***********1234"),
        ("网格330683001001002号", "网格330683001001002号"),
        ("WO-20260718-XYIZVPVTX2", "WO-20260718-XYIZVPVTX2"),
        ("水位27.9厘米，12345热线", "水位27.9厘米，12345热线"),
        ("1795338719370", "1795338719370"),
        ("2381234567890", "2381234567890"),
        ("", ""),
    ],
)
def test_the_middles_of_numbers_in_free_text_are_hidden(text: str, shown: str) -> None:
    assert mask_text(text) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [("张三", "张*"), ("欧阳修文", "欧***"), ("张", "张*"), ("", ""), (None, None)]
)
def test_a_name_keeps_its_first_character(name: str | None, shown: str | None) -> None:
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("phone", "shown"), [("13812345678", "138****5678"), ("83012345", "********"), ("", ""), (None, None)]
)
def test_a_phone_keeps_its_ends(phone: str | None, shown: str | None) -> None:
    assert mask_phone(phone) == shown


def test_only_free_texts_of_data_are_masked_wherever_they_stand() -> None:
    data = {"report": {"text": TOLD, "photos": ["http://x/13812345678"]}, "orders": [{"n": 1, "note": TOLD}], "t": 5}
    masked = mask_data(data)
    assert masked["report"]["photos"] == data["report"]["photos"]
    assert masked["t"] == 5
    assert not any(number in str([masked["report"]["text"], masked["orders"]]) for number in NUMBERS)


def test_a_message_of_before_is_masked_as_messages_are_now(town: Town) -> None:
    town.casework.report(_report(), Actor(name="张三", role=Role.CITIZEN), idempotency_key="k1", t_ms=T0)
    with town.store.read() as db:
        (payload,) = db.execute(select(outbox.c.payload)).scalars()
    message = msgspec.json.decode(payload)
    assert message["event"]["actor"] == "市民"
    assert mask_message(message) == message
    raw = {**message, "event": {**message["event"], "actor": "张三", "note": TOLD}}
    assert mask_message(raw) == message


def _report() -> Report:
    return Report(category="0405", text=TOLD, grid="330683001001001", contact_name="张三", contact_phone=NUMBERS[0])


@pytest.mark.parametrize("role", sorted(READERS - {Role.SYSTEM}))
def test_only_roles_that_need_it_read_who_a_citizen_is_and_the_audit_says_that_they_did(town: Town, role: Role) -> None:
    case = town.casework.report(_report(), Actor(name="12345", role=Role.OPERATOR), idempotency_key="k1", t_ms=T0)
    reader = Actor(name="某人", role=role, address="10.0.0.7")
    detail = town.casework.case(case.id, reader)
    page = town.casework.cases(CaseFilter(), reader)
    assert detail is not None
    with town.store.read() as db:
        noted = db.execute(select(audit).where(audit.c.action == "contact.read")).all()
    said = msgspec.json.encode(detail).decode()
    if role in CONTACT_ROLES:
        assert detail.reports[0].contact_phone == NUMBERS[0]
        assert detail.reports[0].text == detail.case.text == detail.events[0].note == TOLD
        assert [(row.actor, row.role, row.subject, row.address) for row in noted] == [
            ("某人", role, case.id, "10.0.0.7")
        ]
    else:
        assert detail.reports[0].contact_name == "张*"
        assert not any(number in said for number in NUMBERS)
        assert noted == []
    assert not any(number in msgspec.json.encode(page).decode() for number in NUMBERS)


def test_a_number_that_is_hidden_cannot_be_found_by_searching_either(town: Town) -> None:
    town.casework.report(_report(), Actor(name="12345", role=Role.OPERATOR), idempotency_key="k1", t_ms=T0)

    def found(role: Role, q: str) -> int:
        return len(town.casework.cases(CaseFilter(q=q), Actor(name="x", role=role)).cases)

    assert [found(Role.OPERATOR, q) for q in ("1381234", "桥下", "330683001001001")] == [1, 1, 1]
    assert [found(Role.VIEWER, q) for q in ("1381234", "桥下", "330683001001001")] == [0, 1, 1]


def test_no_message_carries_a_number_whoever_wrote_it(town: Town) -> None:
    town.casework.report(_report(), Actor(name="张三", role=Role.CITIZEN), idempotency_key="k1", t_ms=T0)
    town.casework.report(_report(), Actor(name="张三", role=Role.CITIZEN), idempotency_key="k2", t_ms=T0)
    with town.store.read() as db:
        payloads = list(db.execute(select(outbox.c.payload)).scalars())
        lines = str(db.execute(select(audit)).all())
    assert len(payloads) == 2
    for secret in (*NUMBERS, '"张三"'):
        assert not any(secret in payload.decode() for payload in payloads), secret
    assert not any(number in lines for number in NUMBERS)
