"""Screenshots of the main views for docs/, of a running demo: `python -m tests.e2e.screenshots [FOLDER]`.

Plays the cloudburst until a case was sent back for rework, and photographs what a duty officer then sees.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.parts.browser import DESK, FLAGS, PATIENCE_MS, settled

DOCS = Path(__file__).parents[2] / "docs"
UNTIL = "下穿通道积水：返工"
TITLE = "下穿通道积水"
PHONE = {"width": 390, "height": 844}


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """Run the demo until the story is told far enough; yield its link."""
    command = [sys.executable, "-m", "engine.cli", "demo", "--data", str(folder), "--port", "0", "--sensors", "3000"]
    with subprocess.Popen([*command, "--speed", "300"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        link = ""
        try:
            for line in process.stdout:
                found = re.search(r"http://\S+", line)
                link = found[0] if found else link
                if UNTIL in line:
                    break
            yield link
        finally:
            process.terminate()
            process.wait()


def look(page: Page, theme: str, language: str = "zh") -> None:
    """Open the console in a theme and a language."""
    page.evaluate(f"localStorage.setItem('theme', '{theme}'); localStorage.setItem('language', '{language}')")
    page.reload()
    settled(page)
    page.wait_for_timeout(4000)  # tiles of the map come in; a picture, not a test


def take(context: BrowserContext, link: str, folder: Path) -> list[Path]:
    """Photograph the views; return the files."""
    page = context.new_page()
    page.goto(link)
    settled(page)
    home = page.url.partition("#")[0]
    taken: list[Path] = []

    def shot(name: str, whole: bool = False) -> None:
        taken.append(folder / f"console_{name}.png")
        page.screenshot(path=taken[-1], full_page=whole)

    page.click("#play-pause")
    look(page, "night")
    shot("live")
    card = page.locator("#cases .card", has_text=TITLE).first
    case = card.get_attribute("data-case") or ""
    card.click()
    page.locator("#line li").first.wait_for()
    page.wait_for_timeout(3000)
    page.screenshot(path=folder / "console.png")
    taken.append(folder / "console.png")
    look(page, "light", "en")
    shot("light")
    for section in ("overview", "duty"):
        page.goto(f"{home}#/{section}")
        page.locator(f"#{section} .board").first.wait_for()
        page.wait_for_timeout(1500)
        look(page, "night") if section == "overview" else None
        shot(section)
    page.goto(f"{home}console/casefile.html#{case}")
    page.locator(".moves tbody tr").first.wait_for()
    shot("casefile", whole=True)
    page.set_viewport_size(PHONE)
    page.goto(f"{home}console/field.html#{case}")
    page.locator("article h2").wait_for()
    shot("field")
    return taken


def main() -> None:
    """Write the screenshots."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data,
        demo(Path(data)) as link,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = browser.new_context(viewport=DESK, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        for path in take(context, link, folder):
            print(f"{path}  {path.stat().st_size / 1024:.0f} KiB")
        browser.close()


if __name__ == "__main__":
    main()
