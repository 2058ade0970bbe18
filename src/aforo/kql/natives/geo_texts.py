"""Well-known text (`POINT (1 2)`) as GeoJSON."""

from __future__ import annotations

import math
import re
from typing import Any

from aforo.kql.natives.geo_shapes import is_place
from aforo.kql.natives.spec import Native, native, written
from aforo.kql.types import DYNAMIC, STRING

_TOKEN = re.compile(r"\s*([A-Za-z]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[(),])")
_MOST_LETTERS = 4_000_000
# How deep the coordinates of each kind lie.
_KINDS = {
    "POINT": ("Point", 0), "LINESTRING": ("LineString", 1), "POLYGON": ("Polygon", 2), "MULTIPOINT": ("MultiPoint", 1),
    "MULTILINESTRING": ("MultiLineString", 2), "MULTIPOLYGON": ("MultiPolygon", 3),
}  # fmt: skip
# The least number of places in a row of them.
_LEAST = {"LINESTRING": 2, "MULTILINESTRING": 2, "POLYGON": 4, "MULTIPOLYGON": 4}


class _MistakeError(ValueError):
    pass


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                raise _MistakeError
            self.tokens.append(found[1])
            at = found.end()
        self.index = 0

    def peek(self) -> str:
        return self.tokens[self.index] if self.index < len(self.tokens) else ""

    def next(self) -> str:
        self.index += 1
        return self.tokens[self.index - 1] if self.index <= len(self.tokens) else ""

    def expect(self, token: str) -> None:
        if self.next() != token:
            raise _MistakeError

    def shape(self) -> dict[str, Any]:
        kind = self.next().upper()
        if kind == "GEOMETRYCOLLECTION":
            return {"type": "GeometryCollection", "geometries": self.listed(self.plain_shape)}
        return self.plain(kind)

    def plain_shape(self) -> dict[str, Any]:
        return self.plain(self.next().upper())

    def plain(self, kind: str) -> dict[str, Any]:
        if kind not in _KINDS:
            raise _MistakeError
        name, depth = _KINDS[kind]
        if depth == 0:
            self.expect("(")
            coordinates: Any = self.place()
            self.expect(")")
        elif kind == "MULTIPOINT":
            coordinates = self.listed(self.place_in_parentheses)
        else:
            coordinates = self.nested(depth, _LEAST[kind])
        return {"type": name, "coordinates": coordinates}

    def nested(self, depth: int, least: int) -> list[Any]:
        if depth > 1:
            return self.listed(lambda: self.nested(depth - 1, least))
        places = self.listed(self.place)
        if len(places) < least or (least == 4 and places[0] != places[-1]):
            raise _MistakeError
        return places

    def listed(self, read: Any) -> list[Any]:
        self.expect("(")
        items = [read()]
        while self.peek() == ",":
            self.next()
            items.append(read())
        self.expect(")")
        return items

    def place_in_parentheses(self) -> list[float]:
        if self.peek() != "(":
            return self.place()
        self.next()
        place = self.place()
        self.expect(")")
        return place

    def place(self) -> list[float]:
        longitude, latitude = self.number(), self.number()
        if not is_place(longitude, latitude):
            raise _MistakeError
        return [longitude, latitude]

    def number(self) -> float:
        token = self.next()
        try:
            value = float(token)
        except ValueError:
            raise _MistakeError from None
        if not math.isfinite(value):
            raise _MistakeError
        # Whole numbers stay whole.
        return int(token) if re.fullmatch(r"[-+]?\d+", token) else value


def from_wkt(text: str) -> str | None:
    """Null for what is no valid text, or of another kind (curves, heights, empty shapes)."""
    if len(text) > _MOST_LETTERS:
        return None
    try:
        reader = _Reader(text)
        shape = reader.shape()
    except _MistakeError:
        return None
    return written(shape) if reader.index == len(reader.tokens) else None


NATIVES: tuple[Native, ...] = (native("geo_from_wkt", from_wkt, DYNAMIC, STRING),)
