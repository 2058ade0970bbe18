"""Geohashes: the plane of degrees, halved again and again; 5 bits a letter, longitude first."""

from __future__ import annotations

from aforo.kql.natives.geo_orders import as_from_a_set
from aforo.kql.natives.geo_shapes import is_place, point_json, polygon_json
from aforo.kql.natives.spec import Native, UnansweredError, native, written
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING

_LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_MOST_LETTERS = 18


def geohash(longitude: float | None, latitude: float | None, accuracy: int | None) -> str:
    """Empty for what is no place, and for no accuracy."""
    if longitude is None or latitude is None or not is_place(longitude, latitude):
        return ""
    if accuracy is None or not 1 <= accuracy <= _MOST_LETTERS:
        return ""
    bits = 5 * accuracy
    x = _index((longitude + 180) / 360, (bits + 1) // 2)
    y = _index((latitude + 90) / 180, bits // 2)
    return _code(x, y, accuracy)


def _index(part: float, bits: int) -> int:
    """Which of the stripes the part of the whole is in; the whole itself is in the last one."""
    # A multiplication by a power of two is exact.
    return min(int(part * (1 << bits)), (1 << bits) - 1)


def _code(x: int, y: int, accuracy: int) -> str:
    """The geohash of a column and a row."""
    bits = 5 * accuracy
    code = 0
    for i in range(bits):
        part, left = (x, (bits + 1) // 2) if i % 2 == 0 else (y, bits // 2)
        code = code << 1 | part >> (left - 1 - i // 2) & 1
    return "".join(_LETTERS[code >> 5 * i & 31] for i in reversed(range(accuracy)))


def _cell(text: str) -> tuple[int, int] | None:
    """(column, row)"""
    if not 1 <= len(text) <= _MOST_LETTERS or any(letter not in _VALUES for letter in text):
        return None
    bits = "".join(f"{_VALUES[letter]:05b}" for letter in text)
    return int(bits[::2], 2), int(bits[1::2], 2)


def _box(text: str) -> tuple[float, float, float, float] | None:
    """(west, south, east, north) of a geohash."""
    cell = _cell(text)
    if cell is None:
        return None
    (x, y), bits = cell, 5 * len(text)
    columns, rows = 1 << (bits + 1) // 2, 1 << bits // 2
    return (
        360 * x / columns - 180, 180 * y / rows - 90, 360 * (x + 1) / columns - 180, 180 * (y + 1) / rows - 90
    )  # fmt: skip


def central_point(text: str) -> str | None:
    box = _box(text)
    return None if box is None else point_json((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def polygon(text: str) -> str | None:
    box = _box(text)
    if box is None:
        return None
    west, south, east, north = box
    return polygon_json(((west, south), (east, south), (east, north), (west, north), (west, south)))


# Clockwise from the northwest.
_AROUND = ((-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0))


def neighbors(text: str) -> str | None:
    cell = _cell(text)
    if cell is None:
        return None
    (x, y), bits = cell, 5 * len(text)
    columns, rows = 1 << (bits + 1) // 2, 1 << bits // 2
    if not 0 < y < rows - 1:
        raise UnansweredError("neighbours of a geohash at a pole are not supported")
    return written(as_from_a_set(_code((x + dx) % columns, y + dy, len(text)) for dx, dy in _AROUND))


NATIVES: tuple[Native, ...] = (
    native("geo_point_to_geohash", geohash, STRING, REAL, REAL, LONG, defaults={2: 5}),
    native("geo_geohash_to_central_point", central_point, DYNAMIC, STRING),
    native("geo_geohash_to_polygon", polygon, DYNAMIC, STRING),
    native("geo_geohash_neighbors", neighbors, DYNAMIC, STRING),
)
