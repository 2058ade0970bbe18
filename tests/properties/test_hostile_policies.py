"""Texts that are written to hurt: nested without end, endless, greedy. Each ends soon, with a diagnostic or a limit."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.csharp.runtime import limits, regexes
from aforo.csharp.runtime.exceptions import CsException
from aforo.csharp.runtime.limits import LimitExceeded
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.document import parse
from aforo.policy.scopes import Scope
from aforo.source import Source
from tests.support.examples import examples
from tests.support.expressions import compiled, evaluate, mistakes

QUIET = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
CODE = st.sampled_from(
    [
        "(", "[", "{", '$"{', "new{a=", "x=>", "!", "-", "~", "true?1:", "a.b.", "if(true)", "if(true){", "(int)", "List<",
        "f(", "a[", "new[]{", "(1,", "a??", "a=>{return ", "checked(", "unchecked{", "try{", "switch(1){case 1:", "nameof(",
        "1+", '"a"+', "a?.b", '@"', "'", "/*", "//\n", "x is int v&&", "foreach(var (a,b) in c)", "lock(a)", "(a,b)=",
        "int f()=>", "int f(){", "{{", "}}", '$@"{', "goto a;a:", "case 1:", "\ud800", "\x00", "\x01\x01", "𝒳", "??=", "^",
    ]
)  # fmt: skip
MARKUP = st.sampled_from(
    [
        "<", "<a>", "<choose>", '<choose><when condition="true">', "<policies>", "<!--", "<![CDATA[", "&amp;", "&", "&#x41;",
        "@(", "@{", "{{a}}", "{{", '<a b="', "<a b='@(", "<set-body>", "</a>", "]]>", "-->", "\ufeff", "<base/>",
        '<retry condition="@(true)" count="1" interval="0">', '<set-body template="liquid">{% if a %}', "{% for a in b %}",
        '<set-body template="liquid">{{', "<!DOCTYPE a [<!ENTITY b '&c;&c;'>]>", '@($"{',
    ]
)  # fmt: skip
TIMES = st.sampled_from([1, 2, 30, 70, 400, 3000])


@given(st.lists(st.tuples(CODE, TIMES), min_size=1, max_size=4), st.booleans())
@QUIET
def test_expressions_nested_without_end(parts: list[tuple[str, int]], block: bool) -> None:
    text = "".join(unit * times for unit, times in parts)[:60_000]
    outcome = compiled("{" + text + "}" if block else text.removeprefix("{"))
    assert outcome.expression is not None or any(d.is_error for d in outcome.diagnostics)


@given(st.lists(st.tuples(MARKUP, TIMES), min_size=1, max_size=4), st.booleans())
@QUIET
def test_documents_nested_without_end(parts: list[tuple[str, int]], inside: bool) -> None:
    text = "".join(unit * times for unit, times in parts)[:100_000]
    text = f"<policies><inbound>{text}</inbound></policies>" if inside else text
    for format_ in ("rawxml", "xml"):
        parse(text, format_)  # type: ignore[arg-type]
        result = compile_document(Source("any", text), Scope.API, CompileContext(), format=format_)  # type: ignore[arg-type]
        assert result.document is not None or result.diagnostics
        assert all(0 <= d.span.start <= d.span.end <= len(text) for d in result.diagnostics)


# What would take very long or very much in one call that nothing interrupts: bounded before it begins.
HEAVY = [
    '"a".PadLeft(2000000000)',
    'Regex.IsMatch(new string((char)97, 5000) + "!", "^(a|aa)+$")',
    '{ var n = 0; while (true) { try { Regex.IsMatch(new string((char)97, 40) + n++, "^(a+)+$"); } catch (Exception) { } } }',
    '{ var p = "(x{1000})" + "{1000}"; return Regex.IsMatch("x", p); }',
    "{ var p = new string((char)40, 20000) + new string((char)41, 20000); return Regex.IsMatch(\"a\", p); }",
    "int.Parse(new string((char)57, 10000000))",
    "decimal.Parse(new string((char)57, 10000000))",
    "checked(int.Parse(\"2147483647\") * 2)",
    "decimal.MaxValue * decimal.MaxValue",
    "JToken.Parse(new string((char)91, 500000) + new string((char)93, 500000))",
    "(1e308).ToString(\"F999999999\")",
    'string.Format("{0,2000000000}", 1)',
    "new byte[2000000000]",
    "new int[2000000000]",
    "new int[-1]",
    "new StringBuilder().Append((char)97, 2000000000)",
    "string.Join(new string((char)97, 1000000), Enumerable.Repeat(\"b\", 1000000))",
    "{ JArray a = new JArray(1); for (int i = 0; i < 40; i++) { a = new JArray(a, a); } return a.ToString(); }",
    'XElement.Parse("<!DOCTYPE a [<!ENTITY x \\"xx\\">]><a>&x;</a>").Value',
    'XElement.Parse(string.Concat(Enumerable.Repeat("<a>", 200000))).Value',
    "{ while (true) { try { while (true) { } } finally { } } }",
    "{ int F(int n) => n <= 0 ? 0 : F(n - 1) + F(n - 1); return F(100); }",
    "{ foreach (var (a, b) in Enumerable.Range(0, 900000).Select(x => (x, x))) { } return 1; }",
    "{ var t = (1, \"x\"); while (true) { t = (t.Item1 + 1, t.Item2 + t.Item2); } }",
    "{ string F(string s, int n = 1) => F(s + s, n + 1); return F(\"a\"); }",
]  # fmt: skip


@pytest.mark.parametrize("text", HEAVY)
def test_nothing_runs_away(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if mistakes(text):
        return  # refused when it is saved, which is better still
    monkeypatch.setattr(limits, "TIME_LIMIT_S", 0.2)
    monkeypatch.setattr(regexes, "REGEX_TIMEOUT_S", 0.2)
    with pytest.raises((LimitExceeded, CsException, RecursionError)):
        evaluate(text)


# The host language, by names that it gives to everything.
OUTSIDE = [
    '"a".__class__', '"a".__init__.__globals__', "new JObject().__dict__", "__builtins__", "__import__(\"os\")", "eval(\"1\")",
    "x", "globals()", "context.__class__", "(1, 2).values", "(1, 2).__class__", "(a: 1, b: 2).names", "new { a = 1 }.values",
    "((Func<int, int>)(v => v)).__globals__", "Math.__dict__", "typeof(string).Assembly", "System.Diagnostics.Process.Start(\"a\")",
    "System.IO.File.ReadAllText(\"/etc/passwd\")", "System.Environment.MachineName", "System.Reflection.Assembly.Load(\"a\")",
    "nameof(__class__)", "new Random().__reduce__()", "Guid.NewGuid().value", "DateTime.UtcNow.ticks",
    "System.Net.Dns.GetHostName()", "new System.Net.WebClient()", "System.Threading.Thread.Sleep(1)",
]  # fmt: skip


@pytest.mark.parametrize("text", OUTSIDE)
def test_nothing_undeclared_can_be_reached(text: str) -> None:
    assert any(d.is_error for d in mistakes(text))
