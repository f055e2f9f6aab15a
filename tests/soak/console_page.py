"""The console in a headless Chromium as a duty officer has it open all day: what it costs, and how smoothly it goes."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import sync_playwright

from tests.parts.browser import FLAGS, PATIENCE_MS, Watched, settled

SCREEN = {"width": 1024, "height": 640}
"""Small, since the map is drawn without a graphics card here."""
WATCH = """
window.soak = { tasks: [], gaps: [], counting: false };
new PerformanceObserver((list) => { for (const one of list.getEntries()) soak.tasks.push(one.duration); })
  .observe({ entryTypes: ["longtask"] });
soak.count = () => {
  soak.counting = true;
  let last = 0;
  const frame = (t) => {
    if (last) soak.gaps.push(t - last);
    last = t;
    if (soak.counting) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
};
"""
TAKE = """() => {
  soak.counting = false;
  const found = {
    tasks: soak.tasks, gaps: soak.gaps, elements: document.querySelectorAll("*").length,
    repaints: Number(document.querySelector("#map").dataset.repaints),
    link: document.querySelector("#link").className, banner: !document.querySelector("#banner").hidden,
  };
  soak.tasks = [];
  soak.gaps = [];
  return found;
}"""
LOG_IN = """([name, token]) => fetch("/api/v1/login", { method: "POST", headers: { "content-type": "application/json" },
  body: JSON.stringify({ name, token }) }).then((answer) => answer.status)"""


class Officer:
    """Somebody at the console; the same seed does the same."""

    def __init__(self, watched: Watched) -> None:
        self.page = watched.page
        self.watched = watched
        self._dice = random.Random(7)
        self._metrics = self.page.context.new_cdp_session(self.page)
        self._metrics.send("Performance.enable", {"timeDomain": "threadTicks"})

    def work(self) -> str:
        """Do one thing at the console for some seconds, while frames are counted; return what."""
        what = self._dice.choice(["map", "map", "case", "case", "alerts", "overview", "walk"])
        self.page.evaluate("soak.count()")
        getattr(self, f"_{what}")()
        return what

    def _map(self) -> None:
        box = self.page.locator("#map").bounding_box() or {"x": 0, "y": 0, "width": 600, "height": 400}
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        for step in range(1, 25):
            mouse.move(x + 6 * step, y + 3 * step)
            self.page.wait_for_timeout(40)
        mouse.up()
        self.page.click(self._dice.choice(["#zoom-in", "#zoom-out"]))
        self.page.wait_for_timeout(1000)
        self.page.click("#fit")
        self.page.wait_for_timeout(1000)

    def _case(self) -> None:
        self.page.click("#tab-cases")
        cards = self.page.locator("#cases .card")
        if not cards.count():
            return
        cards.nth(self._dice.randrange(min(6, cards.count()))).click()
        self.page.locator("#line li").first.wait_for()
        self.page.wait_for_timeout(3000)
        self.page.keyboard.press("Escape")

    def _alerts(self) -> None:
        self.page.click("#tab-alerts")
        self.page.wait_for_timeout(2000)
        self.page.click("#tab-cases")

    def _overview(self) -> None:
        self.page.evaluate("location.hash = '#/overview'")
        self.page.locator("#overview .board").first.wait_for()
        self.page.wait_for_timeout(3000)
        self.page.evaluate("location.hash = '#/'")

    def _walk(self) -> None:
        if self.page.locator("#cases .card").count():
            self.page.locator("#cases .card").first.focus()
        for _ in range(15):
            self.page.keyboard.press("j")
            self.page.wait_for_timeout(150)

    def found(self) -> dict[str, Any]:
        """Return what the page cost since it was last asked: ms of long tasks and of frames, bytes that live, nodes."""
        found: dict[str, Any] = self.page.evaluate(TAKE)
        self._metrics.send("HeapProfiler.collectGarbage")
        told = self._metrics.send("Performance.getMetrics")["metrics"]
        figures = {one["name"]: one["value"] for one in told}
        return {
            "long_ms": [round(ms) for ms in found["tasks"]],
            "gaps_ms": sorted(round(ms, 1) for ms in found["gaps"]),
            "heap": figures["JSHeapUsedSize"],
            "nodes": figures["Nodes"],
            "listeners": figures["JSEventListeners"],
            "elements": found["elements"],
            "repaints": found["repaints"],
            "main_thread_s": figures["TaskDuration"],
            "script_s": figures["ScriptDuration"],
            "live": found["link"] == "link live",
            "banner": found["banner"],
        }


@contextmanager
def officer(home: str, name: str, token: str) -> Iterator[Officer]:
    """Open the console, signed in with a token."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = browser.new_context(viewport=SCREEN)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH)
        watched = Watched(context.new_page(), home)
        watched.page.goto(home + "/healthz")
        assert watched.page.evaluate(LOG_IN, [name, token]) == 200
        watched.page.goto(home)
        settled(watched.page)
        watched.complaints.clear()  # of the page on which one signs in
        try:
            yield Officer(watched)
        finally:
            browser.close()
