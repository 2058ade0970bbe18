"""Line plots as SVG, with nothing but text: one y axis from zero, seconds along x, a label at each line's end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 128, 30, 28
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#9a6700", "#0a7ea4", "#57606a")


def plot(title: str, unit: str, at_s: Sequence[float], lines: Mapping[str, Sequence[float | None]]) -> str:
    """An SVG document. None is a gap: nothing was measured then."""
    known = [v for values in lines.values() for v in values if v is not None]
    top = _round_up(max(known, default=1.0))
    end = max(at_s, default=1.0) or 1.0
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(second: float) -> float:
        return LEFT + wide * second / end

    def y(value: float) -> float:
        return TOP + high * (1 - value / top)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" font-size="13">{escape(title)} ({escape(unit)})</text>',
    ]
    for step in range(5):
        value = top * step / 4
        out.append(
            f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{LEFT + wide}" y2="{y(value):.1f}" stroke="#d0d7de"/>'
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for step in range(5):
        second = end * step / 4
        out.append(f'<text x="{x(second):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{_time(second)}</text>')
    taken: list[float] = []
    for number, (name, values) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        pieces: list[list[str]] = [[]]
        last = None
        for second, value in zip(at_s, values, strict=True):
            if value is None:
                pieces.append([])
                continue
            pieces[-1].append(f"{x(second):.1f},{y(value):.1f}")
            last = value
        out += [
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(piece)}"/>'
            for piece in pieces
            if piece
        ]
        if last is not None:
            at = y(last) + 4
            while any(abs(at - other) < 12 for other in taken):
                at -= 12
            taken.append(at)
            label = f"{name} {last:.3g}"
            out.append(f'<text x="{LEFT + wide + 6}" y="{at:.1f}" fill="{colour}">{escape(label)}</text>')
    return "\n".join([*out, "</svg>", ""])


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
