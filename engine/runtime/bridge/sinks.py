"""Where messages go: the log itself, or an engine that takes readings over HTTP.

`send` returns once all is durable. It raises Away when the other side cannot take anything now: some of it may have
come through, and is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import orjson

from engine.runtime.bridge.payloads import Message, Topic, array, as_string, frames, pieces

HTTP_TIMEOUT_S = 20.0
SPLIT_AT = frozenset({400, 403, 413, 422})
"""Answers that may be about one reading of many."""


class Away(Exception):
    """The other side takes nothing now; `retry_after_s` null: it did not say for how long."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Sent:
    """How many readings are durable now, and the texts that are refused for good, with the reason."""

    readings: int = 0
    refused: list[tuple[str, bytes]] = field(default_factory=list)


class Sink(Protocol):
    """Takes messages in order, one call at a time."""

    async def send(self, messages: Sequence[Message]) -> Sent:
        """Deliver messages; raises Away."""
        ...

    async def close(self) -> None:
        """Let the connection go."""
        ...


class HttpSink:
    """`POST /api/v1/readings` of an engine, as arrays within the limits of a frame.

    What is no JSON object goes as a JSON string, so that it ends in the engine's quarantine. A frame that is refused is
    halved until the refused reading stands alone; that one is handed back.
    """

    def __init__(self, url: str, token: str, topic: Topic) -> None:
        self._url = url.rstrip("/") + ("" if urlsplit(url).path.rstrip("/") else "/api/v1/readings")
        self._topic = topic
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        self._client = httpx.AsyncClient(headers=headers, timeout=HTTP_TIMEOUT_S, trust_env=False)

    async def send(self, messages: Sequence[Message]) -> Sent:
        """Deliver messages frame by frame."""
        told = (piece for message in messages for piece in pieces(message, self._topic))
        sent = Sent()
        for frame in frames(piece.text if piece.whole else as_string(piece.text) for piece in told):
            await self._send(frame, sent)
        return sent

    async def _send(self, texts: Sequence[bytes], sent: Sent) -> None:
        answer = await self._post(array(texts))
        if answer.is_success:
            sent.readings += len(texts)
            return
        code = _code(answer)
        if answer.status_code not in SPLIT_AT or code == "role_not_allowed":
            raise Away(f"{answer.status_code} {code}", _retry_after(answer))
        if len(texts) == 1:
            sent.refused.append((f"{answer.status_code} {code}", texts[0]))
            return
        middle = len(texts) // 2
        await self._send(texts[:middle], sent)
        await self._send(texts[middle:], sent)

    async def _post(self, body: bytes) -> httpx.Response:
        try:
            return await self._client.post(self._url, content=body)
        except httpx.TransportError as error:
            raise Away(f"{type(error).__name__} {error}".strip()) from error

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _code(answer: httpx.Response) -> str:
    try:
        said = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        said = None
    return str(said.get("code", ""))[:60] if isinstance(said, dict) else ""


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
