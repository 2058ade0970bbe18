"""Scalar operations in DuckDB: most are a function or macro by name, some are built from their parts.

Arguments are canonical values (`sql/dialect.py`); a result of type string is never NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aforo.kql.bound import Constant, Expression
from aforo.kql.natives.bags import path_steps
from aforo.kql.natives.catalog import NATIVES
from aforo.kql.natives.spec import Native
from aforo.kql.patterns import as_re2
from aforo.kql.sql import tree as t
from aforo.kql.sql.duckdb import overflow, texts, times
from aforo.kql.sql.duckdb.builder import Builder, as_json, as_text, json_path
from aforo.kql.sql.duckdb.convert import CONVERSIONS
from aforo.kql.sql.tree import Node
from aforo.kql.types import DATETIME, DECIMAL, DYNAMIC, INT, LONG, REAL, STRING, TIMESPAN, KqlType

# Operations that are one function of DuckDB or one macro.
DIRECT: dict[str, str] = {
    "strlen": "length", "string_size": "strlen", "tolower": "lower", "toupper": "upper",
    "replace_string": "replace", "sign": "kql_sign", "pow": "pow", "atan2": "atan2", "pi": "pi",
    "exp": "exp", "exp2": "kql_exp2", "exp10": "kql_exp10", "degrees": "degrees", "radians": "radians",
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "atan": "atan",
    "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite",
    "binary_and": "kql_bit_and", "binary_or": "kql_bit_or", "binary_xor": "xor", "binary_not": "kql_bit_not",
    "element_at": "kql_element_at", "property_at": "kql_property_at", "array_length": "kql_array_length",
    "bag_keys": "kql_bag_keys", "strcat_array": "kql_strcat_array",
    "array_reverse": "kql_array_reverse", "array_slice": "kql_array_slice",
    "hash_md5": "md5", "hash_sha1": "sha1", "hash_sha256": "sha256",
    "base64_encode_tostring": "kql_to_base64", "strcmp": "kql_strcmp", "log": "kql_log", "log2": "kql_log2",
    "log10": "kql_log10", "sqrt": "kql_sqrt", "acos": "kql_acos", "asin": "kql_asin", "rand": "random",
    "ticks_as_real": "kql_as_real", "parse_version": "kql_parse_version", "parse_url": "kql_parse_url",

    "array_rotate_left": "kql_array_rotate_left", "array_rotate_right": "kql_array_rotate_right",
    "modulo": "kql_modulo",
    "row_count": "kql_row_count", "parse_urlquery": "kql_parse_urlquery",
    "regex_quote": "kql_regex_quote", "bitset_count_ones": "kql_bit_count", "rand_below": "kql_rand_below",
    "make_timespan": "kql_make_timespan", "assert": "kql_assert",
}  # fmt: skip

# Operations that DuckDB's text of a text, and nothing else, must agree on: comparisons, arithmetic.
_BINARY = {"add": "Add", "subtract": "Sub", "multiply": "Mul"}


def write(operation: str, arguments: Sequence[Node], bound: Sequence[Expression], result: KqlType) -> Node:
    """The operation over its arguments."""
    if result is LONG and overflow.may_overflow(operation, bound):
        return overflow.wrapped(
            operation, [_widened(n, b) for n, b in zip(arguments, bound, strict=True)], bound
        )
    if result is not DATETIME or operation not in _MOVING:
        return _written(operation, arguments, bound, result)
    # A chain of additions is checked once, at its end: the check repeats what it checks.
    inner = [n.expressions[0] if _is_checked(n) else n for n in arguments]
    return t.call(_CHECKED, _written(operation, inner, bound, result))


def _is_checked(node: Node) -> bool:
    return isinstance(node, t.glot().Anonymous) and node.this == _CHECKED


# What makes a datetime that may lie outside Kusto's years 1 to 9999; `kql_moment` makes null of it.
_CHECKED = "kql_moment"
_MOVING = frozenset(
    [
        "add",
        "subtract",
        "datetime_add",
        "make_datetime",
        *(f"{side}of{unit}" for side in ("start", "end") for unit in ("day", "week", "month", "year")),
        *(
            f"unixtime_{unit}_todatetime"
            for unit in ("seconds", "milliseconds", "microseconds", "nanoseconds")
        ),
    ]
)


# Where the regular expression stands among the arguments.
_REGEX_AT = {
    "matches_regex": 1, "extract": 0, "extract_all": 0, "replace_regex": 1, "replace": 0, "trim": 0, "trim_start": 0,
    "trim_end": 0, "indexof_regex": 1,
}  # fmt: skip


def _with_regex(operation: str, arguments: Sequence[Node], bound: Sequence[Expression]) -> Sequence[Node]:
    at = _REGEX_AT.get(operation)
    if at is None:
        return arguments
    pattern = bound[at]
    if not isinstance(pattern, Constant) or "(?<" not in str(pattern.value):
        return arguments
    return [*arguments[:at], t.text(as_re2(str(pattern.value))), *arguments[at + 1 :]]


def _written(operation: str, arguments: Sequence[Node], bound: Sequence[Expression], result: KqlType) -> Node:
    if result in _WIDE and operation in _COUNTING:
        arguments = [_widened(n, b) for n, b in zip(arguments, bound, strict=True)]
    if (builder := BUILDERS.get(operation)) is not None:
        return builder(_with_regex(operation, arguments, bound), bound, result)
    if (kind := _BINARY.get(operation)) is not None:
        return t.binary(kind, arguments[0], arguments[1])
    if (conversion := CONVERSIONS.get(operation)) is not None:
        return conversion(arguments[0], bound[0].type)
    if operation in NATIVES:
        return _native(operation, arguments, bound)
    return t.call(DIRECT[operation], *arguments)


def _native(operation: str, arguments: Sequence[Node], bound: Sequence[Expression]) -> Node:
    """A function in Python, which `prepare.define` registers."""
    declared = NATIVES[operation]
    call = _call_native(declared, arguments, bound)
    # Reals come as text (`prepare`).
    return t.cast(call, "DOUBLE") if declared.result is REAL else call


def _call_native(declared: Native, arguments: Sequence[Node], bound: Sequence[Expression]) -> Node:
    name = f"kqlpy_{declared.operation}"
    pairs = list(zip(arguments, bound, strict=True))
    if declared.spread:
        return t.call(name, t.array(*(as_json(n, b.type) for n, b in pairs)))
    given = [
        as_json(n, b.type) if wanted is DYNAMIC and b.type is not DYNAMIC else n
        for (n, b), wanted in zip(pairs, declared.parameters, strict=False)
    ]
    # What is optional and not given is null, if it is nothing else.
    given += [
        t.number(declared.defaults[i]) if i in declared.defaults else t.null()
        for i in range(len(given), len(declared.parameters))
    ]
    return t.call(name, *given)


# Arithmetic in which DuckDB would take a small constant for 32 bits and overflow.
_COUNTING = frozenset(
    [
        "add",
        "subtract",
        "multiply",
        "negate",
        "divide",
        "modulo",
        "multiply_span",
        "divide_span",
        "bin",
        "bin_at",
        "case",
        "coalesce",
        "max_of",
        "min_of",
    ]
)
_WIDE = frozenset({LONG, DATETIME, TIMESPAN})


def _widened(node: Node, expression: Expression) -> Node:
    small = (
        isinstance(expression, Constant)
        and isinstance(expression.value, int)
        and abs(expression.value) < 1 << 31
    )
    return t.cast(node, "BIGINT") if small and expression.type in _WIDE else node


def known(operation: str) -> bool:
    return any(operation in known for known in (BUILDERS, _BINARY, CONVERSIONS, DIRECT, NATIVES))


# -- comparisons and logic -------------------------------------------------------------------------------


def _equals(a: Sequence[Node], bound: Sequence[Expression], _: KqlType, *, negated: bool = False) -> Node:
    """Two nulls give null, one null is a difference, as Kusto's reference says."""
    e = t.glot()
    certain = any((isinstance(x, Constant) and x.value is not None) or x.type is STRING for x in bound)
    if all(x.type is STRING for x in bound):
        return t.binary("NEQ" if negated else "EQ", a[0], a[1])
    plain = (e.NullSafeNEQ if negated else e.NullSafeEQ)(this=t.grouped(a[0]), expression=t.grouped(a[1]))
    if all(map(_may_be_nan, bound)):
        plain = (e.Or if negated else e.And)(
            this=e.Paren(this=plain), expression=_nan(a[0], negated=not negated)
        )
        plain = e.Paren(this=plain)
    if certain:
        return plain
    both = e.And(this=t.is_null(a[0].copy()), expression=t.is_null(a[1].copy()))
    return t.choice([(both, t.null())], plain)


