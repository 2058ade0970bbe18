"""No text makes the compiler raise: it answers with SQL or with mistakes that lie inside the text."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aforo.kql.compile import compile_query, parse
from aforo.kql.lexer import lex
from aforo.kql.tokens import TokenKind
from aforo.source import Source
from tests.support.examples import examples
from tests.support.kql_lab import DATABASE, NOW

PIECES = [
    "ApiManagementGatewayLogs",
    "|",
    "where",
    "ResponseCode",
    "==",
    "'200'",
    "and",
    "Url",
    "has",
    "'x'",
    "|",
    "extend",
    "m",
    "=",
    "tostring(parse_json(BackendResponseBody)['model'].a[0])",
    "|",
    "summarize",
    "sum(TotalTime)",
    ",",
    "count()",
    "by",
    "bin",
    "(",
    "TimeGenerated",
    ",",
    "1h",
    ")",
    "|",
    "sort",
    "by",
    "m",
    "asc",
    "nulls",
    "last",
    "|",
    "join",
    "kind=inner",
    "(",
    "union",
    "withsource=t",
    "AzureDiagnostics",
    ")",
    "on",
    "$left.a",
    "==",
    "$right.b",
    "|",
    "project-away",
    "x*",
    ",",
    "y",
    "|",
    "mv-expand",
    "a",
    "to",
    "typeof(long)",
    "|",
    "let",
    "f",
    "=",
    "(",
    "x",
    ":",
    "long",
    ")",
    "{",
    "x",
    "+",
    "1",
    "}",
    ";",
    "print",
    "dynamic({'a':1})",
    "datetime(2024-01-01)",
    "..",
    "between",
    "(",
    "1",
    "..",
    "2",
    ")",
    "!in~",
    "in",
    "has_any",
    "(",
    "'a'",
    ",",
    "@'b'",
    ")",
    "```c```",
    "95th",
    "1.5e3",
    "0xff",
    "-1",
    "[",
    "]",
    "}",
    ";",
    "|",
    "|",
    ",",
    ".",
    "`parse`",
    "with",
    "*",
    "'a'",
    "b",
    ":",
    "long",
    "*",
    "range",
    "from",
    "to",
    "step",
    "datatable",
    "(",
    "a",
    ":",
    "long",
    ")",
    "[",
    "1",
    "]",
    "arg_max",
    "(",
    "a",
    ",",
    "*",
    ")",
    "iff",
    "(",
    "true",
    ",",
    "1",
    ",",
    "2",
    ")",
    "toscalar",
    "(",
    "T",
    ")",
    "evaluate",
    "pivot",
    "(",
    "a",
    ")",
    '"',
    "'",
    "//",
    "comment\n",
    "take",
    "5",
    "render",
    "timechart",
    "with",
    "(",
]

TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=25).map("".join),
)


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
@example("(" * 5000)
@example("let a = a; a")
@example("let f = () { f() }; f()")
@example("-" * 3000 + "1")
@example("print " + "a.b" * 2000)
@example("print " + "1+" * 5000 + "1")
@example("T | where " + " and ".join(["a == 1"] * 3000))
@example('print dynamic(["a')
@example('print dynamic({"a":b"c", "d":"e})')
@example("print x = 1 | project-away x | take 1")
@example('print x = 1 | project-by-names dynamic(["y"])')
def test_compiling_never_raises(text: str) -> None:
    result = compile_query(Source("any", text), DATABASE, now=NOW)
    assert (result.compiled is None) == any(d.is_error for d in result.diagnostics)
    for diagnostic in result.diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)


@settings(max_examples=examples(200), deadline=None)
@given(TEXTS)
def test_tokens_lie_in_order_inside_the_text(text: str) -> None:
    tokens, _ = lex(text)
    assert tokens[-1].kind is TokenKind.END
    at = 0
    for token in tokens:
        assert at <= token.span.start <= token.span.end <= len(text)
        at = token.span.end


@settings(max_examples=examples(100), deadline=None)
@given(TEXTS)
def test_parsing_twice_gives_the_same(text: str) -> None:
    assert parse(text) == parse(text)
