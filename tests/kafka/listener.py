"""Somebody who listens for webhooks, and may be out of order."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Post:
    """What was posted, as it came."""

    headers: dict[str, str]
    body: bytes
    path: str = ""

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass
class Listening:
    """A web server on a free port; it answers `status` (302: elsewhere) and `answer`, and keeps what it was posted."""

    status: int = 204
    answer: bytes = b""
    posts: list[Post] = field(default_factory=list)
    elsewhere: str = ""

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.posts.append(Post({name.lower(): value for name, value in self.headers.items()}, body, self.path))
                self.send_response(outer.status)
                if outer.elsewhere:
                    self.send_header("location", outer.elsewhere)
                self.send_header("content-length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def messages(self) -> list[tuple[str, int]]:
        """Return case and seq of each post, the first time it came."""
        found = []
        for post in self.posts:
            case, _, seq = post.said["id"].rpartition(":")
            if (case, int(seq)) not in found:
                found.append((case, int(seq)))
        return found
