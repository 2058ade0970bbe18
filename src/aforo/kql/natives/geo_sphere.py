"""Geometry on the unit sphere: points are vectors (x, y, z), edges the shorter arcs between two of them.

The predicates never err: where floats do not decide they count in fractions, and where three points lie on one great
circle they are told apart by an infinitesimal move of each, always the same one.
"""

from __future__ import annotations

import math
from fractions import Fraction

# Kusto's earth, in metres.
RADIUS_M = 6_371_010.0
Vector = tuple[float, float, float]
# Where a ray for containment starts: nobody's coordinates.
ORIGIN: Vector = (-0.0099994664350250197, 0.0025924542609324121, 0.99994664350250195)


def vector(longitude: float, latitude: float) -> Vector:
    """The point at these degrees."""
    phi, theta = math.radians(latitude), math.radians(longitude)
    flat = math.cos(phi)
    return math.cos(theta) * flat, math.sin(theta) * flat, math.sin(phi)


def degrees(p: Vector) -> tuple[float, float]:
    """(longitude, latitude)"""
    x, y, z = p
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.sqrt(x * x + y * y)))


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def plus(a: Vector, b: Vector) -> Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def minus(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def times(a: Vector, k: float) -> Vector:
    return a[0] * k, a[1] * k, a[2] * k


def norm(a: Vector) -> float:
    return math.sqrt(dot(a, a))


def unit(a: Vector) -> Vector:
    length = norm(a)
    return times(a, 1 / length) if length else a


def angle(a: Vector, b: Vector) -> float:
    """In radians, as exact for near as for far points."""
    return math.atan2(norm(cross(a, b)), dot(a, b))


def normal(a: Vector, b: Vector) -> Vector:
    """At right angles to both, of length 1: well defined for points that are close, too. Antipodes have none."""
    return unit(cross(plus(a, b), minus(b, a)))


# -- predicates -------------------------------------------------------------------------------------------


def turn(a: Vector, b: Vector, c: Vector) -> int:
    """1 if a, b, c go round counterclockwise, -1 if clockwise; 0 only where two of them are the same."""
    if a in (b, c) or b == c:
        return 0
    det = dot(cross(a, b), c)
    if abs(det) > 4e-15:
        return 1 if det > 0 else -1
    return _exact_turn(a, b, c)


def _exact_turn(a: Vector, b: Vector, c: Vector) -> int:
    points = sorted((a, b, c))
    # The sign of the permutation that sorts them.
    sign = 1 if (points[0], points[1]) in ((a, b), (b, c), (c, a)) else -1
    (a0, a1, a2), (b0, b1, b2), (c0, c1, c2) = (tuple(map(Fraction, p)) for p in points)
    b_cross_c = (b1 * c2 - b2 * c1, b2 * c0 - b0 * c2, b0 * c1 - b1 * c0)
    # The determinant, and then what is left of it when the points move by ever smaller amounts.
    for term in (
        a0 * b_cross_c[0] + a1 * b_cross_c[1] + a2 * b_cross_c[2],
        b_cross_c[2], b_cross_c[1], b_cross_c[0],
        c0 * a1 - c1 * a0, c0, -c1, c2 * a0 - c0 * a2, c2,
        a0 * b1 - a1 * b0, -b0, b1, a0,
    ):  # fmt: skip
        if term:
            return sign if term > 0 else -sign
    return sign


def crossing(a: Vector, b: Vector, c: Vector, d: Vector) -> int:
    """1 if the edges a-b and c-d cross inside both, 0 if they share an end, -1 otherwise."""
    if a in (c, d) or b in (c, d):
        return 0
    if a == b or c == d:
        return -1
    side = turn(a, b, c)
    if turn(a, b, d) == side:
        return -1
    return 1 if turn(c, d, b) == side == -turn(c, d, a) else -1


def _aside(a: Vector) -> Vector:
    """A direction at right angles to the point, always the same one."""
    largest = max(range(3), key=lambda i: (abs(a[i]), i))
    other = [0.012, 0.0053, 0.00457]
    other[largest - 1] = 1.0
    return unit(cross(a, (other[0], other[1], other[2])))


def _ordered(a: Vector, b: Vector, c: Vector, o: Vector) -> bool:
    """Whether going round o counterclockwise from a one meets b before c."""
    return (turn(b, o, a) >= 0) + (turn(c, o, b) >= 0) + (turn(a, o, c) > 0) >= 2


def crosses_or_meets(a: Vector, b: Vector, c: Vector, d: Vector) -> bool:
    """Whether the edges cross, where at a shared end exactly one of the edges that go round it counts."""
    kind = crossing(a, b, c, d)
    if kind:
        return kind > 0
    if a == b or c == d:
        return False
    if a == c:
        return b == d or _ordered(_aside(a), d, b, a)
    if b == d:
        return _ordered(_aside(b), c, a, b)
    if a == d:
        return b == c or _ordered(_aside(a), c, b, a)
    return _ordered(_aside(b), d, a, b)


def turns_inside(a: Vector, b: Vector, c: Vector) -> bool:
    """Whether the corner a-b-c of a ring that runs counterclockwise holds its own point b."""
    return not _ordered(_aside(b), c, a, b)


# -- edges ------------------------------------------------------------------------------------------------


def nearest(p: Vector, a: Vector, b: Vector) -> Vector:
    """The point of the edge a-b that is nearest to p."""
    if a in (b, p) or b == p:
        return a if a in (b, p) else b
    n = normal(a, b)
    if dot(cross(n, a), p) > 0 > dot(cross(n, b), p):
        return unit(minus(p, times(n, dot(p, n))))
    return a if norm(minus(p, a)) <= norm(minus(p, b)) else b


def between(a: Vector, b: Vector, distance: float) -> Vector:
    """The point so many radians behind a on the way to b."""
    tangent = unit(cross(normal(a, b), a))
    return unit(plus(times(a, math.cos(distance)), times(tangent, math.sin(distance))))


def meeting(a: Vector, b: Vector, c: Vector, d: Vector) -> Vector:
    """Where two edges that cross do so."""
    at = unit(cross(normal(a, b), normal(c, d)))
    return at if dot(at, plus(plus(a, b), plus(c, d))) > 0 else times(at, -1)


def triangle_area(a: Vector, b: Vector, c: Vector) -> float:
    """The signed area on the unit sphere, above 0 when it goes round counterclockwise."""
    volume = dot(a, cross(minus(b, a), minus(c, a)))
    return 2 * math.atan2(volume, 1 + dot(a, b) + dot(b, c) + dot(c, a))


def triangle_moment(a: Vector, b: Vector, c: Vector) -> Vector:
    """The sum of all points of the triangle: its centre times its area, with the sign of that."""

    def stretch(p: Vector, q: Vector) -> float:
        side = angle(p, q)
        return side / math.sin(side) if side else 1.0

    ra, rb, rc = stretch(b, c), stretch(c, a), stretch(a, b)
    # Cramer's rule for the point whose products with a, b and c are the (stretched) sides.
    x, y, z = ((a[i], b[i] - a[i], c[i] - a[i]) for i in range(3))
    r = (ra, rb - ra, rc - ra)
    return 0.5 * dot(cross(y, z), r), 0.5 * dot(cross(z, x), r), 0.5 * dot(cross(x, y), r)
