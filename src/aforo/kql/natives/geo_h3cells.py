"""H3 cells, hexagons on an icosahedron, by the library `h3` (the extra `geo`)."""

from __future__ import annotations

from importlib.util import find_spec

from aforo.kql.natives.geo_shapes import is_place, point_json, polygon_json
from aforo.kql.natives.spec import Native, native, written
from aforo.kql.types import DYNAMIC, INT, LONG, REAL, STRING

_MOST_LEVELS = 15
_MOST_RINGS = 142
_MOST_GENERATIONS = 5


def is_installed() -> bool:
    return find_spec("h3") is not None


def _valid(cell: str) -> bool:
    import h3

    return len(cell) <= 16 and bool(h3.is_valid_cell(cell))


def h3cell(longitude: float | None, latitude: float | None, resolution: int | None) -> str:
    """Empty for what is no place, and for no resolution."""
    import h3

    if longitude is None or latitude is None or not is_place(longitude, latitude):
        return ""
    if resolution is None or not 0 <= resolution <= _MOST_LEVELS:
        return ""
    return str(h3.latlng_to_cell(latitude, longitude, resolution))


def central_point(cell: str) -> str | None:
    import h3

    if not _valid(cell):
        return None
    latitude, longitude = h3.cell_to_latlng(cell)
    return point_json(longitude, latitude)


def polygon(cell: str) -> str | None:
    import h3

    if not _valid(cell):
        return None
    corners = [(longitude, latitude) for latitude, longitude in h3.cell_to_boundary(cell)]
    return polygon_json([*corners, corners[0]])


def level(cell: str) -> int | None:
    import h3

    return int(h3.get_resolution(cell)) if _valid(cell) else None


def parent(cell: str, resolution: int | None) -> str:
    import h3

    if not _valid(cell):
        return ""
    own = int(h3.get_resolution(cell))
    wanted = own - 1 if resolution is None else resolution
    return str(h3.cell_to_parent(cell, wanted)) if 0 <= wanted <= own else ""


def children(cell: str, resolution: int | None) -> str | None:
    import h3

    if not _valid(cell):
        return None
    own = int(h3.get_resolution(cell))
    wanted = own + 1 if resolution is None else resolution
    if not own <= wanted <= min(_MOST_LEVELS, own + _MOST_GENERATIONS):
        return None
    return written(list(h3.cell_to_children(cell, wanted)))


def rings(cell: str, distance: int | None) -> str | None:
    """Rings round the cell, each an array; the first one is the cell itself."""
    import h3

    if not _valid(cell) or distance is None or not 0 <= distance <= _MOST_RINGS:
        return None
    # How far each one lies. Near a pentagon the library counts no distances.
    far = {cell: 0}
    last = [cell]
    for steps in range(1, distance + 1):
        last = [n for c in last for n in h3.grid_disk(c, 1) if far.setdefault(n, steps) == steps]
        last = list(dict.fromkeys(last))
    out: list[list[str]] = [[] for _ in range(distance + 1)]
    for found in h3.grid_disk(cell, distance):
        out[far[found]].append(found)
    return written(out)


def neighbors(cell: str) -> str | None:
    import h3

    if not _valid(cell):
        return None
    return written([found for found in h3.grid_disk(cell, 1) if found != cell])


NATIVES: tuple[Native, ...] = (
    native("geo_point_to_h3cell", h3cell, STRING, REAL, REAL, LONG, defaults={2: 6}),
    native("geo_h3cell_to_central_point", central_point, DYNAMIC, STRING),
    native("geo_h3cell_to_polygon", polygon, DYNAMIC, STRING),
    native("geo_h3cell_level", level, INT, STRING),
    native("geo_h3cell_parent", parent, STRING, STRING, LONG),
    native("geo_h3cell_children", children, DYNAMIC, STRING, LONG),
    native("geo_h3cell_rings", rings, DYNAMIC, STRING, LONG),
    native("geo_h3cell_neighbors", neighbors, DYNAMIC, STRING),
)
