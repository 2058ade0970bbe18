"""Functions with rules of their own: their arguments are no plain values, or their type is that of several.

The binder (bind_calls, operators/grouping) binds each by name; here stand their signatures for people.
"""

from __future__ import annotations

# Name: (parameters, result, meaning).
FORMS: dict[str, tuple[str, str, str]] = {
    "now": ("offset?: timespan", "datetime", "The time of the question, moved by the offset."),
    "ago": ("offset: timespan", "datetime", "The time of the question, so long before."),
    "ingestion_time": (
        "",
        "datetime",
        "When the row came into its table; null where that is not known, and after `summarize`.",
    ),
    "iff": ("condition: bool, then, otherwise", "type of the values", "One of two values."),
    "iif": ("condition: bool, then, otherwise", "type of the values", "One of two values."),
    "case": (
        "condition: bool, then, ..., otherwise",
        "type of the values",
        "The value behind the first condition that holds.",
    ),
    "coalesce": ("value, ...", "type of the values", "The first value that is not null (or an empty text)."),
    "max_of": ("value, ...", "type of the values", "The greatest value."),
    "min_of": ("value, ...", "type of the values", "The least value."),
    "toscalar": ("query", "type of its first column", "The first value of a query's answer."),
    "column_ifexists": ("name: string, otherwise", "type of the column", "The column, where there is one."),
    "columnifexists": ("name: string, otherwise", "type of the column", "The column, where there is one."),
    "pack_all": ("ignore_null_or_empty?: bool", "dynamic", "All columns of the row as a bag."),
    "extract": (
        "regex: string, group: long, source: string, typeof?",
        "string, or the type asked for",
        "One captured group of the first match.",
    ),
    "range": ("start, stop, step?", "dynamic", "An array of evenly spaced values."),
    "current_database": ("", "string", "The name of what the query is sent to."),
    "new_guid": ("", "guid", "A random GUID, another one in each row."),
    "bin_auto": (
        "value: number, datetime or timespan",
        "type of the value",
        "The value rounded down as `set query_bin_auto_size` says, counted from `query_bin_auto_at`.",
    ),
    "rand": (
        "below?: long",
        "real",
        "A random number from 0 to 1, or one of 0, 1, ... below; another one in each row.",
    ),
    "array_sort_asc": (
        "array: dynamic, ..., nulls_last?: bool",
        "dynamic, several",
        "The arrays in the order of the first.",
    ),
    "array_sort_desc": (
        "array: dynamic, ..., nulls_last?: bool",
        "dynamic, several",
        "The arrays in the order of the first, the greatest first.",
    ),
    "bag_pack_columns": ("column, ...", "dynamic", "A bag of columns under their names."),
    "iscolumnexists": ("name: string", "bool", "Whether there is such a column."),
    "estimate_data_size": ("column, ... or *", "long", "The bytes that the values take."),
    "extract_all": (
        "regex: string, groups?: dynamic, source: string",
        "dynamic",
        "All matches, with their groups.",
    ),
    "extractall": (
        "regex: string, groups?: dynamic, source: string",
        "dynamic",
        "`extract_all` by its old name.",
    ),
    "extract_json": (
        "path: string, text: string, typeof?",
        "string, or the type asked for",
        "What lies at the path.",
    ),
    "extractjson": (
        "path: string, text: string, typeof?",
        "string, or the type asked for",
        "`extract_json`'s old name.",
    ),
    "percentile_tdigest": (
        "tdigest: dynamic, percentile: real, typeof?",
        "dynamic, or the type asked for",
        "The value at a percentile.",
    ),
    "around": ("value, center, delta", "bool", "Whether the value is no farther from the center."),
    "make_datetime": (
        "year: long, month: long, day: long, hour?: long, minute?: long, second?: real",
        "datetime",
        "A datetime of its parts, or of one value.",
    ),
    "make_timespan": (
        "day?: long, hour: long, minute: long, second?: real",
        "timespan",
        "A timespan of its parts, or of one value.",
    ),
    "hash": ("value, mod?: long", "long", "xxHash64, or what is left when it is divided."),
    "hash_xxhash64": ("value, mod?: long", "long", "xxHash64, or what is left when it is divided."),
    "column_names_of": ("table", "dynamic", "The names of a table's columns, as an array."),
    "assert": ("condition: bool, message: string", "bool", "True, or the end of the query with the message."),
    "materialize": ("query", "table", "The query's rows; only as the value of a `let`."),
}

# The same for aggregates, which stand in `summarize` alone.
AGGREGATE_FORMS: dict[str, tuple[str, str, str]] = {
    "arg_max": ("by, column, ... or *", "the columns", "The columns of the row in which `by` is greatest."),
    "arg_min": ("by, column, ... or *", "the columns", "The columns of the row in which `by` is least."),
    "argmax": ("by, column, ... or *", "the columns", "`arg_max` by its old name."),
    "argmin": ("by, column, ... or *", "the columns", "`arg_min` by its old name."),
    "take_any": ("column, ... or *", "the columns", "The columns of some row."),
    "any": ("column, ... or *", "the columns", "`take_any` by its old name."),
    "percentiles": ("value: number, percentile, ...", "type of the value", "A column for each percentile."),
    "percentilesw": (
        "value: number, weight: long, percentile, ...",
        "type of the value",
        "A column for each percentile, each value so many times.",
    ),
}
