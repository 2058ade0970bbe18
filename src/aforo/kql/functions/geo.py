"""Functions over places, lines and polygons on the earth: degrees as longitude and latitude, metres, GeoJSON."""

from __future__ import annotations

from aforo.kql.functions.spec import Scalar, scalar
from aforo.kql.types import BOOL, DYNAMIC, INT, REAL, STRING

_PLACE = "longitude:real, latitude:real"
_TWO_PLACES = "p1_longitude:real, p1_latitude:real, p2_longitude:real, p2_latitude:real"
_THREE_PLACES = f"{_TWO_PLACES}, p3_longitude:real, p3_latitude:real"

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("geo_distance_2points", f"{_TWO_PLACES}, use_spheroid?:bool", REAL, "How far two points lie apart."),
    scalar("geo_distance_point_to_line", f"{_PLACE}, line:dynamic", REAL, "How far a point lies from a line."),
    scalar("geo_distance_point_to_polygon", f"{_PLACE}, polygon:dynamic", REAL,
           "How far a point lies from a polygon, 0 inside."),
    scalar("geo_point_in_circle",
           f"{_PLACE}, center_longitude:real, center_latitude:real, radius:real", BOOL,
           "Whether a point lies in a circle."),
    scalar("geo_point_in_polygon", f"{_PLACE}, polygon:dynamic", BOOL, "Whether a point lies in a polygon."),
    scalar("geo_closest_point_on_line", f"{_PLACE}, line:dynamic", DYNAMIC, "The point of a line that is nearest."),
    scalar("geo_closest_point_on_polygon", f"{_PLACE}, polygon:dynamic", DYNAMIC,
           "The point of a polygon that is nearest."),
    scalar("geo_azimuth", _TWO_PLACES, REAL, "The direction from one point to another, clockwise from north."),
    scalar("geo_angle", _THREE_PLACES, REAL, "The angle at the second point, clockwise from the first to the third."),
    scalar("geo_line_length", "line:dynamic", REAL, "How long a line is."),
    scalar("geo_line_centroid", "line:dynamic", DYNAMIC, "The centre of a line."),
    scalar("geo_line_interpolate_point", "line:dynamic, fraction:real", DYNAMIC, "The point at a part of a line's length."),
    scalar("geo_line_locate_point", f"line:dynamic, {_PLACE}, use_spheroid?:bool", REAL,
           "At which part of a line's length its point lies that is nearest."),
    scalar("geo_line_densify", "line:dynamic, tolerance?:real, preserve_crossing?:bool", DYNAMIC,
           "A line that is straight on a map as one on the earth."),
    scalar("geo_polygon_densify", "polygon:dynamic, tolerance?:real, preserve_crossing?:bool", DYNAMIC,
           "A polygon that is straight on a map as one on the earth."),
    scalar("geo_polygon_area", "polygon:dynamic", REAL, "The area of a polygon in square metres."),
    scalar("geo_polygon_perimeter", "polygon:dynamic", REAL, "How long the border of a polygon is."),
    scalar("geo_polygon_centroid", "polygon:dynamic", DYNAMIC, "The centre of a polygon."),
    scalar("geo_intersects_2lines", "line1:dynamic, line2:dynamic", BOOL, "Whether two lines meet."),
    scalar("geo_intersects_2polygons", "polygon1:dynamic, polygon2:dynamic", BOOL, "Whether two polygons overlap."),
    scalar("geo_intersects_line_with_polygon", "line:dynamic, polygon:dynamic", BOOL, "Whether a line meets a polygon."),
    scalar("geo_intersection_2lines", "line1:dynamic, line2:dynamic", DYNAMIC, "What two lines have in common."),
    scalar("geo_intersection_2polygons", "polygon1:dynamic, polygon2:dynamic", DYNAMIC,
           "What two polygons have in common."),
    scalar("geo_intersection_line_with_polygon", "line:dynamic, polygon:dynamic", DYNAMIC,
           "What a line and a polygon have in common."),
    scalar("geo_union_polygons_array", "polygons:dynamic", DYNAMIC, "What all polygons of an array are together."),
    scalar("geo_union_lines_array", "lines:dynamic", DYNAMIC, "The line that all lines of an array are together."),
    scalar("geo_from_wkt", "wkt:string", DYNAMIC, "A well-known text as GeoJSON."),
    scalar("geo_point_to_geohash", f"{_PLACE}, accuracy?:long", STRING, "The geohash of a point."),
    scalar("geo_geohash_to_central_point", "geohash:string", DYNAMIC, "The centre of a geohash."),
    scalar("geo_geohash_to_polygon", "geohash:string", DYNAMIC, "The border of a geohash."),
    scalar("geo_geohash_neighbors", "geohash:string", DYNAMIC, "The geohashes beside one."),
    scalar("geo_point_to_s2cell", f"{_PLACE}, level?:long", STRING, "The S2 cell of a point."),
    scalar("geo_s2cell_to_central_point", "s2cell:string", DYNAMIC, "The centre of an S2 cell."),
    scalar("geo_s2cell_to_polygon", "s2cell:string", DYNAMIC, "The border of an S2 cell."),
    scalar("geo_s2cell_neighbors", "s2cell:string", DYNAMIC, "The S2 cells beside one."),
    scalar("geo_line_to_s2cells", "line:dynamic, level?:long, radius?:real", DYNAMIC, "The S2 cells that a line reaches."),
    scalar("geo_polygon_to_s2cells", "polygon:dynamic, level?:long, radius?:real", DYNAMIC,
           "The S2 cells that a polygon reaches."),
    scalar("geo_point_to_h3cell", f"{_PLACE}, resolution?:long", STRING, "The H3 cell of a point."),
    scalar("geo_h3cell_to_central_point", "h3cell:string", DYNAMIC, "The centre of an H3 cell."),
    scalar("geo_h3cell_to_polygon", "h3cell:string", DYNAMIC, "The border of an H3 cell."),
    scalar("geo_h3cell_level", "h3cell:string", INT, "The resolution of an H3 cell."),
    scalar("geo_h3cell_parent", "h3cell:string, resolution?:long", STRING, "The H3 cell that holds another one."),
    scalar("geo_h3cell_children", "h3cell:string, resolution?:long", DYNAMIC, "The H3 cells inside of one."),
    scalar("geo_h3cell_rings", "h3cell:string, distance:long", DYNAMIC, "The rings of H3 cells round one."),
    scalar("geo_h3cell_neighbors", "h3cell:string", DYNAMIC, "The H3 cells beside one."),
)  # fmt: skip
