"""A secret goes in through each way there is, and no output for people shows it: traces, LastError, messages, listings,
diagnostics."""

from __future__ import annotations

import asyncio
import json

import pytest

from aforo.messages import Headers, parse_url
from aforo.policy import masking
from aforo.policy.compile import CompileContext, CompileResult, compile_document
from aforo.policy.exchange import Body, Exchange, RequestState, ResponseState
from aforo.policy.named_values import NamedValue
from aforo.policy.pipeline import EMPTY
from aforo.policy.rehearsing import trial
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.scopes import Scope
from aforo.policy.services import OutboundRequest
from aforo.policy.subject import Api
from aforo.policy.tracing import records as trace_records
from aforo.policy.tracing import trace
from aforo.source import Source, render

CANARY = "Canary-7f3a91e5c2"
NUMBER = "918273645"
CONTEXT = CompileContext(
    {
        "secret": NamedValue(CANARY, secret=True),
        "number": NamedValue(NUMBER, secret=True),
        "code": NamedValue(f'context.Request.Method + "{CANARY}"', secret=True),
        "plain": NamedValue("not a secret", secret=False),
    },
    {"shared": '<fragment><set-variable name="s" value="{{secret}}" /></fragment>'},
)
API = Api("api", "API", "", "1", "", "https://api", True, ("https",), "x-own-key", "own-key")
URL = f"https://gate/a?own-key={CANARY}q&subscription-key={CANARY}r&x=1"

# How a secret comes to be in the variable `s`.
WAYS = {
    "a literal": '<set-variable name="s" value="{{secret}}" />',
    "an expression": '<set-variable name="s" value="@("a" + "{{secret}}")" />',
    "a verbatim text": '<set-variable name="s" value="@(@"{{secret}}")" />',
    "an interpolation": '<set-variable name="s" value="@($"a{context.Api.Id}{{secret}}")" />',
    "a number": '<set-variable name="s" value="@({{number}} + 0)" />',
    "code": '<set-variable name="s" value="@({{code}})" />',
    "a block": '<set-variable name="s" value="@{ var a = "{{secret}}"; return a.ToUpper(); }" />',
    "a fragment": '<include-fragment fragment-id="shared" />',
    "Authorization": '<set-variable name="s" value="@(context.Request.Headers.GetValueOrDefault("authorization",""))" />',
    "a part of Authorization": '<set-variable name="s" value="@(context.Request.Headers["Authorization"][0].Split(\' \')[1].ToLower())" />',
    "the API's own key header": '<set-variable name="s" value="@(context.Request.Headers.GetValueOrDefault("x-own-key",""))" />',
    "all headers": '<set-variable name="s" value="@(string.Join(";", context.Request.Headers.Select(h => h.Value[0].ToUpper())))" />',
    "the query": '<set-variable name="s" value="@(context.Request.OriginalUrl.Query.GetValueOrDefault("own-key"))" />',
    "the query's text": '<set-variable name="s" value="@(context.Request.OriginalUrl.QueryString)" />',
    "the key parameter": '<set-variable name="s" value="@(context.Request.Url.Query["subscription-key"][0].ToUpper())" />',
    "an identity": '<authentication-managed-identity resource="https://r" output-token-variable-name="s" />',
    "an identity's header": '<authentication-managed-identity resource="https://r" />'
    '<set-variable name="s" value="@(context.Request.Headers["Authorization"][0].ToUpper())" />',
    "a name and a password": '<authentication-basic username="u" password="{{secret}}" />'
    '<set-variable name="s" value="@(context.Request.Headers["Authorization"][0].AsBasic().Password.ToUpper())" />',
    "a chain": '<set-variable name="a" value="{{secret}}" /><set-variable name="b" value="@(((string)context.Variables["a"]).ToUpper())" />'
    '<set-variable name="s" value="@((string)context.Variables["b"] + "!")" />',
    "a header in between": '<set-header name="x-between"><value>@("{{secret}}".ToUpper())</value></set-header>'
    '<set-variable name="s" value="@(context.Request.Headers["x-between"][0] + "!")" />',
    "a body in between": '<set-body>@("{{secret}}".ToUpper())</set-body>'
    '<set-variable name="s" value="@(context.Request.Body.As<string>(true) + "!")" />',
    "a cache in between": '<cache-store-value key="k" value="@("{{secret}}".ToUpper())" duration="60" />'
    '<cache-lookup-value key="k" variable-name="s" />',
    "an answer that a token asked for": '<send-request response-variable-name="r"><set-url>https://vault/x</set-url>'
    '<authentication-managed-identity resource="https://vault" /></send-request>'
    '<set-variable name="s" value="@(((IResponse)context.Variables["r"]).Body.As<string>().ToUpper())" />',
    "an answer that a secret asked for": '<send-request response-variable-name="r"><set-url>https://vault/{{secret}}</set-url></send-request>'
    '<set-variable name="s" value="@(((IResponse)context.Variables["r"]).Body.As<JObject>()["value"].ToString())" />',
    "an answer to a header": '<send-request response-variable-name="r"><set-url>https://vault/x</set-url>'
    '<set-header name="x-k"><value>@("{{secret}}")</value></set-header></send-request>'
    '<set-variable name="s" value="@(((IResponse)context.Variables["r"]).Body.As<string>().ToUpper())" />',
}  # fmt: skip
# What is done with it then: each shows something to people.
USES = """
<set-header name="x-shown"><value>@(context.Variables["s"].ToString())</value></set-header>
<set-query-parameter name="shown" exists-action="override"><value>@(context.Variables["s"].ToString())</value></set-query-parameter>
<set-variable name="again" value="@(context.Variables["s"].ToString().ToLower())" />
<trace source="t" severity="error"><message>@(context.Variables["s"].ToString())</message>
<metadata name="m" value="@(context.Request.Headers["x-shown"][0])" /></trace>
<set-variable name="told" value="@{ context.Trace("it is " + context.Variables["s"]); return 1; }" />
<choose><when condition="@(context.Variables["s"].ToString().Length > 1)"><set-backend-service base-url="@("https://b/" + System.Net.WebUtility.UrlEncode((string)context.Variables["again"]))" /></when></choose>
<check-header name="x-shown" failed-check-httpcode="401" failed-check-error-message="no"><value>other</value></check-header>
"""
ON_ERROR = """
<set-variable name="error" value="@(context.LastError.Message)" />
<set-variable name="n" value="@(int.Parse((string)context.Variables["again"]))" />
"""


