"""Random KQL for property tests: rows of two tables, expressions of each type, operators, whole pipelines.

Each has its text and its meaning (`kql_naive.py`); what Kusto leaves open is not made here. It knows no engine.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from tests.support import kql_naive as n
from tests.support.kql_naive import Aggregate, Columns, Expr, Rows, Step

LEFT: Columns = {
    "a": "long",
    "b": "int",
    "r": "real",
    "s": "string",
    "d": "datetime",
    "o": "bool",
    "g": "dynamic",
}
RIGHT: Columns = {"k": "long", "s": "string", "v": "int"}
NEW_YEAR = 1_767_225_600 * n.SECOND  # 2026-01-01
TEXTS = ["", "a", "A", "ab", "b c", "a-b", "B.ab", "a_b", "Ab ab", "abab", "c/a", "1a", "a1 b"]
NEEDLES = ["a", "ab", "B", "c", "b c", "a-b", "1", "x"]
_json = st.one_of(st.integers(-3, 3), st.booleans(), st.sampled_from(["", "a", "b c"]), st.none())
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "long": st.one_of(st.none(), st.integers(-5, 5)),
    "int": st.one_of(st.none(), st.integers(-3, 3)),
    "real": st.one_of(st.none(), st.integers(-6, 6).map(lambda i: i / 4)),
    "string": st.sampled_from(TEXTS),
    "bool": st.one_of(st.none(), st.booleans()),
    "datetime": st.one_of(
        st.none(),
        st.integers(-50, 50).map(lambda i: NEW_YEAR + i * 1_234_567_891),
        st.sampled_from([n.FIRST_DAY, NEW_YEAR, NEW_YEAR - 1, NEW_YEAR + n.DAY]),
    ),
    "dynamic": st.one_of(
        st.none(),
        st.lists(st.one_of(_json, st.lists(_json, max_size=2)), max_size=3),
        st.dictionaries(st.sampled_from(["x", "y", "a b"]), _json, max_size=2),
        st.integers(-3, 3),
        st.sampled_from(["a", "b c"]),
    ),
}


def rows_of(columns: Columns) -> st.SearchStrategy[Rows]:
    return st.lists(st.fixed_dictionaries({c: VALUES[t] for c, t in columns.items()}), max_size=7)


# -- expressions -----------------------------------------------------------------------------------------


def _call(type_: str, text: str, rule: Any, *parts: Expr) -> Expr:
    """`text` has a `{}` for each part."""
    return Expr(
        text.format(*(p.text for p in parts)), type_, lambda row: rule(*(p.value(row) for p in parts))
    )


def _constant(type_: str, text: str, value: Any) -> Expr:
    return Expr(text, type_, lambda row: value)


@st.composite
def expressions(draw: st.DrawFn, columns: Columns, type_: str, depth: int = 2) -> Expr:
    """An expression of that type over these columns."""

    def sub(wanted: str) -> Expr:
        return draw(expressions(columns, wanted, depth - 1))

    def leaf() -> Expr:
        names = [c for c, t in columns.items() if t == type_]
        if names and draw(st.integers(0, 3)):
            name = draw(st.sampled_from(names))
            return Expr(name, type_, lambda row: row[name])
        return draw(_CONSTANTS[type_])

    if depth <= 0 or not draw(st.integers(0, 2)):
        return leaf()
    choice = draw(st.sampled_from(_CHOICES[type_]))
    match choice:
        case "iff":
            condition, one, other = sub("bool"), sub(type_), sub(type_)
            return Expr(
                f"iff({condition.text}, {one.text}, {other.text})",
                type_,
                lambda row: one.value(row) if condition.value(row) is True else other.value(row),
            )
        case "case":
            first, one, second, two, other = sub("bool"), sub(type_), sub("bool"), sub(type_), sub(type_)
            return Expr(
                f"case({first.text}, {one.text}, {second.text}, {two.text}, {other.text})",
                type_,
                lambda row: (one if first.value(row) else two if second.value(row) else other).value(row),
            )
        case "coalesce":
            x, y = sub(type_), sub(type_)
            return _call(type_, "coalesce({}, {})", lambda u, v: v if u in (None, "") else u, x, y)
        case "arithmetic":
            op = draw(st.sampled_from(sorted(n.ARITHMETIC)))
            return _call(type_, f"({{}} {op} {{}})", n.ARITHMETIC[op], sub(type_), sub(type_))
        case "real arithmetic":
            op = draw(st.sampled_from(["+", "-", "*"]))
            return _call(type_, f"({{}} {op} {{}})", n.ARITHMETIC[op], sub("real"), sub("real"))
        case "halved":
            return _call("real", "({} / 2.0)", n.strict(lambda x: x / 2), sub("real"))
        case "toreal":
            return _call("real", "toreal({})", n.strict(float), sub("long"))
        case "floor":
            return _call("real", "floor({}, 0.5)", n.strict(lambda x: math.floor(x / 0.5) * 0.5), sub("real"))
        case "tolong":
            return _call("long", "tolong({})", n.strict(math.trunc), sub("real"))
        case "int to long":
            return _call("long", "tolong({})", lambda x: x, sub("int"))
        case "strlen":
            return _call("long", "strlen({})", len, sub("string"))
        case "abs":
            return _call(type_, "abs({})", n.strict(abs), sub(type_))
        case "bin":
            size = draw(st.integers(1, 4))
            return _call("long", f"bin({{}}, {size})", n.strict(lambda x: n.binned(x, size)), sub("long"))
        case "indexof":
            return _call("long", "indexof({}, {})", lambda x, y: x.find(y), sub("string"), draw(_NEEDLES))
        case "array_length":
            return _call(
                "long", "array_length({})", lambda x: len(x) if isinstance(x, list) else None, sub("dynamic")
            )
        case "hours":
            rule = n.strict(lambda x, y: (x // n.HOUR) - (y // n.HOUR))
            return _call("long", "datetime_diff('hour', {}, {})", rule, sub("datetime"), sub("datetime"))
        case "lower":
            return _call("string", "tolower({})", str.lower, sub("string"))
        case "upper":
            return _call("string", "toupper({})", str.upper, sub("string"))
        case "strcat":
            second = sub(draw(st.sampled_from(["string", "long", "bool"])))
            return _call(
                "string", "strcat({}, '-', {})", lambda x, y: f"{x}-{n.shown(y)}", sub("string"), second
            )
        case "substring":
            start, length = draw(st.integers(0, 3)), draw(st.integers(0, 3))
            return _call(
                "string",
                f"substring({{}}, {start}, {length})",
                lambda x: n.substring(x, start, length),
                sub("string"),
            )
        case "replace":
            needle = draw(_NEEDLES)
            return _call(
                "string",
                "replace_string({}, {}, '+')",
                lambda x, y: x.replace(y, "+"),
                sub("string"),
                needle,
            )
        case "tostring":
            return _call("string", "tostring({})", n.shown, sub("long"))
        case "trim":
            return _call("string", "trim(@'a+', {})", lambda x: x.strip("a"), sub("string"))
        case "compare":
            of = draw(st.sampled_from(["long", "int", "real", "datetime"]))
            op = draw(st.sampled_from(sorted(n.COMPARISONS)))
            return _call("bool", f"({{}} {op} {{}})", n.COMPARISONS[op], sub(of), sub(of))
        case "text":
            op = draw(st.sampled_from(sorted(n.TEXT_OPERATORS)))
            other = draw(st.one_of(_NEEDLES, _columns_of(columns, "string", _NEEDLES)))
            rule = n.TEXT_OPERATORS[op]
            if other.text in columns and op.lstrip("!").startswith(("has", "contains")):
                other = draw(_NEEDLES)
            return _call("bool", f"({{}} {op} {{}})", rule, sub("string"), other)
        case "in":
            items = draw(st.lists(st.integers(-3, 3), min_size=1, max_size=3))
            no = draw(st.booleans())
            return _call(
                "bool",
                f"({{}} {'!in' if no else 'in'} ({', '.join(map(str, items))}))",
                lambda x: (x in items) is not no,
                sub("long"),
            )
        case "in~":
            items_ = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3))
            listed = ", ".join(f"'{i}'" for i in items_)
            folded = [i.lower() for i in items_]
            return _call("bool", f"({{}} in~ ({listed}))", lambda x: x.lower() in folded, sub("string"))
        case "has_any":
            items_ = draw(st.lists(st.sampled_from(NEEDLES), min_size=1, max_size=3))
            every = draw(st.booleans())
            listed = ", ".join(f"'{i}'" for i in items_)
            has = n.TEXT_OPERATORS["has"]
            return _call(
                "bool",
                f"({{}} {'has_all' if every else 'has_any'} ({listed}))",
                lambda x: (all if every else any)(has(x, i) for i in items_),
                sub("string"),
            )
        case "between":
            low, high = sorted(draw(st.tuples(st.integers(-4, 4), st.integers(-4, 4))))
            return _call(
                "bool", f"({{}} between ({low} .. {high}))", n.strict(lambda x: low <= x <= high), sub("long")
            )
        case "null":
            of = draw(st.sampled_from(["long", "real", "datetime", "bool"]))
            no = draw(st.booleans())
            return _call(
                "bool",
                "isnotnull({})" if no else "isnull({})",
                lambda x: (x is None) is not no,
                sub(of),
            )
        case "empty":
            return _call("bool", "isempty({})", lambda x: x == "", sub("string"))
        case "logic":
            op = draw(st.sampled_from(["and", "or"]))
            return _call(
                "bool", f"({{}} {op} {{}})", n.both if op == "and" else n.either, sub("bool"), sub("bool")
            )
        case "not":
            return _call("bool", "not({})", n.negated, sub("bool"))
        case "plus span":
            hours = draw(st.integers(-30, 30))
            return _shifted(sub("datetime"), hours)
        case "bin moment":
            size_text, size = draw(
                st.sampled_from(
                    [
                        ("1h", n.HOUR),
                        ("1d", n.DAY),
                        ("7d", 7 * n.DAY),
                        ("15s", 15 * n.SECOND),
                        ("1.5h", 3 * n.HOUR // 2),
                    ]
                )
            )
            return _call(
                "datetime",
                f"bin({{}}, {size_text})",
                n.strict(lambda x: n.binned_moment(x, size)),
                sub("datetime"),
            )
        case "startofday":
            return _call(
                "datetime", "startofday({})", n.strict(lambda x: n.binned_moment(x, n.DAY)), sub("datetime")
            )
        case "element":
            index = draw(st.integers(0, 2))
            return _call("dynamic", f"{{}}[{index}]", lambda x: _element(x, index), _of_column(draw, columns))
        case "property":
            return _call(
                "dynamic",
                "{}['x']",
                lambda x: x.get("x") if isinstance(x, dict) else None,
                _of_column(draw, columns),
            )
        case "pack_array":
            return _call("dynamic", "pack_array({}, {})", lambda x, y: [x, y], sub("long"), sub("string"))
        case "pack":
            return _call("dynamic", "bag_pack('x', {})", lambda x: {"x": x}, sub("long"))
        case _:
            raise AssertionError(choice)


def _shifted(moment: Expr, hours: int) -> Expr:
    """Only moments that stay within the calendar."""
    limit = NEW_YEAR - 1000 * n.DAY
    return Expr(
        f"iff({moment.text} > datetime(2023-04-07), {moment.text} + {hours}h, {moment.text})",
        "datetime",
        lambda row: x + hours * n.HOUR if (x := moment.value(row)) is not None and x > limit else x,
    )


def _element(value: Any, index: int) -> Any:
    return value[index] if isinstance(value, list) and index < len(value) else None


def _of_column(draw: st.DrawFn, columns: Columns) -> Expr:
    return draw(_columns_of(columns, "dynamic", st.just(_constant("dynamic", "dynamic([1, 'a'])", [1, "a"]))))


def _columns_of(columns: Columns, type_: str, otherwise: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    names = [c for c, t in columns.items() if t == type_]
    if not names:
        return otherwise
    return st.sampled_from(names).map(lambda c: Expr(c, type_, lambda row: row[c]))


_NEEDLES = st.sampled_from(NEEDLES).map(lambda t: _constant("string", f"'{t}'", t))
_CONSTANTS: dict[str, st.SearchStrategy[Expr]] = {
    "long": st.integers(-4, 4).map(lambda i: _constant("long", f"({i})", i)),
    "int": st.integers(-4, 4).map(lambda i: _constant("int", f"int({i})", i)),
    "real": st.integers(-6, 6).map(lambda i: _constant("real", f"({i / 4})", i / 4)),
    "string": st.sampled_from(TEXTS).map(lambda t: _constant("string", f"'{t}'", t)),
    "bool": st.booleans().map(lambda b: _constant("bool", str(b).lower(), b)),
    "datetime": st.just(_constant("datetime", "datetime(2026-01-01)", NEW_YEAR)),
    "dynamic": st.just(_constant("dynamic", "dynamic([1, 'a'])", [1, "a"])),
}
_CHOICES: dict[str, list[str]] = {
    "long": [
        "arithmetic",
        "iff",
        "case",
        "coalesce",
        "tolong",
        "int to long",
        "strlen",
        "abs",
        "bin",
        "indexof",
        "array_length",
        "hours",
    ],
    "int": ["iff"],
    "real": ["real arithmetic", "halved", "toreal", "floor", "iff", "coalesce", "abs"],
    "string": ["lower", "upper", "strcat", "substring", "replace", "tostring", "trim", "iff", "coalesce"],
    "bool": [
        "compare",
        "text",
        "text",
        "in",
        "in~",
        "has_any",
        "between",
        "null",
        "empty",
        "logic",
        "logic",
        "not",
    ],
    "datetime": ["plus span", "bin moment", "startofday", "iff", "coalesce"],
    "dynamic": ["element", "property", "pack_array", "pack"],
}
TYPES = list(_CHOICES)

# -- operators -------------------------------------------------------------------------------------------

SORTABLE = ("long", "int", "real", "string", "datetime", "bool")
SCALARS = ("long", "int", "real", "string", "datetime", "bool")


@st.composite
def steps(draw: st.DrawFn, columns: Columns) -> Step:
    kind = draw(st.sampled_from(_OPERATORS))
    flat = [c for c, t in columns.items() if t in SORTABLE]
    match kind:
        case "where":
            e = draw(expressions(columns, "bool", 3))
            return Step(f"where {e.text}", lambda rows: [r for r in rows if e.value(r) is True], columns)
        case "extend":
            type_ = draw(st.sampled_from(TYPES))
            name = draw(st.sampled_from([*columns, "x1", "x2"]))
            e = draw(expressions(columns, type_, 3))
            return Step(
                f"extend {name} = {e.text}",
                lambda rows: [{**r, name: e.value(r)} for r in rows],
                columns | {name: type_},
            )
        case "project":
            made: dict[str, Expr] = {}
            for i in range(draw(st.integers(1, 4))):
                name = draw(st.sampled_from([*columns, f"p{i}"]))
                made[name] = draw(expressions(columns, draw(st.sampled_from(TYPES)), 2))
            text = ", ".join(f"{c} = {e.text}" for c, e in made.items())
            return Step(
                f"project {text}",
                lambda rows: [{c: e.value(r) for c, e in made.items()} for r in rows],
                {c: e.type for c, e in made.items()},
            )
        case "project-away" if len(columns) > 1:
            gone = draw(st.sampled_from(list(columns)))
            kept = {c: t for c, t in columns.items() if c != gone}
            return Step(f"project-away {gone}", lambda rows: [{c: r[c] for c in kept} for r in rows], kept)
        case "distinct" if flat:
            names = draw(st.lists(st.sampled_from(flat), min_size=1, max_size=3, unique=True))
            return Step(
                f"distinct {', '.join(names)}",
                lambda rows: n.distinct(rows, names),
                {c: columns[c] for c in names},
            )
        case "top" if flat:
            up, count = draw(st.booleans()), draw(st.integers(0, 4))
            order = "asc" if up else "desc"
            keys = ", ".join(f"{c} {order}" for c in flat)
            return Step(
                f"project {', '.join(flat)} | sort by {keys} | take {count}",
                lambda rows: n.ordered(({c: r[c] for c in flat} for r in rows), flat, ascending=up)[:count],
                {c: columns[c] for c in flat},
            )
        case "top by" if flat:
            key = draw(st.sampled_from(flat))
            count = draw(st.integers(0, 4))
            up = draw(st.booleans())
            return Step(
                f"project {key} | top {count} by {key}{' asc' if up else ''}",
                lambda rows: n.ordered(({key: r[key]} for r in rows), [key], ascending=up)[:count],
                {key: columns[key]},
            )
        case "mv-expand" if "dynamic" in columns.values():
            name = draw(st.sampled_from([c for c, t in columns.items() if t == "dynamic"]))
            return Step(f"mv-expand {name}", lambda rows: n.expanded(rows, name), columns)
        case "summarize":
            return draw(summaries(columns))
        case _:
            return Step("where true", lambda rows: rows, columns)


_OPERATORS = [
    "where",
    "where",
    "extend",
    "extend",
    "project",
    "project-away",
    "distinct",
    "top",
    "top by",
    "mv-expand",
    "summarize",
]


@st.composite
def summaries(draw: st.DrawFn, columns: Columns) -> Step:
    keys: list[tuple[str, Expr]] = []
    for i in range(draw(st.integers(0, 2))):
        keys.append((f"k{i}", draw(expressions(columns, draw(st.sampled_from(SCALARS)), 2))))
    aggregates: dict[str, Aggregate] = {}
    for i in range(draw(st.integers(1, 3))):
        aggregates[f"v{i}"] = draw(_aggregate(columns))
    text = ", ".join(f"{name} = {a.text}" for name, a in aggregates.items())
    by = ", ".join(f"{name} = {e.text}" for name, e in keys)
    means = [name for name, a in aggregates.items() if a.text.startswith("avg")]
    # NaN, the average of nothing, has an order and an arithmetic of its own: here it becomes null.
    mended = "".join(f" | extend {name} = iff(isnan({name}), real(null), {name})" for name in means)
    return Step(
        f"summarize {text}" + (f" by {by}" if keys else "") + mended,
        lambda rows: n.summarized(rows, aggregates, keys),
        {name: e.type for name, e in keys} | {name: a.type for name, a in aggregates.items()},
    )


@st.composite
def _aggregate(draw: st.DrawFn, columns: Columns) -> Aggregate:
    kind = draw(st.sampled_from(["count", "countif", "sum", "sumif", "min", "max", "avg", "dcount", "make_list", "make_set", "percentile"]))  # fmt: skip
    e = draw(expressions(columns, "long", 2))
    condition = draw(expressions(columns, "bool", 2))
    match kind:
        case "count":
            return Aggregate("count()", "long", None, len)
        case "countif":
            return Aggregate(f"countif({condition.text})", "long", None, len, condition)
        case "sum":
            return Aggregate(f"sum({e.text})", "long", e, sum)
        case "sumif":
            return Aggregate(f"sumif({e.text}, {condition.text})", "long", e, sum, condition)
        case "min" | "max":
            of = draw(expressions(columns, draw(st.sampled_from(["long", "int", "real", "datetime"])), 2))
            rule = min if kind == "min" else max
            return Aggregate(f"{kind}({of.text})", of.type, of, lambda vs: rule(vs, default=None))
        case "avg":
            return Aggregate(f"avg({e.text})", "real", e, lambda vs: sum(vs) / len(vs) if vs else None)
        case "dcount":
            return Aggregate(f"dcount({e.text})", "long", e, lambda vs: len(set(vs)))
        case "make_list":
            return Aggregate(f"array_sort_asc(make_list({e.text}))", "dynamic", e, sorted)
        case "make_set":
            return Aggregate(f"array_sort_asc(make_set({e.text}))", "dynamic", e, lambda vs: sorted(set(vs)))
        case _:
            point = draw(st.sampled_from([1, 25, 50, 75, 99]))

            def nearest(vs: list[Any]) -> Any:
                return sorted(vs)[max(0, math.ceil(len(vs) * point / 100) - 1)] if vs else None

            return Aggregate(f"percentile({e.text}, {point})", "long", e, nearest)


@st.composite
def pipelines(draw: st.DrawFn, columns: Columns = LEFT, most: int = 5) -> list[Step]:
    out: list[Step] = []
    for _ in range(draw(st.integers(0, most))):
        out.append(draw(steps(out[-1].columns if out else columns)))
    return out
