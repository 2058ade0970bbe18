"""Distances, lengths, areas and directions on the earth as a sphere, in metres and radians."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from aforo.kql.natives.geo_overlay import united
from aforo.kql.natives.geo_shapes import Line, Polygon, Ring, lines, place, point_json, polygons, single_line
from aforo.kql.natives.geo_sphere import (
    RADIUS_M,
    Vector,
    angle,
    between,
    cross,
    degrees,
    dot,
    minus,
    nearest,
    norm,
    plus,
    times,
    triangle_area,
    triangle_moment,
)
from aforo.kql.natives.spec import Native, UnansweredError, native
from aforo.kql.types import BOOL, DYNAMIC, REAL

Degrees = float | None


def _on_sphere(use_spheroid: bool | None) -> None:
    if use_spheroid:
        raise UnansweredError("distances on the spheroid are not supported")


def distance(
    a_lon: Degrees, a_lat: Degrees, b_lon: Degrees, b_lat: Degrees, spheroid: bool | None
) -> float | None:
    a, b = place(a_lon, a_lat), place(b_lon, b_lat)
    if a is None or b is None:
        return None
    _on_sphere(spheroid)
    return angle(a, b) * RADIUS_M


def point_in_circle(
    lon: Degrees, lat: Degrees, center_lon: Degrees, center_lat: Degrees, radius_m: float | None
) -> bool | None:
    p, center = place(lon, lat), place(center_lon, center_lat)
    if p is None or center is None or radius_m is None or not 0 < radius_m < math.inf:
        return None
    return angle(p, center) * RADIUS_M <= radius_m


def point_in_polygon(lon: Degrees, lat: Degrees, json: str | None) -> bool | None:
    p, shape = place(lon, lat), polygons(json)
    return None if p is None or shape is None else any(polygon.holds(p) for polygon in shape)


def distance_to_line(lon: Degrees, lat: Degrees, json: str | None) -> float | None:
    p, shape = place(lon, lat), lines(json)
    return None if p is None or shape is None else angle(p, _nearest(p, shape)[0]) * RADIUS_M


def distance_to_polygon(lon: Degrees, lat: Degrees, json: str | None) -> float | None:
    """0 inside."""
    p, shape = place(lon, lat), polygons(json)
    if p is None or shape is None:
        return None
    if any(polygon.holds(p) for polygon in shape):
        return 0.0
    return angle(p, _nearest(p, [ring for polygon in shape for ring in polygon.rings])[0]) * RADIUS_M


def closest_on_line(lon: Degrees, lat: Degrees, json: str | None) -> str | None:
    p, shape = place(lon, lat), lines(json)
    return None if p is None or shape is None else point_json(*_nearest(p, shape)[1])


def closest_on_polygon(lon: Degrees, lat: Degrees, json: str | None) -> str | None:
    """The point itself inside."""
    p, shape = place(lon, lat), polygons(json)
    if p is None or shape is None or lon is None or lat is None:
        return None
    if any(polygon.holds(p) for polygon in shape):
        return point_json(lon, lat)
    return point_json(*_nearest(p, [ring for polygon in shape for ring in polygon.rings])[1])


def _nearest(p: Vector, parts: Sequence[Line]) -> tuple[Vector, tuple[float, float]]:
    """The nearest point, and its degrees: a corner's as they were written."""
    best: Vector | None = None
    least = math.inf
    for part in parts:
        for a, b in part.edges():
            found = nearest(p, a, b)
            # The chord is longer when the arc is.
            if (chord := norm(minus(p, found))) < least:
                best, least = found, chord
    assert best is not None
    written = next(
        (d for part in parts for q, d in zip(part.points, part.places, strict=True) if q == best), None
    )
    return best, written or degrees(best)


# -- lines ------------------------------------------------------------------------------------------------


def _union_edges(shape: Sequence[Line]) -> list[tuple[Vector, Vector]]:
    """The edges of one line, or those of several without what they have in common."""
    if len(shape) == 1:
        return list(shape[0].edges())
    return list({frozenset(edge): edge for line in shape for edge in line.edges()}.values())


def line_length(json: str | None) -> float | None:
    shape = lines(json)
    return None if shape is None else math.fsum(angle(a, b) for a, b in _union_edges(shape)) * RADIUS_M


def line_centroid(json: str | None) -> str | None:
    shape = lines(json)
    if shape is None:
        return None
    total: Vector = (0.0, 0.0, 0.0)
    for a, b in _union_edges(shape):
        # The mean of an arc times its length.
        both = plus(a, b)
        total = plus(total, times(both, norm(minus(a, b)) / norm(both)))
    return point_json(*degrees(total))


def interpolate(json: str | None, fraction: float | None) -> str | None:
    line = single_line(json)
    if line is None or fraction is None or not 0 <= fraction <= 1:
        return None
    left = fraction * math.fsum(angle(a, b) for a, b in line.edges())
    for (a, b), written in zip(line.edges(), line.places, strict=False):
        length = angle(a, b)
        if left <= 0:
            return point_json(*written)
        if left < length:
            return point_json(*degrees(between(a, b, left)))
        left -= length
    return point_json(*line.places[-1])


