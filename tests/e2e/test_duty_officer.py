"""A night on duty in a real browser: a red alert arrives, is accepted, filed and dispatched; the department answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.casework.people import Role
from tests.parts.browser import browser, console, settled
from tests.town import DRAIN_EAST, DRAIN_RULE, DRAIN_WEST, Town, now_ms, open_town

__all__ = ["browser"]

pytestmark = pytest.mark.needs("chromium")
expect.set_options(timeout=60_000)

SOON = DRAIN_RULE.replace("close: sensor", "close: sensor, verify_for: 2s, verify_wait: 15s")
HANDS = """
  window.clicked = 0;
  addEventListener('click', (event) => { window.clicked += event.isTrusted && event.detail > 0; }, true);
"""
EARS = """
  window.tones = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };
"""


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town"), rule=SOON) as running:
        yield running


@pytest.fixture
def page(town: Town, browser: Browser) -> Iterator[Page]:
    """The duty officer's console: signed in as operator, with the dispatcher's post added by its token."""
    with console(browser, town, Role.OPERATOR) as watched:
        watched.page.add_init_script(HANDS + EARS)
        settled(watched.page)
        watched.page.click("#me")
        watched.page.fill("#post-token", town.token("dispatcher"))
        watched.page.keyboard.press("Enter")
        expect(watched.page.locator("#me")).to_contain_text("派遣员")
        watched.page.reload()
        settled(watched.page)
        yield watched.page


def answer(town: Town, move: str, **more: str) -> None:
    """The drainage department moves the case, elsewhere."""
    case = town.case_of(DRAIN_EAST)
    with town.client("handler", department="drainage") as client:
        headers = {"if-match": f'"{case["version"]}"', "idempotency-key": f"{move}-{case['version']}"}
        told = client.post(f"/api/v1/cases/{case['id']}/moves", json={"move": move, **more}, headers=headers)
        assert told.status_code == 200, told.text


def test_from_a_red_alert_to_the_close(town: Town, page: Page) -> None:
    page.keyboard.press("Shift")  # a browser lets sound be heard once somebody touched the page
    town.read(DRAIN_EAST, "drain.level", 120, t=now_ms() - 120_000)
    expect(page.locator("#level-counts .c-red dd")).to_have_text("1")
    expect(page.locator("#announce")).to_contain_text("排水管满溢")
    page.wait_for_function("window.tones === 4")

    before = page.evaluate("window.clicked")
    page.locator("#cases .card.c-red").first.click()
    page.click("#move-accept")
    page.click("#move-file")
    page.click("#move-dispatch")
    expect(page.locator("#story .flags .state")).to_have_text("已派遣")
    assert page.evaluate("window.clicked") - before == 4
    assert town.case_of(DRAIN_EAST)["work_orders"][0]["department"] == "drainage"
    expect(page.locator("#line")).to_contain_text("派遣员 dispatcher--None 派遣至 排水管网管理处")

    answer(town, "start", note="已到现场")
    expect(page.locator("#story .flags .state")).to_have_text("处置中")
    answer(town, "finish", note="已清淤")
    town.read(DRAIN_EAST, "drain.level", 118)  # the sensor says that it is not so
    expect(page.locator("#line")).to_contain_text("已清淤")
    expect(page.locator("#story .flags")).to_contain_text("返工 1 次")
    expect(page.locator("#line")).to_contain_text("系统核查不通过，退回返工")

    town.read(DRAIN_EAST, "drain.level", 30)
    answer(town, "finish", note="再次清淤，水位已降")
    expect(page.locator("#story .flags .state")).to_have_text("已结案")
    expect(page.locator("#line li").first).to_contain_text("结案")
    expect(page.locator("#level-counts .c-red dd")).to_have_text("0")


def test_the_same_by_keyboard_alone(town: Town, page: Page) -> None:
    town.read(DRAIN_EAST, "drain.level", 120)
    town.read(DRAIN_WEST, "drain.level", 95)
    expect(page.locator("#cases .card")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("#move-accept")).to_be_visible()
    for key, state in (("a", "已受理"), ("f", "已立案"), ("d", "已派遣")):
        page.keyboard.press(key)
        expect(page.locator("#story .flags .state")).to_have_text(state)
    assert town.case_of(DRAIN_EAST)["state"] == "dispatched"
    page.keyboard.press("Escape")
    expect(page.locator("#story")).to_be_hidden()
    expect(page.locator("#cases .card:focus")).to_have_attribute("aria-current", "false")
    assert page.evaluate("window.clicked") == 0


def test_a_muted_console_is_silent_and_stays_so(town: Town, page: Page) -> None:
    page.click("#sound")
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")
    page.reload()
    settled(page)
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Shift")
    town.read(DRAIN_WEST, "drain.level", 130)
    expect(page.locator("body")).to_have_attribute("data-rang", "1")
    assert page.evaluate("window.tones") == 0
