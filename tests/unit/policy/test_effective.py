"""The effective policy: it is what a traced call runs, and every line tells where it was written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from aforo.messages import Headers, parse_url
from aforo.policy import limits
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.document import XmlElement, parse
from aforo.policy.effective import Effective, Origin, effective
from aforo.policy.exchange import Body, Exchange, RequestState
from aforo.policy.named_values import NamedValue
from aforo.policy.pipeline import EMPTY
from aforo.policy.rehearsing import trial
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.scopes import Scope, Section
from aforo.policy.tracing import trace
from aforo.source import Source, has_errors

SECRET = "CANARY-secret"
VALUES = {
    "common": NamedValue("stamp", False),
    "hidden": NamedValue("stamp", True),
    "token": NamedValue(SECRET, True),
}
FRAGMENTS = {
    "stamp": '<fragment>\n  <set-header name="x-stamp"><value>1</value></set-header>\n'
    '  <include-fragment fragment-id="inner" />\n</fragment>',
    "inner": '<fragment><choose><when condition="@(true)">\n'
    '<set-variable name="seen" value="@{\n  return 1;\n}" /></when></choose>\n</fragment>',
}
DOCUMENTS = {
    Scope.GLOBAL: """<policies>
    <inbound>
        <set-header name="x-global" exists-action="override"><value>{{token}}</value></set-header>
    </inbound>
    <backend><forward-request timeout="30" /></backend>
    <outbound />
    <on-error><set-status code="500" reason="global" /></on-error>
</policies>""",
    Scope.WORKSPACE: "<policies><inbound><set-variable name='workspace' value='1' /><base/></inbound></policies>",
    Scope.PRODUCT: "<inbound>\n<base />\n<set-variable name='product' value='1' />\n</inbound>",
    Scope.API: """<policies>
    <inbound>
        <!-- first: who it is -->
        <set-variable name="api" value="1" />
        <base />
        <include-fragment fragment-id="{{common}}" />
    </inbound>
    <outbound>
        <base />
        <set-header name="x-out" exists-action="override">
            <value>@{
        return @"a
    b".Length.ToString();
            }</value>
        </set-header>
        <include-fragment fragment-id="stamp" />
    </outbound>
</policies>""",
    Scope.OPERATION: """<policies>
  <inbound>
    <base />
    <choose>
      <when condition="@(context.Request.Method == "POST")">
        <include-fragment fragment-id="inner" />
        <set-method>PUT</set-method>
      </when>
    </choose>
  </inbound>
  <on-error>
    <set-header name="x-never" exists-action="delete" />
  </on-error>
