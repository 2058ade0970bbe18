"""Traces: loops, branches side by side, failures that somebody takes, long values, and the variant that has none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from aforo.errors import Upstream
from aforo.messages import Headers, parse_url
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.exchange import Body, Exchange, RequestState, ResponseState
from aforo.policy.masking import Secrets
from aforo.policy.pipeline import EMPTY
from aforo.policy.rehearsing import trial
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.scopes import Scope
from aforo.policy.services import OutboundRequest
from aforo.policy.tracing import trace as room
from aforo.policy.tracing.text import tree
from aforo.source import Source


@dataclass
class Concurrent(ScriptedServices):
    """Branches run as tasks, as in a gateway."""

    async def together(
        self, branches: Sequence[Callable[[], Coroutine[Any, Any, None]]], *, first: bool
    ) -> None:
        del first
        await asyncio.gather(*(branch() for branch in branches))


def traced(sections: str, services: ScriptedServices | None = None) -> dict[str, Any]:
    text = f"<policies>{sections}</policies>"
    result = compile_document(Source("p.xml", text), Scope.API, CompileContext())
    assert result.document is not None, result.diagnostics
    services = services or ScriptedServices()
    request = RequestState.of("POST", parse_url("https://gate/a?x=1"), Headers(), Body(b"{}"), "10.0.0.1")
    exchange = Exchange("0" * 32, request, services)
    room.start(exchange, result.document.secrets)
    asyncio.run(trial.run(result.document.traced().bind(EMPTY), exchange, services))
    return room.document(exchange)


def lines(document: dict[str, Any]) -> list[str]:
    return tree(document, times=False)


def test_a_loop_tells_each_round() -> None:
    statuses = iter((429, 503, 200))
    services = ScriptedServices(backend=lambda _: ResponseState(next(statuses), "", Headers(), Body(b"")))
    found = traced(
        '<backend><retry condition="@(context.Response.StatusCode >= 429)" count="5" interval="1">'
        "<forward-request/></retry></backend>",
        services,
    )
    assert lines(found) == [
        "backend",
        "  retry  p.xml:1:20",
        "      @(context.Response.StatusCode >= 429) = True",
        "      @(context.Response.StatusCode >= 429) = False",
        "    forward-request  p.xml:1:100",
        "        response status: 429",
        "    forward-request  p.xml:1:100",
        "        response status: 503",
        "    forward-request  p.xml:1:100",
        "        response status: 200",
    ]


def test_branches_side_by_side_stand_below_their_wait() -> None:
    gates = {name: asyncio.Event() for name in "ab"}

    async def send(request: OutboundRequest) -> ResponseState:
        # The second one answers first.
        if request.url.endswith("a"):
            await gates["b"].wait()
        gates[request.url[-1]].set()
        return ResponseState(200, "OK", Headers(), Body(request.url.encode()))

    services = Concurrent()
    services.send = send  # type: ignore[method-assign]
    sends = "".join(
        f'<send-request response-variable-name="{n}"><set-url>@("https://x/" + "{n}")</set-url></send-request>'
        for n in "ab"
    )
    found = traced(f'<inbound><wait for="all">{sends}</wait><set-method>PUT</set-method></inbound>', services)
    entries = found["traceEntries"]["inbound"]
    assert [(e["source"], e["depth"]) for e in entries] == [
        ("wait", 0),
        ("send-request", 1),
        ("send-request", 1),
        ("set-method", 0),
    ]
    changed = {c["name"]: c["value"] for e in entries[:3] for c in e["data"].get("changes", ())}
    assert changed == {"a": "response 200 OK", "b": "response 200 OK"}
    assert all(e["durationMicroseconds"] >= 0 and "ended" not in e["data"] for e in entries)


def test_a_failure_is_told_where_it_was_and_once() -> None:
    found = traced(
        "<inbound><choose><when condition='@(context.Request.Method == \"POST\")'>"
        '<set-variable name="a" value="@(context.Variables["none"])" /></when></choose></inbound>'
        "<on-error><set-method>PUT</set-method></on-error>"
    )
    inbound = found["traceEntries"]["inbound"]
    assert [(e["source"], e["data"].get("ended"), "error" in e["data"]) for e in inbound] == [
        ("choose", "failed", False),
        ("set-variable", "failed", True),
    ]
    assert [e["source"] for e in found["traceEntries"]["on-error"]] == ["set-method"]


def test_long_values_are_shortened_with_a_mark() -> None:
    found = traced('<inbound><set-variable name="a" value="@(new string(\'x\', 5000))" /></inbound>')
    (entry,) = found["traceEntries"]["inbound"]
    (change,) = entry["data"]["changes"]
    assert change["value"] == "x" * room.VALUE_CHARACTERS + "… (5000 characters)"


def test_a_value_that_is_cut_ends_before_what_may_be_half_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_KEPT_CHARACTERS", 100)
    found = traced('<inbound><set-variable name="a" value="@("b" + new string(\'x\', 200))" /></inbound>')
    assert found["traceEntries"]["inbound"][0]["data"]["changes"][0]["value"].endswith("… (201 characters)")


def test_there_is_an_end_to_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_STEPS", 3)
    monkeypatch.setattr(room, "MAX_VALUES", 2)
    found = traced(
        '<backend><retry condition="@(context.Response.StatusCode &lt; 300 + context.Request.Method.Length)" count="9" '
        'interval="0"><forward-request/></retry></backend>'
    )
    assert len(found["traceEntries"]["backend"]) == 3
    assert found["leftOut"] == 8
    assert lines(found)[-1] == "8 more policies ran"


def test_the_plain_variant_has_no_trace_of_it() -> None:
    text = (
        "<policies><inbound><set-variable name='a' value='@(context.Request.Method)' /></inbound></policies>"
    )
    document = compile_document(Source("p.xml", text), Scope.API, CompileContext()).document
    assert document is not None
    plain, traced_code = document.python(), document.traced().python()
    for word in ("trace_begin", "trace_note", "trace_end", "entered", "trace"):
        assert word not in plain
    assert "trace_begin" in traced_code
    assert document.traced() is document.traced()


def test_secrets_by_their_text() -> None:
    secrets = Secrets(["Bearer abc/def+123", 'quo"ted', "short", "abc/def+123-longer"])
    assert secrets.mask("x abc/def+123-longer y abc/def+123 z") == "x ***** y ***** z"
    assert secrets.mask("abc%2Fdef%2B123") == "*****"
    assert secrets.mask('{"a":"quo\\"ted"}') == '{"a":"*****"}'
    assert secrets.mask("ABC/DEF+123") == "*****"
    assert secrets.mask("short Bearer") == "short Bearer"


def test_a_refusal_from_no_place_in_a_document_shows_no_credential() -> None:
    def backend(_: Exchange) -> ResponseState:
        raise Upstream("cannot connect to https://b/?k=CANARY-key")

    text = "<policies><backend><forward-request/></backend></policies>"
    document = compile_document(Source("p.xml", text), Scope.API, CompileContext()).document
    assert document is not None
    services = ScriptedServices(backend=backend)
    headers = Headers.of([(b"api-key", b"CANARY-key")])
    request = RequestState.of("GET", parse_url("https://gate/a"), headers, Body(b""), "10.0.0.1")
    exchange = Exchange("0" * 32, request, services)
    asyncio.run(trial.run(document.bind(EMPTY), exchange, services))
    assert exchange.errors[0].message == "cannot connect to https://b/?k=*****"
