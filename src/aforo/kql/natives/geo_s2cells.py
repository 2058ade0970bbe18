"""S2 cells: a cube round the earth, its faces halved along both axes 30 times, numbered along a curve that fills them.

A token is the number as 16 hexadecimal digits without the zeros at its end.
"""

from __future__ import annotations

import math
import re

from aforo.kql.natives.geo_orders import as_from_a_set
from aforo.kql.natives.geo_shapes import place, point_json, polygon_json
from aforo.kql.natives.geo_sphere import Vector, degrees, unit
from aforo.kql.natives.spec import Native, native, written
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING

MOST_LEVELS = 30
SIZE = 1 << MOST_LEVELS
_SWAP, _INVERT = 1, 2
# In which order the curve meets the quarters (i, j), for each way that it can lie; and how it lies inside each.
_POSITION_TO_QUARTER = ((0, 1, 3, 2), (0, 2, 3, 1), (3, 2, 0, 1), (3, 1, 0, 2))
_POSITION_TURNS = (_SWAP, 0, 0, _INVERT | _SWAP)
_QUARTER_TO_POSITION = tuple(
    tuple(order.index(quarter) for quarter in range(4)) for order in _POSITION_TO_QUARTER
)


def _face_uv(p: Vector) -> tuple[int, float, float]:
    axis = max(range(3), key=lambda i: (abs(p[i]), i))
    face = axis if p[axis] > 0 else axis + 3
    u, v, w = face_axes(face, p)
    return face, u / w, v / w


def face_axes(face: int, p: Vector) -> Vector:
    """The same as (u, v, w): w leads out of the face, u and v along its sides."""
    x, y, z = p
    return ((y, z, x), (-x, z, y), (-x, -y, z), (-z, -y, -x), (-z, x, -y), (y, x, -z))[face]


def _xyz(face: int, u: float, v: float) -> Vector:
    match face:
        case 0:
            return 1.0, u, v
        case 1:
            return -u, 1.0, v
        case 2:
            return -u, -v, 1.0
        case 3:
            return -1.0, -v, -u
        case 4:
            return v, -1.0, -u
        case _:
            return v, u, -1.0


def _st(u: float) -> float:
    """Makes cells of one level nearly equal in size."""
    return 0.5 * math.sqrt(1 + 3 * u) if u >= 0 else 1 - 0.5 * math.sqrt(1 - 3 * u)


def on_face(s: float) -> float:
    """From a part of the face's side, 0 to 1, to -1 to 1 on the flat face."""
    return (1 / 3.0) * (4 * s * s - 1) if s >= 0.5 else (1 / 3.0) * (1 - 4 * (1 - s) * (1 - s))


def cell_of(p: Vector, level: int) -> int:
    """The number of the cell that holds the point."""
    face, u, v = _face_uv(p)
    return number(face, _whole(_st(u)), _whole(_st(v)), level)


def _whole(s: float) -> int:
    return min(max(math.floor(SIZE * s), 0), SIZE - 1)


def number(face: int, i: int, j: int, level: int) -> int:
    """The number of the cell that holds these steps (of the smallest cells) along the sides of a face."""
    position, lies = 0, face & _SWAP
    for k in reversed(range(MOST_LEVELS)):
        at = _QUARTER_TO_POSITION[lies][(i >> k & 1) << 1 | j >> k & 1]
        position = position << 2 | at
        lies ^= _POSITION_TURNS[at]
    leaf = face << 61 | position << 1 | 1
    last = 1 << 2 * (MOST_LEVELS - level)
    return leaf & -last | last


def token(cell: int) -> str:
    return f"{cell:016x}".rstrip("0")


def _cell(text: str) -> int | None:
    """The number that a token says, None for what is none."""
    if not re.fullmatch("[0-9a-fA-F]{1,16}", text):
        return None
    cell = int(text.ljust(16, "0"), 16)
    last = cell & -cell
    return cell if cell >> 61 < 6 and last & 0x1555555555555555 else None


def _square(cell: int) -> tuple[int, int, int, int]:
    """(face, i, j, size)"""
    face = cell >> 61
    level = MOST_LEVELS - ((cell & -cell).bit_length() - 1) // 2
    i = j = 0
    lies = face & _SWAP
    for k in range(level):
        at = cell >> (59 - 2 * k) & 3
        quarter = _POSITION_TO_QUARTER[lies][at]
        i, j = i << 1 | quarter >> 1, j << 1 | quarter & 1
        lies ^= _POSITION_TURNS[at]
    size = 1 << (MOST_LEVELS - level)
    return face, i * size, j * size, size


def square_point(face: int, i: float, j: float) -> Vector:
    """The point at these steps along the sides of a face."""
    return unit(_xyz(face, on_face(i / SIZE), on_face(j / SIZE)))


def _beside(face: int, i: int, j: int, level: int) -> int:
    """The cell at these steps of a face, or of the face beyond its edge where they lie beyond."""
    if 0 <= i < SIZE and 0 <= j < SIZE:
        return number(face, i, j, level)
    most = 1 + 2**-52
    # A step beyond the edge, without the stretching: that is for the new face.
    u, v = (min(max((2 * (min(max(k, -1), SIZE) - SIZE // 2) + 1) / SIZE, -most), most) for k in (i, j))
    face, u, v = _face_uv(_xyz(face, u, v))
    return number(face, _whole(0.5 * (u + 1)), _whole(0.5 * (v + 1)), level)


def neighbors(text: str) -> str | None:
    cell = _cell(text)
    if cell is None:
        return None
    face, i, j, size = _square(cell)
    level = MOST_LEVELS - size.bit_length() + 1
    steps = ((-1, -1), (1, -1), (0, -1), (0, 1), (-1, 0), (1, 0), (-1, 1), (1, 1))
    cells = (_beside(face, i + di * size, j + dj * size, level) for di, dj in steps)
    return written(as_from_a_set(token(c) for c in cells))


def s2cell(longitude: float | None, latitude: float | None, level: int | None) -> str:
    """Empty for what is no place, and for no level."""
    p = place(longitude, latitude)
    if p is None or level is None or not 0 <= level <= MOST_LEVELS:
        return ""
    return token(cell_of(p, level))


def central_point(text: str) -> str | None:
    cell = _cell(text)
    if cell is None:
        return None
    face, i, j, size = _square(cell)
    return point_json(*degrees(square_point(face, i + size / 2, j + size / 2)))


def polygon(text: str) -> str | None:
    cell = _cell(text)
    if cell is None:
        return None
    face, i, j, size = _square(cell)
    corners = [(i, j), (i + size, j), (i + size, j + size), (i, j + size), (i, j)]
    return polygon_json(degrees(square_point(face, *corner)) for corner in corners)


NATIVES: tuple[Native, ...] = (
    native("geo_point_to_s2cell", s2cell, STRING, REAL, REAL, LONG, defaults={2: 11}),
    native("geo_s2cell_to_central_point", central_point, DYNAMIC, STRING),
    native("geo_s2cell_to_polygon", polygon, DYNAMIC, STRING),
    native("geo_s2cell_neighbors", neighbors, DYNAMIC, STRING),
)