def compiled(inbound: str, on_error: str = "") -> CompileResult:
    text = f"<policies><inbound>{inbound}</inbound><on-error>{on_error}</on-error></policies>"
    return compile_document(Source("api.xml", text), Scope.API, CONTEXT)


def exchange_of(services: ScriptedServices) -> Exchange:
    headers = Headers.of(
        [
            (b"authorization", f"Bearer {CANARY}a".encode()),
            (b"x-own-key", f"{CANARY}k".encode()),
            (b"x-other", b"nothing"),
        ]
    )
    request = RequestState.of("POST", parse_url(URL), headers, Body(b"{}"), "10.0.0.1")
    made = Exchange("0" * 32, request, services)
    made.api = API
    return made


def services_of() -> ScriptedServices:
    services = ScriptedServices()
    for resource in ("https://r", "https://vault"):
        services.tokens.put(resource, f"{CANARY}-token")

    def answer(_: OutboundRequest) -> ResponseState:
        return ResponseState(200, "OK", Headers(), Body(json.dumps({"value": f"{CANARY}-answer"}).encode()))

    services.answer = answer
    return services


def hidden(text: str) -> None:
    folded = text.lower()
    assert CANARY.lower() not in folded
    assert NUMBER not in folded


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.replace(" ", "_"))
def test_no_output_shows_it(way: str, traced: bool) -> None:
    result = compiled(WAYS[way] + USES, ON_ERROR)
    assert result.document is not None, [d.message for d in result.diagnostics]
    hidden(result.document.python())
    services = services_of()
    exchange = exchange_of(services)
    document = result.document.traced() if traced else result.document
    hidden(document.python())
    if traced:
        trace.start(exchange, document.secrets)
    asyncio.run(trial.run(document.bind(EMPTY), exchange, services))
    shown = str(exchange.variables["s"]).lower()
    assert exchange.variables["again"].lower() in shown or len(shown) > 8, "the way does lead there"
    # `on-error` fails on purpose, but where the secret is a number.
    failed = [] if way == "a number" else ["ExpressionValueEvaluationFailure"]
    assert [e.reason for e in exchange.errors] == ["HeaderValueNotAllowed", *failed]
    for error in exchange.errors:
        hidden(error.message)
    hidden(str(exchange.variables["error"]))
    hidden(json.dumps(trace_records.shown(exchange, "verbose")))
    if traced:
        found = json.dumps(trace.document(exchange))
        hidden(found)
        assert found.count("*****") >= 5


