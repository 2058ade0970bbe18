"""Calls that ask for a trace: who gets one, what it shows, and what no output shows."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aforo.gateway import traces as traces_room
from aforo.gateway.traces import Traces
from aforo.identity.debug_token import DebugToken, make, read
from aforo.policy.bound import CompiledDocument
from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.named_values import NamedValue
from aforo.policy.scopes import Scope
from aforo.snapshot.snapshot import LogPlan
from aforo.source import Source
from tests.support.gateway import KEY as CALLERS
from tests.support.gateway import Gate, gate, story, until

KEY = b"k" * 32
NOW = 1_800_000_000.0
GOOD = make(KEY, DebugToken("api", int(NOW) + 60))
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: CANARY-cookie\r\n\r\nok"


def compiled(inbound: str, on_error: str = "") -> CompiledDocument:
    text = (
        f"<policies><inbound>{inbound}</inbound><backend><forward-request/></backend>"
        f"<outbound/><on-error>{on_error}</on-error></policies>"
    )
    context = CompileContext({"password": NamedValue("CANARY-named", secret=True)})
    result = compile_document(Source("apis/api/policy.xml", text), Scope.API, context)
    assert result.document is not None, result.diagnostics
    return result.document


def tracing(g: Gate, folder: Path) -> None:
    g.proxy.traces = Traces(folder / "traces", KEY, lambda: NOW)


def request(token: str, headers: str = "", target: str = "/echo/a?x=1") -> bytes:
    asked = f"Apim-Debug-Authorization: {token}\r\n" if token else ""
    return f"GET {target} HTTP/1.1\r\nHost: gate\r\n{asked}{headers}\r\n".encode()


def traced(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "traces" / f"{name}.json").read_bytes())
    return found


@story
async def test_a_call_with_a_token_is_traced(tmp_path: Path) -> None:
    document = compiled('<set-header name="x-a"><value>@(context.Request.Method)</value></set-header>')
    async with gate(document=document) as g:
        tracing(g, tmp_path)
        g.backend.plays(PLAIN, PLAIN)
        answer = await g.call(request(GOOD))
        (name,) = answer.values("apim-trace-id")
        file = tmp_path / "traces" / f"{name}.json"
        await until(file.exists)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        found = traced(tmp_path, name)
        assert found["serviceName"] == "service"
        assert found["traceId"] == name
        assert found["response"] == {"statusCode": 200, "bodyBytes": 2, "aborted": ""}
        (entry,) = found["traceEntries"]["inbound"]
        assert entry["source"] == "set-header"
        assert entry["place"]["file"] == "apis/api/policy.xml"
        assert entry["data"] == {
            "expressions": [{"text": "@(context.Request.Method)", "line": 1, "column": 50, "value": "GET"}],
            "changes": [{"what": "request header", "name": "x-a", "value": "GET"}],
        }
        assert entry["elapsed"].startswith("00:00:0")
        (sent,) = found["traceEntries"]["backend"]
        assert sent["source"] == "forward-request"
        assert {"what": "response status", "value": "200 OK"} in sent["data"]["changes"]
        assert found["traceEntries"]["outbound"] == found["traceEntries"]["on-error"] == []
        (heard,) = g.backend.heard
        assert heard.values("apim-debug-authorization") == []
        assert heard.values("x-a") == ["GET"]
        await g.call(request(""))
        assert [r.trace_flags for r in g.records] == [0b0011, 0]
        assert len(list((tmp_path / "traces").iterdir())) == 1


@pytest.mark.parametrize(
    ("token", "header", "says", "flags"),
    [
        (make(KEY, DebugToken("api", int(NOW))), "expired", "2027-01-15T08:00:00Z", 0b0101),
        (make(KEY, DebugToken("other", int(NOW) + 60)), "wrongapi", "was made for the API 'other', this is 'api'", 0b0001),
        (make(b"x" * 32, DebugToken("api", int(NOW) + 60)), "", "", 0b0001),
        (GOOD.replace("aid=api", "aid=all"), "", "", 0b0001),
        ("nonsense", "", "", 0b0001),
    ],
)  # fmt: skip
@story
async def test_a_token_that_allows_nothing(
    tmp_path: Path, token: str, header: str, says: str, flags: int
) -> None:
    async with gate(document=compiled("")) as g:
        tracing(g, tmp_path)
        g.backend.plays(PLAIN)
        answer = await g.call(request(token))
        assert answer.status == 200
        assert answer.values("apim-trace-id") == []
        names = {h: answer.values(f"apim-debug-authorization-{h}") for h in ("expired", "wrongapi")}
        assert {h for h, values in names.items() if values} == ({header} if header else set())
        if header:
            assert says in names[header][0]
        assert g.records[0].trace_flags == flags
        assert not (tmp_path / "traces").exists()


CANARIES = """
<set-header name="x-attribute"><value>{{password}}</value></set-header>
<set-variable name="derived" value="@("{{password}}".Substring(0, 8))" />
<set-variable name="caller" value="@(context.Request.Headers.GetValueOrDefault("Authorization","").Substring(7))" />
<set-header name="x-copied"><value>@((string)context.Variables["caller"])</value></set-header>
<set-header name="Authorization" exists-action="delete" />
<trace source="t" severity="error"><message>@("said " + context.Request.Headers.GetValueOrDefault("x-copied", ""))</message>
  <metadata name="url" value="@(context.Request.OriginalUrl.ToString())" /><metadata name="name" value="{{password}}" /></trace>
