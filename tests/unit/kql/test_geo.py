"""Functions over the earth: what is no place is null, shapes across the antimeridian and over poles are ordinary ones,
points on borders belong to one side only.
"""

from __future__ import annotations

import json
import math
import random

import duckdb
import pytest

from aforo.kql.call_checks import CHECKS
from aforo.kql.natives.geo_overlay import intersection, union, united
from aforo.kql.natives.geo_s2cells import cell_of, token
from aforo.kql.natives.geo_shapes import Polygon, polygons
from aforo.kql.natives.geo_sphere import vector
from tests.support.kql_run import answer, mistakes


def value(expression: str) -> object:
    cell = answer(f"print {expression}")[1][0][0]
    return json.loads(cell) if isinstance(cell, str) and cell.startswith(("[", "{")) else cell


def shape(kind: str, coordinates: object) -> str:
    return json.dumps({"type": kind, "coordinates": coordinates})


def polygon(*ring: tuple[float, float]) -> str:
    return f"dynamic({shape('Polygon', [[*ring, ring[0]]])})"


def line(*places: tuple[float, float]) -> str:
    return f"dynamic({shape('LineString', places)})"


SQUARE = polygon((0, 0), (10, 0), (10, 10), (0, 10))
QUARTER = math.pi / 2 * 6_371_010


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("geo_distance_2points(0, 0, 90, 0)", QUARTER),
        ("geo_distance_2points(0, 0, 180, 0)", 2 * QUARTER),
        ("geo_distance_2points(180, 5, -180, 5)", 0.0),
        ("geo_distance_2points(10, 90, -77, 90)", 0.0),
        ("geo_distance_2points(0, 90, 0, -90)", 2 * QUARTER),
        (f"geo_distance_point_to_line(0, 90, {line((0, 0), (90, 0))})", QUARTER),
        (f"geo_distance_point_to_line(-10, 0, {line((0, 0), (90, 0))})", QUARTER / 9),
        (f"geo_distance_point_to_polygon(5, 5, {SQUARE})", 0.0),
        (f"geo_distance_point_to_polygon(100, 0, {SQUARE})", QUARTER),
        ("geo_azimuth(0, 0, 0, 10)", 0.0),
        ("geo_azimuth(0, 0, 10, 0)", math.pi / 2),
        ("geo_azimuth(0, 0, -10, 0)", 3 * math.pi / 2),
        ("geo_angle(0, 10, 0, 0, 10, 0)", math.pi / 2),
        ("geo_angle(10, 0, 0, 0, 0, 10)", 3 * math.pi / 2),
        (f"geo_line_length({line((170, 0), (-170, 0))})", QUARTER * 2 / 9),
        (f"geo_line_locate_point({line((0, 0), (90, 0))}, 30, 10)", 1 / 3),
        (f"geo_polygon_area({polygon((0, 0), (90, 0), (0, 90))})", math.pi / 2 * 6_371_010**2),
        (f"geo_polygon_perimeter({polygon((0, 0), (90, 0), (0, 90))})", 3 * QUARTER),
    ],
)
def test_measures(expression: str, expected: float) -> None:
    assert value(expression) == pytest.approx(expected, rel=1e-12, abs=1e-6)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("geo_point_in_circle(0, 0, 0, 0.1, 12000)", True),
        ("geo_point_in_circle(0, 0, 0, 0.1, 11000)", False),
        ("geo_point_in_circle(180, 0, -179.9, 0, 12000)", True),
        (f"geo_point_in_polygon(5, 5, {SQUARE})", True),
        (f"geo_point_in_polygon(5, 5, {polygon((0, 10), (10, 10), (10, 0), (0, 0))})", True),
        (f"geo_point_in_polygon(-175, 5, {polygon((170, 0), (-170, 0), (-170, 10), (170, 10))})", True),
        (f"geo_point_in_polygon(0, 5, {polygon((170, 0), (-170, 0), (-170, 10), (170, 10))})", False),
        (f"geo_point_in_polygon(45, 89, {polygon((0, 80), (90, 80), (180, 80), (-90, 80))})", True),
        (f"geo_point_in_polygon(45, 70, {polygon((0, 80), (90, 80), (180, 80), (-90, 80))})", False),
        (f"geo_intersects_2lines({line((0, -5), (0, 5))}, {line((-5, 0), (5, 0))})", True),
        (f"geo_intersects_2lines({line((0, 0), (0, 5))}, {line((0, 5), (5, 0))})", True),
        (f"geo_intersects_2lines({line((0, 0), (0, 5))}, {line((1, 0), (5, 0))})", False),
        (f"geo_intersects_line_with_polygon({line((1, 1), (2, 2))}, {SQUARE})", True),
        (f"geo_intersects_line_with_polygon({line((-1, 1), (12, 2))}, {SQUARE})", True),
        (f"geo_intersects_line_with_polygon({line((-1, 1), (-2, 2))}, {SQUARE})", False),
        (f"geo_intersects_2polygons({SQUARE}, {polygon((5, 5), (15, 5), (15, 15), (5, 15))})", True),
        (f"geo_intersects_2polygons({SQUARE}, {polygon((2, 2), (3, 2), (3, 3))})", True),
        (f"geo_intersects_2polygons({SQUARE}, {polygon((20, 2), (30, 2), (30, 3))})", False),
        (f"geo_intersects_2polygons({SQUARE}, {polygon((10, 0), (20, 0), (20, 10), (10, 10))})", False),
        (f"geo_intersects_2polygons({SQUARE}, {SQUARE})", True),
    ],
)
def test_whether(expression: str, expected: bool) -> None:
    assert value(expression) is expected


