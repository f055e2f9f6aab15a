"""Listeners: loopback unless tokens are set up, patience with slow clients bounded, metrics on a port of their own."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from asyncio.events import TimerHandle
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engine.api.gate import HEADERS
from engine.api.problems import OpenToTheWorld, Problem, document

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HEADER_TIMEOUT_S = 10.0
HEADER_LIMIT_BYTES = 64 << 10
KEEP_ALIVE_S = 15
CONNECTIONS = 1024


def check_bind(host: str, tokens: int) -> None:
    """Refuse to listen on `host` when it is not loopback and no token is set up.

    A name other than `localhost` counts as not loopback. Raises `OpenToTheWorld`, which says what to type.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and tokens == 0:
        raise OpenToTheWorld(
            f"refusing to listen on {host!r}: anyone could reach it and no token is set up; "
            "create one with `tongguan token create`, or listen on 127.0.0.1"
        )


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which waits for headers at most 10 s and takes at most 64 KiB of them."""

    _timer: TimerHandle | None = None
    _header_bytes = 0
    _in_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > HEADER_LIMIT_BYTES and not self.transport.is_closing():
            self._give_up(Problem(431, "headers_too_large", f"headers exceed {HEADER_LIMIT_BYTES} bytes"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_headers = True
        self._header_bytes = 0

    def send_400_response(self, msg: str) -> None:
        self._give_up(Problem(400, "bad_request", msg))

    def _wait_for_headers(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(HEADER_TIMEOUT_S, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self._give_up(Problem(408, "too_slow", f"no complete headers within {HEADER_TIMEOUT_S:g} s"))

    def _give_up(self, problem: Problem) -> None:
        if self.cycle is None or self.cycle.response_complete:
            body = document(problem)
            head = (
                f"HTTP/1.1 {problem.status} x\r\ncontent-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n"
            )
            sealed = b"".join(b"%s: %s\r\n" % pair for pair in HEADERS)
            self.transport.write(head.encode() + sealed + b"\r\n" + body)
        self.transport.close()


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; `port` 0 takes a free one. Raises `OSError`, naming an address that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(512)
    except OSError as error:
        sock.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {error.strerror}; give another port, 0 takes a free one"
        ) from error
    return sock


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class Listener:
    """One app on one socket, served by a thread of its own; whoever composes the process starts and stops it."""

    def __init__(self, app: ASGIApp, sock: socket.socket, *, before_stop: Callable[[], None] = lambda: None) -> None:
        self._sock = sock
        self._before_stop = before_stop
        self._server = _Server(
            uvicorn.Config(
                app,
                http=PatientProtocol,
                ws="none",
                lifespan="off",
                loop="uvloop",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=3,
                limit_concurrency=CONNECTIONS,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([sock],), name=f"http-{self.port}", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._sock.getsockname()[1])

    @property
    def thread(self) -> threading.Thread:
        """The thread that serves, for whoever watches over it."""
        return self._thread

    @property
    def url(self) -> str:
        """The address to open, without a path."""
        host = self._sock.getsockname()[0]
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self, timeout_s: float = 10.0) -> None:
        """Serve; return once requests are answered. Raises `TimeoutError` when that takes too long."""
        self._thread.start()
        if not self._server.listening.wait(timeout_s):
            raise TimeoutError(f"no listener on port {self.port} after {timeout_s:g} s")

    def stop(self) -> None:
        """End open streams, finish running requests (at most 3 s) and close the socket."""
        self._before_stop()
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._sock.close()
