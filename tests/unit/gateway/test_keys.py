"""Who may call (Azure: "Subscriptions in Azure API Management"): the table, and the answers byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import product
from types import MappingProxyType

import pytest

from aforo.gateway.keys import Admitted, Refused, admit
from aforo.messages import Headers
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.scopes import Scope
from aforo.snapshot.routes import Router
from aforo.snapshot.runtime import ApiRuntime, KeyHolder, LogNames, Runtime
from aforo.snapshot.snapshot import ApiEntry, Bundle, LogPlan, SubscriptionEntry
from aforo.source import Source
from tests.support.gateway import KEY, gate, story
from tests.support.snapshots import DEPLOYMENT, api_subject, subscription, user

NONE = LogNames(frozenset(), frozenset(), frozenset(), frozenset())
BUNDLE = Bundle(1, DEPLOYMENT, "/s", {}, (), (), (), (), (), (), (), None)


def api(*, required: bool = True, opened: str | None = None, bearer: bool = False) -> ApiRuntime:
    entry = ApiEntry(api_subject("mine"), (), None, required, bearer, LogPlan())
    return ApiRuntime(entry, None, b"api-key", "api-key", frozenset({"gold"}), opened, NONE)


def holders(scope: str, state: str = "active", owner: str | None = None) -> Runtime:
    """A runtime that knows the keys `first` and `second` of one subscription."""
    holder = KeyHolder(
        SubscriptionEntry(subscription("s"), scope, state, ()), user("ada", owner) if owner else None
    )
    keys = {hashlib.sha256(k).digest(): holder for k in (b"first", b"second")}
    return Runtime(BUNDLE, Router(), MappingProxyType(keys), {}, {}, None)


def verdict(runtime: Runtime, of: ApiRuntime, key: bytes | None) -> str:
    """`product` context, "" for the API's own, or why not."""
    got = admit(runtime, of, Headers.of([(b"api-key", key)] if key is not None else []), "")
    return got.product_id if isinstance(got, Admitted) else got.reason


SCOPES = {"service": "", "apis": "", "api:mine": "", "product:gold": "gold"}
WRONG = ("api:other", "product:silver", "product:", "")


@pytest.mark.parametrize(("required", "opened"), [*product((True, False), (None, "free"))])
def test_the_table(required: bool, opened: str | None) -> None:
    mine = api(required=required, opened=opened)
    for scope, context in SCOPES.items():
        for key in (b"first", b"second"):
            assert verdict(holders(scope), mine, key) == context
    for scope in WRONG:
        assert verdict(holders(scope), mine, b"first") == "SubscriptionKeyInvalid"
    for key in (b"nobody's", b"first ", b"FIRST", b"\xff"):
        assert verdict(holders("apis"), mine, key) == "SubscriptionKeyInvalid"
    without = opened or ("SubscriptionKeyNotFound" if required and opened is None else "")
    assert verdict(holders("apis"), mine, None) == without
    assert verdict(holders("apis"), mine, b"") == without


@pytest.mark.parametrize(
    "state", ["suspended", "expired", "submitted", "rejected", "cancelled", "Active", ""]
)
def test_only_an_active_subscription_passes(state: str) -> None:
    assert verdict(holders("apis", state), api(required=False), b"first") == "SubscriptionKeyInvalid"


@pytest.mark.parametrize(
    ("state", "passes"), [("active", True), ("blocked", False), ("pending", False), ("deleted", False)]
)
def test_only_an_active_user_passes(state: str, passes: bool) -> None:
    got = admit(holders("apis", owner=state), api(), Headers.of([(b"api-key", b"first")]), "")
    assert isinstance(got, Admitted) == passes


@pytest.mark.parametrize(
    ("headers", "query", "bearer", "passes"),
    [
        ([(b"api-key", b"first")], "", False, True),
        ([], "api-key=first", False, True),
        ([], "a=b&api-key=first&c", False, True),
        ([], "%61pi-key=%66irst", False, True),
        ([], "api-key=fi+rst", False, False),
        # The query is looked at only when the header is absent.
        ([(b"api-key", b"wrong")], "api-key=first", False, False),
        ([(b"api-key", b"first")], "api-key=wrong", False, True),
        ([], "subscription-key=first", False, False),
        ([(b"ocp-apim-subscription-key", b"first")], "", False, False),
        ([(b"authorization", b"Bearer first")], "", False, False),
        ([(b"authorization", b"Bearer first")], "", True, True),
        ([(b"authorization", b"bearer  first ")], "", True, True),
        ([(b"authorization", b"Basic first")], "", True, False),
        ([(b"authorization", b"Bearer")], "", True, False),
    ],
)
def test_where_a_key_may_stand(
    headers: list[tuple[bytes, bytes]], query: str, bearer: bool, passes: bool
) -> None:
    got = admit(holders("apis"), api(bearer=bearer), Headers.of(headers), query)
    assert isinstance(got, Refused) != passes


