"""Functions over text."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("strlen", "source:string", LONG, "The number of characters.", naming=Naming.PREFIX_FIRST),
    scalar("string_size", "source:string", LONG, "The number of bytes in UTF-8.", naming=Naming.PREFIX_FIRST),
    scalar("tolower", "source:text", STRING, "The text in lower case."),
    scalar("toupper", "source:text", STRING, "The text in upper case."),
    scalar("strcat", "part:any...", STRING, "The parts one after another."),
    scalar(
        "strcat_delim", "delimiter:text, part:any...", STRING, "The parts with the delimiter between them."
    ),
    scalar(
        "substring", "source:text, start:long, length?:long", STRING, "A piece of the text, counted from 0."
    ),
    scalar(
        "indexof",
        "source:text, lookup:text, start?:long, length?:long, occurrence?:long",
        LONG,
        "Where the lookup begins (from 0), -1 when it does not occur.",
    ),
    scalar(
        "indexof_regex",
        "source:text, regex:string, start?:long, length?:long, occurrence?:long",
        LONG,
        "Where a match begins (from 0), -1 when there is none.",
    ),
    scalar(
        "has_any_index",
        "source:string, values:dynamic",
        LONG,
        "The place of the first value that is a term of the text.",
    ),
    scalar(
        "translate",
        "search:string, replacement:string, source:string",
        STRING,
        "Each character becomes another one.",
    ),
    scalar(
        "replace_strings",
        "text:string, lookups:dynamic, rewrites:dynamic",
        STRING,
        "Every occurrence of several texts replaced.",
    ),
    scalar("regex_quote", "text:text", STRING, "The text as a regular expression that finds it."),
    scalar("isascii", "text:text", BOOL, "Whether all characters are ASCII."),
    scalar("isutf8", "text:text", BOOL, "Whether the text is valid UTF-8."),
    scalar(
        "format_bytes",
        "size:real|number, digits?:long, unit?:string",
        STRING,
        "A number of bytes as people read it.",
        naming=Naming.FIRST_ARGUMENT,
    ),
    scalar("countof", "source:string, search:string, kind?:string", LONG, "How often the search occurs."),
    scalar(
        "split",
        "source:text, delimiter:string, index?:long",
        DYNAMIC,
        "The pieces between the delimiters.",
        naming=Naming.FIRST_ARGUMENT,
    ),
    scalar("reverse", "source:any", STRING, "The characters backwards."),
    scalar("trim", "regex:string, source:string", STRING, "The text without matches at both ends."),
    scalar("trim_start", "regex:string, source:string", STRING, "The text without matches at its start."),
    scalar("trim_end", "regex:string, source:string", STRING, "The text without matches at its end."),
    scalar(
        "replace_string", "text:string, lookup:string, rewrite:string", STRING, "Every occurrence replaced."
    ),
    scalar("replace_regex", "text:string, regex:string, rewrite:string", STRING, "Every match replaced."),
    scalar(
        "replace",
        "regex:string, rewrite:string, text:string",
        STRING,
        "Every match replaced (old argument order).",
    ),
    scalar(
        "repeat",
        "value:any, count:long",
        DYNAMIC,
        "An array with the value so many times.",
        naming=Naming.PREFIX_FIRST,
    ),
    scalar("strrep", "value:any, count:long, delimiter?:text", STRING, "The text so many times."),
    scalar("startswith", "source:string, prefix:string", BOOL, "Whether it starts so (no matter the case)."),
    scalar(
        "extract", "regex:string, group:long, text:string", STRING, "One captured group of the first match."
    ),
    scalar("strcmp", "a:text, b:text", LONG, "-1, 0 or 1, by code points."),
    scalar(
        "tohex",
        "value:integer, length?:long",
        STRING,
        "The number in hexadecimal.",
        naming=Naming.FIRST_ARGUMENT,
    ),
)
