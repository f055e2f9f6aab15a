"""Bodies of requests: their type, their size while they come in, and patience with slow senders."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from engine.api.problems import Problem

JSON = "application/json"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class BodyRule:
    """What a route takes: media types, and whether its limit is the large one, not the one for forms; `limit_bytes`
    where it has one of its own."""

    types: tuple[str, ...] = (JSON,)
    large: bool = False
    limit_bytes: int | None = None


class Memory:
    """Bytes of bodies that are held at once, over all requests; only the event loop touches it."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0

    def take(self, count: int) -> None:
        """Hold `count` more bytes; 429 when there is no room."""
        if self.held_bytes + count > self.limit_bytes:
            raise Problem(429, "overloaded", "too many bodies at once", headers={"retry-after": "1"})
        self.held_bytes += count

    def give(self, count: int) -> None:
        """Let go of `count` bytes."""
        self.held_bytes -= count


def media_type(request: Request, rule: BodyRule) -> str:
    """Return the media type of a body that the route takes; 415 for any other, another charset or an encoding."""
    values = request.headers.getlist("content-type")
    name, _, rest = (values[0] if len(values) == 1 else "").partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    if name.strip().lower() not in rule.types or charset not in ("", "utf-8"):
        wanted = " or ".join(rule.types)
        raise Problem(415, "unsupported_media_type", f"the body must be {wanted}", headers={"accept": wanted})
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "unsupported_encoding", "compressed bodies are not taken")
    return name.strip().lower()


def _declared(request: Request, limit: int) -> None:
    length = request.headers.get("content-length")
    if length is not None and int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    return Problem(413, "body_too_large", f"the body exceeds {limit} bytes", headers={"connection": "close"})


async def read_body(request: Request, limit: int, timeout_s: float, memory: Memory) -> bytes:
    """Return the whole body; refused as soon as it passes `limit` bytes (413) or `timeout_s` seconds (408).

    The memory of all bodies held at once is bounded (429); the caller gives back `len(body)` when it is done.
    """
    _declared(request, limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for part in request.stream():
                if size + len(part) > limit:
                    raise _too_large(limit)
                memory.take(len(part))
                size += len(part)
                parts.append(part)
    except BaseException as error:
        memory.give(size)
        if isinstance(error, TimeoutError):
            raise Problem(
                408, "too_slow", f"the body did not come within {timeout_s:g} s", headers={"connection": "close"}
            ) from None
        if isinstance(error, ClientDisconnect):
            raise Problem(400, "bad_request", "the client went away") from None
        raise
    return b"".join(parts)
