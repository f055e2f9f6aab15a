"""Where readings go: a stream or file, an HTTP server, or whatever is handed in (an embedded journal)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

import httpx
import orjson

from simulators.errors import SinkBusy, SinkError
from simulators.mqtt_sink import MqttSink

FRAME_READINGS = 5_000
FRAME_BYTES = 900_000
PATIENCE_S = 120.0
LONGEST_WAIT_S = 20.0


class Sink(Protocol):
    """Takes lines in order; `send` returns when they are safe, or raises SinkError."""

    def send(self, lines: Sequence[bytes], arrives_ms: Sequence[int] | None = None) -> None:
        """Deliver readings; `arrives_ms` (ms, ascending): when each comes in, for a log on the player's clock."""

    def close(self) -> None:
        """Finish."""


class StreamSink:
    """Lines into a binary stream; closes it unless it is stdout. BrokenPipeError when nobody reads any more."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def send(self, lines: Sequence[bytes], arrives_ms: Sequence[int] | None = None) -> None:  # noqa: ARG002
        """Write lines."""
        try:
            self._stream.write(b"\n".join(lines) + b"\n" if lines else b"")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SinkError(f"cannot write: {error}") from error

    def close(self) -> None:
        """Flush, and close a file."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            return
        if self._stream is not sys.stdout.buffer:
            self._stream.close()


class CallSink:
    """Lines to a callable that returns when they are safe: an embedded journal's own append."""

    def __init__(self, append: Callable[[Sequence[bytes]], object]) -> None:
        self._append = append

    def send(self, lines: Sequence[bytes], arrives_ms: Sequence[int] | None = None) -> None:  # noqa: ARG002
        """Hand lines over."""
        if lines:
            self._append(lines)

    def close(self) -> None:
        """Nothing is held."""


class HttpSink:
    """POST to `<url>/api/v1/readings` as NDJSON frames; 429 and 5xx are tried again, as long as `patience_s`.

    A frame that was answered 2xx is durable; on SinkError the last frame may or may not have come through.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        client: httpx.Client | None = None,
        patience_s: float = PATIENCE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/") + ("" if urlsplit(url).path.rstrip("/") else "/api/v1/readings")
        self._headers = {"content-type": "application/x-ndjson"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._client = client or httpx.Client(timeout=30.0, trust_env=False)
        self._patience_s, self._sleep = patience_s, sleep
        self.accepted = 0
        self.rejected = 0

    def send(self, lines: Sequence[bytes], arrives_ms: Sequence[int] | None = None) -> None:  # noqa: ARG002
        """Deliver readings, a frame at a time."""
        for frame in frames(lines):
            self._send_frame(b"\n".join(frame) + b"\n")

    def _send_frame(self, body: bytes) -> None:
        waited, wait = 0.0, 0.25
        while True:
            answer = self._post(body)
            if isinstance(answer, httpx.Response) and answer.is_success:
                said = orjson.loads(answer.content)
                self.accepted += int(said["accepted"])
                self.rejected += len(said["rejected"])
                return
            if isinstance(answer, httpx.Response) and answer.status_code != 429 and answer.status_code < 500:
                raise SinkError(f"{self._url} refused readings: {answer.status_code} {answer.text[:300]}")
            pause = min(_retry_after(answer) or wait, LONGEST_WAIT_S)
            if waited + pause > self._patience_s:
                raise SinkBusy(f"{self._url} took no readings for {waited:.0f} s: {_said(answer)}")
            self._sleep(pause)
            waited, wait = waited + pause, min(wait * 2, LONGEST_WAIT_S)

    def _post(self, body: bytes) -> httpx.Response | httpx.TransportError:
        try:
            return self._client.post(self._url, content=body, headers=self._headers)
        except httpx.TransportError as error:
            return error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> HttpSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def frames(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Cut lines into frames within the limits of a frame, with room to spare."""
    frame: list[bytes] = []
    size = 0
    for line in lines:
        if frame and (len(frame) >= FRAME_READINGS or size + len(line) >= FRAME_BYTES):
            yield frame
            frame, size = [], 0
        frame.append(line)
        size += len(line) + 1
    if frame:
        yield frame


def open_sink(to: str, token: str | None = None) -> Sink:
    """Open `stdout`, a file's path, or an `http(s)://` server. SinkError for what cannot be opened.

    So is `mqtt(s)://`. Kafka has a sink of its own (kafka_sink.py), which whoever knows the broker's settings opens.
    """
    scheme = urlsplit(to).scheme if "://" in to else ""
    if scheme in ("http", "https"):
        return HttpSink(to, token)
    if scheme in ("mqtt", "mqtts"):
        return MqttSink(to)
    if scheme:
        known = "stdout, a file, http(s)://…, mqtt(s)://… or kafka://…"
        raise SinkError(f"--to must be {known}; {scheme}:// is not known; got {to}")
    if to in ("stdout", "-"):
        return StreamSink(sys.stdout.buffer)
    try:
        return StreamSink(Path(to).open("wb"))
    except OSError as error:
        raise SinkError(f"--to must be a file that can be written; got {to}: {error.strerror}") from error


def _retry_after(answer: httpx.Response | httpx.TransportError) -> float | None:
    text = answer.headers.get("retry-after", "") if isinstance(answer, httpx.Response) else ""
    return float(text) if text.isdigit() else None


def _said(answer: httpx.Response | httpx.TransportError) -> str:
    if isinstance(answer, httpx.Response):
        return f"{answer.status_code} {answer.text[:200]}"
    return f"{type(answer).__name__} {answer}"
