"""The S2 cells of one level that a line or polygon reaches, or comes near to within a radius."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from aforo.kql.natives.geo_measures import ring_area
from aforo.kql.natives.geo_s2cells import MOST_LEVELS, SIZE, face_axes, number, on_face, square_point, token
from aforo.kql.natives.geo_shapes import Polygon, lines, polygons
from aforo.kql.natives.geo_sphere import RADIUS_M, Vector, angle, nearest
from aforo.kql.natives.spec import Native, UnansweredError, native, written
from aforo.kql.types import DYNAMIC, LONG, REAL

MOST_CELLS = 65_536
# What a float may be off on the square of a face.
_SLACK = 2e-15
Segment = tuple[float, float, float, float]


# No cell of level n has a greater area than this by 4 to the power of n, in the unit of the sphere's radius.
_GREATEST_AREA = 2.64
_GREATEST_DIAGONAL = 2.44
# Edges times cells.
MOST_TESTS = 1_500_000


class _TooManyError(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class _Part:
    """An edge, and where it lies on the face at hand."""

    a: Vector
    b: Vector
    flat: Segment | None


@dataclass(slots=True)
class _Covering:
    """`radius` is in radians."""

    level: int
    region: Sequence[Polygon]
    radius: float
    found: list[int]
    tests: int = 0

    def walk(self, face: int, i: int, j: int, size: int, parts: list[_Part]) -> None:
        """The cell from (i, j) on, which these parts of the border may reach."""
        self.tests += len(parts) * (20 if self.radius > 0 else 1)
        if self.tests > MOST_TESTS:
            raise UnansweredError("covering this shape with cells takes too long")
        low_u, high_u = on_face(i / SIZE), on_face((i + size) / SIZE)
        low_v, high_v = on_face(j / SIZE), on_face((j + size) / SIZE)
        inside = [p for p in parts if p.flat is not None and _reaches(p.flat, low_u, high_u, low_v, high_v)]
        if self.radius > 0:
            around = [(i, j), (i + size, j), (i + size, j + size), (i, j + size), (i, j)]
            corners = [square_point(face, *at) for at in around]
            reached = {id(p) for p in inside}
            inside += (p for p in parts if id(p) not in reached and _is_near(p, corners, self.radius))
        if not inside:
            middle = square_point(face, i + size / 2, j + size / 2)
            if not any(polygon.holds(middle) for polygon in self.region):
                return
        if size == 1 << (MOST_LEVELS - self.level):
            self.found.append(number(face, i, j, self.level))
            if len(self.found) > MOST_CELLS:
                raise _TooManyError
            return
        half = size // 2
        for di in (0, half):
            for dj in (0, half):
                self.walk(face, i + di, j + dj, half, inside)


def _reaches(s: Segment, low_u: float, high_u: float, low_v: float, high_v: float) -> bool:
    """Whether a segment meets a rectangle, its sides included."""
    au, av, bu, bv = s
    low_u, high_u, low_v, high_v = low_u - _SLACK, high_u + _SLACK, low_v - _SLACK, high_v + _SLACK
    if max(au, bu) < low_u or min(au, bu) > high_u or max(av, bv) < low_v or min(av, bv) > high_v:
        return False
    # The corners lie on both sides of the line, or one lies on it.
    du, dv = bu - au, bv - av
    sides = [du * (v - av) - dv * (u - au) for u in (low_u, high_u) for v in (low_v, high_v)]
    return min(sides) <= 0 <= max(sides)


def _is_near(part: _Part, corners: Sequence[Vector], radius: float) -> bool:
    """Whether an edge that does not reach a cell comes so near to it."""
    return any(angle(c, nearest(c, part.a, part.b)) <= radius for c in corners) or any(
        angle(end, nearest(end, c, d)) <= radius for end in (part.a, part.b) for c, d in pairwise(corners)
    )


def _on_face(a: Vector, b: Vector, face: int) -> Segment | None:
    """The part of an edge that lies on a face of the cube, flat."""
    (u0, v0, w0), (u1, v1, w1) = face_axes(face, a), face_axes(face, b)
    start, end = 0.0, 1.0
    for from_, to in (
        (w0 - u0, w1 - u1), (w0 + u0, w1 + u1), (w0 - v0, w1 - v1), (w0 + v0, w1 + v1),
    ):  # fmt: skip
        # Inside is where this is not below 0.
        if from_ < -_SLACK and to < -_SLACK:
            return None
        if from_ < 0 <= to:
            start = max(start, from_ / (from_ - to))
        elif to < 0 <= from_:
            end = min(end, from_ / (from_ - to))
    if start > end:
        return None
    out: list[float] = []
    for t in (start, end):
        w = w0 + (w1 - w0) * t
        if w <= 0:
            return None
        out += ((u0 + (u1 - u0) * t) / w, (v0 + (v1 - v0) * t) / w)
    return out[0], out[1], out[2], out[3]


def _cover(
    edges: Sequence[tuple[Vector, Vector]],
    region: Sequence[Polygon],
    level: int | None,
    radius: float | None,
) -> str | None:
    if level is None or not 0 <= level <= MOST_LEVELS or radius is None or not 0 <= radius < math.inf:
        return None
    length = max(angle(a, b) for a, b in edges)
    reach = math.pi * min(radius / RADIUS_M, 2) ** 2 * (2 / math.pi) ** 2
    if length * 2**level > MOST_CELLS * _GREATEST_DIAGONAL or reach * 4**level > MOST_CELLS * _GREATEST_AREA:
        return None
    covering = _Covering(level, region, radius / RADIUS_M, [])
    try:
        for face in range(6):
            covering.walk(face, 0, 0, SIZE, [_Part(a, b, _on_face(a, b, face)) for a, b in edges])
    except _TooManyError:
        return None
    return written([token(cell) for cell in sorted(covering.found)])


def line_cells(json: str | None, level: int | None, radius: float | None) -> str | None:
    shape = lines(json)
    return None if shape is None else _cover([e for part in shape for e in part.edges()], (), level, radius)


def polygon_cells(json: str | None, level: int | None, radius: float | None) -> str | None:
    shape = polygons(json)
    # Looked at before it becomes a power.
    if shape is None or level is None or not 0 <= level <= MOST_LEVELS:
        return None
    area = max(ring_area(p.shell) - sum(ring_area(hole) for hole in p.holes) for p in shape)
    if area * 4**level > MOST_CELLS * _GREATEST_AREA:
        return None
    return _cover([e for part in shape for e in part.edges()], shape, level, radius)


NATIVES: tuple[Native, ...] = (
    native("geo_line_to_s2cells", line_cells, DYNAMIC, DYNAMIC, LONG, REAL, defaults={1: 11, 2: 0}),
    native("geo_polygon_to_s2cells", polygon_cells, DYNAMIC, DYNAMIC, LONG, REAL, defaults={1: 11, 2: 0}),
)
