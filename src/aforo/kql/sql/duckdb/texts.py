"""Operations over texts in DuckDB: search, terms, regular expressions, parts and joins.

Arguments are canonical values (`sql/dialect.py`); a result of type string is never NULL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aforo.kql.bound import Constant, Expression
from aforo.kql.sql import tree as t
from aforo.kql.sql.duckdb.builder import Builder, as_text
from aforo.kql.sql.tree import Node
from aforo.kql.types import DYNAMIC, KqlType

# Characters that make up a term; a match of `has` begins and ends at the border of one.
_NOT_TERM = r"[^\p{L}\p{N}]"


def _text(function: str, *, ignore_case: bool) -> Builder:
    def build(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
        if not ignore_case:
            return t.call(function, *a)
        return t.call(function, t.call("lower", a[0]), _lower(a[1], bound[1]))

    return build


def _lower(node: Node, expression: Expression) -> Node:
    if isinstance(expression, Constant) and isinstance(expression.value, str):
        return t.text(expression.value.lower())
    return t.call("lower", node)


def _has(before: bool, after: bool, *, ignore_case: bool) -> Builder:
    """Terms: `has` has borders on both sides, `hasprefix` before, `hassuffix` after."""

    def build(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
        flags = "(?si)" if ignore_case else "(?s)"
        needle = bound[1]
        if isinstance(needle, Constant) and isinstance(needle.value, str):
            found = t.call("regexp_matches", a[0], t.text(flags + term_pattern(needle.value, before, after)))
            if not needle.value.isascii() or not needle.value:
                return found
            # Most texts do not have the term anywhere, and to see that takes half the time.
            text = t.call("lower", t.again(a[0])) if ignore_case else t.again(a[0])
            anywhere = t.call("contains", text, t.text(needle.value.lower() if ignore_case else needle.value))
            return t.glot().Paren(this=t.every([anywhere, found]))
        term = t.call("kql_term", a[1], t.boolean(before), t.boolean(after))
        pattern = t.call("concat", t.text(flags), term)
        return t.call("regexp_matches", a[0], pattern)

    return build


def term_pattern(text: str, before: bool = True, after: bool = True) -> str:
    """A regular expression that finds the text between borders of terms."""
    word = re.compile(r"[^\W_]")
    start = f"(?:^|{_NOT_TERM})" if before and text[:1] and word.match(text[0]) else ""
    end = f"(?:$|{_NOT_TERM})" if after and text[-1:] and word.match(text[-1]) else ""
    return (
        start
        + re.sub(
            r"([^\w\s]|_)",
            lambda m: "\\" + m.group() if m.group() != "_" and m.group().isascii() else m.group(),
            text,
        )
        + end
    )


def _has_any(every: bool) -> Builder:
    one = _has(True, True, ignore_case=True)

    def build(a: Sequence[Node], bound: Sequence[Expression], result: KqlType) -> Node:
        e = t.glot()
        if len(a) == 2 and bound[1].type is DYNAMIC:
            array = t.call("kql_has_all" if every else "kql_has_any", *a)
            return t.coalesce(array, t.boolean(False))
        found = [one([a[0].copy(), n], [bound[0], b], result) for n, b in zip(a[1:], bound[1:], strict=True)]
        if not found:
            return t.boolean(every)
        node = found[0]
        for other in found[1:]:
            node = (e.And if every else e.Or)(this=node, expression=other)
        return e.Paren(this=node) if len(found) > 1 else node

    return build


def _extract(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    return t.coalesce(t.call("regexp_extract", a[2], a[0], t.cast(a[1], "INTEGER")), t.text(""))


def _trim(*, start: bool, end: bool) -> Builder:
    def build(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
        node, pattern = a[1], a[0]
        for head, tail, wanted in (("^(?:", ")+", start), ("(?:", ")+$", end)):
            if wanted:
                regex = t.call("concat", t.text(head), pattern.copy(), t.text(tail))
                node = t.call("regexp_replace", node, regex, t.text(""))
        return node

    return build


def _replace_regex(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("regexp_replace", a[0], a[1], t.call("kql_rewrite", a[2]), t.text("g"))


def _split(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    if len(a) == 3:
        return t.call("kql_split_at", *a)
    return t.call("kql_split", *a)


def _strcat(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("concat", *(as_text(n, b.type) for n, b in zip(a, bound, strict=True)))


def _strcat_delim(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("concat_ws", a[0], *(as_text(n, b.type) for n, b in zip(a[1:], bound[1:], strict=True)))


def _substring(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("kql_substring", a[0], a[1], a[2] if len(a) > 2 else t.null())


def _indexof(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    if len(a) > 4:
        return t.call("kqlpy_indexof_nth", *a)
    defaults = [t.number(0), t.number(-1), t.number(1)]
    return t.call("kql_indexof", a[0], a[1], *a[2:], *defaults[len(a) - 2 :])


def _indexof_regex(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    defaults = [t.number(0), t.number(-1), t.number(1)]
    return t.call("kql_indexof_regex", a[0], a[1], *a[2:], *defaults[len(a) - 2 :])


def _extract_all(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    """The arguments from the third on are numbers of groups."""
    columns = [t.call("kql_extract_all", a[0].copy(), a[1].copy(), group) for group in a[2:]]
    if len(columns) == 1:
        return columns[0]
    return t.call("kqlpy_zip", t.array(*(t.coalesce(c, t.text("null")) for c in columns)))


def _reverse(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("reverse", as_text(a[0], bound[0].type))


def _countof(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    kind = bound[2] if len(bound) > 2 else None
    if isinstance(kind, Constant) and kind.value == "regex":
        return t.call("kql_count_regex", a[0], a[1])
    return t.call("kqlpy_countof", a[0], a[1])


def _strrep(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("kql_strrep", as_text(a[0], bound[0].type), a[1], a[2] if len(a) > 2 else t.text(""))


BUILDERS: dict[str, Builder] = {
    "equals_ci": lambda a, b, _r: t.binary("EQ", t.call("lower", a[0]), _lower(a[1], b[1])),
    "contains": _text("contains", ignore_case=True),
    "contains_cs": _text("contains", ignore_case=False),
    "startswith": _text("starts_with", ignore_case=True),
    "startswith_cs": _text("starts_with", ignore_case=False),
    "endswith": _text("ends_with", ignore_case=True),
    "endswith_cs": _text("ends_with", ignore_case=False),
    "has": _has(True, True, ignore_case=True),
    "has_cs": _has(True, True, ignore_case=False),
    "hasprefix": _has(True, False, ignore_case=True),
    "hasprefix_cs": _has(True, False, ignore_case=False),
    "hassuffix": _has(False, True, ignore_case=True),
    "hassuffix_cs": _has(False, True, ignore_case=False),
    "has_any": _has_any(False),
    "has_all": _has_any(True),
    "matches_regex": lambda a, _b, _r: t.call("regexp_matches", *a),
    "extract": _extract,
    "trim": _trim(start=True, end=True),
    "trim_start": _trim(start=True, end=False),
    "trim_end": _trim(start=False, end=True),
    "replace_regex": _replace_regex,
    "replace": lambda a, b, r: _replace_regex([a[2], a[0], a[1]], b, r),
    "split": _split,
    "strcat": _strcat,
    "strcat_delim": _strcat_delim,
    "substring": _substring,
    "indexof": _indexof,
    "reverse": _reverse,
    "countof": _countof,
    "extract_all": _extract_all,
    "indexof_regex": _indexof_regex,
    "strrep": _strrep,
}