@pytest.mark.parametrize(
    "expression",
    [
        "geo_distance_2points(300, 1, 1, 1)",
        "geo_distance_2points(1, 91, 1, 1)",
        "geo_distance_2points(1, real(null), 1, 1)",
        "geo_distance_2points(1, real(nan), 1, 1)",
        "geo_point_in_circle(0, 0, 0, 0, 0)",
        "geo_point_in_circle(0, 0, 0, 0, real(null))",
        "geo_point_in_circle(0, 0, 0, 0, real(+inf))",
        "geo_azimuth(5, 10, 5, 10)",
        "geo_azimuth(0, 0, 180, 0)",
        "geo_angle(0, 10, 0, 10, 3, -10)",
        "geo_angle(0, 10, 3, -10, 3, -10)",
        "geo_line_length(dynamic(null))",
        "geo_line_length(dynamic([1, 2]))",
        f"geo_line_length({line((1, 1))})",
        f"geo_line_length({line((1, 1), (1, 1))})",
        f"geo_line_length({line((1, 1), (200, 1))})",
        f"geo_line_length({line((0, 0), (180, 0))})",
        f"geo_line_length({SQUARE})",
        'geo_line_length(dynamic({"type": "MultiLineString", "coordinates": []}))',
        'geo_line_length(dynamic({"type": "LineString", "coordinates": [["a", "b"], [1, 2]]}))',
        'geo_polygon_area(dynamic({"type": "Polygon", "coordinates": []}))',
        'geo_polygon_area(dynamic({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}))',
        'geo_polygon_area(dynamic({"type": "Polygon", "coordinates": [[[0, 0], [10, 10], [10, 10], [0, 0]]]}))',
        f"geo_polygon_area({polygon((0, 0), (10, 10), (10, 0), (0, 10))})",
        f"geo_line_interpolate_point({line((0, 0), (1, 1))}, 1.5)",
        f"geo_line_interpolate_point({line((0, 0), (1, 1))}, real(null))",
        "geo_union_polygons_array(dynamic([]))",
        "geo_union_polygons_array(dynamic([1]))",
        f"geo_line_densify({line((0, 0), (1, 1))}, 0)",
        f"geo_line_densify({line((0, 0), (1, 1))}, real(null))",
        "geo_geohash_to_polygon('a')",
        "geo_geohash_to_polygon('')",
        "geo_s2cell_to_central_point('a')",
        "geo_s2cell_to_central_point('')",
        "geo_s2cell_to_polygon('11111111111111111')",
        "geo_h3cell_to_polygon('@')",
        "geo_h3cell_level('')",
        "geo_h3cell_children('862a1072fffffff', 12)",
        "geo_h3cell_children('862a1072fffffff', 5)",
        "geo_h3cell_rings('861f8894fffffff', 143)",
        "geo_h3cell_neighbors('abc')",
        "geo_geohash_neighbors('a')",
        "geo_s2cell_neighbors('a')",
        "geo_from_wkt('LINESTRING (1 2)')",
        "geo_from_wkt('POLYGON ((0 0, 1 1, 1 0, 0 1))')",
        "geo_from_wkt('POINT (1 2) POINT (1 2)')",
        "geo_from_wkt('CIRCULARSTRING (1 2, 3 4)')",
        "geo_from_wkt('')",
    ],
)
def test_what_is_no_shape_is_null(expression: str) -> None:
    assert value(expression) is None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("geo_point_to_geohash(139.806115, 35.554128, 12)", "xn76m27ty9g4"),
        ("geo_point_to_geohash(-122.304745, 47.567052)", "c23n8"),
        ("geo_point_to_geohash(180, 90, 1)", "z"),
        ("geo_point_to_geohash(-180, -90, 18)", "0" * 18),
        ("geo_point_to_geohash(1, 1, int(null))", ""),
        ("geo_point_to_geohash(1, 1, 19)", ""),
        ("geo_point_to_geohash(200, 1)", ""),
        ("geo_point_to_s2cell(-80.195829, 25.802215, 8)", "88d9b"),
        ("geo_point_to_s2cell(1, 1, 35)", ""),
        ("geo_point_to_s2cell(1, 1, int(null))", ""),
        ("strlen(geo_point_to_s2cell(1, 1))", 7),
        ("geo_point_to_h3cell(-74.04450446039874, 40.689250859314974)", "862a1072fffffff"),
        ("geo_point_to_h3cell(1, 1, 16)", ""),
        ("geo_h3cell_parent('862a1072fffffff')", "852a1073fffffff"),
        ("geo_h3cell_parent('862a1072fffffff', 1)", "812a3ffffffffff"),
        ("geo_h3cell_parent('862a1072fffffff', 15)", ""),
        ("geo_h3cell_level('862a1072fffffff')", 6),
        ("array_length(geo_h3cell_children('862a1072fffffff'))", 7),
        ("array_length(geo_h3cell_rings('8009fffffffffff', 1)[1])", 5),
        ("array_length(geo_h3cell_neighbors('862a1072fffffff'))", 6),
    ],
)
def test_cells(expression: str, expected: object) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "kind", "coordinates"),
    [
        ("geo_geohash_to_central_point('sunny')", "Point", [42.47314453125, 23.70849609375]),
        (f"geo_closest_point_on_line(30, 10, {line((0, 0), (90, 0))})", "Point", [30, 0]),
        (f"geo_closest_point_on_line(-30, 10, {line((0.1, 0), (90, 0))})", "Point", [0.1, 0]),
        (f"geo_closest_point_on_polygon(5, 5, {SQUARE})", "Point", [5, 5]),
        (f"geo_line_interpolate_point({line((0, 0), (30, 0), (90, 0))}, 0.5)", "Point", [45, 0]),
        (f"geo_line_interpolate_point({line((0, 0), (30, 0))}, 0)", "Point", [0, 0]),
        (f"geo_line_interpolate_point({line((0, 0), (30, 0))}, 1)", "Point", [30, 0]),
        (f"geo_line_centroid({line((170, 0), (-170, 0))})", "Point", [180, 0]),
        (f"geo_polygon_centroid({polygon((-10, -10), (10, -10), (10, 10), (-10, 10))})", "Point", [0, 0]),
        ("geo_from_wkt('point(1 2.5)')", "Point", [1, 2.5]),
        (f"geo_line_densify({line((50, 50), (51, 51))}, 10000)", "LineString", [[50, 50], [51, 51]]),
        (f"geo_line_densify({line((0, 0), (0, 80))})", "LineString", [[0, 0], [0, 80]]),
        (f"geo_intersection_2lines({line((0, -5), (0, 5))}, {line((-5, 0), (5, 0))})", "Point", [0, 0]),
        (f"geo_intersection_2lines({line((0, 0), (0, 5))}, {line((0, 5), (5, 0))})", "Point", [0, 5]),
        (f"geo_intersection_2polygons({SQUARE}, {polygon((10, 10), (20, 10), (20, 20))})", "Point", [10, 10]),
        (
            f"geo_intersection_line_with_polygon({line((-5, 0), (45, 0))}, {polygon((0, -10), (10, 0), (0, 10))})",
            "LineString",
            [[0, 0], [10, 0]],
        ),
    ],
)
def test_shapes(expression: str, kind: str, coordinates: list[object]) -> None:
    found = value(expression)
    assert isinstance(found, dict)
    assert found["type"] == kind
    flat, wanted = (
        json.dumps(c).replace("[", "").replace("]", "").split(",")
        for c in (found["coordinates"], coordinates)
    )
    assert [float(x) for x in flat] == pytest.approx([float(x) for x in wanted], abs=1e-12)


