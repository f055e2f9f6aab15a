"""Bars in SVG, readable on light and dark pages."""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, LABEL, ROW, TOP = 840, 300, 30, 44
OURS, PEER, TEXT = "#c2410c", "#64748b", "#475569"


class Bar(NamedTuple):
    """One bar; `ours` stands out."""

    title: str
    value: float
    ours: bool


def bars(title: str, rows: list[Bar]) -> str:
    """Draw horizontal bars from zero, each with its value."""
    height = TOP + ROW * len(rows) + 8
    most = max((row.value for row in rows), default=1.0)
    scale = (WIDTH - LABEL - 110) / most
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="14" fill="{TEXT}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="20" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        length = max(1.0, row.value * scale)
        weight = ' font-weight="600"' if row.ours else ""
        parts += [
            f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end"{weight}>{escape(row.title)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="20" rx="2" fill="{OURS if row.ours else PEER}"/>',
            f'<text x="{LABEL + length + 6:.1f}" y="{y + 15}"{weight}>{row.value:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
