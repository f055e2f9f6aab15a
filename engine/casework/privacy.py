"""What others see of a citizen: names and numbers with their middles hidden.

Masked by default: only the story of one case, shown to a role that needs it, says them in full, and the audit says who
read it. In free text, mobile numbers, landlines with their area code and 18-digit identity numbers are found, also with
spaces, hyphens or full-width digits. (The 15-digit numbers of the first identity cards are not: those ended in 2012,
and a unit grid's code looks the same.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.casework.views import ReportView
from engine.casework.words import ROLES

CITIZEN = "citizen"
_GAP = r"[-\s－]?"
_MOBILE = re.compile(rf"(?<!\d)(?:[+＋]?86{_GAP})?([1１][3-9３-９]\d){_GAP}\d{{4}}{_GAP}(\d{{4}})(?!\d)")
_LANDLINE = re.compile(rf"(?<!\d)([0０]\d{{2,3}})[-\s－)）]{{1,2}}\d{{3,4}}{_GAP}(\d{{4}})(?!\d)")
_IDENTITY = re.compile(
    rf"(?<!\d)([1-9１-９]\d{{2}})\d{{3}}{_GAP}(?:19|20|１９|２０)\d{{2}}{_GAP}[01０１]\d{_GAP}[0-3０-３]\d"
    rf"{_GAP}(\d{{3}}[\dXxＸｘ])(?!\d)"
)
_FREE_TEXT = frozenset({"text", "note"})


def mask_name(name: str | None) -> str | None:
    """Leave the first character of a name: 张*."""
    return name if not name else name[0] + "*" * (len(name) - 1 or 1)


def mask_phone(phone: str | None) -> str | None:
    """Leave three characters in front and four behind: 138****1234; nothing of a short one."""
    if not phone:
        return phone
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else "*" * len(phone)


def mask_text(text: str) -> str:
    """Hide the middles of phone and identity numbers in free text."""
    text = _IDENTITY.sub(r"\1***********\2", text)
    text = _MOBILE.sub(r"\1****\2", text)
    return _LANDLINE.sub(r"\1-****\2", text)


def mask_actor(name: str, role: str) -> str:
    """Name a citizen as one; other actors are on duty and answer with their names."""
    return ROLES[CITIZEN] if role == CITIZEN else name


def mask_data(data: Any) -> Any:
    """Mask the free texts of an event's data, wherever they stand in it."""
    if isinstance(data, Mapping):
        return {
            key: mask_text(value) if key in _FREE_TEXT and isinstance(value, str) else mask_data(value)
            for key, value in data.items()
        }
    return [mask_data(value) for value in data] if isinstance(data, list) else data


def has_contact(reports: Iterable[ReportView]) -> bool:
    """Tell whether reports say who a citizen is: by a contact, or by a number in their text."""
    return any(one.contact_name or one.contact_phone or mask_text(one.text) != one.text for one in reports)


def mask_message(message: dict[str, Any]) -> dict[str, Any]:
    """Mask a message of the outbox that was written when messages were not."""
    event = message["event"]
    actor = mask_actor(event["actor"], event["role"])
    masked: dict[str, Any] = mask_data({**message, "event": {**event, "actor": actor}})
    return masked
