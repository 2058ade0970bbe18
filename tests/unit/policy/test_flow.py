"""The policies that hold others: waiting times, and how deep and how long documents may be."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from aforo.messages import Headers, parse_url
from aforo.policy.bound import CompiledDocument
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.elements.retry import pause_s
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, RequestState, ResponseState
from aforo.policy.pipeline import EMPTY
from aforo.policy.rehearsing import trial
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.scopes import Scope
from aforo.source import Source
from tests.support.certificates import certificate, pfx


def compiled(inbound: str) -> CompiledDocument:
    source = Source("policy.xml", f"<policies><inbound>{inbound}</inbound></policies>")
    result = compile_document(source, Scope.API, CompileContext())
    assert result.document is not None, result.diagnostics
    return result.document


def run(inbound: str, services: ScriptedServices | None = None, **headers: str) -> Exchange:
    url = parse_url("https://gate.example/a")
    fields = Headers.of((n.replace("_", "-").encode(), v.encode()) for n, v in headers.items())
    exchange = Exchange(
        "1", RequestState.of("GET", url, fields, Body(b""), "10.0.0.1"), services or ScriptedServices()
    )
    asyncio.run(trial.run(compiled(inbound).bind(EMPTY), exchange, ScriptedServices()))
    return exchange


def test_pauses_double_between_spread_bounds() -> None:
    """The example of API Management's reference: about 10, 20, 40, 80 and then 100 seconds."""
    for number, middle in enumerate((10, 20, 40, 80), 1):
        spread = (middle - 10) * 0.2
        for _ in range(50):
            assert middle - spread <= pause_s(number, 10, 100, 10) <= middle + spread
    assert pause_s(6, 10, 100, 10) == 100
    assert pause_s(50, 10, 100, 10) == 100
    assert len({pause_s(3, 10, 100, 10) for _ in range(10)}) > 1


def test_pauses_fixed_and_linear() -> None:
    assert [pause_s(n, 2, None, None) for n in (1, 2, 3)] == [2, 2, 2]
    assert [pause_s(n, 2, None, 3) for n in (1, 2, 3)] == [2, 5, 8]
    assert [pause_s(n, 2, None, 3, True) for n in (1, 2, 3)] == [0, 5, 8]
    assert [pause_s(n, 5, 4, None) for n in (1, 2)] == [4, 4]


def nested(kind: str, levels: int) -> str:
    opening, closing = {
        "choose": (
            "<choose>" + "<when condition=\"@(context.Request.Headers.ContainsKey('n'.ToString()))\"/>" * 7
            + "<when condition=\"@(context.Request.Method == &quot;GET&quot;)\">",
            "</when></choose>",
        ),
        "otherwise": ('<choose><when condition="@(context.Tracing)"/><otherwise>', "</otherwise></choose>"),
        "retry": ('<retry condition="@(context.Tracing)" count="1" interval="1">', "</retry>"),
        "limit": ('<limit-concurrency key="a" max-count="1">', "</limit-concurrency>"),
        "wait": ('<wait><choose><when condition="true">', "</when></choose></wait>"),
    }[kind]  # fmt: skip
    return opening * levels + '<set-variable name="deep" value="yes"/>' + closing * levels


@pytest.mark.parametrize(
    ("kind", "levels"), [("choose", 18), ("otherwise", 18), ("retry", 36), ("limit", 36), ("wait", 12)]
)
def test_what_may_be_written_may_be_nested(kind: str, levels: int) -> None:
    assert run(nested(kind, levels)).variables["deep"] == "yes"
    listing = compiled(nested(kind, levels)).python()
    assert listing.count("'deep'") == 1


def test_very_many_whens() -> None:
    whens = "".join(
        f'<when condition="@(context.Request.Headers.GetValueOrDefault("n","") == "{i}")"><set-variable name="found" value="{i}"/></when>'
        for i in range(300)
    )
    text = f'<choose>{whens}<otherwise><set-variable name="found" value="none"/></otherwise></choose>'
    document = compiled(text)
    assert document.python()
    for wanted, found in (("0", "0"), ("7", "7"), ("8", "8"), ("299", "299"), ("300", "none")):
        assert run(text, n=wanted).variables["found"] == found


def test_a_when_that_is_always_true_hides_those_behind() -> None:
    many = '<when condition="false"/>' * 20
    text = f'<choose>{many}<when condition="true"><set-variable name="a" value="1"/></when>{many}<when condition="true"><set-variable name="a" value="2"/></when><otherwise><set-variable name="a" value="3"/></otherwise></choose>'
    assert run(text).variables["a"] == "1"
    text = f'<choose>{many}<otherwise><set-variable name="a" value="3"/></otherwise></choose>'
    assert run(text).variables["a"] == "3"


def test_a_certificate_that_an_expression_gives(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "partner")
    data = base64.b64encode(pfx(chain, key, "word")).decode()
    text = (
        f'<set-variable name="pfx" value="@(Convert.FromBase64String("{data}"))"/>'
        '<authentication-certificate body="@(context.Variables.GetValueOrDefault<byte[]>("pfx"))" password="word"/>'
    )
    exchange = run(text)
    assert exchange.certificate is not None
    assert exchange.certificate.key_pem == key.read_text()
    assert exchange.certificate.key_pem not in repr(exchange.certificate)


def test_the_limit_refuses_with_429() -> None:
    services = ScriptedServices()
    services.under_way["k"] = 2
    text = '<limit-concurrency key="k" max-count="2"><set-variable name="in" value="1"/></limit-concurrency>'
    exchange = run(text, services)
    assert exchange.response is not None
    assert exchange.response.status == 429
    assert "in" not in exchange.variables
    assert (exchange.errors[0].source, services.under_way) == ("limit-concurrency", {"k": 2})


@pytest.mark.parametrize("recovers", [True, False])
def test_attempts_that_a_call_recovered_from(recovers: bool) -> None:
    source = Source(
        "policy.xml",
        '<policies><backend><retry condition="@(context.Response.StatusCode &gt; 499)" count="2" interval="1">'
        "<forward-request/></retry></backend></policies>",
    )
    result = compile_document(source, Scope.API, CompileContext(), format="xml")
    assert result.document is not None, result.diagnostics
    services = ScriptedServices()

    def backend(exchange: Exchange) -> ResponseState:
        if exchange.attempts < 3 or not recovers:
            raise PolicyFailure(LastError("forward-request", "BackendConnectionFailure", "away"))
        return ResponseState(200, "OK", Headers(), Body(b""))

    services.backend = backend
    exchange = Exchange(
        "1",
        RequestState.of("GET", parse_url("https://gate.example/a"), Headers(), Body(b""), "10.0.0.1"),
        services,
    )
    asyncio.run(trial.run(result.document.bind(EMPTY), exchange, services))
    assert [e.recovered for e in exchange.errors] == ([True, True] if recovers else [False] * 3)
    assert (exchange.last_error is None) is recovers
