"""Bodies that many ask for: hashed and packed once."""

from __future__ import annotations

import gzip
import hashlib

from fastapi import Request, Response


class Packed:
    """A body with its hash, and packed; made once where many ask for the same."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        self.packed = gzip.compress(body, compresslevel=3, mtime=0) if len(body) > 4096 else None

    def answer(self, request: Request, media_type: str, cache: str = "private, no-cache") -> Response:
        """Return a response that browsers may keep and ask about by its hash; packed for those who take gzip."""
        headers = {"etag": self.tag, "cache-control": cache, "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if self.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, headers={**headers, "content-encoding": "gzip"}, media_type=media_type)
        return Response(self.body, headers=headers, media_type=media_type)
