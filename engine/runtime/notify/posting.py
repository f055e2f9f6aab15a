"""Posting to one destination: each message in order, until the other side takes it; a receipt for every try.

A webhook is signed as Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature) and tried for as long
as it takes. The id is the message's own and never changes, `seq` in the body counts a case's messages without a gap.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from engine.casework.duty import RosterFile
from engine.casework.outbox import OutboxRow
from engine.casework.receipts import tried
from engine.clock import wall_clock_ms
from engine.runtime.config import duration_ms
from engine.runtime.notify import robots
from engine.runtime.notify.file import Message, Robot, Webhook, read_destinations
from engine.runtime.notify.telling import Sent

ANSWER_BYTES = 64 << 10
POSTS = 20  # in one turn, so that receipts are kept soon
MINUTE_MS = 60_000

_messages = msgspec.json.Decoder(Message)


def signature(key: bytes, name: str, at_s: int, body: bytes) -> str:
    """Return the header webhook-signature: version 1, HMAC-SHA-256 of `id.timestamp.body`, base64."""
    signed = b".".join([name.encode(), str(at_s).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Answer(NamedTuple):
    """What the other side said; `slower_ms`: how long it wants to be left alone."""

    taken: bool
    said: str
    slower_ms: int = 0


def _shown(status: int, said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    return f"{status} {text}".strip() if status else text


class Poster:
    """Post to one destination; satisfies telling.Destination.

    `clock` is the machine's; `on_duty` gives the mobile numbers of those who are on duty at a post now.
    """

    from_start = False

    def __init__(
        self, to: Webhook | Robot, clock: Callable[[], int], on_duty: Callable[[str], Sequence[str]], tz: str
    ) -> None:
        self.to = to
        self.name = f"{'webhook' if isinstance(to, Webhook) else 'robot'}:{to.name}"
        self._clock = clock
        self._on_duty = on_duty
        self._tz = tz
        self._client = httpx.AsyncClient(timeout=to.timeout_s, follow_redirects=False, trust_env=False)
        self._posted: deque[int] = deque()
        self._failing: tuple[str, int] | None = None

    async def send(self, rows: Sequence[OutboxRow]) -> Sent:
        """Post rows one after the other, up to the first that is not taken."""
        receipts: list[dict[str, Any]] = []
        for number, row in enumerate(rows):
            message = _messages.decode(row.payload)
            if not self.to.wants(message):
                continue
            pause_ms = 0 if len(receipts) == POSTS else self._pause_ms()
            if pause_ms or len(receipts) == POSTS:
                return Sent(number, receipts, pause_ms=pause_ms)
            answer = await self._post(message.id, row.payload)
            state = "taken" if answer.taken else self._state(message.id)
            receipts.append(tried(self.name, row.case, row.seq, state, self._clock(), answer.said))
            if state == "waiting":
                return Sent(number, receipts, answer.said, answer.slower_ms)
        return Sent(len(rows), receipts)

    def _pause_ms(self) -> int:
        """Return how long to wait for the next post, of a robot that takes so many a minute; notes the post else."""
        if not isinstance(self.to, Robot):
            return 0
        now = self._clock()
        while self._posted and self._posted[0] <= now - MINUTE_MS:
            self._posted.popleft()
        if len(self._posted) >= self.to.per_minute:
            return self._posted[0] + MINUTE_MS - now
        self._posted.append(now)
        return 0

    def _state(self, name: str) -> str:
        """Return whether a message that was not taken is tried again: to a robot only for a while."""
        if not isinstance(self.to, Robot):
            return "waiting"
        now = self._clock()
        if self._failing is None or self._failing[0] != name:
            self._failing = (name, now)
        return "given_up" if now - self._failing[1] >= duration_ms(self.to.give_up) else "waiting"

    async def _post(self, name: str, payload: bytes) -> Answer:
        if isinstance(self.to, Webhook):
            at_s = self._clock() // 1000
            headers = {
                "webhook-id": name,
                "webhook-timestamp": str(at_s),
                "webhook-signature": signature(self.to.key, name, at_s, payload),
            }
            status, said = await self._ask(self.to.url, payload, headers)
            return Answer(200 <= status < 300, _shown(status, said))
        text = robots.sentences(msgspec.json.decode(payload), self._tz, self.to.link)
        at = [*self.to.at, *(self._on_duty(self.to.post) if self.to.post else ())]
        url = robots.signed_url(self.to, self._clock())
        status, said = await self._ask(url, robots.body(self.to, text, list(dict.fromkeys(at))), {})
        code = robots.errcode(said) if status else None
        slower_ms = MINUTE_MS if code in robots.SLOWER else 0
        return Answer(200 <= status < 300 and code == 0, _shown(status, said), slower_ms)

    async def _ask(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return status and body of the answer; status 0 and why, when there was none."""
        headers = {"content-type": "application/json", **headers}
        parts = b""
        try:
            async with (
                asyncio.timeout(self.to.timeout_s),
                self._client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                async for part in answer.aiter_raw():
                    parts += part
                    if len(parts) > ANSWER_BYTES:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return 0, f"{type(error).__name__}: {error}".encode()
        return answer.status_code, parts

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()


def posters_of(file: str, roster: RosterFile, now_ms: Callable[[], int], tz: str) -> list[Poster]:
    """Return a poster for each destination of a file (none: empty). `now_ms` is the time by which the roster is asked.

    Raises ConfigFault with every fault of the file.
    """

    def on_duty(post: str) -> list[str]:
        return [one.phone for one in roster.roster().at(post, now_ms()) if one.phone]

    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines name addresses, and those of robots are secrets
    destinations = read_destinations(Path(file)) if file else []
    return [Poster(one, wall_clock_ms, on_duty, tz) for one in destinations]