WRONG = (
    '<set-variable name="s" value="@({{code}}.Foo())" />',
    '<set-variable name="s" value="@(context.{{secret}})" />',
    '<set-variable name="s" value="@(int.Parse("{{secret}}"" />',
    '<set-method name="{{secret}}">@(1 + )</set-method>',
    '<set-header name="{{secret}} x"><value>a</value></set-header>',
    '<set-header name="a" exists-action="{{secret}}"><value>a</value></set-header>',
    '<set-status code="{{secret}}" />',
    '<set-backend-service base-url="{{secret}}" />',
    '<rewrite-uri template="{{secret}}" copy-unmatched-params="{{secret}}" />',
    '<include-fragment fragment-id="{{secret}}" />',
    '<choose><when condition="{{secret}}"><set-method>GET</set-method></when></choose>',
    '<trace source="a" severity="{{secret}}"><message>a</message></trace>',
    '<log-to-eventhub logger-id="a" partition-id="1" partition-key="{{secret}}">a</log-to-eventhub>',
    '<set-body template="{{secret}}">a</set-body>',
    '<cache-store-value key="a" value="b" duration="{{secret}}" />',
    '<retry condition="{{secret}}" count="{{secret}}" interval="{{secret}}"><set-method>GET</set-method></retry>',
    '<send-request mode="{{secret}}" timeout="{{secret}}"><set-url>{{secret}}</set-url></send-request>',
    '<validate-jwt header-name="a" clock-skew="{{secret}}"><openid-config url="{{secret}}" /></validate-jwt>',
    '<rate-limit calls="{{secret}}" renewal-period="{{secret}}" />',
    '<ip-filter action="{{secret}}"><address>{{secret}}</address></ip-filter>',
)


@pytest.mark.parametrize("text", WRONG)
def test_no_diagnostic_shows_it(text: str) -> None:
    result = compiled(text)
    assert result.diagnostics
    for diagnostic in result.diagnostics:
        hidden(diagnostic.message + "".join(diagnostic.hints) + render(result.source, diagnostic))
        assert len(CANARY) < 5 or not any(
            CANARY[i : i + 6].lower() in diagnostic.message.lower() for i in range(len(CANARY) - 5)
        )


@pytest.mark.parametrize("parts", [3, 5])
@pytest.mark.parametrize("scheme", ["", "Bearer "])
def test_a_token_is_known_by_its_form_in_whatever_field_it_comes(parts: int, scheme: str) -> None:
    token = ".".join(["eyJhbGciOiJub25lIn0", *(["", "c2VjcmV0"] * 2)][:parts])
    url = parse_url(f"https://gate/a?t={token}x&plain=ey.b.c")
    request = RequestState(
        "GET",
        url,
        Headers.of([(b"x-user-token", f"{scheme}{token}".encode()), (b"x-note", b"eyes only. really.")]),
        Body(b""),
        "10.0.0.1",
        "/a",
        url.query,
    )
    exchange = Exchange("0" * 32, request, ScriptedServices(), started_ns=1)
    secrets = masking.Secrets()
    masking.gather(exchange, secrets)
    assert secrets.mask(f"<{token}> <{token}x>") == "<*****> <*****>"
    assert secrets.mask("ey.b.c and eyes only. really.") == "ey.b.c and eyes only. really."
