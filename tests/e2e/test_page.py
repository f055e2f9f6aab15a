"""The page in a real browser over a real engine: what a person sees, and a move that a person makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, Route, expect, sync_playwright

from engine.casework.people import Role
from tests.town import DRAIN_EAST, DRAIN_WEST, GAS_EAST, Town, now_ms, open_town

pytestmark = pytest.mark.needs("chromium")

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(GAS_EAST, "gas.methane", 61.5)
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield running
        running.close()


class Watched:
    """A page, with everything that it complained of or asked of other hosts."""

    def __init__(self, page: Page, town: Town) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self._home = town.url
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("response", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, response: Response) -> None:
        if not response.url.startswith((self._home, "data:")):
            self.elsewhere.append(response.url)


@pytest.fixture
def opened(town: Town, browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    watched = Watched(context.new_page(), town)
    watched.page.goto(town.url + town.app.login_path(lambda: town.person(Role.OPERATOR)))
    expect(watched.page.locator("#link")).to_have_class("link live", timeout=20_000)
    yield watched
    context.close()
    assert watched.complaints == []
    assert watched.elsewhere == []


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
    page.get_by_role("button", name="燃气浓度超限").click()
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
    page.get_by_role("button", name="燃气浓度超限").click()
    chart = page.locator("#story svg.chart")
    expect(chart).to_be_visible(timeout=20_000)
    expect(chart.locator("title", has_text="红 50 %LEL")).to_have_count(1)


def test_a_person_makes_a_move_and_another_page_hears_of_it(opened: Watched, town: Town, browser: Browser) -> None:
    page = opened.page
    other = browser.new_page()
    other.goto(town.url + town.app.login_path(lambda: town.person(Role.DISPATCHER)))
    expect(other.locator("#link")).to_have_class("link live", timeout=20_000)
    page.get_by_role("button", name="排水管满溢").click()
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
    other.close()


def test_a_page_that_is_behind_is_told_and_shows_the_case_anew(opened: Watched, town: Town) -> None:
    page = opened.page
    page.get_by_role("button", name="排水管满溢").click()
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
    page.locator("#map").click(position={"x": 300, "y": 400})
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
    page.unroute("**/api/v1/status")
    expect(page.locator("#banner")).to_be_hidden()


def test_english_is_one_click_away(opened: Watched) -> None:
    page = opened.page
    page.click("#language")
    expect(page.locator("#tab-cases")).to_contain_text("Cases")
    page.locator("#cases .card").first.click()
    expect(page.locator("#story")).to_contain_text("What happened")
    page.click("#language")
    expect(page.locator("#tab-cases")).to_contain_text("案件")


def test_without_a_login_the_page_asks_for_a_token_and_takes_it(town: Town, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(town.url)
    expect(page.locator("#sign-in")).to_be_visible()
    page.fill("#token", "tg_wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-fault")).to_have_text("令牌无效或已吊销")
    page.fill("#token", town.token("viewer"))
    page.keyboard.press("Enter")
    expect(page.locator("#link")).to_have_class("link live", timeout=20_000)
    expect(page.locator("#me")).to_contain_text("值班查看")
    context.close()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_sticks_out_of_the_page(town: Town, browser: Browser, width: int, height: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(town.url + town.app.login_path(lambda: town.person(Role.SUPERVISOR)))
    expect(page.locator("#link")).to_have_class("link live", timeout=20_000)
    page.locator("#cases .card").first.click()
    expect(page.locator("#line li").first).to_be_visible()
    fits = "document.documentElement.scrollWidth <= innerWidth && document.body.scrollHeight <= innerHeight"
    assert page.evaluate(fits)
    context.close()


CONTRASTS = """() => {
  const parse = (text) => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const context = canvas.getContext('2d');
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const part = (v) => (v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [7, 12, 22, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest('.unseen, .skip')) continue;
    const both = [parse(getComputedStyle(element).color), ground(element)].map(light).sort((x, y) => y - x);
    const ratio = (both[0] + .05) / (both[1] + .05);
    if (ratio < 4.5) poor.push(`${element.className} ${element.textContent.trim().slice(0, 20)} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


def test_every_text_is_readable(opened: Watched) -> None:
    page = opened.page
    page.locator("#cases .card").first.click()
    expect(page.locator("#line li").first).to_be_visible()
    assert page.evaluate(CONTRASTS) == []


def test_the_keyboard_reaches_everything(opened: Watched) -> None:
    page = opened.page
    page.locator("#cases .card").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#story")).to_be_visible()
    page.locator("#map").focus()
    view = "({ centre: map.dataset.centre, scale: map.dataset.metresPerPixel })"
    before = page.evaluate(view)
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        f"(before) => {{ const now = {view}; return now.centre !== before.centre && now.scale < before.scale; }}",
        arg=before,
    )
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')].filter((e) => e.checkVisibility() && "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map((e) => e.id)"
    )
    assert unnamed == []