def test_nothing_in_common() -> None:
    apart = f"{SQUARE}, {polygon((20, 20), (30, 20), (30, 30))}"
    assert value(f"geo_intersection_2polygons({apart})") == {"type": "GeometryCollection", "geometries": []}
    together = value(f"geo_union_polygons_array(pack_array({apart}))")
    assert isinstance(together, dict)
    assert together["type"] == "MultiPolygon"


def test_lines_that_run_into_each_other_are_one() -> None:
    parts = f"{line((0, 0), (1, 1), (2, 0))}, {line((1, 1), (2, 0), (3, 1))}, {line((3, 1), (4, 4))}"
    found = value(f"geo_union_lines_array(pack_array({parts}))")
    assert isinstance(found, dict)
    assert [[round(x, 9) for x in place] for place in found["coordinates"]] == [
        [0, 0],
        [1, 1],
        [2, 0],
        [3, 1],
        [4, 4],
    ]
    assert value("geo_union_lines_array(dynamic([1]))") is None


def test_a_hole_is_outside() -> None:
    ring = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
    hole = [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]
    with_hole = f"dynamic({shape('Polygon', [ring, hole])})"
    assert value(f"geo_point_in_polygon(5, 5, {with_hole})") is False
    assert value(f"geo_point_in_polygon(2, 2, {with_hole})") is True
    assert value(f"geo_distance_point_to_polygon(5, 5, {with_hole})") == pytest.approx(
        111_195 * 0.9962, rel=1e-3
    )
    whole, cut = value(f"geo_polygon_area({SQUARE})"), value(f"geo_polygon_area({with_hole})")
    assert isinstance(whole, float)
    assert isinstance(cut, float)
    assert cut < whole