def locate(json: str | None, lon: Degrees, lat: Degrees, spheroid: bool | None) -> float | None:
    """How far along the line its nearest point to the given one lies, from 0 to 1."""
    line, p = single_line(json), place(lon, lat)
    if line is None or p is None:
        return None
    _on_sphere(spheroid)
    whole = before = 0.0
    least = math.inf
    for a, b in line.edges():
        found = nearest(p, a, b)
        if (chord := norm(minus(p, found))) < least:
            least, before = chord, whole + angle(a, found)
        whole += angle(a, b)
    return min(1.0, before / whole)


# -- polygons ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _whole(json: str | None) -> tuple[Polygon, ...] | None:
    """The polygons without what they have in common."""
    shape = polygons(json)
    return shape if shape is None or len(shape) == 1 else united([(polygon,) for polygon in shape])


def _rings(shape: Iterable[Polygon]) -> Iterable[tuple[int, Ring]]:
    for polygon in shape:
        yield 1, polygon.shell
        yield from ((-1, hole) for hole in polygon.holes)


def ring_area(ring: Ring) -> float:
    first, *rest = ring.points
    return math.fsum(triangle_area(first, b, c) for b, c in pairwise(rest)) % (4 * math.pi)


def polygon_area(json: str | None) -> float | None:
    shape = _whole(json)
    return None if shape is None else math.fsum(s * ring_area(r) for s, r in _rings(shape)) * RADIUS_M**2


def polygon_perimeter(json: str | None) -> float | None:
    shape = _whole(json)
    if shape is None:
        return None
    return math.fsum(angle(a, b) for _, ring in _rings(shape) for a, b in ring.edges()) * RADIUS_M


def polygon_centroid(json: str | None) -> str | None:
    shape = _whole(json)
    if shape is None:
        return None
    total: Vector = (0.0, 0.0, 0.0)
    for sign, ring in _rings(shape):
        first, *rest = ring.points
        for b, c in pairwise(rest):
            total = plus(total, times(triangle_moment(first, b, c), sign))
    return point_json(*degrees(total))


# -- directions -------------------------------------------------------------------------------------------


def _apart(a: Vector | None, b: Vector | None) -> bool:
    """Whether there is one way from a to b."""
    return a is not None and b is not None and 1e-15 < angle(a, b) < math.pi - 1e-15


def _bearing(at: Vector, to: Vector) -> float:
    """From north, clockwise, from 0 to 2 pi."""
    x, y, _ = at
    flat = math.hypot(x, y)
    # At a pole east is where it is for longitude 0.
    east = (-y / flat, x / flat, 0.0) if flat else (0.0, 1.0, 0.0)
    return math.atan2(dot(to, east), dot(to, cross(at, east))) % (2 * math.pi)


def azimuth(a_lon: Degrees, a_lat: Degrees, b_lon: Degrees, b_lat: Degrees) -> float | None:
    a, b = place(a_lon, a_lat), place(b_lon, b_lat)
    return None if a is None or b is None or not _apart(a, b) else _bearing(a, b)


def corner(
    a_lon: Degrees, a_lat: Degrees, b_lon: Degrees, b_lat: Degrees, c_lon: Degrees, c_lat: Degrees
) -> float | None:
    """The angle at b from a to c, clockwise."""
    a, b, c = place(a_lon, a_lat), place(b_lon, b_lat), place(c_lon, c_lat)
    if a is None or b is None or c is None or not (_apart(a, b) and _apart(b, c)):
        return None
    return (_bearing(b, c) - _bearing(b, a)) % (2 * math.pi)


_TWO = (REAL, REAL)
NATIVES: tuple[Native, ...] = (
    native("geo_distance_2points", distance, REAL, *_TWO, *_TWO, BOOL),
    native("geo_point_in_circle", point_in_circle, BOOL, *_TWO, *_TWO, REAL),
    native("geo_point_in_polygon", point_in_polygon, BOOL, *_TWO, DYNAMIC),
    native("geo_distance_point_to_line", distance_to_line, REAL, *_TWO, DYNAMIC),
    native("geo_distance_point_to_polygon", distance_to_polygon, REAL, *_TWO, DYNAMIC),
    native("geo_closest_point_on_line", closest_on_line, DYNAMIC, *_TWO, DYNAMIC),
    native("geo_closest_point_on_polygon", closest_on_polygon, DYNAMIC, *_TWO, DYNAMIC),
    native("geo_line_length", line_length, REAL, DYNAMIC),
    native("geo_line_centroid", line_centroid, DYNAMIC, DYNAMIC),
    native("geo_line_interpolate_point", interpolate, DYNAMIC, DYNAMIC, REAL),
    native("geo_line_locate_point", locate, REAL, DYNAMIC, *_TWO, BOOL),
    native("geo_polygon_area", polygon_area, REAL, DYNAMIC),
    native("geo_polygon_perimeter", polygon_perimeter, REAL, DYNAMIC),
    native("geo_polygon_centroid", polygon_centroid, DYNAMIC, DYNAMIC),
    native("geo_azimuth", azimuth, REAL, *_TWO, *_TWO),
    native("geo_angle", corner, REAL, *_TWO, *_TWO, *_TWO),
)