def _may_be_nan(x: Expression) -> bool:
    return x.type is REAL and not (
        isinstance(x, Constant) and isinstance(x.value, float) and x.value == x.value
    )


def _nan(node: Node, *, negated: bool) -> Node:
    found = t.call("isnan", node.copy())
    return t.negation(found) if negated else found


def _compare(kind: str) -> Builder:
    """No order holds between NaN and anything; for DuckDB it is the greatest number."""
    greater = 0 if kind.startswith("G") else 1

    def build(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
        compared = t.binary(kind, a[0], a[1])
        if not _may_be_nan(bound[greater]):
            return compared
        return t.glot().Paren(this=t.every([compared, _nan(a[greater], negated=True)]))

    return build


def _connect(kind: str) -> Builder:
    def build(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
        e = t.glot()
        node = a[0]
        for other in a[1:]:
            node = getattr(e, kind)(this=_side(node, kind), expression=_side(other, kind))
        return node

    return build


def _side(node: Node, kind: str) -> Node:
    e = t.glot()
    return e.Paren(this=node) if isinstance(node, e.And | e.Or) and type(node).__name__ != kind else node


def _in(a: Sequence[Node], bound: Sequence[Expression], _: KqlType, *, ignore_case: bool = False) -> Node:
    if len(a) == 1:
        return t.boolean(False)
    nodes = [t.call("lower", n) for n in a] if ignore_case else list(a)
    found = t.glot().In(this=t.grouped(nodes[0]), expressions=nodes[1:])
    # NULL among operand or items would make NULL of it.
    certain = bound[0].type is STRING and all(
        isinstance(b, Constant) and b.value is not None for b in bound[1:]
    )
    return found if certain else t.coalesce(found, t.boolean(False))


def _case(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    return t.choice(list(zip(a[:-1:2], a[1:-1:2], strict=True)), a[-1])


def _coalesce(a: Sequence[Node], _bound: Sequence[Expression], result: KqlType) -> Node:
    if result is STRING:
        empty = [t.call("nullif", n, t.text("")) for n in a[:-1]]
        return t.glot().Coalesce(this=empty[0], expressions=[*empty[1:], a[-1]]) if empty else a[-1]
    return t.glot().Coalesce(this=a[0], expressions=list(a[1:])) if len(a) > 1 else a[0]


# -- numbers ---------------------------------------------------------------------------------------------


def _divide(a: Sequence[Node], _bound: Sequence[Expression], result: KqlType) -> Node:
    match result:
        case KqlType.LONG | KqlType.INT:
            return t.call("kql_divide_long", *a)
        case KqlType.DECIMAL:
            return t.call("kql_divide_decimal", *a)
        case _:
            return t.call("kql_divide_real", *a)


def _multiply(a: Sequence[Node], _bound: Sequence[Expression], result: KqlType) -> Node:
    node = t.binary("Mul", a[0], a[1])
    return t.cast(node, "DECIMAL(38,12)") if result is DECIMAL else node


def _modulo(a: Sequence[Node], _bound: Sequence[Expression], _result: KqlType) -> Node:
    return t.call("kql_modulo", *a)


def _negate(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.glot().Neg(this=t.grouped(_long(a[0], bound[0])))


def _scale(function: str) -> Builder:
    def build(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
        if bound[1].type is REAL:
            return t.call(f"{function}_real", *a)
        return t.call(function, *a)

    return build


def _bin(a: Sequence[Node], bound: Sequence[Expression], result: KqlType) -> Node:
    if result is REAL:
        return t.call("kql_bin_real", t.cast(a[0], "DOUBLE"), t.cast(a[1], "DOUBLE"))
    if result is DECIMAL:
        return t.call("kql_bin_decimal", t.cast(a[0], "DECIMAL(38,12)"), t.cast(a[1], "DECIMAL(38,12)"))
    size = bound[1]
    if result is DATETIME and isinstance(size, Constant) and isinstance(size.value, int) and size.value > 0:
        # A datetime is never negative, so that the plain remainder will do.
        return t.binary("Sub", a[0], t.binary("Mod", a[0].copy(), a[1]))
    return t.call("kql_bin", *(_long(n, b) for n, b in zip(a, bound, strict=True)))


def _long(node: Node, bound: Expression) -> Node:
    return t.cast(node, "BIGINT") if bound.type is INT else node


def _bin_at(a: Sequence[Node], bound: Sequence[Expression], result: KqlType) -> Node:
    if result is REAL:
        return t.call("kql_bin_at_real", *(t.cast(n, "DOUBLE") for n in a))
    if result is DECIMAL:
        return t.call("kql_bin_at_decimal", *(t.cast(n, "DECIMAL(38,12)") for n in a))
    return t.call("kql_bin_at", *(_long(n, b) for n, b in zip(a, bound, strict=True)))


def _round(a: Sequence[Node], bound: Sequence[Expression], result: KqlType) -> Node:
    if len(bound) > 1 and isinstance(bound[1], Constant):
        if not isinstance(bound[1].value, int):
            return t.null()
        # No double has a digit farther from its point.
        a = (a[0], t.number(max(-400, min(400, bound[1].value))))
    if result in (INT, LONG):
        digits = bound[1].value if len(bound) > 1 and isinstance(bound[1], Constant) else 0
        if isinstance(digits, int) and digits >= 0:
            return a[0]
        rounded = t.call("kql_round_long", a[0], a[1])
        return t.try_cast(rounded, "INTEGER") if result is INT else rounded
    return t.call("round", a[0], t.cast(a[1], "INTEGER") if len(a) > 1 else t.number(0))


def _extreme(function: str) -> Builder:
    """max_of, min_of: nulls do not count."""

    def build(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
        return t.call(function, *a)

    return build


def _typed(name: str, type_name: str) -> Builder:
    def build(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
        return t.cast(t.call(name, *a), type_name)

    return build


# -- emptiness and dynamics ------------------------------------------------------------------------------


def _isempty(a: Sequence[Node], bound: Sequence[Expression], _: KqlType, *, negated: bool = False) -> Node:
    e = t.glot()
    type_ = bound[0].type
    if type_ is STRING:
        return t.binary("NEQ" if negated else "EQ", a[0], t.text(""))
    if type_ is DYNAMIC:
        empty = t.glot().In(this=t.coalesce(a[0], t.text("null")), expressions=[t.text("null"), t.text('""')])
        return t.negation(empty) if negated else empty
    return e.Not(this=t.is_null(a[0])) if negated else t.is_null(a[0])


def _isnull(a: Sequence[Node], bound: Sequence[Expression], _: KqlType, *, negated: bool = False) -> Node:
    if bound[0].type is STRING:
        return t.boolean(negated)
    return t.glot().Not(this=t.is_null(a[0])) if negated else t.is_null(a[0])


def _pack_array(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("kql_make_array", t.array(*(as_json(n, b.type) for n, b in zip(a, bound, strict=True))))


def _bag(*, skip_empty: bool = False) -> Builder:
    def build(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
        pairs: list[Node] = []
        for i in range(0, len(a), 2):
            key = t.call("kql_json_key", as_text(a[i], bound[i].type))
            value = as_json(a[i + 1], bound[i + 1].type)
            pair = t.call("concat", key, value)
            if skip_empty:
                blank = t.glot().In(this=value.copy(), expressions=[t.text("null"), t.text('""')])
                pair = t.choice([(t.negation(blank), pair)], None)
            pairs.append(pair)
        return t.call("kql_make_bag", t.array(*pairs) if pairs else t.cast(t.array(), "VARCHAR[]"))

    return build


def _array_concat(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("kql_make_array", t.call("list_concat", *(t.call("kql_array", n) for n in a)))


def _in_array(*, ignore_case: bool) -> Builder:
    def build(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
        return t.call("kql_in_array_ci" if ignore_case else "kql_in_array", a[0], a[1])

    return build


def _hash(function: str) -> Builder:
    def build(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
        return t.call(function, as_text(a[0], bound[0].type))

    return build


def _gettype(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("kql_gettype", a[0]) if bound[0].type is DYNAMIC else t.text(bound[0].type.value)


def _at_path(a: Sequence[Node], bound: Sequence[Expression]) -> Node:
    path = bound[0].value if isinstance(bound[0], Constant) else "$"
    return t.call("kql_text_path", a[1], t.text(json_path(tuple(path_steps(str(path)) or ()))))


def _extract_json(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("kql_dynamic_text", _at_path(a, bound))


def _tohex(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    length = a[1] if len(a) > 1 else t.number(0)
    return t.coalesce(
        t.call("kql_tohex_int" if bound[0].type is INT else "kql_tohex", a[0], length), t.text("")
    )


def _series_axis(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    kind = {DATETIME: "moments", TIMESPAN: "spans"}.get(bound[0].type, "numbers")
    return t.call(f"kql_series_{kind}", *a)


def _by_reals(function: str, bound: Sequence[Expression]) -> str:
    return f"{function}_real" if bound[0].type is REAL else function


def _range(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    kind = {DATETIME: "moments", TIMESPAN: "spans", REAL: "reals"}.get(bound[0].type, "numbers")
    return t.call(f"kql_range_{kind}", *a)


def _negated(builder: Callable[..., Node]) -> Builder:
    return lambda a, bound, result: builder(a, bound, result, negated=True)


BUILDERS: dict[str, Builder] = {
    "equals": _equals,
    "not_equals": _negated(_equals),
    "less": _compare("LT"),
    "less_equal": _compare("LTE"),
    "greater": _compare("GT"),
    "greater_equal": _compare("GTE"),
    "and": _connect("And"),
    "or": _connect("Or"),
    "not": lambda a, _b, _r: t.negation(a[0]),
    "in": _in,
    "in_ci": lambda a, b, r: _in(a, b, r, ignore_case=True),
    "in_array": _in_array(ignore_case=False),
    "in_ci_array": _in_array(ignore_case=True),
    "case": _case,
    "coalesce": _coalesce,
    "multiply": _multiply,
    "divide": _divide,
    "modulo": _modulo,
    "negate": _negate,
    "multiply_span": _scale("kql_multiply_span"),
    "divide_span": _scale("kql_divide_span"),
    "bin": _bin,
    "bin_at": _bin_at,
    "abs": lambda a, b, _r: t.call("abs", _long(a[0], b[0])),
    "round": _round,
    "ceiling": lambda a, _b, r: a[0] if r in (KqlType.INT, LONG) else t.call("ceil", a[0]),
    "max_of": _extreme("greatest"),
    "min_of": _extreme("least"),
    "isempty": _isempty,
    "isnotempty": _negated(_isempty),
    "isnull": _isnull,
    "isnotnull": _negated(_isnull),
    "pack_array": _pack_array,
    "bag_pack": _bag(),
    "bag_pack_skip_empty": _bag(skip_empty=True),
    "array_concat": _array_concat,
    "hash_md5": _hash("md5"),
    "hash_sha1": _hash("sha1"),
    "hash_sha256": _hash("sha256"),
    "gettype": _gettype,
    "extract_json": _extract_json,
    "extract_json_value": lambda a, b, _r: _at_path(a, b),
    "repeat": lambda a, b, _r: t.call("kql_repeat", as_json(a[0], b[0].type), a[1]),
    "new_guid": lambda _a, _b, _r: t.cast(t.call("uuid"), "VARCHAR"),
    "tohex": _tohex,
    "series_index": lambda a, b, _r: t.call(_by_reals("kql_series_index", b), *a),
    "series_end": lambda a, b, _r: t.call(_by_reals("kql_series_end", b), *a),
    "series_from": lambda a, _b, _r: t.binary("Add", a[0], t.binary("Mul", a[1], a[2])),
    "series_length": lambda a, _b, _r: t.call("kql_series_length", *a),
    "series_fill": lambda a, _b, _r: t.call("kql_series_fill", *a),
    "series_axis": _series_axis,
    "range": _range,
    **texts.BUILDERS,
    **times.BUILDERS,
}
