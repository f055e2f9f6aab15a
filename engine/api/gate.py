"""The gate before every route: host, origin, header size, open streams; and the headers of every answer.

Loopback is no fence against a browser: any page on the internet can send requests to 127.0.0.1 and, by rebinding its
own name, read the answers. So the Host must be one of ours, and a request that a browser marks as coming from elsewhere
is refused whatever its method. Only a person's own navigation (typing, a link) may open the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.api.problems import Problem, respond

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from engine.api.services import Settings

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(self), geolocation=(self), microphone=(), payment=(), usb=()"),
)


def host_name(host: str) -> str:
    """Return the name of a Host header without its port, lower case; brackets of IPv6 stay. Empty if malformed."""
    try:
        parts = urlsplit(f"//{host}")
        name, _port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return ""
    return f"[{name}]" if ":" in name else name


class Gate:
    """ASGI middleware; refuses with problem documents before anything of the request is read."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.hosts = frozenset({*LOOPBACK_HOSTS, *(host.lower() for host in settings.allowed_hosts)})
        self.origins = frozenset(settings.allowed_origins)
        self.header_limit = settings.header_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # websockets are not spoken here
            await send({"type": "websocket.close", "code": 1008})
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in HEADERS if pair[0] not in names)]
            await send(message)

        problem = self.refusal(scope)
        if problem is None:
            await self.app(scope, receive, sealed)
        else:
            problem.headers["connection"] = "close"
            await respond(problem)(scope, receive, sealed)

    def refusal(self, scope: Scope) -> Problem | None:
        """Return why a request is not let in, or None."""
        pairs: list[tuple[bytes, bytes]] = scope["headers"]
        size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) + 4 for n, v in pairs)
        if size > self.header_limit:
            return Problem(431, "headers_too_large", f"request line and headers exceed {self.header_limit} bytes")
        hosts = [value.decode("latin-1") for name, value in pairs if name == b"host"]
        if len(hosts) != 1 or host_name(hosts[0]) not in self.hosts:
            return Problem(421, "host_not_allowed", "this server does not answer to that Host; see allowed_hosts")
        headers = {name: value.decode("latin-1") for name, value in pairs}
        origin = headers.get(b"origin")
        if origin is not None and origin != f"{scope['scheme']}://{hosts[0]}" and origin not in self.origins:
            return Problem(403, "cross_site", "requests from other origins are refused")
        if headers.get(b"sec-fetch-site", "none") in ("same-origin", "none") or origin in self.origins:
            return None
        if scope["method"] in ("GET", "HEAD") and headers.get(b"sec-fetch-mode") == "navigate":
            return None
        return Problem(403, "cross_site", "requests from other sites are refused")
