"""Functions over arrays and bags."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import BOOL, DYNAMIC, LONG, REAL, STRING

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("array_length", "array:dynamic", LONG, "The number of elements, null when it is no array."),
    scalar("array_concat", "array:dynamic...", DYNAMIC, "The elements of all arrays."),
    scalar("array_slice", "array:dynamic, start:long, end:long", DYNAMIC, "The elements from start to end."),
    scalar("array_sum", "array:dynamic", REAL, "The sum of the numbers."),
    scalar("array_reverse", "array:dynamic", DYNAMIC, "The elements backwards."),
    scalar("array_index_of", "array:dynamic, value:any, start?:long, length?:long, occurrence?:long", LONG, "Where the value is, -1 when it is not."),
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
    scalar("arraylength", "array:dynamic", LONG, "The number of elements.", operation="array_length"),
    *(
        scalar(name, "condition:dynamic, then:any, otherwise:any", DYNAMIC,
               "The elements of one or the other array, by those of the first.", operation="array_iff")
        for name in ("array_iff", "array_iif")
    ),
    scalar("array_shift_left", "array:dynamic, by:long, default?:any", DYNAMIC, "The elements moved to the front."),
    scalar("array_shift_right", "array:dynamic, by:long, default?:any", DYNAMIC, "The elements moved to the end."),
    scalar("array_split", "array:dynamic, at:integer_or_array", DYNAMIC, "The pieces between places of the array."),
    scalar("zip", "array:dynamic, more:dynamic...", DYNAMIC, "The elements that stand at the same place, together."),
    scalar("set_equals", "set1:dynamic, set2:dynamic", BOOL, "Whether both have the same elements."),
    scalar("jaccard_index", "set1:dynamic, set2:dynamic", DYNAMIC, "The part of their elements that both sets share."),
    scalar("bag_merge", "bag:dynamic, more:dynamic...", DYNAMIC, "The names and values of all bags."),
    scalar("bag_has_key", "bag:dynamic, key:string", BOOL, "Whether the name, or the path, leads to something."),
    scalar("bag_remove_keys", "bag:dynamic, keys:dynamic", DYNAMIC, "The bag without these names and paths."),
    scalar("bag_set_key", "bag:dynamic, key:string, value:any", DYNAMIC, "The bag with a value at a name or a path."),
    scalar("bag_zip", "keys:dynamic, values:dynamic", DYNAMIC, "A bag of names and the values at the same place."),
    scalar("treepath", "object:dynamic", DYNAMIC, "All paths inside.", naming=Naming.PREFIX_FIRST, prefix="tree"),
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
    scalar("strcat_array", "array:dynamic, delimiter:text", STRING, "The elements as one text."),
    scalar("set_has_element", "set:dynamic, value:any", BOOL, "Whether the value is in the set."),
    scalar("array_strcat", "array:dynamic, delimiter:text", STRING, "The elements as one text.", operation="strcat_array"),
)  # fmt: skip
