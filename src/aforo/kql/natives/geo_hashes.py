"""Geohashes: the plane of degrees, halved again and again; 5 bits a letter, longitude first."""

from __future__ import annotations

from aforo.kql.natives.geo_shapes import is_place, point_json, polygon_json
from aforo.kql.natives.spec import Native, native
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
    code = 0
    for i in range(bits):
        part, left = (x, (bits + 1) // 2) if i % 2 == 0 else (y, bits // 2)
        code = code << 1 | part >> (left - 1 - i // 2) & 1
    return "".join(_LETTERS[code >> 5 * i & 31] for i in reversed(range(accuracy)))


def _index(part: float, bits: int) -> int:
    """Which of the stripes the part of the whole is in; the whole itself is in the last one."""
    # A multiplication by a power of two is exact.
    return min(int(part * (1 << bits)), (1 << bits) - 1)


def _box(text: str) -> tuple[float, float, float, float] | None:
    """(west, south, east, north) of a geohash."""
    if not 1 <= len(text) <= _MOST_LETTERS or any(letter not in _VALUES for letter in text):
        return None
    bits = "".join(f"{_VALUES[letter]:05b}" for letter in text)
    x, y = bits[::2], bits[1::2]
    west = 360 * int(x, 2) / (1 << len(x)) - 180
    south = 180 * int(y, 2) / (1 << len(y)) - 90
    east = 360 * (int(x, 2) + 1) / (1 << len(x)) - 180
    north = 180 * (int(y, 2) + 1) / (1 << len(y)) - 90
    return west, south, east, north


def central_point(text: str) -> str | None:
    box = _box(text)
    return None if box is None else point_json((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def polygon(text: str) -> str | None:
    box = _box(text)
    if box is None:
        return None
    west, south, east, north = box
    return polygon_json(((west, south), (east, south), (east, north), (west, north), (west, south)))


NATIVES: tuple[Native, ...] = (
    native("geo_point_to_geohash", geohash, STRING, REAL, REAL, LONG, defaults={2: 5}),
    native("geo_geohash_to_central_point", central_point, DYNAMIC, STRING),
    native("geo_geohash_to_polygon", polygon, DYNAMIC, STRING),
)
