"""Whatever a text is: the document parser and the expression compiler answer with diagnostics, never an exception."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.document import parse
from aforo.policy.named_values import NamedValue
from aforo.policy.scopes import Scope
from aforo.source import Source, render
from tests.support.examples import examples
from tests.support.expressions import compiled

CONTEXT = CompileContext(
    {"name": NamedValue('v"<&', False), "expr": NamedValue("@(1)", False), "key": NamedValue("s3cr3t", True)},
    {"part": "<fragment><set-variable name='a' value='1'/></fragment>", "odd": "<fragment"},
)
PIECES = st.sampled_from(
    [
        "<policies>", "</policies>", "<inbound>", "</inbound>", "<base />", "<outbound/>", "<choose>", "</choose>",
        "<when condition=\"", "\">", "</when>", "<set-header name=\"a\"", " exists-action='override'", "><value>",
        "</value></set-header>", "@(", ")", "@{", "}", "return 1;", "\"", "'", "<", ">", "&amp;", "&quot;", "&#0;",
        "<!--", "-->", "<![CDATA[", "]]>", "{{name}}", "{{expr}}", "{{key}}", "{{none}}", "context.Request.Method",
        "$\"{", "}\"", "//", "/*", "*/", "\\", "\n", "<set-variable name=\"v\" value=\"", "\" />", "/>", "=",
        "<include-fragment fragment-id=\"part\"/>", "<include-fragment fragment-id=\"odd\"/>", "\ud800", "\U0001f600",
        "<set-body>", "</set-body>", "<return-response>", "</return-response>", "<?xml ?>", "<!DOCTYPE a>",
    ]
)  # fmt: skip
TOKENS = st.sampled_from(
    [
        "1", "2.5", "1m", "\"a\"", "'c'", "null", "true", "x", "v", "(", ")", "[", "]", "{", "}", ",", ";", ".", "?.",
        "?", ":", "??", "=>", "=", "==", "+", "-", "*", "/", "%", "!", "&&", "||", "<", ">", "<<", "new ", "return ",
        "var v = ", "int ", "string ", "if (", "else ", "for (", "foreach (var v in ", "while (", "switch (", "case ",
        "default:", "break;", "try {", "} catch {", "throw ", "out var n", " is ", " as ", "(int)", "(string)", "new []",
        "new JObject", "new { a = ", "JObject.Parse", "\"a\".Split", "Select(v => ", ".Value<int>", "$\"{", "}\"",
        "@\"", "typeof(", "i++", "--", "int f(int v) => ", "using (", "await ", "\U0001f600", "\ud800", "__class__",
        "System.", "Func<int,int> f = ", "default", "is var q", "List<int>", "-2147483648", "0x", "\\u12",
    ]
)  # fmt: skip
QUIET = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
@QUIET
def test_documents(text: str) -> None:
    for format_ in ("rawxml", "xml"):
        parse(text, format_)  # type: ignore[arg-type]
        source = Source("any", text)
        result = compile_document(source, Scope.API, CONTEXT, format=format_)  # type: ignore[arg-type]
        assert result.document is not None or result.diagnostics
        if result.document is not None:
            # What compiles can be traced.
            result.document.traced()
        for diagnostic in result.diagnostics:
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
            assert "s3cr3t" not in render(source, diagnostic) or "s3cr3t" in text


@given(st.one_of(st.text(max_size=80), st.lists(TOKENS, max_size=25).map("".join)), st.booleans())
@QUIET
def test_expressions(text: str, block: bool) -> None:
    outcome = compiled("{" + text + "}" if block else text.removeprefix("{"))
    assert outcome.expression is not None or any(d.is_error for d in outcome.diagnostics)
