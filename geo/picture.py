"""A picture of what is wrong with unit grids: all of them with numbered marks, and the first flaws from near by.

Letters are Latin only, so that the picture needs no font of the machine.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from geo import E7
from geo.checking import WHATS, Findings, Flaw

COLOUR: Final = {
    "overlap": (214, 39, 40),
    "gap": (31, 119, 180),
    "invalid": (200, 30, 160),
    "sliver": (255, 127, 14),
    "duplicate": (120, 70, 170),
    "code": (120, 90, 60),
}
_PAPER, _LINE, _INK, _FILL = (255, 255, 255), (150, 160, 170), (40, 44, 52), (238, 241, 244)
_OVERVIEW, _PANEL, _EDGE, _HEAD = 960, 320, 16, 56
_PANELS: Final = 6
_NEAR_M: Final = 25.0
Box = tuple[float, float, float, float]


class _View:
    """A window of the picture onto a box of degrees, the same metres to both sides."""

    def __init__(self, draw: ImageDraw.ImageDraw, left: int, top: int, side: int, box: Box) -> None:
        self._draw, self._left, self._top, self._side = draw, left, top, side
        west, south, east, north = box
        self._across = float(np.cos(np.deg2rad((south + north) / 2)))
        self._middle = (west + east) / 2, (south + north) / 2
        self._scale = (side - 2) / max((east - west) * self._across, north - south, 1e-9)

    def pixels(self, lonlat: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
        x = self._left + self._side / 2 + (lonlat[:, 0] - self._middle[0]) * self._across * self._scale
        y = self._top + self._side / 2 - (lonlat[:, 1] - self._middle[1]) * self._scale
        return list(zip(x.tolist(), y.tolist(), strict=True))

    def polygon(self, shape: Any, fill: tuple[int, ...] | None, line: tuple[int, ...], width: int = 1) -> None:
        """Draw every part of a shape in whole numbers."""
        for part in getattr(shape, "geoms", [shape]):
            if part.geom_type == "Polygon" and not part.is_empty:
                ring = self.pixels(np.array(part.exterior.coords) / E7)
                self._draw.polygon(ring, fill=fill)
                for hole in part.interiors:
                    self._draw.polygon(self.pixels(np.array(hole.coords) / E7), fill=_FILL)
                self._draw.line(ring, fill=line, width=width, joint="curve")


def png(findings: Findings) -> bytes:
    """The picture as PNG bytes."""
    import shapely

    width = _OVERVIEW + 2 * _PANEL + 4 * _EDGE
    image = Image.new("RGB", (width, _OVERVIEW + _HEAD + 2 * _EDGE), _PAPER)
    draw = ImageDraw.Draw(image, "RGBA")
    _title(draw, findings)
    shapes = findings.shapes
    if len(shapes):
        west, south, east, north = (float(v) / E7 for v in shapely.total_bounds(shapes))
        view = _View(draw, _EDGE, _HEAD, _OVERVIEW, (west, south, east, north))
        for shape in shapes.tolist():
            view.polygon(shape, _FILL, _LINE)
        _marks(draw, view, findings.flaws)
        tree = shapely.STRtree(shapes)
        for number, flaw in enumerate(_worst(findings.flaws)):
            left = _OVERVIEW + 2 * _EDGE + (number % 2) * (_PANEL + _EDGE)
            _panel(image, findings, tree, flaw, left, _HEAD + (number // 2) * _PANEL)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _worst(flaws: Sequence[Flaw]) -> list[tuple[int, Flaw]]:
    """Flaws to be shown from near by, with their numbers: the largest of each sort first."""
    numbered = [(i, flaw) for i, flaw in enumerate(flaws, start=1) if flaw.lon is not None]
    rank: dict[str, int] = {}
    found = []
    for i, flaw in sorted(numbered, key=lambda row: -(row[1].area_m2 or 0.0)):
        rank[flaw.what] = rank.get(flaw.what, 0) + 1
        found.append((rank[flaw.what], WHATS.index(flaw.what), i, flaw))
    return [(i, flaw) for _, _, i, flaw in sorted(found, key=lambda row: row[:3])[:_PANELS]]


def _title(draw: ImageDraw.ImageDraw, findings: Findings) -> None:
    text = f"{findings.count} unit grids, {findings.communities} communities"
    draw.text((_EDGE, 12), text, fill=_INK, font=_font(22))
    at = _EDGE + draw.textlength(text, font=_font(22)) + 30
    for what, count in findings.counts().items():
        draw.rectangle((at, 18, at + 14, 32), fill=COLOUR[what])
        label = f"{what} {count}"
        draw.text((at + 20, 14), label, fill=_INK, font=_font(18))
        at += 20 + draw.textlength(label, font=_font(18)) + 24


def _latin(name: str) -> str:
    """A name without what Chinese stands in brackets behind it."""
    return name.partition(" (")[0].encode("ascii", "replace").decode()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _marks(draw: ImageDraw.ImageDraw, view: _View, flaws: Sequence[Flaw]) -> None:
    for number, flaw in reversed(list(enumerate(flaws, start=1))):
        if flaw.lon is None or flaw.lat is None:
            continue
        if flaw.shape is not None:
            view.polygon(flaw.shape, (*COLOUR[flaw.what], 140), COLOUR[flaw.what], 2)
        ((x, y),) = view.pixels(np.array([[flaw.lon, flaw.lat]]))
        draw.ellipse((x - 7, y - 7, x + 7, y + 7), outline=COLOUR[flaw.what], width=2)
        if number <= 200:
            draw.text((x + 8, y - 16), str(number), fill=COLOUR[flaw.what], font=_font(14))


def _panel(image: Image.Image, findings: Findings, tree: Any, row: tuple[int, Flaw], left: int, top: int) -> None:
    """One flaw from near by, on a sheet of its own so that nothing sticks out."""
    import shapely

    number, flaw = row
    assert flaw.lon is not None
    assert flaw.lat is not None
    box = flaw.shape.bounds if flaw.shape is not None else (flaw.lon * E7, flaw.lat * E7, flaw.lon * E7, flaw.lat * E7)
    edge = max(_NEAR_M * 100, 0.25 * max(box[2] - box[0], box[3] - box[1]))
    west, south, east, north = box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge
    side = _PANEL - _EDGE
    sheet = Image.new("RGB", (_PANEL, side), _PAPER)
    draw = ImageDraw.Draw(sheet, "RGBA")
    view = _View(draw, 0, 0, side, (west / E7, south / E7, east / E7, north / E7))
    near = tree.query(shapely.box(west - edge, south - edge, east + edge, north + edge))
    for i in sorted(near.tolist()):
        view.polygon(findings.shapes[i], (*_FILL, 160), _INK)
    if flaw.shape is not None:
        view.polygon(flaw.shape, (*COLOUR[flaw.what], 130), COLOUR[flaw.what], 2)
    area = "" if flaw.area_m2 is None else f"  {flaw.area_m2:.1f} m2"
    draw.rectangle((0, 0, _PANEL, 38), fill=(*_PAPER, 225))
    draw.text((4, 2), f"{number}  {flaw.what}{area}", fill=COLOUR[flaw.what], font=_font(16))
    draw.text((4, 21), f"{flaw.lon:.6f}, {flaw.lat:.6f}  {_latin(flaw.codes[0])}", fill=_INK, font=_font(12))
    draw.rectangle((0, 0, _PANEL - 1, side - 1), outline=_LINE)
    image.paste(sheet, (left, top))
