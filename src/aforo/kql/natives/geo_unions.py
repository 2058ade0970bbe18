"""Whether lines and polygons meet, what they have in common, what polygons are together: as GeoJSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aforo.kql.natives.geo_overlay import MOST_PAIRS, Region, inside, intersection, united
from aforo.kql.natives.geo_shapes import Line, Ring, lines, polygons
from aforo.kql.natives.geo_sphere import Vector, crossing, degrees, meeting
from aforo.kql.natives.spec import Native, UnansweredError, native, parsed, written
from aforo.kql.types import BOOL, DYNAMIC

_NOTHING = {"type": "GeometryCollection", "geometries": []}
Edge = tuple[Vector, Vector]


def _meetings(one: Sequence[Edge], other: Sequence[Edge]) -> Iterable[tuple[int, Edge, Edge]]:
    """Pairs of edges that cross (1) or share an end (0)."""
    if len(one) * len(other) > MOST_PAIRS:
        raise UnansweredError("these shapes have too many edges to be laid over each other")
    for p, q in one:
        for r, s in other:
            if (kind := crossing(p, q, r, s)) >= 0:
                yield kind, (p, q), (r, s)


def _all_edges(shape: Iterable[Line]) -> list[Edge]:
    return [edge for line in shape for edge in line.edges()]


def _all_rings(region: Region) -> list[Ring]:
    return [ring for polygon in region for ring in polygon.rings]


# -- whether ----------------------------------------------------------------------------------------------


def lines_meet(one: str | None, other: str | None) -> bool | None:
    a, b = lines(one), lines(other)
    if a is None or b is None:
        return None
    return any(True for _ in _meetings(_all_edges(a), _all_edges(b)))


def line_meets_polygon(one: str | None, other: str | None) -> bool | None:
    a, b = lines(one), polygons(other)
    if a is None or b is None:
        return None
    if any(polygon.holds(p) for polygon in b for line in a for p in line.points):
        return True
    return any(kind for kind, _, _ in _meetings(_all_edges(a), _all_edges(_all_rings(b))))


def polygons_meet(one: str | None, other: str | None) -> bool | None:
    a, b = polygons(one), polygons(other)
    if a is None or b is None:
        return None
    return bool(intersection(a, b))


# -- what -------------------------------------------------------------------------------------------------


def common_of_lines(one: str | None, other: str | None) -> str | None:
    """A point where they cross, the line where both are the same."""
    a, b = lines(one), lines(other)
    if a is None or b is None:
        return None
    first, second = _all_edges(a), _all_edges(b)
    if {frozenset(e) for e in first} & {frozenset(e) for e in second}:
        if len(a) == len(b) == 1 and a[0].places == b[0].places:
            return written({"type": "LineString", "coordinates": [list(p) for p in a[0].places]})
        raise UnansweredError("what lines have in common that share some of their edges is not supported")
    points = set()
    for kind, (p, q), (r, s) in _meetings(first, second):
        points.add(meeting(p, q, r, s) if kind else p if p in (r, s) else q)
    if len(points) > 1:
        raise UnansweredError("what lines have in common that meet more than once is not supported")
    return written(_point(points.pop()) if points else _NOTHING)


def common_of_polygons(one: str | None, other: str | None) -> str | None:
    """The corners that both have and that belong to no common area, then that area."""
    a, b = polygons(one), polygons(other)
    if a is None or b is None:
        return None
    found = intersection(a, b)
    reached = {p for ring in _all_rings(found) for p in ring.points}
    corners = [{p for ring in _all_rings(region) for p in ring.points} for region in (a, b)]
    alone = (corners[0] & corners[1]) - reached
    edges = [{frozenset(e) for e in _all_edges(_all_rings(region))} for region in (a, b)]
    if len(alone) > 1 or (edges[0] & edges[1]) - {frozenset(e) for e in _all_edges(_all_rings(found))}:
        raise UnansweredError("what polygons have in common that touch at edges is not supported")
    parts = [_point(p) for p in alone]
    if found:
        parts.append(_region(found))
    if len(parts) == 1:
        return written(parts[0])
    return written({"type": "GeometryCollection", "geometries": parts})


def common_of_line_and_polygon(one: str | None, other: str | None) -> str | None:
    a, b = lines(one), polygons(other)
    if a is None or b is None:
        return None
    parts = [[list(degrees(p)) for p in part] for line in a for part in inside(line.points, b)]
    if not parts:
        if line_meets_polygon(one, other):
            raise UnansweredError("what a line that touches a polygon has in common with it is not supported")
        return written(_NOTHING)
    if len(parts) == 1:
        return written({"type": "LineString", "coordinates": parts[0]})
    return written({"type": "MultiLineString", "coordinates": parts})


def union_of_polygons(json: str | None) -> str | None:
    """Null as soon as one of them is not valid."""
    items = parsed(json)
    if not isinstance(items, list) or not items:
        return None
    regions = [polygons(written(item)) for item in items]
    apart: list[Region] = []
    for region in regions:
        if region is None:
            return None
        apart.append(region if len(region) == 1 else united([(polygon,) for polygon in region]))
    return written(_region(united(apart)))


def union_of_lines(json: str | None) -> str | None:
    """Of lines that run into each other, or share edges: the one line that they are."""
    items = parsed(json)
    if not isinstance(items, list) or not items:
        return None
    parts: list[Line] = []
    for item in items:
        shape = lines(written(item))
        if shape is None:
            return None
        parts += shape
    edges = {frozenset(edge): edge for edge in _all_edges(parts)}
    path = _path(list(edges.values()))
    if path is None or any(kind for kind, _, _ in _meetings(list(edges.values()), list(edges.values()))):
        raise UnansweredError("the union of lines that are not one line is not supported")
    return written({"type": "LineString", "coordinates": [list(degrees(p)) for p in path]})


def _path(edges: list[Edge]) -> list[Vector] | None:
    """The points of all edges one after the other, None when they do not run into each other like this."""
    following = dict(edges)
    begun = set(following) - set(following.values())
    if len(following) < len(edges) or len(set(following.values())) < len(edges) or len(begun) != 1:
        return None
    path = [begun.pop()]
    while path[-1] in following:
        path.append(following[path[-1]])
    return path if len(path) == len(edges) + 1 else None


def _point(p: Vector) -> dict[str, Any]:
    return {"type": "Point", "coordinates": list(degrees(p))}


def _region(region: Region) -> dict[str, Any]:
    parts = []
    for polygon in region:
        # Borders run counterclockwise, holes clockwise.
        shell = [list(p) for p in polygon.shell.places]
        parts.append([shell, *([list(p) for p in hole.places[::-1]] for hole in polygon.holes)])
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


NATIVES: tuple[Native, ...] = (
    native("geo_intersects_2lines", lines_meet, BOOL, DYNAMIC, DYNAMIC),
    native("geo_intersects_2polygons", polygons_meet, BOOL, DYNAMIC, DYNAMIC),
    native("geo_intersects_line_with_polygon", line_meets_polygon, BOOL, DYNAMIC, DYNAMIC),
    native("geo_intersection_2lines", common_of_lines, DYNAMIC, DYNAMIC, DYNAMIC),
    native("geo_intersection_2polygons", common_of_polygons, DYNAMIC, DYNAMIC, DYNAMIC),
    native("geo_intersection_line_with_polygon", common_of_line_and_polygon, DYNAMIC, DYNAMIC, DYNAMIC),
    native("geo_union_polygons_array", union_of_polygons, DYNAMIC, DYNAMIC),
    native("geo_union_lines_array", union_of_lines, DYNAMIC, DYNAMIC),
)
