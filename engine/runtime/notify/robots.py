"""What the robots of chat groups are sent: sentences, in the JSON that WeCom 企业微信 and DingTalk 钉钉 document."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

import msgspec

from engine.casework.words import LEVELS
from engine.runtime.notify.file import Robot

TEXT_BYTES = 2000  # WeCom takes 2048 of a text
SLOWER = frozenset({45009, 130101})
"""Codes by which they say that messages come too fast."""


def sentences(message: dict[str, Any], tz: str, link: str = "") -> str:
    """Return what happened, for a person on duty; the numbers in it are masked already."""
    event, case = message["event"], message["case"]
    change = event["data"].get("change") or {}
    level = LEVELS.get(change.get("level") or case["level"] or "", "")
    moment = datetime.fromtimestamp(event["t"] / 1000, ZoneInfo(tz)).strftime("%Y-%m-%d %H:%M:%S")
    said = [
        f"【统管】{level}{'·' if level else ''}{case['title']}·{event['title']}",
        f"案件：{case['id']}（{case['state_title']}）",
        f"地点：{case['grid_name'] or case['grid'] or '未知'}",
        f"责任单位：{case['department_title'] or '待定'}" + (f"，网格员：{case['officer']}" if case["officer"] else ""),
        f"时间：{moment}",
    ]
    if change.get("value") is not None:
        said.append(f"实测：{change['value']:g}（{change['sensor']}）")
    said += [text for text in (event["note"],) if text]
    said += [link.replace("{case}", case["id"])] if link else []
    return _cut("\n".join(said))


def _cut(text: str) -> str:
    body = text.encode()
    return text if len(body) <= TEXT_BYTES else body[: TEXT_BYTES - 3].decode("utf-8", "ignore") + "…"


def body(robot: Robot, text: str, at: Sequence[str]) -> bytes:
    """Return the JSON of a text message that calls people by their mobile numbers."""
    if robot.kind == "dingtalk":
        told: dict[str, Any] = {"content": text + "".join(f" @{number}" for number in at)}
        return _json({"msgtype": "text", "text": told, "at": {"atMobiles": list(at), "isAtAll": robot.at_all}})
    told = {"content": text}
    if at or robot.at_all:
        told["mentioned_mobile_list"] = [*at, *(["@all"] if robot.at_all else [])]
    return _json({"msgtype": "text", "text": told})


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def signed_url(robot: Robot, now_ms: int) -> str:
    """Return where to post; DingTalk's with timestamp and sign (HMAC-SHA-256 of both, base64) if there is a secret."""
    if not robot.secret:
        return robot.url
    text = f"{now_ms}\n{robot.secret}"
    sign = base64.b64encode(hmac.new(robot.secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
    return f"{robot.url}{'&' if '?' in robot.url else '?'}timestamp={now_ms}&sign={quote_plus(sign)}"


def errcode(answer: bytes) -> int | None:
    """Return what they answer: 0 when the message was taken, null when it is no answer of theirs."""
    try:
        found = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        return None
    code = found.get("errcode") if isinstance(found, dict) else None
    return code if isinstance(code, int) else None
