"""A small SVG plot: shares over the number of sites, on a logarithmic scale."""

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 20, 44
TITLE = "Requests that arrived, by the number of sites"
COLOURS = ("#1b5e9b", "#b3541e")


def plot(lines: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """Return an SVG of lines of (sites, share that arrived)."""
    counts = sorted({sites for line in lines.values() for sites, _ in line})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{TITLE}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for percent in range(0, 101, 25):
        y = _y(percent / 100)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for sites in counts:
        x = _x(sites, counts)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{sites}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">sites in 15 by 15 km</text>')
    for number, (name, line) in enumerate(lines.items()):
        parts += _line(number, name, line, counts)
    return "\n".join([*parts, "</svg>", ""])


def _line(number: int, name: str, line: Sequence[tuple[int, float]], counts: Sequence[int]) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    points = [(_x(sites, counts), _y(arrived)) for sites, arrived in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    y = HEIGHT - BOTTOM - 40 + 18 * number
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points),
        f'<text x="{LEFT + 12}" y="{y}" fill="{colour}">{name}: arrived</text>',
    ]


def _x(sites: int, counts: Sequence[int]) -> float:
    low, high = math.log(counts[0]), math.log(counts[-1])
    part = (math.log(sites) - low) / (high - low) if high > low else 0.5
    return LEFT + 10 + part * (WIDTH - LEFT - RIGHT - 30)


def _y(part: float) -> float:
    return TOP + (1 - part) * (HEIGHT - TOP - BOTTOM)
