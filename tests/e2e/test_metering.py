"""Costs, people, budgets, traces and stateful calls, end to end: OpenAI's client, the gateway, the tables, `/metrics`, a
collector, and a killed gateway."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import NotFoundError, OpenAI, PermissionDeniedError

from tests.support.answering import Request, Response, answering
from tests.support.system import System, call, eventually, running_system

JSON = {"Content-Type": "application/json"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
USAGE = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}

CONFIG = """
resourceGroup: rg
location: local
workspaces:
  law-one: {retentionInDays: 30}
services:
  apim:
    sku: {name: Standard, capacity: 1}
    publisherName: Contoso
    publisherEmail: admin@contoso.example
    privateEgress: [127.0.0.0/8]
    modelPrices:
      - {model: house, from: "2026-01-01", input: 1000, output: 2000, currency: EUR}
    loggers: {azuremonitor: {loggerType: azureMonitor}}
    backends:
      east: {url: "EAST/v1", protocol: http}
      west: {url: "WEST/v1", protocol: http}
      both: {type: Pool, pool: {services: [{id: /backends/east}, {id: /backends/west}]}}
    apis:
      models:
        path: v1
        protocols: [http, https]
        import: carried:azure-openai-v1
        subscriptionKeyParameterNames: {header: api-key, query: api-key, bearer: enabled}
        policy: |
          <policies><inbound><base /><set-backend-service backend-id="both" /></inbound></policies>
    diagnostics:
      azuremonitor:
        loggerId: /loggers/azuremonitor
        httpCorrelationProtocol: W3C
        callerHeader: X-Who
        alwaysLog: allErrors
    products:
      starter:
        displayName: Starter
        state: published
        apis: [models]
        budgets:
          - {period: Total, amount: 1, currency: EUR, warnAtPercent: 50}
    subscriptions:
      ada: {scope: /products/starter, state: active, primaryKey: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
      bob: {scope: /products/starter, state: active, primaryKey: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}
    diagnosticSettings:
      to-workspace:
        workspaceId: law-one
        logAnalyticsDestinationType: Dedicated
        logs:
          - {category: GatewayLogs, enabled: true}
          - {category: GatewayLlmLogs, enabled: true}
        metrics:
          - {category: AllMetrics, enabled: true}
"""


class Models:
    """A server that keeps what it answered, under ids of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kept: dict[str, dict[str, Any]] = {}
        self.heard: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.heard.append(request)
        path = request.path.removeprefix("/v1").partition("?")[0]
        if path == "/responses":
            asked = json.loads(request.body)
            before = asked.get("previous_response_id")
            if before is not None and before not in self.kept:
                return Response(400, b'{"error": {"message": "previous response not found"}}', JSON)
            id_ = f"resp_{self.name}_{len(self.kept)}"
            part = {"type": "output_text", "text": "Good day", "annotations": []}
            message = {
                "type": "message",
                "id": "m",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
            self.kept[id_] = {
                "id": id_,
                "object": "response",
                "created_at": 1,
                "status": "completed",
                "model": "house-2026-05-01",
                "output": [message],
                "parallel_tool_calls": False,
                "tool_choice": "auto",
                "tools": [],
                "usage": USAGE,
            }
            return Response(200, json.dumps(self.kept[id_]).encode(), JSON)
        found = self.kept.get(path.rpartition("/")[2])
        return Response(200, json.dumps(found).encode(), JSON) if found else Response(404, b"{}", JSON)


@contextmanager
def collector() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    heard: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client(system: System, key: str, **headers: str) -> OpenAI:
    return OpenAI(base_url=f"{system.gateway}/v1/", api_key=key * 32, max_retries=0, default_headers=headers)


def metrics(system: System) -> dict[str, float]:
    token = Path(system["admin_token_file"]).read_text().strip()
    url = f"{system['control']}/metrics"
    assert call("GET", url).status == 401
    reply = call("GET", url, headers={"Authorization": f"Bearer {token}"})
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = (line.rpartition(" ") for line in reply.body.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_a_conversation_its_costs_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    east, west = Models("east"), Models("west")
    with collector() as (port, heard), answering(east) as east_url, answering(west) as west_url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        file = tmp_path / "aforo.yaml"
        file.write_text(CONFIG.replace("EAST", east_url).replace("WEST", west_url))
        with running_system(tmp_path, config=file) as system:
            with (
                client(system, "a", traceparent=PARENT, **{"X-Who": "ada l"}) as ada,
                client(system, "b") as bob,
            ):
                first = ada.responses.create(model="house", input="Hello!", user="ada")  # 0.2 of 1 EUR
                with pytest.raises(NotFoundError) as caught:
                    bob.responses.retrieve(first.id)
                assert caught.value.code == "not_found"
                with pytest.raises(NotFoundError):
                    bob.responses.create(model="house", input="And?", previous_response_id=first.id)
                # Whose it is outlives the gateway.
                os.kill(system.pids("gateway")[0], signal.SIGKILL)
                eventually("a gateway again", lambda: _lives(system))
                second = ada.responses.create(model="house", input="And?", previous_response_id=first.id)
                assert second.id.rpartition("_")[0] == first.id.rpartition("_")[0]
                assert ada.responses.retrieve(first.id).id == first.id
                warned, refused = _spend(ada)
                assert warned[-1].startswith("product starter: ")
                assert refused.code == "budget_exceeded"
            rows = eventually(
                "the refused call",
                lambda: _if(system.query(ROWS), lambda rows: any(r["ResponseCode"] == 403 for r in rows)),
            )
            (anew,) = system.query(ANEW)
            assert anew["anew"] == pytest.approx(anew["cost"])
            counted = eventually(
                "its count", lambda: _if(metrics(system), lambda m: any('status="403"' in n for n in m))
            )
        _check_rows(rows, [*east.heard, *west.heard])
        # What was spent before the kill counts: one after the other, calls do not go beyond.
        assert sum(r["Cost"] for r in rows if r["Cost"] is not None) == pytest.approx(1.0)
        cost = next(v for n, v in counted.items() if n.startswith("aforo_cost_total"))
        assert cost == pytest.approx(sum(r["Cost"] for r in rows if r["Cost"] is not None))
        assert counted['aforo_gateway_revision{worker="0"}'] >= 1
        spans = [
            s
            for body in heard
            for r in body.get("resourceSpans", ())
            for scope in r["scopeSpans"]
            for s in scope["spans"]
        ]
        models = [s for s in spans if s["name"] == "chat house"]
        assert {s["traceId"] for s in models} == {TRACE}
        above = {s["spanId"]: s for s in spans}
        assert all(above[s["parentSpanId"]]["parentSpanId"] == PARENT[36:52] for s in models)
        names = [
            m["name"]
            for body in heard
            for r in body.get("resourceMetrics", ())
            for scope in r["scopeMetrics"]
            for m in scope["metrics"]
        ]
        assert "gen_ai.client.token.usage" in names


ROWS = """
ApiManagementGatewayLogs
| project TimeGenerated, ResponseCode, OperationId, Cost, CostCurrency, CostBasis, Usage, ClaimedCaller, EndUser,
          TraceId, SpanId, ParentSpanId, BackendId, ApimSubscriptionId, LastErrorReason
| order by TimeGenerated asc
"""

# The query of docs/costs.md.
ANEW = re.findall(
    r"```kql\n(.*?)```", (Path(__file__).parents[2] / "docs" / "costs.md").read_text(), re.DOTALL
)[0]


def _check_rows(rows: list[dict[str, Any]], heard: list[Request]) -> None:
    first = rows[0]
    assert first["Cost"] == pytest.approx((100 * 1000 + 50 * 2000) / 1e6)
    assert (first["CostCurrency"], first["CostBasis"]) == ("EUR", "own house 2026-01-01")
    usage = first["Usage"]
    assert (json.loads(usage) if isinstance(usage, str) else usage) == USAGE
    assert (first["ClaimedCaller"], first["EndUser"]) == ("ada l", "ada")
    assert (first["TraceId"], first["ParentSpanId"]) == (TRACE, PARENT[36:52])
    told = {r.headers["traceparent"] for r in heard}
    assert f"00-{TRACE}-{first['SpanId']}-01" in told
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", t) for t in told)
    assert {r["LastErrorReason"] for r in rows if r["ResponseCode"] == 404} == {"NotOwned"}
    assert {r["LastErrorReason"] for r in rows if r["ResponseCode"] == 403} == {"BudgetExceeded"}


def _spend(ada: OpenAI) -> tuple[list[str], PermissionDeniedError]:
    """Until it is refused: the warnings that came before, and the refusal."""
    warned = []
    for _ in range(8):
        try:
            answer = ada.responses.with_raw_response.create(model="house", input="More", store=False)
        except PermissionDeniedError as error:
            return warned, error
        warned += [w for w in [answer.headers.get("aforo-budget-warning")] if w]
    raise AssertionError(f"it was never refused; warnings: {warned}")


def _lives(system: System) -> bool:
    try:
        return call("GET", f"{system.gateway}/readyz").status == 200
    except OSError:
        return False


def _if(value: Any, good: Any) -> Any:
    return value if good(value) else None
