"""Draws lines on logarithmic axes as an SVG: titles and numbers come in, text goes out. It knows no benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 420, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 58, 46
COLOURS = ("#c2410c", "#0f766e", "#6d28d9")
GRID, INK, QUIET = "#e7e5e4", "#1c1917", "#78716c"

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """What was measured, and dashed, what arithmetic expects of the growth; values above 0."""

    name: str
    points: list[Point]
    expected: list[Point]


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    label: str
    axis: str
    lines: list[Line]


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis: where on the page a value lies."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Powers of ten; with 2 and 5 times those where they alone would be few."""
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1,), (1, 3), (1, 2, 5)):
            found = [factor * 10.0**power for power in exponents for factor in factors]
            found = [value for value in found if self.low <= value * 1.0001 and value <= self.high * 1.0001]
            if len(found) > 3:
                break
        return found


def plot(title: str, panels: Sequence[Panel]) -> str:
    """Panels side by side under a title; every line is named once, above the first panel."""
    width = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" '
        f'role="img" font-family="sans-serif" font-size="12" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{width - RIGHT}" y="20" text-anchor="end" fill="{QUIET}">dashed: what arithmetic says</text>',
    ]
    names = [line.name for line in panels[0].lines] if panels else []
    for place, name in enumerate(names):
        x = LEFT + 170 * place
        parts.append(f'<circle cx="{x + 4}" cy="38" r="4" fill="{COLOURS[place]}"/>')
        parts.append(f'<text x="{x + 14}" y="42">{escape(name)}</text>')
    for place, panel in enumerate(panels):
        parts.append(f'<g transform="translate({WIDTH * place} 0)">{_axes(panel, names)}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(panel: Panel, names: Sequence[str]) -> str:
    everything = [point for line in panel.lines for point in (*line.points, *line.expected)]
    if not everything:
        return ""
    xs, ys = [x for x, _ in everything], [y for _, y in everything]
    across = Scale(min(xs) / 1.1, max(xs) * 1.1, LEFT, WIDTH - RIGHT)
    up = Scale(min(ys) / 1.3, max(ys) * 1.3, HEIGHT - BOTTOM, TOP)
    parts = []
    for value in across.ticks():
        x = across(value)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{GRID}"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:,.6g}</text>')
    for value in up.ticks():
        y = up(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.6g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(panel.axis)}</text>')
    height = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="rotate(-90 14 {height})"'
    parts.append(f'<text x="14" y="{height}" {turned} text-anchor="middle">{escape(panel.label)}</text>')
    for line in panel.lines:
        colour = COLOURS[names.index(line.name) % len(COLOURS)] if line.name in names else QUIET
        for points, style in ((line.expected, ' stroke-dasharray="4 4" opacity="0.7"'), (line.points, "")):
            path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
            parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"{style}/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"/>' for x, y in line.points]
    return "".join(parts)
