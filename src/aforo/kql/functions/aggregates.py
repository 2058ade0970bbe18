"""Aggregates, with the names that Kusto gives to their columns."""

from __future__ import annotations

from aforo.kql.functions.spec import Aggregate, Naming, aggregate, same
from aforo.kql.types import DYNAMIC, INT, LONG, REAL, KqlType


def _sum(types: tuple[KqlType, ...]) -> KqlType:
    return LONG if types[0] is INT else types[0]


def _average(types: tuple[KqlType, ...]) -> KqlType:
    return REAL if types[0] in (INT, LONG) else types[0]


_SUMMED = "value:number|timespan"
_AVERAGED = "value:number|timespan|datetime"
_SPREAD = ("stdev", "stdevp", "variance", "variancep")
_TOGETHER = ("covariance", "covariancep")

AGGREGATES: tuple[Aggregate, ...] = (
    aggregate("count", "condition?:bool", LONG, "The number of rows."),
    aggregate("cnt", "", LONG, "`count` by its old name.", operation="count"),
    aggregate("countif", "condition:bool", LONG, "The number of rows where it holds.", operation="count"),
    aggregate("sum", _SUMMED, _sum, "The sum."),
    aggregate("sumif", _SUMMED + ", condition:bool", _sum, "The sum where it holds.", operation="sum"),
    aggregate("avg", _AVERAGED, _average, "The average."),
    aggregate("avgif", _AVERAGED + ", condition:bool", _average, "The average where it holds.", operation="avg"),
    aggregate("min", "value:any", same(), "The least value."),
    aggregate("minif", "value:any, condition:bool", same(), "The least value where it holds.", operation="min"),
    aggregate("max", "value:any", same(), "The greatest value."),
    aggregate("maxif", "value:any, condition:bool", same(), "The greatest value where it holds.", operation="max"),
    aggregate("dcount", "value:any, accuracy?:long", LONG, "The number of distinct values.", operation="count_distinct"),
    aggregate("dcountif", "value:any, condition:bool, accuracy?:long", LONG,
              "The number of distinct values where it holds.", operation="count_distinct"),
    aggregate("count_distinct", "value:plain", LONG, "The number of distinct values."),
    aggregate("count_distinctif", "value:plain, condition:bool", LONG, "The number of distinct values where it holds.",
              operation="count_distinct"),
    aggregate("make_list", "value:any, limit?:long", DYNAMIC, "All values as an array.", prefix="list"),
    aggregate("makelist", "value:any, limit?:long", DYNAMIC, "All values as an array.", operation="make_list", prefix="list"),
    aggregate("make_list_if", "value:any, condition:bool, limit?:long", DYNAMIC, "The values where it holds.", operation="make_list",
              prefix="list"),
    aggregate("make_list_with_nulls", "value:any", DYNAMIC, "All values, nulls too.", prefix="list"),
    aggregate("make_set", "value:any, limit?:long", DYNAMIC, "The distinct values as an array.", prefix="set"),
    aggregate("makeset", "value:any, limit?:long", DYNAMIC, "The distinct values.", operation="make_set", prefix="set"),
    aggregate("make_set_if", "value:any, condition:bool, limit?:long", DYNAMIC, "The distinct values where it holds.",
              operation="make_set", prefix="set"),
    aggregate("make_bag", "bag:dynamic, limit?:long", DYNAMIC, "The properties of all bags.", prefix="bag"),
    aggregate("make_dictionary", "bag:dynamic, limit?:long", DYNAMIC, "`make_bag` by its old name.", operation="make_bag",
              prefix="dictionary"),
    aggregate("make_bag_if", "bag:dynamic, condition:bool, limit?:long", DYNAMIC, "The properties of the bags where it holds.",
              operation="make_bag", prefix="bag"),
    aggregate("percentile", "value:number|timespan|datetime, percentile:real", same(), "The value at a percentile."),
    aggregate("take_any", "value:any", same(), "Some value.", naming=Naming.FIRST_ARGUMENT),
    aggregate("any", "value:any", same(), "Some value.", operation="take_any", prefix="any"),
    aggregate("take_anyif", "value:any, condition:bool", same(), "Some value where it holds.", operation="take_any",
              naming=Naming.FIRST_ARGUMENT),
    aggregate("anyif", "value:any, condition:bool", same(), "Some value where it holds.", operation="take_any"),
    *(
        aggregate(f"binary_all_{bit}", "value:integer", same(), f"Bits set in {which}.", naming=Naming.FIRST_ARGUMENT)
        for bit, which in (("and", "all values"), ("or", "some value"), ("xor", "an odd number of values"))
    ),
    *(aggregate(name, "value:number|timespan", REAL, "How far values lie apart.") for name in _SPREAD),
    *(aggregate(f"{name}if", "value:number|timespan, condition:bool", REAL, "How far they lie apart where it holds.",
                operation=name) for name in _SPREAD),
    *(aggregate(name, "x:real|number, y:real|number", REAL, "How values go together.") for name in _TOGETHER),
    *(aggregate(f"{name}if", "x:real|number, y:real|number, condition:bool", REAL, "How values go together where it holds.",
                operation=name) for name in _TOGETHER),
    aggregate("buildschema", "value:dynamic", DYNAMIC, "The one type that fits all values.", prefix="schema"),
    aggregate("hll", "value:countable, accuracy?:long", DYNAMIC, "A digest of the distinct values, for dcount_hll()."),
    aggregate("hll_if", "value:countable, condition:bool, accuracy?:long", DYNAMIC,
              "A digest of the distinct values where it holds.", operation="hll"),
    aggregate("hll_merge", "hll:dynamic", DYNAMIC, "The digest of all digests."),
    aggregate("tdigest", _AVERAGED + ", weight?:long", DYNAMIC, "A digest of the distribution, for percentile_tdigest()."),
    *(
        aggregate(name, "tdigest:dynamic", DYNAMIC, "The digest of all digests.", operation="tdigest_merge",
                  prefix="merge_tdigests")
        for name in ("tdigest_merge", "merge_tdigest")
    ),
    aggregate("percentiles_array", _AVERAGED + ", percentile:number_or_array...", DYNAMIC,
              "The values at percentiles as an array.", prefix="percentiles"),
    aggregate("percentilew", _AVERAGED + ", weight:long, percentile:real", same(),
              "The value at a percentile, each value so many times.", operation="percentile_weighted", prefix="percentile"),
    aggregate("percentilesw_array", _AVERAGED + ", weight:long, percentile:number_or_array...", DYNAMIC,
              "The values at percentiles as an array, each value so many times.", operation="percentiles_weighted_array",
              prefix="percentiles"),
)  # fmt: skip
