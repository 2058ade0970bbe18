"""What polygons have in common, and what they are together. Knows no JSON.

All borders are cut where they cross; the pieces that lie outside (or inside) of the other region are put together
again. A piece that both have is kept once where both lie on one side of it, and not at all where they lie on either.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from aforo.kql.natives.geo_shapes import Polygon, Ring, ring_of
from aforo.kql.natives.geo_sphere import (
    Vector,
    cross,
    crossing,
    dot,
    meeting,
    minus,
    norm,
    normal,
    plus,
    times,
    triangle_area,
    unit,
)
from aforo.kql.natives.spec import UnansweredError

Region = tuple[Polygon, ...]
# Edges of one region times those of the other.
MOST_PAIRS = 4_000_000
# A few nanometres on the earth.
_SAME = 1e-15


@dataclass(frozen=True, slots=True)
class _Piece:
    """Of an edge that has its region on its left; `edge` numbers the edges of both regions, `part` the pieces of one."""

    start: Vector
    end: Vector
    edge: int
    part: int


def union(a: Region, b: Region) -> Region:
    return _combined(a, b, inside=False)


def intersection(a: Region, b: Region) -> Region:
    return _combined(a, b, inside=True)


def united(regions: Sequence[Region]) -> Region:
    """Many regions together; the two with the fewest corners first, again and again."""
    queue = [(_corners(region), region) for region in regions]
    while len(queue) > 1:
        queue.sort(key=lambda item: item[0])
        (m, a), (n, b), *queue = queue
        queue.append((m + n, union(a, b)))
    return queue[0][1] if queue else ()


def _corners(region: Region) -> int:
    return sum(len(ring.points) - 1 for polygon in region for ring in polygon.rings)


def _combined(a: Region, b: Region, *, inside: bool) -> Region:
    left, right = list(_edges(a)), list(_edges(b))
    if len(left) * len(right) > MOST_PAIRS:
        raise UnansweredError("these polygons have too many edges to be laid over each other")
    cuts: dict[int, list[Vector]] = defaultdict(list)
    upright = [normal(r, s) for r, s in right]
    for i, (p, q) in enumerate(left):
        n = normal(p, q)
        for j, ((r, s), m) in enumerate(zip(right, upright, strict=True), len(left)):
            ends = [v for v in (r, s) if _lies_on(v, p, q, n)], [v for v in (p, q) if _lies_on(v, r, s, m)]
            if ends[0] or ends[1]:
                cuts[i] += ends[0]
                cuts[j] += ends[1]
            elif crossing(p, q, r, s) > 0:
                at = meeting(p, q, r, s)
                cuts[i].append(at)
                cuts[j].append(at)
    pieces = [_cut(left, 0, cuts), _cut(right, len(left), cuts)]
    shared = {(x.start, x.end) for x in pieces[0]}
    twins = {(x.start, x.end) for x in pieces[1]}
    kept: list[_Piece] = []
    for own, other, region in ((pieces[0], twins, b), (pieces[1], shared, a)):
        for piece in own:
            if (piece.end, piece.start) in other:
                continue
            if (piece.start, piece.end) in other:
                if own is pieces[0]:
                    kept.append(piece)
                continue
            middle = unit(plus(piece.start, piece.end))
            if any(polygon.holds(middle) for polygon in region) == inside:
                kept.append(piece)
    return _assembled(_loops(kept))


def _lies_on(v: Vector, p: Vector, q: Vector, n: Vector) -> bool:
    """Whether a corner lies on an edge, between its ends, as far as floats can tell."""
    return abs(dot(v, n)) < _SAME and v not in (p, q) and dot(cross(n, p), v) > 0 > dot(cross(n, q), v)


def _edges(region: Region) -> Iterable[tuple[Vector, Vector]]:
    """With the region on the left: holes run the other way round."""
    for polygon in region:
        yield from polygon.shell.edges()
        for hole in polygon.holes:
            yield from pairwise(hole.points[::-1])


def _cut(edges: Sequence[tuple[Vector, Vector]], first: int, cuts: dict[int, list[Vector]]) -> list[_Piece]:
    out: list[_Piece] = []
    for i, (p, q) in enumerate(edges, first):
        stops = sorted(set(cuts.get(i, ())) - {p, q}, key=lambda at: norm(minus(at, p)))
        out += (_Piece(s, e, i, part) for part, (s, e) in enumerate(pairwise((p, *stops, q))))
    return out


def _loops(pieces: list[_Piece]) -> list[list[_Piece]]:
    """The pieces put together: at each end the next one clockwise, so that what they hold stays on the left."""
    leaving: dict[Vector, list[_Piece]] = defaultdict(list)
    for piece in pieces:
        leaving[piece.start].append(piece)
    out: list[list[_Piece]] = []
    for first in pieces:
        if first not in leaving[first.start]:
            continue
        loop: list[_Piece] = []
        piece = first
        while True:
            leaving[piece.start].remove(piece)
            loop.append(piece)
            if piece.end == first.start:
                break
            options = leaving[piece.end]
            if not options:
                # What does not close is thinner than a float can tell.
                loop = []
                break
            piece = options[0] if len(options) == 1 else min(options, key=lambda o: _clockwise(piece, o))
        if len(loop) > 2:
            out.append(loop)
    return out


def _clockwise(come: _Piece, go: _Piece) -> float:
    """The angle from the way back to the way on, clockwise, above 0."""
    at = come.end
    back, on = minus(come.start, at), minus(go.end, at)
    turned = math.atan2(dot(cross(on, back), at), dot(on, back) - dot(on, at) * dot(back, at))
    return turned if turned > 0 else turned + 2 * math.pi


def _assembled(loops: list[list[_Piece]]) -> Region:
    shells: list[Ring] = []
    holes: list[Ring] = []
    for loop in loops:
        points = tuple(piece.start for piece in _rotated(loop))
        around = sum(triangle_area(points[0], p, q) for p, q in pairwise(points[1:])) % (4 * math.pi)
        ring = ring_of(points)
        if ring is not None:
            (holes if around > 2 * math.pi else shells).append(ring)
    owned: dict[int, list[Ring]] = defaultdict(list)
    for hole in holes:
        middle = unit(plus(hole.points[0], hole.points[1]))
        around_it = [(_area(s), i) for i, s in enumerate(shells) if s.holds(middle)]
        if around_it:
            owned[min(around_it)[1]].append(hole)
    return tuple(Polygon(shell, tuple(owned[i])) for i, shell in enumerate(shells))


def _rotated(loop: list[_Piece]) -> list[_Piece]:
    """The same loop, with the last piece of its last edge at the end."""
    last = max(range(len(loop)), key=lambda i: (loop[i].edge, loop[i].part))
    return loop[last + 1 :] + loop[: last + 1]


def _area(ring: Ring) -> float:
    first, *rest = ring.points
    return sum(triangle_area(first, p, q) for p, q in pairwise(rest)) % (4 * math.pi)


# -- lines in polygons ------------------------------------------------------------------------------------


def inside(points: Sequence[Vector], region: Region) -> list[list[Vector]]:
    """The parts of a line that lie in the region."""
    border = list(_edges(region))
    if len(points) * len(border) > MOST_PAIRS:
        raise UnansweredError("this line and these polygons have too many edges to be laid over each other")
    out: list[list[Vector]] = []
    for p, q in pairwise(points):
        at = {meeting(p, q, r, s) for r, s in border if crossing(p, q, r, s) > 0} - {p, q}
        stops = sorted(at, key=lambda x: norm(minus(x, p)))
        for start, end in pairwise((p, *stops, q)):
            if any(polygon.holds(unit(times(plus(start, end), 0.5))) for polygon in region):
                if out and out[-1][-1] == start:
                    out[-1].append(end)
                else:
                    out.append([start, end])
    return out
