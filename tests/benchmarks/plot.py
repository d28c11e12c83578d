"""An SVG of paired figures, drawn without a plotting library."""

from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, ROW = 900, 215, 24, 74, 34
GAP = 46
OWN, OURS, INK, FAINT, PAPER = "#8a8f98", "#0b6e4f", "#1b1f24", "#dfe2e6", "#ffffff"
PANELS = ("ROC-AUC", "average precision")


class Pair(NamedTuple):
    name: str
    note: str
    own: tuple[float, float]
    """ROC-AUC and average precision."""
    ours: tuple[float, float]


def dumbbells(pairs: list[Pair]) -> str:
    """Return two panels with one line per peer, from its figure to streamae's on the same rows."""
    height = TOP + ROW * len(pairs) + 40
    panel = (WIDTH - LEFT - RIGHT - GAP) // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        *_legend(),
    ]
    for row, pair in enumerate(pairs):
        y = TOP + ROW * row + ROW // 2
        parts.append(_text(LEFT - 14, y - 1, pair.name, anchor="end", weight="bold"))
        parts.append(_text(LEFT - 14, y + 12, pair.note, anchor="end", size=10, fill="#5b6068"))
    for place, title in enumerate(PANELS):
        x = LEFT + place * (panel + GAP)
        parts += _panel(pairs, place, title, x, panel)
    return "\n".join([*parts, "</svg>", ""])


def _panel(pairs: list[Pair], place: int, title: str, left: int, width: int) -> list[str]:
    values = [figure for pair in pairs for figure in (pair.own[place], pair.ours[place])]
    low, high = int(min(values) * 10) / 10, (int(max(values) * 10) + 1) / 10
    bottom = TOP + ROW * len(pairs)

    def at(value: float) -> float:
        return left + width * (value - low) / (high - low)

    parts = [_text(left, TOP - 12, title, weight="bold", size=13)]
    for tenth in range(round(low * 10), round(high * 10) + 1):
        x = at(tenth / 10)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{FAINT}"/>')
        parts.append(_text(x, bottom + 18, f"{tenth / 10:.1f}", anchor="middle", size=11))
    for row, pair in enumerate(pairs):
        y = TOP + ROW * row + ROW / 2
        own, ours = at(pair.own[place]), at(pair.ours[place])
        parts.append(
            f'<line x1="{own:.1f}" y1="{y}" x2="{ours:.1f}" y2="{y}"'
            f' stroke="{OWN}" stroke-width="2.5" stroke-opacity="0.6"/>'
        )
        for x, fill in ((own, OWN), (ours, OURS)):
            parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="5.5" fill="{fill}"/>')
    return parts


def _legend() -> list[str]:
    return [
        _text(
            16, 26, "Online anomaly detectors, mean over labelled streams", weight="bold", size=15
        ),
        f'<circle cx="600" cy="21" r="5.5" fill="{OWN}"/>',
        _text(611, 25, "the detector named"),
        f'<circle cx="738" cy="21" r="5.5" fill="{OURS}"/>',
        _text(749, 25, "streamae, same rows"),
    ]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    weight: str = "normal",
    size: int = 12,
    fill: str = INK,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
        f' font-size="{size}" fill="{fill}">{escape(text)}</text>'
    )
