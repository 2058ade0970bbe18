"""Draws docs/pictures/outage.svg: plays `aforo demo outage` once and keeps its screen as frames of an animation.

Each frame is what the command shows on a terminal (aforo.cli.outage.picture), when it showed it; nothing is written by hand.
Run: .venv/bin/python -m docs.outage_picture. `--frames DIR` writes each one as a picture that stands still besides.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.segment import Segment

from aforo.cli.outage.picture import drawn
from aforo.cli.outage.stage import Stage
from aforo.cli.outage.story import CLIENTS, TRIP, WORKERS, Now, Outage, Told

PICTURE = Path(__file__).parent / "pictures" / "outage.svg"
SPEED = 1.5
LAST_S = 4.5  # how long the end stands
COLUMNS = 80
CHARACTER, LINE, SIZE, EDGE, HEAD = 8.4, 21, 14, 22, 40
COLOURS = {"": "#d0d7de", "dim": "#8b949e", "red": "#ff7b72", "green": "#56d364", "yellow": "#e3b341"}
BAR = "#388bfd"

# A line of the screen: (column, text, class).
Line = tuple[tuple[int, str, str], ...]


@dataclass
class Recorder:
    """The `Screen` of an outage: keeps each state with its time. The end stands on its last frame."""

    every_s = 0.5
    frames: list[tuple[float, list[Line]]] = field(default_factory=list)
    _events: list[tuple[float, str]] = field(default_factory=list)
    _now: Now = field(default_factory=lambda: Now(0.0))

    def now(self, now: Now) -> None:
        self._now = now
        self._keep(now.at_s)

    def event(self, at_s: float, what: str) -> None:
        self._events.append((at_s, what))
        self._keep(at_s)

    def end(self, told: Told) -> None:
        last_s = self.frames[-1][0]
        self.frames.append((last_s, lines_of(self._now, self._events, told)))

    def _keep(self, at_s: float) -> None:
        self.frames.append((at_s, lines_of(self._now, self._events)))


def lines_of(now: Now, events: list[tuple[float, str]], told: Told | None = None) -> list[Line]:
    """The screen of the command, line by line."""
    console = Console(width=COLUMNS, color_system="standard", force_terminal=True, highlight=False)
    lines = console.render_lines(drawn(now, events, told), pad=False)
    return [_line(line) for line in lines]


def _line(segments: list[Segment]) -> Line:
    found: list[tuple[int, str, str]] = []
    at = 0
    for segment in segments:
        if text := segment.text.strip():
            column = at + len(segment.text) - len(segment.text.lstrip())
            style = segment.style
            colour = style.color.name if style is not None and style.color is not None else ""
            kind = "dim" if style is not None and style.dim else colour
            found.append((column, text, f"{kind} b" if style is not None and style.bold else kind))
        at += len(segment.text)
    return tuple(found)


def _drawn(line: Line) -> str:
    """The elements of one line, at height 0. What is said in green alone is the end of it, and large."""
    if [kind for _, _, kind in line] == ["green b"]:
        return f'<text y="6" class="green b end">{escape(line[0][1])}</text>'
    out = []
    for column, text, kind in line:
        x = column * CHARACTER
        if set(text) == {"█"}:
            out.append(
                f'<rect x="{x:.1f}" y="-12" width="{len(text) * CHARACTER:.1f}" height="14" rx="2" fill="{BAR}"/>'
            )
            continue
        # Whatever font there is, columns stand below each other.
        width = f'textLength="{len(text) * CHARACTER:.1f}" lengthAdjust="spacingAndGlyphs"'
        named = f' class="{kind}"' if kind else ""
        out.append(f'<text x="{x:.1f}"{named} {width}>{escape(text)}</text>')
    return "".join(out)


def svg(frames: list[tuple[float, list[Line]]], only: int | None = None) -> str:
    """The animation; with `only`, one of its frames as a picture that stands still."""
    starts = [at_s / SPEED for at_s, _ in frames]
    whole_s = starts[-1] + LAST_S
    rows = max(len(lines) for _, lines in frames)
    width, height = round(COLUMNS * CHARACTER + 2 * EDGE), HEAD + rows * LINE + 2 * EDGE
    numbers: dict[Line, int] = {}
    for _, lines in frames:
        for line in lines:
            if line:
                numbers.setdefault(line, len(numbers))
    style = [
        "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        f"font-size:{SIZE}px;fill:{COLOURS['']};white-space:pre}}",
        *(f".{name}{{fill:{colour}}}" for name, colour in COLOURS.items() if name),
        ".b{font-weight:700}",
        ".end{font-size:18px}",
    ]
    groups = []
    for index, (start_s, (_, lines)) in enumerate(zip(starts, frames, strict=True)):
        last = index == len(frames) - 1
        if only is not None and index != only:
            continue
        if only is None:
            begin = 100 * start_s / whole_s
            end = 100.0 if last else 100 * starts[index + 1] / whole_s
            # Who shows no motion sees the end.
            at_first = "visible" if last else "hidden"
            style.append(
                f"#f{index}{{visibility:{at_first};animation:k{index} {whole_s:.2f}s step-end infinite}}"
            )
            steps = [f"0%{{visibility:{'visible' if not index else 'hidden'}}}"]
            steps += [f"{begin:.2f}%{{visibility:visible}}"] if index else []
            steps += [] if last else [f"{end:.2f}%{{visibility:hidden}}"]
            style.append(f"@keyframes k{index}{{{''.join(steps)}}}")
        uses = "".join(
            f'<use href="#l{numbers[line]}" y="{row * LINE}"/>' for row, line in enumerate(lines) if line
        )
        groups.append(f'<g id="f{index}">{uses}</g>')
    outline = f'<rect width="{width}" height="{height}" rx="10"'
    passed = f'<rect y="{height - 4}" width="{width}" height="4" fill="{BAR}"/>'
    if only is None:
        style.append("@keyframes p{0%{transform:scaleX(0)}100%{transform:scaleX(1)}}")
        style.append(f"#p{{animation:p {whole_s:.2f}s linear infinite}}")
        style.append("@media(prefers-reduced-motion:reduce){g,#p{animation:none!important}}")
    head = f"two regions, {WORKERS} workers, {CLIENTS} clients; {SPEED:g} times as fast"
    defs = "".join(f'<g id="l{number}">{_drawn(line)}</g>' for line, number in numbers.items())
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" aria-label="aforo demo outage">',
            f"<style>{''.join(style)}</style>",
            f'<defs><clipPath id="c">{outline}/></clipPath>{defs}</defs>',
            f'{outline} fill="#0d1117"/>',
            f'<text x="{EDGE}" y="{HEAD - 13}" class="b">$ aforo demo outage</text>',
            f'<text x="{width - EDGE}" y="{HEAD - 13}" class="dim" text-anchor="end">{head}</text>',
            f'<rect y="{HEAD}" width="{width}" height="1" fill="#30363d"/>',
            f'<g transform="translate({EDGE} {HEAD + EDGE + 8})">{"".join(groups)}</g>',
            f'<g clip-path="url(#c)"><g id="p">{passed}</g></g>',
            "</svg>",
            "",
        )
    )


def frames_of(seconds: float) -> list[tuple[float, list[Line]]]:
    """Plays it. Ends the program when a call failed or a row was lost: that is no picture of ours."""
    recorder = Recorder()
    with Stage(WORKERS, max(1, round(seconds * TRIP))) as stage:
        told = asyncio.run(Outage(stage, seconds, recorder).play())
    if not told.well:
        sys.exit("a call failed or a row was lost: nothing is drawn")
    recorder.end(told)
    frames = recorder.frames
    # What changed within a tenth of a second is one frame.
    return [a for a, b in pairwise(frames) if b[0] - a[0] > 0.1 or a[0] == 0] + [frames[-1]]


def main() -> None:
    asked = argparse.ArgumentParser(description="Draw docs/pictures/outage.svg from a run.")
    asked.add_argument("--seconds", type=float, default=15.0)
    asked.add_argument("--frames", type=Path)
    given = asked.parse_args()
    frames = frames_of(given.seconds)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(svg(frames))
    if given.frames is not None:
        given.frames.mkdir(parents=True, exist_ok=True)
        for index in range(len(frames)):
            (given.frames / f"{index:03d}.svg").write_text(svg(frames, index))
    print(f"{PICTURE.name}: {len(frames)} frames, {PICTURE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