<check-header name="x-copied" failed-check-httpcode="401" failed-check-error-message="no"><value>other</value></check-header>
"""


@pytest.mark.parametrize("token", [GOOD, ""])
@story
async def test_no_output_shows_a_secret(tmp_path: Path, token: str, caplog: pytest.LogCaptureFixture) -> None:
    failing = (
        '<set-header name="x-reason"><value>@(context.LastError.Reason)</value></set-header>'
        '<set-variable name="n" value="@(int.Parse((string)context.Variables["derived"]))" />'
    )
    plan = LogPlan(True, verbosity="verbose")
    async with gate(document=compiled(CANARIES, failing), log=plan, required=False) as g:
        tracing(g, tmp_path)
        headers = (
            "Authorization: Bearer CANARY-caller\r\napi-key: " + CALLERS + "\r\nCookie: CANARY-cookie\r\n"
        )
        answer = await g.call(request(token, headers, "/echo/a?subscription-key=CANARY-query&y=2"))
        assert answer.status == 500
        await g.settled()
        (record,) = g.records
        assert [e.reason for e in record.errors] == [
            "HeaderValueNotAllowed",
            "ExpressionValueEvaluationFailure",
        ]
        written = msgspec.json.encode(record) + caplog.text.encode()
        (said,) = record.trace_records
        assert said.message == "*****"
        assert said.metadata == {"url": "http://gate/echo/a?subscription-key=*****&y=2", "name": "*****"}
        if token:
            (name,) = answer.values("apim-trace-id")
            found = traced(tmp_path, name)
            written += json.dumps(found).encode()
            assert [e["source"] for e in found["traceEntries"]["inbound"]][-1] == "check-header"
            assert found["traceEntries"]["inbound"][-1]["data"]["error"]["reason"] == "HeaderValueNotAllowed"
        assert b"CANARY" not in written
        assert CALLERS.encode() not in written
        assert b"-named" not in written


@story
async def test_what_is_said_is_logged_from_the_verbosity_on(tmp_path: Path) -> None:
    said = "".join(
        f'<trace source="{s}" severity="{s}"><message>m</message></trace>'
        for s in ("verbose", "information", "error")
    )
    for verbosity, wanted in (("verbose", 3), ("information", 2), ("error", 1)):
        async with gate(document=compiled(said), log=LogPlan(True, 0.0, verbosity=verbosity)) as g:
            g.backend.plays(PLAIN)
            await g.call(request(""))
            (record,) = g.records
            assert len(record.trace_records) == wanted
            assert record.log_flags == 256
    async with gate(document=compiled(said), log=LogPlan(False)) as g:
        g.backend.plays(PLAIN)
        await g.call(request(""))
        await g.settled()
        assert g.records == []


@story
async def test_the_folder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces_room, "KEPT", 2)
    async with gate(document=compiled("")) as g:
        tracing(g, tmp_path)
        names = []
        for number in range(4):
            g.backend.plays(PLAIN)
            answer = await g.call(request(GOOD))
            (name,) = answer.values("apim-trace-id")
            names.append(name)
            file = tmp_path / "traces" / f"{name}.json"
            await until(file.exists)
            os.utime(file, (time.time() - 100 + number,) * 2)
        assert g.proxy.traces is not None
        g.proxy.traces.sweep()
        assert {f.stem for f in (tmp_path / "traces").iterdir()} == set(names[-2:])
        old = tmp_path / "traces" / f"{names[-1]}.json"
        os.utime(old, (time.time() - 3700,) * 2)
        g.proxy.traces.sweep()
        assert {f.stem for f in (tmp_path / "traces").iterdir()} == {names[-2]}


def test_tokens_say_what_they_were_made_for() -> None:
    token = DebugToken("a b;rev=2", 1_800_000_000)
    text = make(KEY, token)
    assert text.startswith("aid=a%20b%3Brev%3D2&")
    assert read(KEY, text) == token
    assert read(KEY, text + "x") is None
    assert read(KEY, text.replace("2027", "2028")) is None
    assert read(KEY, "ü" + text) is None
    assert read(b"other" * 7, text) is None
