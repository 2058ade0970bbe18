"""What binding does, what a compiled document says about itself, and how secrets stay hidden."""

from __future__ import annotations

import asyncio
import traceback

import pytest

from aforo.policy.catalog import ELEMENTS, NEVER
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.exchange import LastError, PolicyFailure, ResponseState
from aforo.policy.named_values import NamedValue
from aforo.policy.pipeline import EMPTY, Effects, Pipeline
from aforo.policy.rehearsing import trial
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.scopes import Scope
from aforo.policy.services import ForwardOptions
from aforo.source import Source, render
from tests.support.policy_case import GLOBAL, bound, exchange_of

NOTHING = CompileContext()


def pipeline(text: str, base: Pipeline = EMPTY, scope: Scope = Scope.API) -> Pipeline:
    return bound(text, scope, NOTHING, base)


def test_a_section_that_is_only_base_or_absent_is_the_base_itself() -> None:
    base = pipeline(
        "<policies><inbound><set-variable name='a' value='1'/></inbound><outbound><set-status code='201' reason=''/></outbound></policies>"
    )
    for text in (
        "<policies><inbound><base/></inbound></policies>",
        "<policies/>",
        "<policies><inbound><!-- here --><base />\n</inbound></policies>",
    ):
        made = pipeline(text, base, Scope.OPERATION)
        assert made.inbound is base.inbound
        assert made.outbound is base.outbound
    assert pipeline("<policies><inbound/></policies>", base).inbound is None


def test_plain_forward_is_seen_through_base() -> None:
    top = pipeline(GLOBAL, scope=Scope.GLOBAL)
    assert top.plain_forward == ForwardOptions()
    assert pipeline("<policies><backend><base/></backend></policies>", top).plain_forward == ForwardOptions()
    assert pipeline("<policies><inbound><base/></inbound></policies>", top).plain_forward == ForwardOptions()
    lone = "<policies><backend><forward-request timeout='20' buffer-response='false'/></backend></policies>"
    assert pipeline(lone, top).plain_forward == ForwardOptions(timeout_s=20.0)
    assert pipeline("<policies><backend/></policies>", top).plain_forward is None
    wrapped = "<policies><backend><choose><when condition='@(context.Tracing)'><base /></when></choose></backend></policies>"
    assert compile_document(Source("a", wrapped), Scope.API, NOTHING).document is None


@pytest.mark.parametrize(
    ("attributes", "options"),
    [
        ("idle-timeout='20'", ForwardOptions(idle_s=20.0)),
        ("timeout-ms='500' idle-timeout='86400'", ForwardOptions(timeout_s=0.5, idle_s=86_400.0)),
        ("idle-timeout='0'", "`idle-timeout` must be between 1 and 86400 seconds"),
        ("idle-timeout='86401'", "`idle-timeout` must be between 1 and 86400 seconds"),
        ("idle-timeout='-1'", "`idle-timeout` must be a number of seconds"),
        ("idle-timeout='PT5M'", "`idle-timeout` must be a whole number"),
        ("timeout='0'", "`timeout` must be between 1 and 86400 seconds"),
        ("timeout-ms='86400001'", "`timeout-ms` must be between 1 and 86400 seconds"),
    ],
)
def test_times_of_a_forward(attributes: str, options: ForwardOptions | str) -> None:
    text = f"<policies><backend><forward-request {attributes}/></backend></policies>"
    made = compile_document(Source("a", text), Scope.API, NOTHING)
    if isinstance(options, ForwardOptions):
        assert pipeline(text).plain_forward == options
    else:
        assert [d.message for d in made.diagnostics] == [options]


def test_bare_sections_are_a_document() -> None:
    made = pipeline(
        "<inbound><base/><set-variable name='a' value='1'/></inbound><outbound><base/></outbound>"
    )
    assert made.inbound is not None


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        (
            "<inbound><set-variable name='a' value='@(context.Request.Body.As<string>())'/></inbound>",
            Effects(reads_request_body=True),
        ),
        ("<inbound><set-body>x</set-body></inbound>", Effects(writes_request_body=True)),
        (
            '<outbound><set-body>@(context.Response.Body.As<string>() + "!")</set-body></outbound>',
            Effects(reads_response_body=True, writes_response_body=True),
        ),
        ("<inbound><return-response><set-body>x</set-body></return-response></inbound>", Effects()),
        (
            "<inbound><set-variable name='a' value='@(((IResponse)context.Variables[\"r\"]).Body.As<string>())'/></inbound>",
            Effects(),
        ),
    ],
)
def test_effects(text: str, effects: Effects) -> None:
    assert pipeline(text).effects == effects


def test_effects_are_united_over_the_base_chain() -> None:
    base = pipeline("<inbound><set-body>x</set-body></inbound>")
    made = pipeline("<outbound><base/><set-body>y</set-body></outbound>", base)
    assert made.effects == Effects(writes_request_body=True, writes_response_body=True)


