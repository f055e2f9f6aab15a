"""10,000 sensors and 2,000 open alerts: the work that the page does is counted, on a real engine and a real browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.casework.people import Role
from rules.registry import Row
from tests.parts.browser import PATIENCE_MS, browser, console, settled
from tests.town import LAT, LON, SIDE, Town, now_ms, open_town

__all__ = ["browser"]

pytestmark = pytest.mark.needs("chromium")
expect.set_options(timeout=60_000)

SENSORS, ALERTS, BURST = 10_000, 2_000, 400
IN_SIGHT = 60
"""Rows that a list of any length may be at once: those in sight on a large screen, and a few beyond."""
AT_ONCE = 500


def row(n: int) -> Row:
    """A drain sensor somewhere on the town's four squares."""
    lon, lat = LON + (n * 7919) % (4 * SIDE - 2) + 1, LAT + (n * 104_729) % (SIDE - 2) + 1
    return Row(f"DL-{n:05d}", "drain.level", lon, lat, "drainage", f"{n}号井")


def tell(town: Town, numbers: Sequence[int], value: float) -> None:
    """Send one reading of each of these sensors and wait until all that follows is done."""
    with town.client("sensor") as client:
        for first in range(0, len(numbers), AT_ONCE):
            part = numbers[first : first + AT_ONCE]
            body = [{"sensor": row(n).sensor, "kind": "drain.level", "t": now_ms(), "v": value} for n in part]
            assert client.post("/api/v1/readings", json=body).json()["accepted"] == len(part)
    assert town.engine.drain(120)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    with open_town(folder, more=[row(n) for n in range(SENSORS)]) as running:
        tell(running, range(ALERTS), 95)
        yield running


@pytest.fixture(scope="module")
def page(town: Town, browser: Browser) -> Iterator[Page]:
    with console(browser, town, Role.VIEWER) as watched:
        settled(watched.page)
        expect(watched.page.locator("#cases-total")).to_have_text(str(ALERTS), timeout=PATIENCE_MS)
        expect(watched.page.locator("#alerts-total")).to_have_text(str(ALERTS), timeout=PATIENCE_MS)
        yield watched.page


def counted(page: Page) -> dict[str, Any]:
    """What the page did so far."""
    found: dict[str, Any] = page.evaluate("""() => ({
      elements: document.querySelectorAll('*').length,
      rows: document.querySelectorAll('#cases .card').length,
      drawn: Number(cases.dataset.drawn),
      handed: Number(map.dataset.handed),
      repaints: Number(map.dataset.repaints),
      seconds: performance.now() / 1000,
    })""")
    return found


def polls(page: Page, count: int) -> None:
    """Wait until the page asked how the engine is so many times."""
    for _ in range(count):
        page.wait_for_event("response", lambda one: one.url.endswith("/api/v1/status"), timeout=PATIENCE_MS)


def test_of_thousands_of_rows_only_those_in_sight_are_elements(page: Page) -> None:
    found = counted(page)
    assert 5 <= found["rows"] <= IN_SIGHT
    assert found["elements"] < 1_500
    expect(page.locator("#cases .row").first).to_have_attribute("aria-setsize", str(ALERTS))
    page.evaluate("cases.scrollTop = cases.scrollHeight")
    expect(page.locator(f'#cases [aria-posinset="{ALERTS}"] .card')).to_be_visible()
    assert counted(page)["rows"] <= IN_SIGHT
    page.evaluate("cases.scrollTop = 0")
    expect(page.locator('#cases [aria-posinset="1"] .card')).to_be_visible()


def work(page: Page) -> tuple[Any, ...]:
    found = counted(page)
    return found["drawn"], found["handed"], found["repaints"]


def test_nothing_is_drawn_while_nothing_changes(page: Page) -> None:
    before: tuple[Any, ...] = ()
    for _ in range(40):  # the last tiles of the map come in
        if before == (before := work(page)):
            break
        polls(page, 3)
    polls(page, 4)
    assert work(page) == before


def test_a_burst_of_alerts_is_handed_over_in_few_pieces(town: Town, page: Page) -> None:
    before = counted(page)
    tell(town, range(BURST), 120)
    expect(page.locator("#level-counts .c-red dd")).to_have_text(str(BURST))
    expect(page.locator("#cases .card.c-red").first).to_be_visible()
    after = counted(page)
    # three kinds of points, each at most once a second
    assert after["handed"] - before["handed"] <= 3 * (after["seconds"] - before["seconds"] + 2)
    assert after["rows"] <= IN_SIGHT
    assert after["elements"] < 1_500
    assert page.evaluate("document.body.dataset.rang") == str(BURST)


def test_j_walks_through_all_of_them(page: Page) -> None:
    page.locator("#cases .card").first.focus()
    for _ in range(40):
        page.keyboard.press("j")
    assert page.evaluate("document.activeElement.parentElement.getAttribute('aria-posinset')") == "41"
    expect(page.locator("#cases .card:focus")).to_be_in_viewport()
    assert counted(page)["rows"] <= IN_SIGHT


def test_a_search_narrows_thousands_to_one(page: Page) -> None:
    page.fill("#search", "DL-01234")
    expect(page.locator("#cases .card")).to_have_count(1)
    expect(page.locator("#cases-total")).to_have_text("1")
    page.fill("#search", "")
    expect(page.locator("#cases-total")).to_have_text(str(ALERTS))
