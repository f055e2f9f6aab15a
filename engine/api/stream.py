"""Server-sent events: every event of the outbox that the caller may see, in order, with no gap and no repeat.

The position of an event is its `id`. A stream reads the relay from its own position, so a slow reader costs no memory;
one that takes nothing for 30 s is cut off and resumes where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from engine.api.problems import Problem
from engine.casework.errors import StoreAway

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from engine.api.services import Relay, Settings, StreamEvent
    from engine.api.sessions import Credential

BATCH = 200
RETRY_MS = 2000


class Hub:
    """Wakes the open streams of this process when the relay has given positions; counts them."""

    def __init__(self, relay: Relay, settings: Settings) -> None:
        self.relay = relay
        self.settings = settings
        self.closed = False
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._end = relay.subscribe(self.wake)

    def wake(self) -> None:
        """Wake every stream; from any thread."""
        for event, loop in list(self._waiting.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """End every stream; from any thread."""
        self.closed = True
        self._end()
        self.wake()

    def has_room(self) -> None:
        """Refuse one more stream when too many are open (429)."""
        if len(self._waiting) >= self.settings.streams_limit:
            raise Problem(429, "too_many_streams", "too many open streams", headers={"retry-after": "10"})

    def enter(self) -> asyncio.Event:
        """Register one stream of the running loop."""
        event = asyncio.Event()
        self._waiting[event] = asyncio.get_running_loop()
        return event

    def leave(self, event: asyncio.Event) -> None:
        """Forget one stream."""
        self._waiting.pop(event, None)


def parse_position(text: str) -> int:
    """Return the position that a Last-Event-ID names; 400 if it is not one."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Problem(400, "bad_last_event_id", "Last-Event-ID must be a position that this stream gave")
    return int(text)


def frame(event: StreamEvent) -> bytes:
    """Return one event as text of the stream: `{"id": "<case>:<seq>", "event": …, "case": …}` on one line."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.position, event.type.encode(), event.data)


async def follow(
    hub: Hub, after: int | None, wanted: Callable[[StreamEvent], bool], credential: Credential
) -> AsyncGenerator[bytes]:
    """Yield the text of the stream after a position (null: from now on), until the hub closes or the caller is out.

    A position that is no longer kept, or not yet given (a restored database), is answered with one `reset` event: the
    caller has to load the lists anew; the stream goes on from the oldest kept, or the newest, position.
    """
    wake = hub.enter()
    try:
        last = await run_in_threadpool(hub.relay.last)
        first = await run_in_threadpool(hub.relay.first)
        position = last if after is None else after
        yield b"retry: %d\n\n" % RETRY_MS
        if not first - 1 <= position <= last:
            position = first - 1 if position < first else last
            yield b'id: %d\nevent: reset\ndata: {"reason":"position_not_kept"}\n\n' % position
        elif after is None:
            yield b"id: %d\n\n" % position
        asked = time.monotonic()
        while not hub.closed:
            if time.monotonic() - asked >= hub.settings.heartbeat_s:
                asked = time.monotonic()
                with suppress(StoreAway):  # nothing is told meanwhile; asked again
                    if await run_in_threadpool(credential) is None:
                        return
            wake.clear()
            position, text = await run_in_threadpool(_next, hub.relay, position, wanted)
            if text:
                yield text
                continue
            try:
                async with asyncio.timeout(hub.settings.heartbeat_s):
                    await wake.wait()
            except TimeoutError:
                yield b": heartbeat\n\n"
    finally:
        hub.leave(wake)


def _next(relay: Relay, position: int, wanted: Callable[[StreamEvent], bool]) -> tuple[int, bytes]:
    """Return the position after the next events, and the text of those that are wanted."""
    events = relay.read(position, BATCH)
    if not events:
        return position, b""
    chosen = [event for event in events if wanted(event)]
    last = events[-1].position
    text = b"".join(map(frame, chosen))
    if not chosen or chosen[-1].position != last:
        text += b"id: %d\n\n" % last  # an id without data moves Last-Event-ID over what was filtered out
    return last, text


class EventStream(Response):
    """The response of a stream; ends when the client goes or takes nothing for `send_timeout_s`."""

    media_type = "text/event-stream"

    def __init__(self, source: AsyncGenerator[bytes], send_timeout_s: float) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self.source = source
        self.send_timeout_s = send_timeout_s

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        async def pump() -> None:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with aclosing(self.source) as source:
                async for text in source:
                    async with asyncio.timeout(self.send_timeout_s):
                        await send({"type": "http.response.body", "body": text, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        tasks = {asyncio.ensure_future(pump()), asyncio.ensure_future(gone())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            if not task.cancelled() and not isinstance(task.exception(), (TimeoutError, type(None))):
                task.result()
