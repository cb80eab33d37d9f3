"""A figure of predicted against measured values, as SVG text: both axes logarithmic, one colour for each chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 760, 560
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 20, 48
RADIUS = 2.6
BAND = 0.18
"""Relative half-width of the band around the diagonal."""
COLOURS = (
    "#2f6fde", "#d9480f", "#2b8a3e", "#9c36b5", "#c2255c", "#0b7285", "#e67700", "#5f3dc4", "#74b816", "#868e96",
    "#1098ad", "#a61e4d",
)  # fmt: skip
"""One for each series, over again when they run out; told apart on light and on dark ground."""

STYLE = (
    ".t{font:12px system-ui,sans-serif;fill:#343a40}.g{stroke:#dee2e6}.l{stroke:#495057}.b{fill:#adb5bd;opacity:.25}"
    "@media(prefers-color-scheme:dark){.t{fill:#ced4da}.g{stroke:#373a40}.l{stroke:#adb5bd}}"
)

Point = tuple[float, float, str]
"""Measured, predicted, and what the point is."""


def draw_scatter(series: Mapping[str, Sequence[Point]], unit: str, quantity: str) -> str:
    """Return an SVG document of the points of each series; values that are not above zero are left out."""
    kept = {name: [p for p in points if p[0] > 0 and p[1] > 0] for name, points in series.items()}
    kept = {name: points for name, points in kept.items() if points}
    values = [v for points in kept.values() for p in points for v in p[:2]] or [1.0]
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(quantity)}: predicted against measured"><style>{STYLE}</style>'
    ]
    parts += _axes(low, high, unit, quantity)
    for place, (name, points) in enumerate(kept.items()):
        colour = COLOURS[place % len(COLOURS)]
        parts.append(f'<g fill="{colour}" fill-opacity=".6">')
        parts += [_dot(p, low, high) for p in points]
        parts.append("</g>")
        y = TOP + 14 + 18 * place
        parts.append(f'<circle cx="{WIDTH - RIGHT + 18}" cy="{y - 4}" r="5" fill="{colour}"/>')
        label = f"{name} ({len(points):,})"
        parts.append(f'<text class="t" x="{WIDTH - RIGHT + 30}" y="{y}">{escape(label)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(low: int, high: int, unit: str, quantity: str) -> Iterator[str]:
    ends = [_place(10.0**low, low, high), _place(10.0**high, low, high)]
    above, below = (log10(1.0 + BAND), log10(1.0 - BAND))
    scale = (ends[1][0] - ends[0][0]) / (high - low)
    tall = (ends[0][1] - ends[1][1]) / (high - low)
    x0, y0, x1, y1 = *ends[0], *ends[1]
    yield (
        f'<clipPath id="c"><rect x="{x0}" y="{y1}" width="{x1 - x0}" height="{y0 - y1}"/></clipPath>'
        f'<polygon class="b" clip-path="url(#c)" points="{x0},{y0 - above * tall:.1f} {x1},{y1 - above * tall:.1f} '
        f'{x1},{y1 - below * tall:.1f} {x0},{y0 - below * tall:.1f}"/>'
    )
    for power in range(low, high + 1):
        x, y = x0 + (power - low) * scale, y0 - (power - low) * tall
        yield f'<path class="g" d="M{x:.1f} {y0}V{y1}M{x0} {y:.1f}H{x1}"/>'
        yield f'<text class="t" x="{x:.1f}" y="{y0 + 18}" text-anchor="middle">{10.0**power:g}</text>'
        yield f'<text class="t" x="{x0 - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
    yield f'<path class="l" d="M{x0} {y0}L{x1} {y1}"/>'
    middle = (x0 + x1) / 2
    yield (
        f'<text class="t" x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">measured {escape(quantity)}, {unit}</text>'
    )
    up = (y0 + y1) / 2
    yield f'<text class="t" transform="translate(14 {up}) rotate(-90)" text-anchor="middle">predicted, {unit}</text>'


def _dot(point: Point, low: int, high: int) -> str:
    x, y = _place(point[0], low, high)[0], _place(point[1], low, high)[1]
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"><title>{escape(point[2])}</title></circle>'


def _place(value: float, low: int, high: int) -> tuple[float, float]:
    share = (log10(value) - low) / (high - low)
    return LEFT + share * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
