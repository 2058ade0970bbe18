"""Lines that are straight on a map made lines of the sphere, by points in between."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from aforo.kql.natives.geo_shapes import lines, polygons
from aforo.kql.natives.geo_sphere import RADIUS_M, Vector, angle, between, dot, vector
from aforo.kql.natives.spec import Native, UnansweredError, native, parsed, written
from aforo.kql.types import BOOL, DYNAMIC, REAL

Place = tuple[float, float]
_DEFAULT_M = 10
_LEAST_M, _MOST_M = 0.1, 10_000.0
_MOST_POINTS = 1_000_000
# Where an arc is farthest from the straight line, as a part of its length; and by how much less it is measured there.
_PLACES = (0.31215691082248312, 1 - 0.31215691082248312)
_SCALE = 0.83829992569888509


def line(json: str | None, tolerance: float | None, preserve_crossing: bool | None) -> str | None:
    return None if lines(json) is None else _dense(json, tolerance, preserve_crossing)


def polygon(json: str | None, tolerance: float | None, preserve_crossing: bool | None) -> str | None:
    return None if polygons(json) is None else _dense(json, tolerance, preserve_crossing)


def _dense(json: str | None, tolerance: float | None, preserve_crossing: bool | None) -> str | None:
    if tolerance is None or not _LEAST_M <= tolerance <= _MOST_M:
        return None
    if preserve_crossing:
        raise UnansweredError("keeping edges across the antimeridian is not supported")
    shape = parsed(json)
    return written(
        {"type": shape["type"], "coordinates": _deep(shape["coordinates"], tolerance / RADIUS_M * _SCALE)}
    )


def _deep(value: Any, limit: float) -> Any:
    if isinstance(value[0][0], list):
        return [_deep(v, limit) for v in value]
    out: list[Any] = [value[0][:2]]
    for start, end in pairwise(value):
        if abs(end[0] - start[0]) > 180:
            raise UnansweredError("edges across the antimeridian are not supported")
        _split((start[0], start[1]), (end[0], end[1]), limit, out)
        out.append(end[:2])
        if len(out) > _MOST_POINTS:
            raise UnansweredError(f"a line may get {_MOST_POINTS} points")
    return out


def _split(a: Place, b: Place, limit: float, out: list[Any]) -> None:
    if _error(a, b) <= limit:
        return
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    _split(a, middle, limit, out)
    out.append(list(middle))
    _split(middle, b, limit, out)


def _error(a: Place, b: Place) -> float:
    """About how far the straight line and the arc lie apart, in radians."""
    p, q = vector(*a), vector(*b)
    if dot(p, q) < -1e-14:
        return float("inf")
    length = angle(p, q)
    return max(_off(a, b, p, q, length, t) for t in _PLACES) if length else 0.0


def _off(a: Place, b: Place, p: Vector, q: Vector, length: float, t: float) -> float:
    straight = vector(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)
    return angle(between(p, q, length * t), straight)


NATIVES: tuple[Native, ...] = (
    native("geo_line_densify", line, DYNAMIC, DYNAMIC, REAL, BOOL, defaults={1: _DEFAULT_M}),
    native("geo_polygon_densify", polygon, DYNAMIC, DYNAMIC, REAL, BOOL, defaults={1: _DEFAULT_M}),
)