def test_a_renamed_header_leaves_the_query_name_alone() -> None:
    renamed = replace(api(), key_header=b"x-api-key", key_query="subscription-key")
    runtime = holders("apis")
    assert isinstance(admit(runtime, renamed, Headers.of([(b"x-api-key", b"first")]), ""), Admitted)
    assert isinstance(admit(runtime, renamed, Headers(), "subscription-key=first"), Admitted)
    assert isinstance(admit(runtime, renamed, Headers(), "x-api-key=first"), Refused)


MISSING = (
    b'{ "statusCode": 401, "message": "Access denied due to missing subscription key. '
    b'Make sure to include subscription key when making requests to an API." }'
)
INVALID = (
    b'{ "statusCode": 401, "message": "Access denied due to invalid subscription key. '
    b'Make sure to provide a valid key for an active subscription." }'
)


@pytest.mark.parametrize(("header", "name"), [("api-key", "api-key"), ("Ocp-Apim-Subscription-Key",) * 2])
@story
async def test_the_401_on_the_wire(header: str, name: str) -> None:
    async with gate(required=True, key_header=header.lower()) as g:
        client = await g.connect()
        for key, body, length in (("", MISSING, 152), (f"{name}: wrong\r\n", INVALID, 143)):
            await client.send(f"GET /echo/a HTTP/1.1\r\nHost: gate:8080\r\n{key}\r\n".encode())
            assert len(body) == length
            assert (await client.answer()).raw.decode() == (
                "HTTP/1.1 401 Unauthorized\r\n"
                "content-type: application/json\r\n"
                'www-authenticate: AzureApiManagementKey realm="http://gate:8080/echo",'
                f'name="{header.lower()}",type="header"\r\n'
                f"content-length: {length}\r\n\r\n{body.decode()}"
            )
        await client.send(f"GET /echo/a HTTP/1.1\r\nHost: gate\r\n{header}: {KEY}\r\n\r\n".encode())
        assert (await client.answer()).status == 200
        assert [r.errors[0].reason for r in g.records[:2]] == [
            "SubscriptionKeyNotFound",
            "SubscriptionKeyInvalid",
        ]
        assert g.records[2].subscription_id == "sub"
        assert len(g.backend.heard) == 1


STRANGERS = """<policies><inbound><set-header name="never"><value>1</value></set-header></inbound>
<backend><forward-request/></backend><outbound/><on-error>
<set-header name="who"><value>@(context.Subscription == null && context.Product == null ? "nobody" : "somebody")</value></set-header>
<choose><when condition="@(context.LastError.Source == "authorization" && context.LastError.Reason == "SubscriptionKeyNotFound")">
  <return-response><set-status code="403" reason="No Key"/>
    <set-body>@(context.LastError.Message.Substring(0, 13) + context.Response.StatusCode + context.Operation.Method)</set-body>
  </return-response>
</when></choose></on-error></policies>"""


@story
async def test_on_error_hears_of_callers_that_are_not_let_in() -> None:
    document = compile_document(Source("p.xml", STRANGERS), Scope.API, CompileContext()).document
    assert document is not None
    async with gate(required=True, document=document) as g:
        client = await g.connect()
        await client.send(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.body) == (403, b"Access denied401GET")
        await client.send(b"GET /echo/a HTTP/1.1\r\nHost: gate\r\napi-key: wrong\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.body, answer.values("who")) == (401, INVALID, ["nobody"])
        assert len(answer.values("www-authenticate")) == 1
        # A body that nobody reads is not waited for.
        await client.send(b"POST /echo/a HTTP/1.1\r\nHost: gate\r\ncontent-length: 900000\r\n\r\nabc")
        assert (await client.answer()).status == 403
        await g.settled()
        assert g.backend.heard == []
        assert [[e.reason for e in r.errors] for r in g.records] == [
            ["SubscriptionKeyNotFound"],
            ["SubscriptionKeyInvalid"],
            ["SubscriptionKeyNotFound"],
        ]


NOWHERE = """<policies><inbound/><backend><forward-request/></backend><outbound/><on-error>
<choose><when condition="@(context.LastError.Source == "configuration" && context.LastError.Reason == "OperationNotFound" && context.Operation == null)">
  <return-response><set-status code="405" reason="Method not allowed"/>
    <set-body>@(context.Api.Id + context.Request.Method + context.Request.OriginalUrl.Path)</set-body>
  </return-response>
</when></choose></on-error></policies>"""


@story
async def test_on_error_hears_of_calls_that_no_operation_takes() -> None:
    document = compile_document(Source("p.xml", NOWHERE), Scope.API, CompileContext()).document
    assert document is not None
    async with gate(required=True, document=document) as g:
        client = await g.connect()
        await client.send(b"LOCK /echo/nothing?a=1 HTTP/1.1\r\nHost: gate\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.body) == (405, b"apiLOCK/echo/nothing")
        # No API has that path, so nobody's policy is asked.
        await client.send(b"GET /elsewhere HTTP/1.1\r\nHost: gate\r\n\r\n")
        assert (await client.answer()).status == 404
        await g.settled()
        assert [(r.api_id, r.operation_id, r.status) for r in g.records] == [("api", "", 405), ("", "", 404)]
