"""A picture of a benchmark's samples: lines in panels, as an SVG for light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 340, 150, 64, 64, 76
COLOURS = ("#2f81f7", "#d29922", "#3fb950")
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #57606a }
.title { font-size: 15px; fill: #24292f } .name { font-size: 13px; fill: #24292f }
.axis { stroke: #8c959f; fill: none } .grid { stroke: #8c959f; opacity: .3 }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .title, .name { fill: #e6edf3 }
}
</style>"""


@dataclass(frozen=True, slots=True)
class Line:
    """Points from left to right, and what they are called where a panel has several lines."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over one axis, which begins at 0."""

    name: str
    unit: str
    lines: Sequence[Line]


def plot(title: str, across: str, panels: Sequence[Panel]) -> str:
    """The SVG of `panels`, two in a row; `across` is what their horizontal axes count."""
    rows = -(-len(panels) // 2)
    width, height = 2 * (LEFT + WIDTH) + 40, TOP + rows * (HEIGHT + GAP)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">'
        ),
        STYLE,
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
    ]
    for index, panel in enumerate(panels):
        x, y = LEFT + index % 2 * (LEFT + WIDTH), TOP + index // 2 * (HEIGHT + GAP)
        parts += [f'<g transform="translate({x} {y})">', *_panel(panel, across), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, across: str) -> Iterator[str]:
    points = [point for line in panel.lines for point in line.points]
    step = _step(max(y for _, y in points))
    right = max(x for x, _ in points)
    n_steps = int(max(y for _, y in points) / step) + 1
    name = f"{panel.name}, {panel.unit}" if panel.unit else panel.name
    yield f'<text class="name" x="0" y="-12">{escape(name)}</text>'
    for index in range(n_steps + 1):
        y = HEIGHT - HEIGHT * index / n_steps
        yield f'<path class="grid" d="M0 {y:.1f}H{WIDTH}"/>'
        yield f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{index * step:g}</text>'
    for index in range(5):
        x = WIDTH * index / 4
        label = f"{right * index / 4:,.0f}" + (f" {across}" if index == 4 else "")
        yield f'<text x="{x:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{label}</text>'
    yield f'<path class="axis" d="M0 0V{HEIGHT}H{WIDTH}"/>'
    for index, line in enumerate(panel.lines):
        colour = COLOURS[index]
        spots = [
            (WIDTH * x / right, HEIGHT - HEIGHT * y / (n_steps * step)) for x, y in line.points
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        yield f'<polyline class="line" stroke="{colour}" points="{path}"/>'
        if line.name:
            x = WIDTH * index / 3
            yield f'<path stroke="{colour}" stroke-width="2" d="M{x:.1f} {HEIGHT + 36}h16"/>'
            yield f'<text x="{x + 22:.1f}" y="{HEIGHT + 40}">{escape(line.name)}</text>'


def _step(highest: float) -> float:
    """A round number of which three to seven make `highest`."""
    step = 1.0
    while highest / step > 7:
        step *= 10
    for finer in (2, 5, 10):
        while highest / step < 3 and highest / (step / finer) <= 7:
            step /= finer
    return step
