"""Cases as a table for spreadsheets: exercises are marked, contact data masked for everybody, no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from engine.casework.bulk import among
from engine.casework.directory import title_en
from engine.casework.people import Actor
from engine.casework.privacy import mask_name, mask_phone
from engine.casework.queries import LIMIT, CaseFilter
from engine.casework.schema import report
from engine.casework.service import Casework
from engine.casework.views import CaseView
from engine.casework.words import LEVELS

BOM = "\N{BYTE ORDER MARK}"  # without it spreadsheets take UTF-8 for something else
COLUMNS = {
    "id": "案件编号",
    "drill": "演练",
    "title": "标题",
    "state": "状态",
    "level": "当前级别",
    "peak": "最高级别",
    "category": "类别代码",
    "category_title": "类别",
    "department": "责任单位",
    "grid": "网格编码",
    "grid_name": "地点",
    "officer": "网格员",
    "lon": "经度",
    "lat": "纬度",
    "sensor": "传感器",
    "rule": "规则",
    "opened": "上报时间",
    "due": "时限",
    "closed": "结案时间",
    "rework": "返工次数",
    "supervised": "督办",
    "text": "情况",
    "contact_name": "联系人",
    "contact_phone": "联系电话",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(casework: Casework, where: CaseFilter, actor: Actor, *, tz: str, english: bool) -> Iterator[bytes]:
    """Yield the actor's cases as CSV, the latest opened first; the audit says that he asked."""
    casework.note(actor, "export.cases", "cases.csv", "drills only" if where.drill else "")
    yield _head(english)
    cursor: str | None = None
    while True:
        page = casework.cases(where, actor, cursor=cursor, limit=LIMIT)
        with casework.store.read() as db:
            yield _rows(db, page.cases, tz, english)
        cursor = page.cursor
        if cursor is None:
            return


def _head(english: bool) -> bytes:
    """Return the first line, with the mark by which spreadsheets know UTF-8."""
    return _lines([list(COLUMNS) if english else list(COLUMNS.values())], BOM)


def _rows(db: Connection, cases: Iterable[CaseView], tz: str, english: bool) -> bytes:
    """Return a line for each case."""
    cases = list(cases)
    contacts = _contacts(db, [case.id for case in cases])
    return _lines(_cells(case, contacts.get(case.id, ("", "")), ZoneInfo(tz), english) for case in cases)


def _contacts(db: Connection, cases: list[str]) -> dict[str, tuple[str, str]]:
    """Return masked names and phones of those who reported, by case."""
    columns = (report.c.case, report.c.contact_name, report.c.contact_phone)
    found: dict[str, tuple[list[str], list[str]]] = {}
    for case, name, phone in db.execute(
        select(*columns).where(among(db, report.c.case, cases)).order_by(report.c["t"])
    ):
        names, phones = found.setdefault(case, ([], []))
        names += [masked] if (masked := mask_name(name)) else []
        phones += [masked] if (masked := mask_phone(phone)) else []
    return {case: ("；".join(names), "；".join(phones)) for case, (names, phones) in found.items()}


def _cells(case: CaseView, contact: tuple[str, str], zone: ZoneInfo, english: bool) -> list[object]:
    def moment(t_ms: int | None) -> str:
        return "" if t_ms is None else datetime.fromtimestamp(t_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")

    def level(name: str | None) -> str:
        return (name if english else LEVELS[name]) if name else ""

    title = case.title
    if english:
        own = title_en("rules", case.rule) if case.rule else title_en("categories", case.category)
        title = own if own and (case.rule or title == case.category_title) else title
    yes = "yes" if english else "是"
    told: Mapping[str, Any] = {
        "drill": ("drill" if english else "演练") if case.drill else "",
        "state": case.state if english else case.state_title,
        "level": level(case.level),
        "peak": level(case.peak),
        "title": title,
        "category_title": (english and title_en("categories", case.category)) or case.category_title,
        "department": (english and title_en("departments", case.department or "")) or case.department_title,
        "opened": moment(case.opened_t),
        "due": moment(case.due_t),
        "closed": moment(case.closed_t),
        "supervised": yes if "supervised" in case.flags else "",
        "contact_name": contact[0],
        "contact_phone": contact[1],
    }
    return [told[name] if name in told else getattr(case, name) for name in COLUMNS]


def _lines(table: Iterable[list[object]] | Iterable[list[str]], before: str = "") -> bytes:
    out = io.StringIO(before)
    out.seek(0, io.SEEK_END)
    csv.writer(out).writerows([_safe(cell) for cell in row] for row in table)
    return out.getvalue().encode("utf-8", "replace")


def _safe(cell: object) -> object:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