def test_many_polygons_count_what_they_share_once() -> None:
    ring = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
    twice = f"dynamic({shape('MultiPolygon', [[ring], [ring]])})"
    assert value(f"geo_polygon_area({twice})") == pytest.approx(value(f"geo_polygon_area({SQUARE})"))
    lines = shape("MultiLineString", [[[0, 0], [1, 1]], [[1, 1], [0, 0]]])
    assert value(f"geo_line_length(dynamic({lines}))") == pytest.approx(
        value(f"geo_line_length({line((0, 0), (1, 1))})")
    )


def _region(*ring: tuple[float, float]) -> tuple[Polygon, ...]:
    found = polygons(shape("Polygon", [[*ring, ring[0]]]))
    assert found is not None
    return found


def test_a_ring_closed_by_union_has_a_hole() -> None:
    west, east = _region((0, 0), (1, 0), (1, 9), (0, 9)), _region((8, 0), (9, 0), (9, 9), (8, 9))
    south, north = _region((0, -1), (9, -1), (9, 1), (0, 1)), _region((0, 8), (9, 8), (9, 10), (0, 10))
    (found,) = united([west, east, south, north])
    assert len(found.holes) == 1
    assert not found.holds(vector(5, 5))
    assert found.holds(vector(0.5, 5))


def test_overlays_hold_what_their_parts_hold() -> None:
    """Random stars laid over each other, asked at random points."""
    dice = random.Random(4)
    for _ in range(25):
        a, b = (_star(dice) for _ in range(2))
        both, either = intersection(a, b), union(a, b)
        for _ in range(40):
            p = vector(dice.uniform(-12, 12), dice.uniform(-12, 12))
            in_a, in_b = (any(part.holds(p) for part in region) for region in (a, b))
            assert any(part.holds(p) for part in both) == (in_a and in_b)
            assert any(part.holds(p) for part in either) == (in_a or in_b)


def _star(dice: random.Random) -> tuple[Polygon, ...]:
    x, y = dice.uniform(-4, 4), dice.uniform(-4, 4)
    turns = sorted(dice.uniform(0, 2 * math.pi) for _ in range(dice.randint(4, 12)))
    while max(b - a for a, b in zip(turns, [*turns[1:], turns[0] + 2 * math.pi], strict=True)) >= math.pi:
        turns = sorted(dice.uniform(0, 2 * math.pi) for _ in turns)
    far = [dice.uniform(2, 8) for _ in turns]
    return _region(*((x + r * math.cos(t), y + r * math.sin(t)) for t, r in zip(turns, far, strict=True)))


