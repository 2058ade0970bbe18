"""Line plots as SVG, with nothing but text: one y axis from zero, seconds along x, a label at each line's end. They are
drawn for a light page and a dark one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 150, 44, 34
LABEL = 14  # the height of a label
# One colour in two strengths each: readable on white, and on a dark page.
COLOURS = (
    ("#1f6feb", "#58a6ff"),
    ("#d1242f", "#ff7b72"),
    ("#1a7f37", "#56d364"),
    ("#8250df", "#d2a8ff"),
    ("#9a6700", "#e3b341"),
    ("#0a7ea4", "#39c5cf"),
    ("#57606a", "#8b949e"),
)


def plot(
    title: str,
    unit: str,
    at_s: Sequence[float],
    lines: Mapping[str, Sequence[float | None]],
    *,
    warm_s: float = 0.0,
) -> str:
    """An SVG document. None is a gap: nothing was measured then. The time until `warm_s` is shaded."""
    known = [v for values in lines.values() for v in values if v is not None]
    top = _round_up(max(known, default=1.0))
    end = max(at_s, default=1.0) or 1.0
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(second: float) -> float:
        return LEFT + wide * second / end

    def y(value: float) -> float:
        return TOP + high * (1 - value / top)

    heading = f"{title} ({unit})" if unit else title
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(heading)}</title>",
        _style(len(lines)),
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text x="{LEFT}" y="26" class="head">{escape(heading)}</text>',
    ]
    if warm_s:
        out += [
            f'<rect class="warm" x="{LEFT}" y="{TOP}" width="{x(warm_s) - LEFT:.1f}" height="{high}"/>',
            f'<text x="{LEFT + 6}" y="{TOP + 13}" class="axis">warming up</text>',
        ]
    for step in range(5):
        value = top * step / 4
        out.append(
            f'<line class="grid" x1="{LEFT}" y1="{y(value):.1f}" x2="{LEFT + wide}" y2="{y(value):.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" class="axis" text-anchor="end">{value:g}</text>'
        )
    for step in range(5):
        second = end * step / 4
        out.append(
            f'<text x="{x(second):.1f}" y="{HEIGHT - 12}" class="axis" text-anchor="middle">{_time(second)}</text>'
        )
    ends: dict[str, float] = {}
    for number, (name, values) in enumerate(lines.items()):
        pieces: list[list[str]] = [[]]
        for second, value in zip(at_s, values, strict=True):
            if value is None:
                pieces.append([])
                continue
            pieces[-1].append(f"{x(second):.1f},{y(value):.1f}")
            ends[name] = value
        out += [f'<polyline class="l{number}" points="{" ".join(piece)}"/>' for piece in pieces if piece]
    places = _apart({name: y(value) + 4 for name, value in ends.items()}, TOP + 4, HEIGHT - BOTTOM + 4)
    for number, name in enumerate(lines):
        if name in ends:
            label = f"{name} {ends[name]:.3g}"
            out.append(
                f'<text x="{LEFT + wide + 8}" y="{places[name]:.1f}" class="t{number}">{escape(label)}</text>'
            )
    return "\n".join([*out, "</svg>", ""])


def _style(lines: int) -> str:
    def colours(dark: int) -> str:
        return "".join(
            f".l{n}{{stroke:{COLOURS[n % len(COLOURS)][dark]}}}.t{n}{{fill:{COLOURS[n % len(COLOURS)][dark]}}}"
            for n in range(lines)
        )

    return (
        "<style>text{font:12px system-ui,sans-serif}.head{font-size:14px;font-weight:600;fill:#1f2328}"
        ".axis{fill:#59636e;font-size:11px}.page{fill:#fff}.grid{stroke:#d8dee4}.warm{fill:#818b981f}"
        "polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}"
        f"{colours(0)}@media (prefers-color-scheme:dark){{.page{{fill:#0d1117}}.head{{fill:#e6edf3}}"
        f".axis{{fill:#9198a1}}.grid{{stroke:#30363d}}{colours(1)}}}</style>"
    )


def _apart(wanted: Mapping[str, float], top: float, bottom: float) -> dict[str, float]:
    """Places for labels as near to those wanted as can be without one over the other."""
    order = sorted(wanted, key=lambda name: wanted[name])
    places = {name: max(wanted[name], top) for name in order}
    for above, below in pairwise(order):
        places[below] = max(places[below], places[above] + LABEL)
    lowest = bottom
    for name in reversed(order):
        places[name] = min(places[name], lowest)
        lowest = places[name] - LABEL
    return places


def _round_up(value: float) -> float:
    """The next 1, 2, 2.5, 4, 5, 8 or 10 times a power of ten: quarters of it read well."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    while power > value:
        power /= 10
    return next(m * power for m in (1, 2, 4, 8, 10, 20) if m * power >= value)


def _time(second: float) -> str:
    minutes, rest = divmod(round(second), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