</policies>""",
}


def shown(documents: Mapping[Scope, str] = DOCUMENTS, fragments: Mapping[str, str] = FRAGMENTS) -> Effective:
    return effective(
        {s: Source(f"{s.value}.xml", t) for s, t in documents.items()},
        {n: Source(f"fragment:{n}", t) for n, t in fragments.items()},
        VALUES,
    )


def traced(documents: Mapping[Scope, str]) -> list[tuple[str, str, str, str, int]]:
    """What a call runs that meets no condition that is false: (section, policy, scope, file, line)."""
    context = CompileContext(VALUES, FRAGMENTS)
    bound = EMPTY
    for scope in Scope:
        if scope in documents:
            result = compile_document(Source(f"{scope.value}.xml", documents[scope]), scope, context)
            assert result.document is not None, result.diagnostics
            bound = result.document.traced().bind(bound)
    services = ScriptedServices()
    request = RequestState.of("POST", parse_url("https://gate/a"), Headers(), Body(b"{}"), "10.0.0.1")
    exchange = Exchange("0" * 32, request, services)
    trace.start(exchange, ())
    asyncio.run(trial.run(bound, exchange, services))
    steps = exchange.trace.steps
    return [
        (s.place.section, s.place.source, s.place.scope, s.place.file, s.place.line)
        for s in steps
        if s.place.source not in ("base", "include-fragment")
    ]


def told(made: Effective) -> list[tuple[str, str, str, str, int]]:
    """The policies of an effective document in their order, as `traced` tells them."""
    from aforo.policy.catalog import BY_NAME

    (root,) = parse(made.text, "rawxml").roots
    text = Source("", made.text)
    out: list[tuple[str, str, str, str, int]] = []

    def walk(element: XmlElement, section: str) -> None:
        if element.name in BY_NAME:
            origin = made.lines[text.position(element.span.start)[0] - 1].origin
            assert origin is not None
            out.append((section, element.name, origin.scope.value, origin.source, origin.line))
        for child in element.elements:
            walk(child, section)

    for section in root.elements:
        for child in section.elements:
            walk(child, section.name)
    return out


@pytest.mark.parametrize("narrowest", [Scope.GLOBAL, Scope.PRODUCT, Scope.API, Scope.OPERATION])
def test_it_is_what_a_traced_call_runs(narrowest: Scope) -> None:
    documents = {s: t for s, t in DOCUMENTS.items() if list(Scope).index(s) <= list(Scope).index(narrowest)}
    made = shown(documents)
    assert made.problems == ()
    ran = traced(documents)
    assert [p for p in told(made) if p[0] != "on-error"] == ran
    assert {p[0] for p in ran} >= {"inbound", "backend"}


def test_the_text_compiles_to_the_same_policies() -> None:
    """It is a document of its own: compiled alone it does what the documents do over each other."""
    made = shown()
    result = compile_document(Source("effective.xml", made.text), Scope.OPERATION, CompileContext(VALUES))
    assert not has_errors(result.diagnostics), result.diagnostics
    again = traced({Scope.OPERATION: made.text})
    assert [p[:2] for p in again] == [p[:2] for p in traced(DOCUMENTS)]


def test_each_line_is_found_where_its_origin_says() -> None:
    made = shown()
    texts = {f"{s.value}.xml": t for s, t in DOCUMENTS.items()} | {
        f"fragment:{n}": t for n, t in FRAGMENTS.items()
    }
    for line in made.lines:
        assert line.origin is not None
        assert line.origin.source.startswith("fragment:") == bool(line.origin.fragment)
        assert line.text.strip() in Source("", texts[line.origin.source]).line(line.origin.line), line
    assert SECRET not in made.text
    assert "<value>{{token}}</value>" in made.text


def test_how_it_looks() -> None:
    made = shown()
    lines = made.text.splitlines()
    at = lines.index("        <!-- first: who it is -->")
    assert lines[at : at + 4] == [
        "        <!-- first: who it is -->",
        '        <set-variable name="api" value="1" />',
        "        <set-variable name='workspace' value='1' />",
        '        <set-header name="x-global" exists-action="override"><value>{{token}}</value></set-header>',
    ]


def test_what_stands_in_a_value_is_left_as_it_is() -> None:
    made = shown()
    assert (
        '            <value>@{\n        return @"a\n    b".Length.ToString();\n            }</value>\n'
        in made.text
    )
    markup = "<set-body><a>\n <include-fragment fragment-id='stamp' />\n  <base/></a></set-body>"
    made = shown({Scope.API: f"<policies><inbound>{markup}</inbound></policies>"})
    assert markup in made.text


def test_sections_that_nobody_has_have_no_origin() -> None:
    made = shown({Scope.API: "<policies>\n<inbound><base /></inbound></policies>"})
    assert [(line.text, line.origin) for line in made.lines] == [
        ("<policies>", Origin(Scope.API, "api.xml", 1)),
        ("    <inbound />", Origin(Scope.API, "api.xml", 2)),
        ("    <backend />", None),
        ("    <outbound />", None),
        ("    <on-error />", None),
        ("</policies>", Origin(Scope.API, "api.xml", 2)),
    ]
    assert [s.text.strip() for s in shown({}).lines[1:5]] == [f"<{s.value} />" for s in Section]


def test_a_fragment_that_a_secret_names_is_not_opened() -> None:
    made = shown(
        {Scope.API: '<policies><inbound><include-fragment fragment-id="{{hidden}}" /></inbound></policies>'}
    )
    assert '        <include-fragment fragment-id="{{hidden}}" />\n' in made.text
    assert "x-stamp" not in made.text


@pytest.mark.parametrize(
    ("inbound", "code"),
    [
        ('<include-fragment fragment-id="stamq" />', "POL0302"),
        ('<include-fragment fragment-id="circle" />', "POL0303"),
        ('<include-fragment fragment-id="wrong" />', "POL0103"),
        ("<set-method>", "POL0002"),
    ],
)
def test_what_cannot_be_shown_is_told(inbound: str, code: str) -> None:
    fragments = FRAGMENTS | {
        "circle": "<fragment><include-fragment fragment-id='circle' /></fragment>",
        "wrong": "<policies />",
    }
    made = shown({Scope.API: f"<policies><inbound>{inbound}</inbound></policies>"}, fragments)
    assert code in [p.diagnostic.code for p in made.problems]


def bombs() -> list[tuple[dict[Scope, str], dict[str, str]]]:
    many = "<policies><inbound>" + "<base />" * 2_000 + "</inbound></policies>"
    chained = {
        f"f{i}": "<fragment>" + f"<include-fragment fragment-id='f{i + 1}' />" * 20 + "</fragment>"
        for i in range(9)
    }
    start = {
        Scope.API: "<policies><inbound><include-fragment fragment-id='f0' /></inbound></policies>",
    }
    return [
        (dict.fromkeys(Scope, many), {}),
        ({**dict.fromkeys(Scope, many), Scope.GLOBAL: "<inbound><set-method>GET</set-method></inbound>"}, {}),
        (start, {**chained, "f9": "<fragment />"}),
        (start, {**chained, "f9": f"<fragment>{' ' * 100_000}</fragment>"}),
    ]


@pytest.mark.parametrize(("documents", "fragments"), bombs())
def test_what_multiplies_has_an_end(documents: dict[Scope, str], fragments: dict[str, str]) -> None:
    made = shown(documents, fragments)
    assert [p.diagnostic.code for p in made.problems] == ["POL0401"]
    assert len(made.lines) <= limits.EFFECTIVE_LINES
