"""Traces of calls through the running system: token, call, trace document, tables, events; and no secret in any of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.system import Reply, System, call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
BODY = {"messages": [{"role": "user", "content": "Hello!"}]}
SECRET = "CANARY-of-a-named-value"
POLICIES = """<inbound>
              <trace source="e2e" severity="information">
                <message>@("said by " + context.Api.Id)</message>
                <metadata name="secret" value="{{canary}}" />
                <metadata name="caller" value="@(context.Request.Headers.GetValueOrDefault("api-key", ""))" />
              </trace>
              <log-to-eventhub logger-id="events" partition-key="e2e">@(context.RequestId.ToString())</log-to-eventhub>
              <set-header name="x-canary"><value>{{canary}}</value></set-header>"""


def apply(system: System, folder: Path) -> None:
    file = folder / "aforo.yaml"

    def aforo(*arguments: str) -> None:
        environment = {**os.environ, "CANARY": SECRET}
        done = subprocess.run(
            [sys.executable, "-m", "aforo", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    aforo("init", str(file))
    text = file.read_text().replace("<inbound>", POLICIES, 1)
    file.write_text(text)
    service = service_of(system)
    for path, properties in (
        ("namedValues/canary", {"displayName": "canary", "value": SECRET, "secret": True}),
        ("loggers/events", {"loggerType": "file"}),
    ):
        reply = system.admin("PUT", f"{service}/{path}?api-version=2024-05-01", {"properties": properties})
        assert reply.status in (200, 201), reply.body
    aforo("apply", str(file), "--data", str(system.data))


def service_of(system: System) -> str:
    return (
        f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
        f"/providers/Microsoft.ApiManagement/service/{system['service']}"
    )


def chat(system: System, token: str = "") -> Reply:
    headers = {"api-key": system.key} | ({"Apim-Debug-Authorization": token} if token else {})
    return call("POST", system.gateway + CHAT, body=BODY, headers=headers)


def test_a_call_is_traced(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        apply(system, tmp_path)
        service = service_of(system)
        managed = f"{service}/gateways/managed"
        asked = {
            "credentialsExpireAfter": "PT1H",
            "apiId": f"{service}/apis/azure-openai",
            "purposes": ["tracing"],
        }
        version = "?api-version=2023-05-01-preview"
        token = system.admin("POST", f"{managed}/listDebugCredentials{version}", asked).json()["token"]

        plain, traced = chat(system), chat(system, token)
        assert (plain.status, traced.status) == (200, 200), traced.body
        assert "apim-trace-id" not in plain.headers
        name = traced.headers["apim-trace-id"]
        reply = system.admin("POST", f"{managed}/listTrace{version}", {"traceId": name})
        assert reply.status == 200, reply.body
        document = reply.json()
        ran = [e["source"] for e in document["traceEntries"]["inbound"]]
        assert ran[:3] == ["trace", "log-to-eventhub", "set-header"]
        assert "authentication-managed-identity" in ran
        (forwarded,) = (e for e in document["traceEntries"]["backend"] if e["source"] == "forward-request")
        changes = {c["what"]: c["value"] for c in forwarded["data"]["changes"]}
        assert changes["response status"] == "200 OK"
        assert changes["sent"].startswith("POST http")

        rows = eventually(
            "both calls in AppTraces",
            lambda: (
                (r := system.query("AppTraces | project Message, SeverityLevel, Properties, OperationId"))
                and len(r) == 2
                and r
            ),
        )
        assert {r["Message"] for r in rows} == {"said by azure-openai"}
        properties = (
            json.loads(rows[0]["Properties"])
            if isinstance(rows[0]["Properties"], str)
            else rows[0]["Properties"]
        )
        assert (properties["secret"], properties["caller"]) == ("*****", "*****")
        logged = eventually(
            "the calls in the gateway log",
            lambda: (
                (
                    r := system.query(
                        "ApiManagementGatewayLogs | where isnotempty(TraceRecords) | project CorrelationId, TraceRecords, IsTraceRequested, IsTraceAllowed"
                    )
                )
                and len(r) == 2
                and r
            ),
        )
        assert sorted(r["IsTraceAllowed"] for r in logged) == [False, True]
        assert {r["CorrelationId"] for r in logged} == {r["OperationId"] for r in rows}

        events = eventually("the events", lambda: _lines(system.data / "events" / "events.jsonl", 2))
        assert {e["body"] for e in events} == {r["CorrelationId"] for r in logged}
        assert {e["partitionKey"] for e in events} == {"e2e"}

        # Whatever is written down for people: no secret stands in it.
        told = json.dumps([document, rows, logged, events]) + system.said() + system.logs(10_000)
        key = system.key
        for secret in (SECRET, key, system.admin_token):
            assert secret not in told
        for file in (system.data / "traces").iterdir():
            assert key not in file.read_text()
            assert SECRET not in file.read_text()


def _lines(file: Path, number: int) -> list[dict[str, str]]:
    if not file.exists():
        return []
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return found if len(found) == number else []
