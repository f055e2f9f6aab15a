"""Connections that misbehave: slow, endless or broken ones get an answer and are closed; the others are served."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from engine.api import server
from engine.api.services import Settings
from tests.town import DRAIN_EAST, Town, now_ms, open_town

READINGS = "/api/v1/readings"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    kept = server.HEADER_TIMEOUT_S
    server.HEADER_TIMEOUT_S = 0.5
    with open_town(tmp_path_factory.mktemp("town"), Settings(body_timeout_s=0.5)) as running:
        yield running
    server.HEADER_TIMEOUT_S = kept


def raw(town: Town, *parts: bytes) -> bytes:
    """Send parts on one connection and return everything that comes back until it is closed."""
    with socket.create_connection(("127.0.0.1", town.listener.port), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
    return answer


def head(town: Town, *lines: str) -> bytes:
    token = town.token("sensor")
    shared = (
        f"POST {READINGS} HTTP/1.1",
        "host: 127.0.0.1",
        f"authorization: Bearer {token}",
        "content-type: application/json",
    )
    return "\r\n".join((*shared, *lines, "", "")).encode()


RAW: dict[str, tuple[Callable[[Town], tuple[bytes, ...]], int, str]] = {
    "a client that never ends its headers": (lambda _: (b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n",), 408, "too_slow"),
    "a client that says nothing": (lambda _: (), 408, "too_slow"),
    "a client that never ends its body": (lambda town: (head(town, "content-length: 100"), b"[1"), 408, "too_slow"),
    "a length far over the limit": (lambda town: (head(town, "content-length: 99999999999"),), 413, "body_too_large"),
    "a body in chunks that grows over the limit": (
        lambda town: (head(town, "transfer-encoding: chunked"), *[b"20000\r\n" + b" " * 0x20000 + b"\r\n"] * 12),
        413,
        "body_too_large",
    ),
    "no HTTP at all": (lambda _: (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",), 400, "bad_request"),
    "a header that never ends": (
        lambda _: (b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ", b"x" * (1 << 17)),
        431,
        "headers_too_large",
    ),
    "two hosts": (
        lambda _: (b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",),
        421,
        "host_not_allowed",
    ),
    "two lengths": (lambda town: (head(town, "content-length: 2", "content-length: 3"), b"[]"), 400, "bad_request"),
    "a length and chunks": (
        lambda town: (head(town, "content-length: 2", "transfer-encoding: chunked"), b"0\r\n\r\n"),
        400,
        "bad_request",
    ),
}


@pytest.mark.parametrize("name", RAW)
def test_a_connection_that_misbehaves_gets_its_answer_and_is_closed(town: Town, name: str) -> None:
    parts, status, code = RAW[name]
    before = town.readings_stored()
    answer = raw(town, *parts(town))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert f'"code":"{code}"'.encode() in answer
    assert town.readings_stored() == before


def test_while_others_misbehave_a_good_caller_is_served(town: Town) -> None:
    idle = [socket.create_connection(("127.0.0.1", town.listener.port)) for _ in range(50)]
    try:
        for connection in idle:
            connection.sendall(b"POST /api/v1/readings HTTP/1.1\r\n")
        good = {"sensor": DRAIN_EAST, "kind": "drain.level", "t": now_ms(), "v": 20}
        with town.client("sensor") as client:
            answer = client.post(READINGS, json=[good])
        assert answer.json() == {"accepted": 1, "rejected": []}
    finally:
        for connection in idle:
            connection.close()
