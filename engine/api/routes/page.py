"""The operations page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from engine.api.packed import Packed
from engine.api.problems import Problem

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@cache
def files() -> dict[str, Packed]:
    """Return the console's files by their path in it; only these are served, whatever a path says."""
    return dict(_below(resources.files("console"), ""))


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, Packed]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _below(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            yield prefix + entry.name, Packed(entry.read_bytes())


def _file(request: Request, name: str) -> Response:
    found = files().get(name)
    if found is None:
        raise Problem(404, "not_found", "no such file")
    return found.answer(request, TYPES[name.rpartition(".")[2]], "no-cache")


def add_routes(router: APIRouter) -> None:
    """Add the page and its files."""

    @router.get("/", include_in_schema=False, response_class=Response)
    def index(request: Request) -> Response:
        return _file(request, "index.html")

    @router.get("/console/{path:path}", include_in_schema=False, response_class=Response)
    def file(request: Request, path: str) -> Response:
        return _file(request, path)
