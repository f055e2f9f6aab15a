"""Times on the page are the city's own, wherever the browser is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from engine.casework.people import Role
from tests.parts.browser import browser, console, settled
from tests.town import GAS_EAST, now_ms, open_town

__all__ = ["browser"]

pytestmark = pytest.mark.needs("chromium")
expect.set_options(timeout=30_000)

CITY = "Asia/Urumqi"


def test_times_are_shown_and_taken_as_the_city_s_clocks_have_them(tmp_path: Path, browser: Browser) -> None:
    with open_town(tmp_path, tz=CITY) as town:
        town.read(GAS_EAST, "gas.methane", 60)
        case = town.case_of(GAS_EAST)
        opened = datetime.fromtimestamp(case["opened_t"] / 1000, ZoneInfo(CITY))
        due = (datetime.fromtimestamp(now_ms() / 1000, ZoneInfo(CITY)) + timedelta(days=3)).replace(
            second=0, microsecond=0
        )
        with console(browser, town, Role.SUPERVISOR, timezone_id="America/New_York") as watched:
            page = watched.page
            settled(page)
            card = page.locator(f"#cases [data-case={case['id']}]")
            expect(card.locator(".when")).to_have_text(opened.strftime("%H:%M:%S"))
            card.click()
            page.click("#do-more summary")
            page.fill("#do-due", due.strftime("%Y-%m-%dT%H:%M"))
            page.fill("#do-note", "等配件")
            page.click("#move-extend")
            expect(page.locator("#story .answer")).to_have_text("已办理：延期")
            expect(page.locator("#story .facts")).to_contain_text(due.strftime("%m/%d %H:%M:00"))
        assert town.case_of(GAS_EAST)["due_t"] == int(due.astimezone(UTC).timestamp() * 1000)
