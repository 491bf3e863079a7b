"""Bar charts as SVG, drawn by hand: readable in light and dark, no library."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 860, 250, 130, 26, 56
_COLOURS = {"ours": "#2f6f4f", "peer": "#a0a7b4", "floor": "#b3543e", "goal": "#c99a2e"}


class Bar(NamedTuple):
    """One bar: what it is of, its value, whose it is, and marks on it (`floor`, `goal`) in the same unit."""

    label: str
    value: float
    kind: str = "ours"
    said: str = ""
    marks: tuple[tuple[str, float], ...] = ()


def bars(title: str, subtitle: str, rows: Sequence[Bar]) -> str:
    """Return a chart whose longest bar or mark fills the width."""
    longest = max([row.value for row in rows] + [at for row in rows for _, at in row.marks])
    room = _WIDTH - _LEFT - _RIGHT
    height = _TOP + _ROW * len(rows) + 14
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="16" y="41" fill="#555">{escape(subtitle)}</text>',
    ]
    for number, row in enumerate(rows):
        y = _TOP + _ROW * number
        length = max(1.0, row.value / longest * room)
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(row.label)}</text>')
        parts.append(f'<rect x="{_LEFT}" y="{y + 3}" width="{length:.1f}" height="17" fill="{_COLOURS[row.kind]}"/>')
        for kind, at in row.marks:
            x = _LEFT + at / longest * room
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 23}" stroke="{_COLOURS[kind]}" stroke-width="3"/>'
            )
        after = _LEFT + max([length] + [at / longest * room for _, at in row.marks]) + 7
        parts.append(f'<text x="{after:.1f}" y="{y + 16}">{escape(row.said or f"{row.value:,.0f}")}</text>')
    return "\n".join([*parts, "</svg>", ""])
