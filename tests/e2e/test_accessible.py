"""WCAG 2.2 AA as axe-core judges it: nothing serious on any main view, in both themes and both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.casework.people import Actor, Role
from tests.parts.browser import browser, console, settled
from tests.town import DRAIN_EAST, GAS_EAST, Town, open_town

__all__ = ["browser"]

pytestmark = pytest.mark.needs("chromium")
expect.set_options(timeout=30_000)

AXE = Path(__file__).parent / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
JUDGE = """async (tags) => {
  const { violations } = await axe.run(document, { runOnly: { type: 'tag', values: tags } });
  const said = (node) => `${node.target} ${node.any[0]?.message ?? ''}`;
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 5).map(said).join(' | ')}`);
}"""
HANDLER = Actor(name="排水抢险队", role=Role.HANDLER, department="drainage")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as running:
        running.read(DRAIN_EAST, "drain.level", 95)
        running.read(GAS_EAST, "gas.methane", 61.5)
        yield running


def serious(page: Page) -> list[str]:
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(JUDGE, RULES)
    return found


def dress(page: Page, theme: str, language: str) -> None:
    page.add_init_script(f"localStorage.setItem('theme', '{theme}'); localStorage.setItem('language', '{language}')")
    page.emulate_media(reduced_motion="reduce")


LOOKS = [(theme, language) for theme in ("night", "light") for language in ("zh", "en")]


@pytest.mark.parametrize(("theme", "language"), LOOKS)
def test_nothing_serious_on_the_console(town: Town, browser: Browser, theme: str, language: str) -> None:
    with console(browser, town, Role.OPERATOR, bypass_csp=True) as watched:
        page = watched.page
        dress(page, theme, language)
        page.reload()
        settled(page)
        found = {"live": serious(page)}
        page.click("#more-filters summary")
        page.locator("#cases .card", has_text="排水管满溢").click()
        expect(page.locator("#line li").first).to_be_visible()
        found["a case"] = serious(page)
        page.click("#tab-alerts")
        expect(page.locator("#alerts .card").first).to_be_visible()
        found["alerts"] = serious(page)
        page.keyboard.press("Escape")
        page.click("#help")
        found["help"] = serious(page)
        page.locator("#help-dialog button").click()
        page.goto(f"{town.url}/#/overview")
        expect(page.locator("#overview .board")).to_have_count(6)
        found["overview"] = serious(page)
        page.goto(f"{town.url}/#/duty")
        expect(page.locator("#hand-sign")).to_be_visible()
        found["duty"] = serious(page)
        case = town.case_of(DRAIN_EAST)["id"]
        page.goto(f"{town.url}/console/casefile.html#{case}")
        expect(page.locator(".moves tbody tr").first).to_be_visible()
        found["case file"] = serious(page)
    assert {view: faults for view, faults in found.items() if faults} == {}


@pytest.mark.parametrize(("theme", "language"), LOOKS)
def test_nothing_serious_on_a_phone_nor_where_one_signs_in(
    town: Town, browser: Browser, theme: str, language: str
) -> None:
    phone = {"width": 390, "height": 844}
    with town.client("operator") as client:
        case = town.case_of(DRAIN_EAST)
        for n, move in enumerate(("accept", "file")):
            headers = {"if-match": f'"{case["version"] + n}"', "idempotency-key": f"{move}-phone"}
            client.post(f"/api/v1/cases/{case['id']}/moves", json={"move": move}, headers=headers)
    with console(browser, town, HANDLER, "/console/field.html", viewport=phone, bypass_csp=True) as watched:
        page = watched.page
        dress(page, theme, language)
        page.reload()
        expect(page.locator("#work h2")).to_be_visible()
        found = {"field": serious(page)}
        page.goto(f"{town.url}/console/field.html#{town.case_of(DRAIN_EAST)['id']}")
        expect(page.locator("article h2")).to_be_visible()
        found["field case"] = serious(page)
        page.click("#leave")
        expect(page.locator("#name")).to_be_visible()
        found["login"] = serious(page)
    assert {view: faults for view, faults in found.items() if faults} == {}
