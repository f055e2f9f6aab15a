"""Webhooks: each message of a case is posted, signed, in order, until the other side says 2xx.

Signed as Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature). The id is the message's own and
never changes, `seq` in the body counts a case's messages without a gap. Filters are of what never changes of a case, so
that they leave no gap either. Drills never leave by a webhook.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import httpx
import msgspec

from engine.casework.outbox import OutboxRow
from engine.runtime.errors import ConfigFault

TIMEOUT_S = 10.0
ANSWER_BYTES = 64 << 10


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One address. `secret`: any text, or `whsec_` and base64; `categories`: beginnings of category codes, `area` of
    grid codes; empty: all."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+\S*$")]
    secret: Annotated[str, msgspec.Meta(min_length=16)]
    categories: list[Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,4}$")]] = []
    area: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,15}$")] = ""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=120)] = TIMEOUT_S

    def wants(self, case: _Case) -> bool:
        """Tell whether the messages of a case are sent here."""
        if case.drill or not (case.grid or "").startswith(self.area):
            return False
        return not self.categories or case.category.startswith(tuple(self.categories))

    @property
    def key(self) -> bytes:
        """Return the bytes that sign."""
        if self.secret.startswith("whsec_"):
            return base64.b64decode(self.secret.removeprefix("whsec_"), validate=True)
        return self.secret.encode()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    webhook: list[Webhook] = []


class _Case(msgspec.Struct, frozen=True):
    category: str
    drill: bool
    grid: str | None = None


class _Message(msgspec.Struct, frozen=True):
    id: str
    case: _Case


_messages = msgspec.json.Decoder(_Message)


def read_webhooks(path: Path) -> list[Webhook]:
    """Read a file of `[[webhook]]` tables. ConfigFault names every fault."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
        rows = given.pop("webhook", [])
        msgspec.convert(given, _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigFault([f"webhooks: {path}: {error}"]) from error
    found, faults = [], []
    for number, row in enumerate(rows, start=1):
        try:
            webhook = msgspec.convert(row, Webhook)
            webhook.key, httpx.URL(webhook.url).host
            found.append(webhook)
        except (msgspec.ValidationError, httpx.InvalidURL, ValueError) as error:
            faults.append(f"webhooks: {path}: webhook {number}: {error}")
    names = [webhook.name for webhook in found]
    faults += [f"webhooks: {path}: two webhooks are named {name!r}" for name in {*names} if names.count(name) > 1]
    if faults:
        raise ConfigFault(faults)
    return found


def signature(key: bytes, name: str, at_s: int, body: bytes) -> str:
    """Return the header webhook-signature: version 1, HMAC-SHA-256 of `id.timestamp.body`, base64."""
    signed = b".".join([name.encode(), str(at_s).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class NotTaken(Exception):
    """The other side did not say 2xx."""


class Poster:
    """Post to one webhook; satisfies relay.Destination."""

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.name = f"webhook:{webhook.name}"
        self.from_start = False
        self._client = httpx.AsyncClient(timeout=webhook.timeout_s, follow_redirects=False, trust_env=False)

    async def send(self, rows: Sequence[OutboxRow]) -> int:
        """Post rows one after the other; return how many were taken, all but the last fault. Raises NotTaken."""
        for number, row in enumerate(rows):
            message = _messages.decode(row.payload)
            if not self.webhook.wants(message.case):
                continue
            try:
                await self._post(message.id, row.payload)
            except NotTaken:
                if number:
                    return number
                raise
        return len(rows)

    async def _post(self, name: str, body: bytes) -> None:
        at_s = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(at_s),
            "webhook-signature": signature(self.webhook.key, name, at_s, body),
        }
        try:
            async with (
                asyncio.timeout(self.webhook.timeout_s),
                self._client.stream("POST", self.webhook.url, content=body, headers=headers) as answer,
            ):
                read = 0
                async for part in answer.aiter_raw():
                    read += len(part)
                    if read > ANSWER_BYTES:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise NotTaken(f"{type(error).__name__}: {error}") from error
        if not answer.is_success:
            raise NotTaken(f"answered {answer.status_code}")

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()
