"""The page in a real browser over a real engine: what a person sees, and a move that a person makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from engine.casework.people import Role
from tests.parts.browser import PATIENCE_MS, Watched, browser, console, settled
from tests.town import DRAIN_EAST, DRAIN_WEST, GAS_EAST, Town, now_ms, open_town

__all__ = ["browser"]

pytestmark = pytest.mark.needs("chromium")
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(GAS_EAST, "gas.methane", 61.5)
        yield running


@pytest.fixture
def opened(town: Town, browser: Browser) -> Iterator[Watched]:
    with console(browser, town, Role.OPERATOR) as watched:
        settled(watched.page)
        yield watched


def test_the_page_shows_the_city_its_alerts_and_its_cases(opened: Watched) -> None:
    page = opened.page
    expect(page.locator("#city")).to_have_text("小城")
    expect(page.locator("#cases .card")).to_have_count(2)
    expect(page.locator("#level-counts .c-red dd")).to_have_text("1")
    expect(page.locator("#cases .card").first).to_contain_text("燃气浓度超限")
    expect(page.locator("#cases .card").first).to_contain_text("第1网格")
    expect(page.locator("#me")).to_have_text("受理员 · 值班员")
    page.click("#tab-alerts")
    expect(page.locator("#alerts .card").first).to_contain_text("GM-E")
    expect(page.locator("#alerts .card").first).to_contain_text("61.5 %LEL")


def test_a_case_tells_its_story_in_sentences(opened: Watched) -> None:
    page = opened.page
    page.locator("#cases .card", has_text="燃气浓度超限").click()
    story = page.locator("#story")
    expect(story.locator(".now .value")).to_have_text("61.5 %LEL")
    first = story.locator("#line li").last
    expect(first).to_contain_text("传感器 GM-E（甲烷浓度）读数 61.5 %LEL，依规则“燃气浓度超限”发出红色报警。")
    expect(first).to_contain_text("系统自动上报案件。")
    expect(story.locator("#line li").first).to_contain_text("系统自动派遣至 燃气")
    expect(story.locator(".facts")).to_contain_text("张伟")
    page.keyboard.press("Escape")
    expect(story).to_be_hidden()


def test_a_case_shows_its_sensor_over_time_with_the_levels_of_the_rule(opened: Watched, town: Town) -> None:
    page = opened.page
    town.read(GAS_EAST, "gas.methane", 61.5, t=now_ms() + 61_000)  # values are kept once a minute
    page.locator("#cases .card", has_text="燃气浓度超限").click()
    chart = page.locator("#story svg.chart")
    expect(chart).to_be_visible(timeout=PATIENCE_MS)
    expect(chart.locator("title", has_text="红 50 %LEL")).to_have_count(1)


def test_a_person_makes_a_move_and_another_page_hears_of_it(opened: Watched, town: Town, browser: Browser) -> None:
    with console(browser, town, Role.DISPATCHER) as second:
        settled(second.page)
        _move_and_see(opened, town, second.page)


def _move_and_see(opened: Watched, town: Town, other: Page) -> None:
    page = opened.page
    page.locator("#cases .card", has_text="排水管满溢").first.click()
    expect(page.locator("#story .flags .state")).to_have_text("待受理")
    page.fill("#do-note", "已电话核实")
    page.click("#move-accept")
    expect(page.locator("#story .flags .state")).to_have_text("已受理")
    expect(page.locator(".do .answer")).to_have_text("已办理：受理")
    expect(page.locator("#line li").first).to_contain_text("受理员 值班员受理。")
    expect(page.locator("#line li").first).to_contain_text("已电话核实")
    assert page.input_value("#do-note") == ""
    case = town.case_of(DRAIN_EAST)
    assert (case["state"], case["version"]) == ("accepted", 2)
    expect(other.locator(f"#case-{case['id']}")).to_contain_text("已受理")


def test_a_page_that_is_behind_is_told_and_shows_the_case_anew(opened: Watched, town: Town) -> None:
    page = opened.page
    page.locator("#cases .card", has_text="排水管满溢").first.click()
    expect(page.locator("#move-file")).to_be_visible()
    case = town.case_of(DRAIN_EAST)
    # the stream is held back, so that the page cannot have heard of the other move
    page.route(f"**/api/v1/cases/{case['id']}", lambda route: route.abort())
    with town.client("operator") as client:
        headers = {"if-match": f'"{case["version"]}"', "idempotency-key": "behind"}
        path = f"/api/v1/cases/{case['id']}/moves"
        assert client.post(path, json={"move": "comment", "note": "另一处"}, headers=headers).status_code == 200
    page.click("#move-file")
    expect(page.locator(".do .answer")).to_have_text("案件刚有新的办理动作，已为您刷新，请看过后再办")
    page.unroute(f"**/api/v1/cases/{case['id']}")
    expect(page.locator("#line")).to_contain_text("另一处")
    assert town.case_of(DRAIN_EAST)["state"] == "accepted"
    opened.complaints.clear()  # the browser notes the refused and the held back requests


def test_a_new_case_appears_by_itself_and_is_announced(opened: Watched, town: Town) -> None:
    page = opened.page
    expect(page.locator("#cases .card")).to_have_count(2)
    town.read(DRAIN_WEST, "drain.level", 120)
    expect(page.locator("#cases .card")).to_have_count(3)
    expect(page.locator("#announce")).to_contain_text("新案件：排水管满溢")
    expect(page.locator("#level-counts .c-red dd")).to_have_text("2")


def test_an_operator_reports_what_a_citizen_saw_at_a_place_on_the_map(opened: Watched, town: Town) -> None:
    page = opened.page
    page.click("#report")
    expect(page.locator("#ask")).to_be_visible()
    page.locator("#map canvas").click(position={"x": 300, "y": 400})
    page.select_option("#report-category", "0101")
    page.fill("#report-text", "路口堆了一车垃圾")
    page.fill("#report-name", "王小明")
    page.locator("#report-dialog").get_by_role("button", name="提交").click()
    expect(page.locator("#story h2")).to_have_text("暴露垃圾")
    expect(page.locator("#story")).to_contain_text("路口堆了一车垃圾")
    (case,) = [one for one in town.cases() if one["text"] == "路口堆了一车垃圾"]
    assert case["state"] == "reported"
    assert case["lon"] is not None


def test_the_page_says_when_the_engine_is_behind(opened: Watched) -> None:
    page = opened.page
    expect(page.locator("#banner")).to_be_hidden()

    def late(route: Route) -> None:
        status = route.fetch().json()
        route.fulfill(json=status | {"behind_s": 12.4, "waiting": 345, "overloaded": True})

    page.route("**/api/v1/status", late)
    expect(page.locator("#banner")).to_contain_text("引擎滞后 12 秒，尚有 345 条记录待处理")
    expect(page.locator("#banner")).to_contain_text("引擎过载：新读数暂缓受理")
    for section in ("overview", "duty", "live"):
        page.click(f"#sections [data-section={section}]")
        expect(page.locator("#banner")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator("#banner")).to_be_hidden(timeout=PATIENCE_MS)


def test_english_is_one_click_away(opened: Watched) -> None:
    page = opened.page
    page.click("#language")
    expect(page.locator("#tab-cases")).to_contain_text("Cases")
    page.locator("#cases .card").first.click()
    expect(page.locator("#story")).to_contain_text("What happened")
    page.click("#language")
    expect(page.locator("#tab-cases")).to_contain_text("案件")


def test_without_a_login_the_page_asks_for_a_name_and_a_token_and_takes_them(town: Town, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(town.url)
    page.fill("#name", "viewer--None")
    page.fill("#token", "tg_wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-fault")).to_have_text("姓名或令牌不符，或令牌已吊销")
    page.fill("#token", town.token("viewer"))
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator("#me")).to_contain_text("值班查看")
    page.click("#me")
    page.click("#leave")
    expect(page.locator("#sign-in")).to_be_visible()
    page.goto(town.url)
    expect(page.locator("#sign-in")).to_be_visible()
    context.close()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_sticks_out_of_the_page(town: Town, browser: Browser, width: int, height: int) -> None:
    with console(browser, town, Role.SUPERVISOR, viewport={"width": width, "height": height}) as watched:
        page = watched.page
        expect(page.locator("#link")).to_have_class("link live", timeout=PATIENCE_MS)
        page.locator("#cases .card").first.click()
        expect(page.locator("#line li").first).to_be_visible()
        fits = "document.documentElement.scrollWidth <= innerWidth && document.body.scrollHeight <= innerHeight"
        assert page.evaluate(fits)


def test_the_keyboard_reaches_everything(opened: Watched) -> None:
    page = opened.page
    page.locator("#cases .card").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#story")).to_be_visible()
    page.locator("#map canvas").focus()
    before = page.evaluate("({ centre: map.dataset.centre, scale: Number(map.dataset.metresPerPixel) })")
    page.keyboard.press("+")
    page.wait_for_function("(before) => Number(map.dataset.metresPerPixel) < before.scale", arg=before)
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("(before) => map.dataset.centre !== before.centre", arg=before)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')].filter((e) => e.checkVisibility() && "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map((e) => e.id)"
    )
    assert unnamed == []


def test_of_the_closed_cases_that_a_page_sees_in_weeks_it_keeps_the_newest(opened: Watched) -> None:
    kept = opened.page.evaluate("""async () => {
      const { City } = await import("/console/talk/city.js");
      const city = new City(() => null);
      const one = (n, open) => ({ id: `WO-${n}`, seq: open ? 1 : 2, open, changed_t: n, work_orders: [] });
      city.keep(one(0, true));
      for (let n = 1; n <= 1100; n += 1) for (const open of [true, false]) city.keep(one(n, open));
      return [city.cases.size, city.cases.has("WO-0"), city.cases.has("WO-100"), city.cases.has("WO-101")];
    }""")
    assert kept == [1001, True, False, True]
