"""The console's files as shipped: nothing inline, nothing from elsewhere, every word there in both languages."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

CONSOLE = Path(__file__).parents[2] / "console"
PAGES = sorted(CONSOLE.glob("*.html"))
OWN = sorted(path for path in CONSOLE.rglob("*.js") if "vendor" not in path.parts)


class Marks(HTMLParser):
    """What a page loads, what it has inline, and the words that it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.words: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.inline += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.inline.append(tag)
        self.loads += [str(names[name]) for name in ("src", "href") if names.get(name)]
        self.words |= {str(names[name]) for name in ("data-word", "data-hint", "data-name") if name in names}


def marks(page: Path) -> Marks:
    found = Marks()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def words() -> dict[str, tuple[str, str]]:
    """The words of the page by key, Chinese and English."""
    table = (CONSOLE / "words" / "table.js").read_text(encoding="utf-8")
    texts = table[table.index("export const texts") : table.index("export const levels")]
    pairs = re.findall(r'(\w+): \["((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\]', texts)
    return {key: (chinese, english) for key, chinese, english in pairs}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_no_code_and_no_style_of_its_own(page: Path) -> None:
    assert marks(page).inline == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_loads_only_what_stands_beside_it(page: Path) -> None:
    for name in marks(page).loads:
        path, _, _ = name.partition("#")
        if path in ("", "/"):
            continue
        assert path.startswith("/console/"), name
        assert (CONSOLE / path.removeprefix("/console/")).is_file(), name


@pytest.mark.parametrize("module", OWN, ids=lambda module: module.relative_to(CONSOLE).as_posix())
def test_a_module_imports_only_what_stands_beside_it(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    for name in re.findall(r'(?:from|import) "([^"]+)"', text):
        assert name.startswith("."), name
        assert (module.parent / name).resolve().is_file(), name
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"\binnerHTML\b|\beval\(|new Function|document\.write", text)


def test_every_word_that_is_asked_for_is_there_in_both_languages() -> None:
    known = words()
    asked = {word for page in PAGES for word in marks(page).words}
    for module in OWN:
        asked |= set(re.findall(r'\bsay\("(\w+)"', module.read_text(encoding="utf-8")))
    assert asked - set(known) == set()
    assert [key for key, (chinese, english) in known.items() if not chinese or not english] == []


def test_what_others_made_stands_with_its_licence_and_version() -> None:
    (maker,) = (CONSOLE / "vendor").iterdir()
    assert {"LICENSE.txt", "VERSION.txt"} <= {path.name for path in maker.iterdir()}