def test_every_point_belongs_to_one_of_two_neighbours() -> None:
    west, east = _region((0, 0), (10, 0), (10, 10), (0, 10)), _region((10, 0), (20, 0), (20, 10), (10, 10))
    for latitude in (0, 1, 5, 9.5, 10):
        p = vector(10, latitude)
        assert west[0].holds(p) + east[0].holds(p) <= 1
    assert west[0].holds(vector(10, 5)) + east[0].holds(vector(10, 5)) == 1


def test_neighbours_go_round_the_cube() -> None:
    """A cell at a corner of the cube has one neighbour less; neighbours are such to each other."""
    assert value("array_length(geo_s2cell_neighbors('1'))") == 4
    own = token(cell_of(vector(44.99, 35.26), 5))
    corner = value(f"geo_s2cell_neighbors('{own}')")
    assert isinstance(corner, list)
    assert len(corner) == 7
    for other in corner:
        back = value(f"geo_s2cell_neighbors('{other}')")
        assert isinstance(back, list)
        assert own in back
    # Across the antimeridian.
    assert value("set_has_element(geo_geohash_neighbors('8'), 'x')") is True


def test_cells_that_a_shape_reaches() -> None:
    triangle = polygon((0, 0), (0, 50), (100, 50))
    assert value(f"array_length(geo_polygon_to_s2cells({triangle}, 5))") == 286
    assert value(f"geo_polygon_to_s2cells({triangle}, 30)") is None
    assert value(f"geo_polygon_to_s2cells({SQUARE}, 31)") is None
    assert value(f"geo_polygon_to_s2cells({SQUARE}, 9223372036854775807)") is None
    assert value(f"geo_line_to_s2cells({line((1, 1), (2, 2))}, 0)") == ["1"]
    near = value(f"geo_line_to_s2cells({line((1, 1), (2, 2))}, 8, 50000)")
    alone = value(f"geo_line_to_s2cells({line((1, 1), (2, 2))}, 8)")
    assert isinstance(near, list)
    assert isinstance(alone, list)
    assert set(alone) < set(near)
    found = value(f"geo_polygon_to_s2cells({SQUARE}, 7)")
    assert isinstance(found, list)
    dice = random.Random(2)
    assert all(
        token(cell_of(vector(dice.uniform(0.1, 9.9), dice.uniform(0.1, 9.9)), 7)) in found for _ in range(200)
    )


def test_s2_cells_hold_their_centres() -> None:
    dice = random.Random(7)
    for _ in range(200):
        p = vector(dice.uniform(-180, 180), dice.uniform(-90, 90))
        level = dice.randint(0, 30)
        text = token(cell_of(p, level))
        middle = value(f"geo_s2cell_to_central_point('{text}')") if level % 10 == 0 else None
        if isinstance(middle, dict):
            longitude, latitude = middle["coordinates"]
            assert token(cell_of(vector(longitude, latitude), level)) == text
        assert cell_of(p, max(level - 1, 0)) >> 61 == cell_of(p, level) >> 61


@pytest.mark.parametrize(
    "expression",
    [
        "geo_distance_2points(0, 0, 1, 1, true)",
        "geo_point_buffer(1, 1, 10)",
        f"geo_polygon_simplify({SQUARE})",
    ],
)
def test_what_cannot_be_pinned_is_refused(expression: str) -> None:
    assert "not supported" in mistakes(f"print {expression}")[0]


def test_h3_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aforo.kql.call_checks.h3_is_installed", lambda: False)
    assert "extra 'geo'" in CHECKS["geo_h3cell_level"](())
    assert "extra 'geo'" in mistakes("print geo_point_to_h3cell(1, 1)")[0]


@pytest.mark.parametrize(
    "expression",
    [
        f"geo_intersection_2lines({line((0, 0), (0, 5), (5, 5))}, {line((-1, 1), (6, 6))})",
        f"geo_intersection_2polygons({SQUARE}, {polygon((10, 0), (20, 0), (20, 10), (10, 10))})",
        f"geo_line_densify({line((170, 0), (-170, 10))})",
        f"geo_union_lines_array(pack_array({line((0, -1), (0, 1))}, {line((-1, 0), (1, 0))}))",
        f"geo_union_lines_array(pack_array({line((0, 0), (0, 1))}, {line((5, 0), (6, 0))}))",
    ],
)
def test_what_only_the_values_tell_ends_the_query(expression: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=r"aforo: .* not supported"):
        value(expression)
