"""Hosts, origins and listeners: what is let near the routes at all."""

from __future__ import annotations

import pytest

from engine.api.gate import Gate, host_name
from engine.api.problems import OpenToTheWorld
from engine.api.server import check_bind
from engine.api.services import Settings


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8080", "localhost"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]:8080", "[::1]"),
        ("evil.example", "evil.example"),
        ("127.0.0.1@evil.example", ""),
        ("127.0.0.1/../", ""),
        ("127.0.0.1:port", ""),
        ("[::1", ""),
        ("", ""),
    ],
)
def test_a_host_header_is_read_without_its_port(header: str, name: str) -> None:
    assert host_name(header) == name


OURS = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("GET", {}, None),
        ("POST", {"origin": OURS}, None),
        ("POST", {"origin": OURS, "sec-fetch-site": "same-origin"}, None),
        ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, None),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, None),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, "cross_site"),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, "cross_site"),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, "cross_site"),
        ("POST", {"origin": "http://localhost:8080"}, "cross_site"),
        ("POST", {"origin": "https://127.0.0.1:8080"}, "cross_site"),
        ("POST", {"origin": "null"}, "cross_site"),
        ("POST", {"origin": "https://console.example", "sec-fetch-site": "cross-site"}, None),
        ("GET", {"host": "rebound.example"}, "host_not_allowed"),
        ("GET", {"host": "Console.Example:443"}, None),
    ],
)
def test_only_our_own_pages_and_plain_clients_are_let_in(
    method: str, headers: dict[str, str], code: str | None
) -> None:
    async def app(*_: object) -> None: ...

    settings = Settings(allowed_hosts=("console.example",), allowed_origins=("https://console.example",))
    pairs = {"host": "127.0.0.1:8080"} | headers
    scope = {
        "method": method,
        "scheme": "http",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
    }
    problem = Gate(app, settings).refusal(scope)
    assert (problem.code if problem else None) == code


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    check_bind(host, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "", "city.example"])
def test_any_other_address_is_refused_until_a_token_is_set_up(host: str) -> None:
    with pytest.raises(OpenToTheWorld, match="token create"):
        check_bind(host, 0)
    check_bind(host, 1)
