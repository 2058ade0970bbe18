"""Functions over arrays and bags."""

from __future__ import annotations

from aforo.kql.functions.spec import Scalar, scalar
from aforo.kql.types import BOOL, DYNAMIC, LONG, REAL, STRING

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("array_length", "array:dynamic", LONG, "The number of elements, null when it is no array."),
    scalar("array_concat", "array:dynamic...", DYNAMIC, "The elements of all arrays."),
    scalar("array_slice", "array:dynamic, start:long, end:long", DYNAMIC, "The elements from start to end."),
    scalar("array_sum", "array:dynamic", REAL, "The sum of the numbers."),
    scalar("array_reverse", "array:dynamic", DYNAMIC, "The elements backwards."),
    scalar("array_index_of", "array:dynamic, value:any", LONG, "Where the value is, -1 when it is not."),
    scalar("pack_array", "value:any...", DYNAMIC, "An array of the values."),
    scalar("bag_pack", "name_or_value:any...", DYNAMIC, "A bag of names and values."),
    scalar("pack", "name_or_value:any...", DYNAMIC, "Another name of bag_pack().", operation="bag_pack"),
    scalar(
        "pack_dictionary",
        "name_or_value:any...",
        DYNAMIC,
        "Another name of bag_pack().",
        operation="bag_pack",
    ),
    scalar("bag_keys", "bag:dynamic", DYNAMIC, "The names of the bag."),
    scalar("array_sort_asc", "array:dynamic", DYNAMIC, "The elements in ascending order."),
    scalar("array_sort_desc", "array:dynamic", DYNAMIC, "The elements in descending order."),
    scalar("array_rotate_left", "array:dynamic, by:long", DYNAMIC, "The elements moved round to the front."),
    scalar("array_rotate_right", "array:dynamic, by:long", DYNAMIC, "The elements moved round to the end."),
    scalar("set_union", "set:dynamic, other:dynamic...", DYNAMIC, "The distinct elements of all."),
    scalar("set_intersect", "set:dynamic, other:dynamic...", DYNAMIC, "The elements that are in all."),
    scalar(
        "set_difference",
        "set:dynamic, other:dynamic...",
        DYNAMIC,
        "The elements that are in the first alone.",
    ),
    scalar("strcat_array", "array:dynamic, delimiter:string", STRING, "The elements as one text."),
    scalar("set_has_element", "set:dynamic, value:any", BOOL, "Whether the value is in the set."),
    scalar("extract_json", "path:string, text:string", STRING, "What lies at the path in the JSON text."),
    scalar(
        "extractjson", "path:string, text:string", STRING, "What lies at the path.", operation="extract_json"
    ),
    scalar("extract_all", "regex:string, text:string", DYNAMIC, "All matches, with their groups."),
)
