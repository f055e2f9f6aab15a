"""A relay between clients and a server that can be cut or fall silent, and be put together again.

Silent is what a firewall or a proxy makes of a connection that it forgot: it is open, and nothing comes through any
more. Its clients must notice by themselves; connections made later are relayed again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Relay 127.0.0.1:`port` to another port until `cut`, or say nothing until `speak`."""

    def __init__(self, target: int, port: int = 0) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._silent = False
        self.port = port
        self.silenced = 0
        """Connections that were or came while it was silent."""

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def silence(self) -> None:
        """Forward nothing more on any connection, for good, and nothing on new ones; all stay open."""
        self._silent = True
        for relay in self._relays:
            relay.cancel()
        self.silenced += len(self._relays)

    async def speak(self) -> None:
        """Relay what connects from now on."""
        self._silent = False

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self._open.add(sink)
        if self._silent:
            self.silenced += 1
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._open.add(writer)
        relay = asyncio.ensure_future(_both(_copy(source, writer), _copy(reader, sink)))
        self._relays.add(relay)
        with suppress(OSError, asyncio.CancelledError):
            await relay
            self._open -= {sink, writer}
        self._relays.discard(relay)

    @contextmanager
    def beside(self) -> Iterator[ProxyBeside]:
        """Run it in a thread of its own, for tests that have no loop."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="proxy")
        thread.start()
        beside = ProxyBeside(self, loop)
        beside.do(self.start())
        try:
            yield beside
        finally:
            beside.do(self.cut())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class ProxyBeside:
    """A proxy that runs in another thread."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self.proxy = proxy
        self._loop = loop

    def silence(self) -> None:
        """Forward nothing more."""
        self.do(self.proxy.silence())

    def speak(self) -> None:
        """Relay what connects from now on."""
        self.do(self.proxy.speak())

    def do(self, work: Coroutine[None, None, None]) -> None:
        """Run in the proxy's loop."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _both(one: Coroutine[None, None, None], other: Coroutine[None, None, None]) -> None:
    await asyncio.gather(one, other)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