def test_secrets_are_in_no_listing_and_no_diagnostic() -> None:
    context = CompileContext(
        {"key": NamedValue("s3cr3t-value", True), "broken": NamedValue("s3cr3t-value(", True)}
    )
    text = (
        "<inbound><set-header name='a'><value>{{key}}</value></set-header>"
        '<set-header name=\'b\'><value>@("x" + "{{key}}")</value></set-header>'
        "<set-backend-service base-url='https://host/{{key}}'/></inbound>"
    )
    result = compile_document(Source("a.xml", text), Scope.API, context)
    assert result.document is not None
    assert "s3cr3t" not in result.document.python()
    assert "s3cr3t" not in repr(context)
    for bad in ("@({{broken}})", "@({{key}})", '@("{{key}}".Foo())', '@((int)"{{key}}")'):
        source = Source("b.xml", f"<inbound><set-header name='a'><value>{bad}</value></set-header></inbound>")
        found = compile_document(source, Scope.API, context)
        assert found.document is None
        assert "s3cr3t" not in " ".join(render(source, d) for d in found.diagnostics)


def test_a_failure_points_at_the_authors_line() -> None:
    text = '<policies>\n  <inbound>\n    <set-variable name="a"\n      value="@(int.Parse("x"))" />\n  </inbound>\n</policies>'
    made = pipeline(text)
    with pytest.raises(PolicyFailure) as caught:
        asyncio.run(made.inbound(exchange_of("GET http://gate/x", ScriptedServices())))
    assert caught.value.__cause__ is not None
    frames = traceback.extract_tb(caught.value.__cause__.__traceback__)
    assert ("base.xml", 4) in [(f.filename, f.lineno) for f in frames]


def test_the_listing_has_the_xml_beside_the_python() -> None:
    result = compile_document(
        Source("a.xml", "<inbound>\n<set-method>PUT</set-method></inbound>"), Scope.API, NOTHING
    )
    assert result.document is not None
    text = result.document.python()
    assert "# 2: <set-method>PUT</set-method>" in text
    assert "x.request.use_method('PUT')" in text


def test_preflights() -> None:
    made = pipeline(
        "<inbound><cors><allowed-origins><origin>https://a.example</origin></allowed-origins>"
        "<allowed-methods preflight-result-max-age='60'><method>PUT</method></allowed-methods>"
        "<allowed-headers><header>x-one</header></allowed-headers></cors></inbound>"
    )
    (policy,) = made.cors
    answer = policy.preflight(b"https://a.example", b"PUT", b"X-One")
    assert answer is not None
    assert dict(answer) == {
        b"access-control-allow-origin": b"https://a.example",
        b"vary": b"Origin",
        b"access-control-allow-methods": b"PUT",
        b"access-control-allow-headers": b"x-one",
        b"access-control-max-age": b"60",
    }
    refused = policy.preflight(b"https://b.example", b"PUT", None)
    assert refused is not None
    assert not dict(refused)
    other = policy.preflight(b"https://a.example", b"DELETE", b"x-two")
    assert other is not None
    assert b"access-control-allow-methods" not in other
    assert b"access-control-allow-headers" not in other


def test_every_policy_is_declared_once() -> None:
    names = [e.name for e in ELEMENTS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(NEVER)
    for element in ELEMENTS:
        assert element.doc.endswith(".")
        assert element.sections
        for attribute in element.attributes:
            assert attribute.doc.endswith(".")
            assert attribute.default is None or not attribute.required


def test_large_and_deep_documents_are_refused() -> None:
    deep = "<policies><inbound>" + "<choose><when condition='@(context.Tracing)'>" * 60
    assert compile_document(Source("a", deep), Scope.API, NOTHING).document is None
    large = "<policies>" + " " * 600_000
    found = compile_document(Source("a", large), Scope.API, NOTHING).diagnostics
    assert [d.code for d in found] == ["POL0401"]
    wide = "<policies><inbound>" + "<include-fragment fragment-id='a'/>" * 2
    bomb = {
        c: "<fragment>" + f"<include-fragment fragment-id='{d}'/>" * 10 + "</fragment>"
        for c, d in zip("abcdefgh", "bcdefghi", strict=True)
    }
    bomb["i"] = "<fragment><set-method>GET</set-method></fragment>"
    assert (
        compile_document(
            Source("a", wide + "</inbound></policies>"), Scope.API, CompileContext({}, bomb)
        ).document
        is not None
    )


def test_an_empty_value_is_an_empty_header() -> None:
    made = pipeline(
        "<inbound><set-header name='a'><value></value></set-header><set-header name='b'><value/></set-header></inbound>"
    )
    exchange = exchange_of("GET http://gate/x", ScriptedServices())
    asyncio.run(made.inbound(exchange))
    assert dict(exchange.request.headers) == {b"a": b"", b"b": b""}


def test_a_forward_request_that_stands_alone_has_a_place_all_the_same() -> None:
    """It is sent without running its section, from whichever scope it is."""
    base = pipeline("<policies><backend><forward-request id='f' /></backend></policies>", EMPTY, Scope.GLOBAL)
    told = []
    for made in (base, pipeline("<policies><inbound><base/></inbound></policies>", base)):
        assert made.plain_forward is not None

        def fail(_: object) -> ResponseState:
            raise PolicyFailure(LastError("forward-request", "Timeout", "too late"))

        services = ScriptedServices(backend=fail)
        exchange = exchange_of("POST https://gate/openai/x", services)
        asyncio.run(trial.run(made, exchange, services))
        (error,) = exchange.errors
        told.append((error.scope, error.section, error.path, error.policy_id, error.message))
    assert told == [("global", "backend", "forward-request[1]", "f", "too late")] * 2
