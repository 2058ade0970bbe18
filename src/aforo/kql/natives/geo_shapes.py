"""GeoJSON as points on the sphere: what is valid, what is not (None). A text is read once, however many rows have it.

A line is two places at least; a ring ends where it began, has three different corners at least, neither crosses itself
nor another ring, and holds the smaller part of the sphere, whichever way it runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from aforo.kql.natives.geo_sphere import (
    ORIGIN,
    Vector,
    crosses_or_meets,
    crossing,
    degrees,
    dot,
    triangle_area,
    turns_inside,
    vector,
)
from aforo.kql.natives.spec import UnansweredError, parsed, written

# What one shape may have: rings are checked against each other pair by pair.
MOST_EDGES = 20_000
MOST_TESTS = 20_000_000
# How many letters of shapes are remembered: those that come again in each row.
_KEPT_LETTERS = 4_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line:
    """`places` are (longitude, latitude) as they were written, `points` the same on the sphere."""

    places: tuple[tuple[float, float], ...]
    points: tuple[Vector, ...]

    def edges(self) -> Iterator[tuple[Vector, Vector]]:
        return pairwise(self.points)


@dataclass(frozen=True, slots=True)
class Ring(Line):
    """Runs counterclockwise round what it holds; first and last point are the same. `from_origin` says whether it
    holds the origin of rays."""

    from_origin: bool

    def holds(self, p: Vector) -> bool:
        inside = self.from_origin
        for a, b in self.edges():
            inside ^= crosses_or_meets(ORIGIN, p, a, b)
        return inside


@dataclass(frozen=True, slots=True)
class Polygon:
    shell: Ring
    holes: tuple[Ring, ...]

    def holds(self, p: Vector) -> bool:
        return self.shell.holds(p) and not any(hole.holds(p) for hole in self.holes)

    @property
    def rings(self) -> tuple[Ring, ...]:
        return (self.shell, *self.holes)

    def edges(self) -> Iterator[tuple[Vector, Vector]]:
        for ring in self.rings:
            yield from ring.edges()


def is_place(longitude: float | None, latitude: float | None) -> bool:
    return longitude is not None and latitude is not None and abs(longitude) <= 180 and abs(latitude) <= 90


def place(longitude: float | None, latitude: float | None) -> Vector | None:
    """The point at valid degrees."""
    if longitude is None or latitude is None or not is_place(longitude, latitude):
        return None
    return vector(longitude, latitude)


def _kept(read: Callable[[str | None], T]) -> Callable[[str | None], T]:
    """Remembers what texts say, so much of them as is bearable, then begins anew."""
    found: dict[str | None, T] = {}
    letters = 0

    def look(json: str | None) -> T:
        nonlocal letters
        if json in found:
            return found[json]
        shape = read(json)
        letters += len(json or "")
        if letters > _KEPT_LETTERS:
            found.clear()
            letters = len(json or "")
        found[json] = shape
        return shape

    return look


@_kept
def lines(json: str | None) -> tuple[Line, ...] | None:
    """The lines of a LineString or MultiLineString."""
    match parsed(json):
        case {"type": "LineString", "coordinates": coordinates}:
            parts = [coordinates]
        case {"type": "MultiLineString", "coordinates": [_, *_] as parts}:
            pass
        case _:
            return None
    found = [_line(part) for part in parts]
    kept = tuple(line for line in found if line is not None)
    return kept if len(kept) == len(found) else None


def single_line(json: str | None) -> Line | None:
    found = lines(json)
    return found[0] if found is not None and len(found) == 1 else None


@_kept
def polygons(json: str | None) -> tuple[Polygon, ...] | None:
    """The polygons of a Polygon or MultiPolygon."""
    match parsed(json):
        case {"type": "Polygon", "coordinates": coordinates}:
            parts = [coordinates]
        case {"type": "MultiPolygon", "coordinates": [_, *_] as parts}:
            pass
        case _:
            return None
    found = [_polygon(part) for part in parts]
    kept = tuple(polygon for polygon in found if polygon is not None)
    return kept if len(kept) == len(found) else None


def _places(value: Any) -> tuple[tuple[float, float], ...] | None:
    if not isinstance(value, list) or len(value) < 2:
        return None
    out = []
    for item in value:
        match item:
            case [int() | float() as longitude, int() | float() as latitude, *_] if is_place(
                longitude, latitude
            ):
                out.append((float(longitude), float(latitude)))
            case _:
                return None
    return tuple(out)


def _line(value: Any) -> Line | None:
    places = _places(value)
    if places is None or len(set(places)) < 2:
        return None
    points = tuple(vector(*p) for p in places)
    return None if _has_antipodes(points) else Line(places, points)


def _has_antipodes(points: Iterable[Vector]) -> bool:
    return any(dot(a, b) < -1 + 1e-15 for a, b in pairwise(points))


def _ring(value: Any) -> Ring | None:
    places = _places(value)
    if places is None or len(places) < 4 or places[0] != places[-1]:
        return None
    points = tuple(vector(*p) for p in places[:-1])
    if len(set(points)) < len(points):
        return None
    return ring_of(points, places[:-1])


def ring_of(points: tuple[Vector, ...], places: tuple[tuple[float, float], ...] | None = None) -> Ring | None:
    """The ring through different points (the first one not repeated)."""
    places = places or tuple(degrees(p) for p in points)
    if _has_antipodes((*points, points[0])):
        return None
    signed = sum(triangle_area(points[0], b, c) for b, c in pairwise(points[1:])) % (4 * math.pi)
    if signed > 2 * math.pi:
        points, places = points[::-1], places[::-1]
    closed, named = (*points, points[0]), (*places, places[0])
    plain = Ring(named, closed, False)
    second = points[1]
    return Ring(named, closed, plain.holds(second) != turns_inside(points[0], second, points[2]))


def _polygon(value: Any) -> Polygon | None:
    if not isinstance(value, list) or not value:
        return None
    rings = [ring for part in value if (ring := _ring(part)) is not None]
    if len(rings) < len(value):
        return None
    edges = [(edge, ring) for ring in rings for edge in ring.edges()]
    if len(edges) > MOST_EDGES:
        raise UnansweredError(f"a polygon may have {MOST_EDGES} edges")
    if _cross_themselves([edge for edge, _ in edges]):
        return None
    shell, *holes = rings
    return Polygon(shell, tuple(holes))


def _cross_themselves(edges: list[tuple[Vector, Vector]]) -> bool:
    """Whether two edges cross, or one is there twice. Edges far apart are told by their boxes, sorted along x."""
    if len({frozenset(edge) for edge in edges}) < len(edges):
        return True
    boxes = sorted(((*_box(*edge), edge) for edge in edges), key=lambda box: box[0])
    open_: list[tuple[float, float, float, float, tuple[Vector, Vector]]] = []
    tests = 0
    for low, high, bottom, top, edge in boxes:
        tests += len(open_)
        if tests > MOST_TESTS:
            raise UnansweredError("a polygon has too many edges beside each other")
        open_ = [other for other in open_ if other[1] >= low]
        for _, _, other_bottom, other_top, other in open_:
            if other_bottom <= top and bottom <= other_top and crossing(*edge, *other) > 0:
                return True
        open_.append((low, high, bottom, top, edge))
    return False


def _box(a: Vector, b: Vector) -> tuple[float, float, float, float]:
    """(least x, greatest x, least z, greatest z) that an edge may reach: an arc bulges out of its chord."""
    bulge = 1 - math.sqrt(max(0.0, (1 + dot(a, b)) / 2)) + 1e-15
    return min(a[0], b[0]) - bulge, max(a[0], b[0]) + bulge, min(a[2], b[2]) - bulge, max(a[2], b[2]) + bulge


# -- written ----------------------------------------------------------------------------------------------


def point_json(longitude: float, latitude: float) -> str | None:
    return written({"type": "Point", "coordinates": [longitude, latitude]})


def polygon_json(ring: Iterable[tuple[float, float]]) -> str | None:
    """A polygon of one ring, which is closed already."""
    return written({"type": "Polygon", "coordinates": [[list(p) for p in ring]]})
