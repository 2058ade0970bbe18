"""What the record of a call shows of secrets that policies put into addresses, headers and failures: nothing."""

from __future__ import annotations

import msgspec
import pytest

from aforo.policy.bound import CompiledDocument
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.named_values import NamedValue
from aforo.policy.scopes import Scope
from aforo.snapshot.snapshot import LogPlan, MessageLog
from aforo.source import Source
from tests.support.gateway import KEY, gate, story
from tests.support.tokens import bare

SECRET = "CanarySecret7"
REVERSED = SECRET[::-1]
PLAN = LogPlan(True, backend_request=MessageLog(headers=("x-made", "x-open")), verbosity="verbose")
REVERSE = 'new string("{{secret}}".Reverse().ToArray())'


def compiled(inbound: str) -> CompiledDocument:
    text = f"<policies><inbound>{inbound}</inbound><backend><forward-request/></backend></policies>"
    context = CompileContext({"secret": NamedValue(SECRET, secret=True)})
    result = compile_document(Source("apis/api/policy.xml", text), Scope.API, context)
    assert result.document is not None, result.diagnostics
    return result.document


def asked(authorization: str = "") -> bytes:
    more = f"Authorization: Bearer {authorization}\r\n" if authorization else ""
    return f"GET /echo/a?x=1 HTTP/1.1\r\nHost: gate\r\napi-key: {KEY}\r\n{more}\r\n".encode()


@pytest.mark.parametrize(
    ("inbound", "shown"),
    [
        ('<rewrite-uri template="/a/{{secret}}/b" />', "/base/a/*****/b?x=1"),
        (f'<rewrite-uri template="@("/a/" + {REVERSE})" />', "/*****?*****"),
        ('<set-query-parameter name="p"><value>{{secret}}</value></set-query-parameter>', "?x=1&p=*****"),
        (f'<set-query-parameter name="p"><value>@({REVERSE})</value></set-query-parameter>', "?x=1&p=*****"),
        (
            f'<set-query-parameter name="@({REVERSE})"><value>1</value></set-query-parameter>',
            "/base/a?*****",
        ),
        (
            f'<set-header name="x-made"><value>@({REVERSE})</value></set-header>'
            '<set-header name="x-open"><value>a {{secret}} b</value></set-header>',
            "/base/a?x=1",
        ),
        ("<set-variable name='v' value='{{secret}}' />", "/base/a?x=1"),
    ],
)
@story
async def test_addresses(inbound: str, shown: str) -> None:
    async with gate(document=compiled(inbound), log=PLAN, secrets=(SECRET,)) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        assert (await g.call(asked())).status == 200
        await g.settled()
        (record,) = g.records
        assert record.backend_url.endswith(shown)
        written = msgspec.json.encode(record).decode().lower()
        assert SECRET.lower() not in written
        assert REVERSED.lower() not in written


@pytest.mark.parametrize("whole", [True, False])
@story
async def test_a_host_that_cannot_be_reached(whole: bool) -> None:
    """Host names are written in lower case; what failed says which it was."""
    base = "https://{{secret}}.invalid:1/a" if whole else f'@("https://" + {REVERSE} + ".invalid:1/a")'
    async with gate(
        document=compiled(f"<set-backend-service base-url='{base}' />"), log=PLAN, secrets=(SECRET,)
    ) as g:
        assert (await g.call(asked())).status == 500
        await g.settled()
        (record,) = g.records
        (error,) = record.errors
        assert error.reason == "BackendConnectionFailure"
        written = msgspec.json.encode(record).decode().lower()
        assert SECRET.lower() not in written
        assert REVERSED.lower() not in written


@story
async def test_what_a_token_claims_may_lead_the_way() -> None:
    """Tenants are told apart by what their tokens claim; the token itself is not shown."""
    token = bare({"alg": "none"}, {"tid": "tenant-of-mine"}, "signature")
    inbound = (
        '<set-variable name="t" value="@(context.Request.Headers["Authorization"][0].AsJwt().Claims["tid"][0])" />'
        '<rewrite-uri template="@("/of/" + context.Variables["t"])" />'
    )
    async with gate(document=compiled(inbound), log=PLAN, secrets=(SECRET,)) as g:
        g.backend.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        assert (await g.call(asked(token))).status == 200
        await g.settled()
        assert g.records[0].backend_url.endswith("/base/of/tenant-of-mine?x=1")
