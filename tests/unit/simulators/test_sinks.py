"""Readings reach a stream, a file, a callable or a server that is sometimes busy."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import orjson
import pytest

from simulators.errors import SinkBusy, SinkError
from simulators.sinks import CallSink, HttpSink, StreamSink, frames, open_sink

LINES = [b'{"sensor":"a"}', b'{"sensor":"b"}']


class Server(HTTPServer):
    """Answers with the statuses in `plan`, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan: list[int] = []
        self.got: list[tuple[str, str | None, str | None, bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, self.headers["authorization"], self.headers["content-type"], body))
        status = self.server.plan.pop(0) if self.server.plan else 200
        answer = orjson.dumps({"accepted": body.count(b"\n"), "rejected": []}) if status == 200 else b"no"
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "3")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_a_stream_gets_a_line_a_reading() -> None:
    stream = io.BytesIO()
    StreamSink(stream).send(LINES)
    StreamSink(stream).send([])
    assert stream.getvalue() == b'{"sensor":"a"}\n{"sensor":"b"}\n'


def test_a_file_is_written_and_closed(tmp_path: Path) -> None:
    sink = open_sink(str(tmp_path / "out.ndjson"))
    sink.send(LINES)
    sink.close()
    assert (tmp_path / "out.ndjson").read_bytes() == b"\n".join(LINES) + b"\n"


def test_a_callable_gets_the_lines() -> None:
    got: list[bytes] = []
    sink = CallSink(got.extend)
    sink.send(LINES)
    sink.close()
    assert got == LINES


def test_a_server_gets_ndjson_with_the_token(server: Server) -> None:
    with HttpSink(url(server), "secret") as sink:
        sink.send(LINES)
        assert (sink.accepted, sink.rejected) == (2, 0)
    body = b"\n".join(LINES) + b"\n"
    assert server.got == [("/api/v1/readings", "Bearer secret", "application/x-ndjson", body)]


def test_a_busy_server_is_asked_again_after_the_time_it_names(server: Server) -> None:
    server.plan = [429, 503, 500]
    slept: list[float] = []
    with HttpSink(url(server), sleep=slept.append) as sink:
        sink.send(LINES)
        assert sink.accepted == 2
    assert slept == [3.0, 0.5, 1.0]
    assert len({body for *_, body in server.got}) == 1


def test_a_server_that_stays_busy_is_given_up_for_now(server: Server) -> None:
    server.plan = [503] * 50
    with HttpSink(url(server), patience_s=20, sleep=lambda _: None) as sink, pytest.raises(SinkBusy, match="503 no"):
        sink.send(LINES)


def test_a_refusal_is_final(server: Server) -> None:
    server.plan = [401]
    with HttpSink(url(server)) as sink, pytest.raises(SinkError, match="refused readings: 401 no"):
        sink.send(LINES)
    assert len(server.got) == 1


def test_a_server_that_is_not_there_is_given_up_for_now() -> None:
    with HttpSink("http://127.0.0.1:9", patience_s=1, sleep=lambda _: None) as sink, pytest.raises(SinkBusy):
        sink.send(LINES)


@pytest.mark.parametrize(("count", "size"), [(0, 10), (1, 10), (5_000, 10), (5_001, 10), (12_000, 200)])
def test_frames_keep_to_the_limits_and_lose_nothing(count: int, size: int) -> None:
    lines = [b"x" * size + b"%d" % i for i in range(count)]
    cut = list(frames(lines))
    assert [line for frame in cut for line in frame] == lines
    assert all(0 < len(frame) <= 10_000 and len(b"\n".join(frame)) <= 2**20 for frame in cut)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("mqtt://localhost?x=1", "must be mqtt://host"),
        ("ftp://x", "ftp:// is not known"),
        ("/no/such/folder/x", "must be a file that can be written"),
    ],
)
def test_a_place_that_cannot_be_opened_is_named(to: str, said: str) -> None:
    with pytest.raises(SinkError, match=said):
        open_sink(to)
