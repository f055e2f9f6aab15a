"""Chromium, headless, and pages that are watched: what they complained of, and what they asked of other hosts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect, sync_playwright

from engine.casework.people import Actor, Role
from tests.town import Town

FLAGS = [
    *("--no-sandbox", "--no-first-run", "--disable-background-networking"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
PATIENCE_MS = 60_000
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield running
        running.close()


class Watched:
    """A page, with everything that it complained of or asked of other hosts."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self._home = home
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("response", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, response: Response) -> None:
        if not response.url.startswith((self._home, "data:")):
            self.elsewhere.append(response.url)


def settled(page: Page) -> None:
    """Wait until the console follows the stream and its map is there."""
    expect(page.locator("#link")).to_have_class("link live", timeout=PATIENCE_MS)
    expect(page.locator("#map")).to_have_attribute("data-ready", "true", timeout=PATIENCE_MS)


def actor(town: Town, role: Role | Actor) -> Actor:
    """Return a person of a role."""
    return role if isinstance(role, Actor) else town.person(role)


@contextmanager
def console(
    browser: Browser, town: Town, role: Role | Actor, path: str = "/", *, home: str = "", **more: Any
) -> Iterator[Watched]:
    """Sign somebody in with a link and open a page; at the end it must have complained of nothing.

    `home` is where the town is found, if not at its own address.
    """
    home = home or town.url
    context: BrowserContext = browser.new_context(**{"viewport": DESK, **more})
    context.set_default_timeout(PATIENCE_MS)
    watched = Watched(context.new_page(), home)
    watched.page.goto(home + town.app.login_path(lambda: actor(town, role)))
    if path != "/":
        watched.page.goto(home + path)
    try:
        yield watched
    finally:
        watched.page.unroute_all(behavior="ignoreErrors")
        context.close()
    assert not watched.complaints, "the page complained:\n" + "\n".join(watched.complaints)
    assert watched.elsewhere == []
