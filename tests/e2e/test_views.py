"""The other views in a real browser: overview and drill-down, saved views, duty, file, phone, connection lost."""

from __future__ import annotations

import math
import struct
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from engine.casework.people import Actor, Role
from rules.registry import Row
from tests.parts.browser import PATIENCE_MS, browser, console, settled
from tests.parts.cable import relayed
from tests.town import DRAIN_EAST, DRAIN_WEST, EAST, GAS_EAST, LAT, LON, Town, open_town

__all__ = ["browser"]

pytestmark = pytest.mark.needs("chromium")
expect.set_options(timeout=30_000)

EXERCISE = Row("DL-X", "drain.level", LON + 5000, LAT + 5000, "drainage", drill=True)
TRUCK = Row("MT-01", "vehicle.position", department="urban", site="渣土车1")
CREW = Actor(name="排水抢险队", role=Role.HANDLER, department="drainage")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town"), more=[EXERCISE, TRUCK]) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(DRAIN_WEST, "drain.level", 95)
        running.read(GAS_EAST, "gas.methane", 61.5)
        yield running


@pytest.fixture
def page(town: Town, browser: Browser) -> Iterator[Page]:
    with console(browser, town, Role.SUPERVISOR) as watched:
        settled(watched.page)
        yield watched.page


def until(page: Page, done: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not done():
        assert time.monotonic() < deadline, "it never came"
        page.wait_for_timeout(200)


def moved(town: Town, sensor: str, *moves: tuple[str, str]) -> None:
    """Others move a sensor's case: a role and a move each."""
    for role, move in moves:
        case = town.case_of(sensor)
        headers = {"if-match": f'"{case["version"]}"', "idempotency-key": f"{case['id']}-{case['version']}"}
        with town.client(role, department="drainage" if role == "handler" else None) as client:
            said = client.post(f"/api/v1/cases/{case['id']}/moves", json={"move": move}, headers=headers)
        assert said.status_code == 200, said.text


def picture() -> bytes:
    """A small PNG, striped."""
    width, height = 64, 48
    rows = b"".join(b"\0" + b"".join(bytes((x * 4, y * 5, 90)) for x in range(width)) for y in range(height))

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_the_overview_leads_from_the_city_down_to_a_grid_and_back(page: Page) -> None:
    page.click("#sections [data-section=overview]")
    overview = page.locator("#overview")
    expect(overview.locator(".tiles div").first).to_contain_text("3")
    expect(overview).to_contain_text("排水管网管理处")
    expect(overview.get_by_role("img", name="近 24 小时")).to_be_visible()
    for name in ("东街道", "东社区"):
        overview.get_by_role("button", name=name, exact=True).click()
        expect(overview.locator("h2")).to_contain_text(name)
    expect(overview.locator(".tiles div").first).to_contain_text("2")
    overview.get_by_role("button", name="第1网格", exact=True).click()
    expect(overview.locator(".tiles div").first).to_contain_text("1")
    page.click("#sections [data-section=live]")
    expect(page.locator("#path")).to_contain_text("东社区")
    expect(page.locator("#cases .card")).to_have_count(1)
    page.locator("#path").get_by_role("button", name="东街道").click()
    expect(page.locator("#cases .card")).to_have_count(2)
    page.click("#fit")
    expect(page.locator("#cases .card")).to_have_count(3)


def test_filters_can_be_kept_as_a_view_and_are_there_the_next_time(page: Page) -> None:
    page.get_by_role("button", name="红", exact=True).click()
    expect(page.locator("#cases .card")).to_have_count(1)
    page.click("#more-filters summary")
    page.fill("#view-name", "我的红色")
    page.click("#view-save")
    page.select_option("#view", label="全部在办案件")
    expect(page.locator("#cases .card")).to_have_count(3)
    page.reload()
    settled(page)
    page.select_option("#view", label="我的红色")
    expect(page.locator("#cases .card")).to_have_count(1)
    page.click("#more-filters summary")
    page.click("#view-delete")
    page.select_option("#view", label="全部在办案件")
    page.select_option("#by-department", label="排水管网管理处")
    expect(page.locator("#cases .card")).to_have_count(2)


def test_theme_and_language_stay_as_they_were_chosen(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-theme", "night")
    page.click("#theme")
    page.click("#language")
    page.reload()
    settled(page)
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator("#tab-alerts")).to_contain_text("Alerts")


def test_whoever_reads_english_reads_english_titles(page: Page, town: Town) -> None:
    page.click("#language")
    card = page.locator(f"#cases [data-case={town.case_of(GAS_EAST)['id']}]")
    expect(card.locator(".title")).to_have_text("Gas concentration over the limit")
    expect(card).to_contain_text("Gas management centre")
    card.click()
    expect(page.locator("#story h2")).to_have_text("Gas concentration over the limit")
    expect(page.locator("#story .facts")).to_contain_text("Gas leak（0401）")
    expect(page.locator("#line")).to_contain_text("by rule Gas concentration over the limit")
    page.click("#sections [data-section=overview]")
    expect(page.locator("#overview")).to_contain_text("Drainage network office")


def pixel(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place lies on the page's map."""
    shown = page.locator("#map")
    box = shown.bounding_box()
    centre, scale = shown.get_attribute("data-centre"), shown.get_attribute("data-metres-per-pixel")
    assert box is not None
    assert centre is not None
    assert scale is not None
    middle = [float(degrees) for degrees in centre.split(",")]
    east, north = (lon - middle[0]) * math.cos(math.radians(lat)), lat - middle[1]
    metres = math.radians(1) * 6_378_137 / float(scale)
    return box["x"] + box["width"] / 2 + east * metres, box["y"] + box["height"] / 2 - north * metres


def test_a_truck_on_the_map_says_its_plate_and_what_it_carries(page: Page, town: Town) -> None:
    lon, lat = (LON + 31_000) / 1e7, (LAT + 1_500) / 1e7
    attrs = {"plate": "浙D12345", "type": "muck", "loaded": True, "lifted": False, "rssi": -70}
    town.read(TRUCK.sensor, "vehicle.position", 32.0, lon=lon, lat=lat, attrs=attrs)
    page.reload()
    settled(page)
    tip = page.locator("#tip")

    def told() -> bool:
        page.mouse.move(*pixel(page, lon, lat))
        page.mouse.move(*(at + 1 for at in pixel(page, lon, lat)))
        return tip.is_visible() and "浙D12345" in tip.inner_text()

    until(page, told)
    expect(tip).to_contain_text("32 km/h")
    expect(tip).to_contain_text("车牌 浙D12345 · 车型 渣土车 · 载货 是 · 车厢举升 否")
    page.mouse.move(0, 0)
    page.mouse.click(*pixel(page, lon, lat))
    expect(tip).to_contain_text("载货 是")


def test_the_keys_are_explained_and_can_be_switched_off(page: Page) -> None:
    page.keyboard.press("?")
    help_page = page.locator("#help-dialog")
    expect(help_page).to_contain_text("下一条")
    expect(help_page).to_contain_text("派遣")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    page.keyboard.press("?")
    expect(page.locator("#overview")).to_be_hidden()
    expect(help_page).to_be_hidden()


def test_a_lost_connection_is_said_and_taken_up_where_it_was(town: Town, browser: Browser) -> None:
    with relayed(town.listener.port) as (url, cut, mend), console(browser, town, Role.OPERATOR, home=url) as watched:
        page = watched.page
        settled(page)
        cut()
        expect(page.locator("#link")).to_have_class("link lost")
        expect(page.locator("#banner")).to_contain_text("数据可能已过时")
        moved(town, DRAIN_WEST, ("operator", "accept"))
        mend()
        expect(page.locator("#link")).to_have_class("link live", timeout=PATIENCE_MS)
        expect(page.locator("#banner")).to_be_hidden()
        expect(page.locator("#cases .card", has_text="已受理")).to_have_count(1)
        watched.complaints.clear()  # the browser notes what it could not load


def test_a_case_file_says_when_it_may_be_out_of_date(town: Town, browser: Browser) -> None:
    case = town.case_of(GAS_EAST)["id"]
    with (
        relayed(town.listener.port) as (url, cut, _),
        console(browser, town, Role.SUPERVISOR, f"/console/casefile.html#{case}", home=url) as watched,
    ):
        expect(watched.page.locator("h1")).to_have_text("城市运行管理案卷")
        cut()
        expect(watched.page.locator("#banner")).to_contain_text("数据可能已过时")
        watched.complaints.clear()  # the browser notes what it could not load


def test_the_shift_is_handed_over_by_one_and_taken_by_the_other(town: Town, browser: Browser) -> None:
    with console(browser, town, Actor(name="早班", role=Role.SUPERVISOR), "/#/duty") as first:
        page = first.page
        expect(page.locator("#hand-open tbody tr")).to_have_count(3)
        page.fill("#hand-note", "东街道积水，继续盯")
        page.click("#hand-sign")
        expect(page.locator(".hand .answer")).to_have_text("已交班，待接班人签字")
    with console(browser, town, Actor(name="晚班", role=Role.SUPERVISOR), "/#/duty") as second:
        page = second.page
        expect(page.locator("#duty")).to_contain_text("东街道积水，继续盯")
        page.get_by_role("button", name="签字接班").click()
        expect(page.locator(".hand .answer")).to_have_text("已接班")
        expect(page.locator("#duty")).to_contain_text("早班 → 晚班")


def test_a_crew_on_the_road_starts_photographs_and_finishes(town: Town, browser: Browser) -> None:
    moved(town, DRAIN_EAST, ("operator", "accept"), ("operator", "file"), ("dispatcher", "dispatch"))
    phone = {"width": 390, "height": 844}
    with console(browser, town, CREW, "/console/field.html", viewport=phone, has_touch=True, is_mobile=True) as watched:
        page = watched.page
        page.locator(".job").first.tap()
        page.locator("#move-start").tap()
        expect(page.locator(".answer")).to_have_text("已办理：开始处置")
        page.set_input_files(".photo-file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
        expect(page.locator(".photos img")).to_have_count(1)
        assert page.evaluate("document.querySelector('.photos img').decode().then(() => true)")
        page.fill("#do-note", "已清淤")
        page.locator("#move-finish").tap()
        expect(page.locator(".state")).to_have_text("待核查")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert town.case_of(DRAIN_EAST)["state"] == "handled"


def test_a_case_file_has_everything_on_paper(town: Town, browser: Browser) -> None:
    case = town.case_of(GAS_EAST)["id"]
    with console(browser, town, Role.SUPERVISOR, f"/console/casefile.html#{case}") as watched:
        page = watched.page
        expect(page.locator("h1")).to_have_text("城市运行管理案卷")
        expect(page.locator(".facts")).to_contain_text("张伟")
        expect(page.locator(".moves tbody tr")).to_have_count(4)
        page.emulate_media(media="print")
        expect(page.locator("#print")).to_be_hidden()
        assert len(page.pdf()) > 10_000


def test_a_simulated_city_can_be_paused_sped_up_and_moved_on(town: Town, browser: Browser) -> None:
    told: list[object] = []
    now = {"now": 1_784_000_000_000, "speed": 60, "paused": False, "scenario": "cloudburst"}

    def player(route: Route) -> None:
        if route.request.method == "POST":
            told.append(route.request.post_data_json)
            now["paused"] = True
        route.fulfill(json=now)

    def played(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"now_ms": now["now"], "clock_ms": now["now"]})

    with console(browser, town, Role.SUPERVISOR) as watched:
        page = watched.page
        settled(page)
        page.route("**/api/v1/player", player)
        page.route("**/api/v1/status", played)
        page.reload()
        settled(page)
        expect(page.locator("#player")).to_contain_text("cloudburst")
        page.click("#play-pause")
        expect(page.locator("#play-pause")).to_have_text("继续")
    assert told == [{"pause": True}]


def test_an_area_shows_only_its_own(town: Town, browser: Browser) -> None:
    with console(browser, town, Actor(name="东街道", role=Role.OPERATOR, area=EAST)) as watched:
        settled(watched.page)
        expect(watched.page.locator("#cases .card")).to_have_count(2)
        watched.page.click("#sections [data-section=overview]")
        expect(watched.page.locator("#overview [data-area]")).to_have_count(1)


def test_without_webgl_all_but_the_map_works(town: Town, browser: Browser) -> None:
    with console(browser, town, Role.OPERATOR) as watched:
        page = watched.page
        settled(page)
        page.add_init_script("""
            const made = HTMLCanvasElement.prototype.getContext;
            HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
              return kind.startsWith("webgl") ? null : made.call(this, kind, ...more);
            };
        """)
        page.reload()
        expect(page.locator("#map")).to_contain_text("此浏览器不能显示地图")
        page.locator("#cases .card").first.click()
        expect(page.locator("#line li").first).to_be_visible()
        watched.complaints.clear()  # the map's own words about it


def test_alerts_of_exercises_are_shown_apart_and_named_as_such(town: Town, browser: Browser) -> None:
    town.read(EXERCISE.sensor, "drain.level", 95)
    with console(browser, town, Role.OPERATOR) as watched:
        page = watched.page
        settled(page)
        page.click("#tab-alerts")
        expect(page.locator("#alerts .card")).to_have_count(4)
        expect(page.locator("#alerts .card .drill")).to_have_text("演练")
        page.select_option("#alerts-drill", label="仅实警")
        expect(page.locator("#alerts .card")).to_have_count(3)
        page.select_option("#alerts-drill", label="演练")
        expect(page.locator("#alerts .card")).to_have_count(1)
        expect(page.locator("#alerts .card")).to_contain_text(EXERCISE.sensor)
