"""The effective policy of a running system is what a traced call of it runs, and the command shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.system import System, call, running_system

VERSION = "?api-version=2024-05-01"
CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
SECRET = "CANARY-of-a-named-value"
FRAGMENT = """<fragment>
    <!-- told apart by their team -->
    <set-variable name="team" value="blue" />
    <set-header name="x-canary"><value>{{canary}}</value></set-header>
</fragment>"""
OPERATION = """<policies>
    <inbound>
        <base />
        <choose>
            <when condition="@(context.Request.Method == "POST")">
                <include-fragment fragment-id="team" />
            </when>
        </choose>
    </inbound>
</policies>"""


def service_of(system: System) -> str:
    return (
        f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
        f"/providers/Microsoft.ApiManagement/service/{system['service']}"
    )


def aforo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aforo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
    )


def put(system: System, place: str, **properties: Any) -> None:
    url = f"{service_of(system)}/{place}{VERSION}"
    reply = system.admin("PUT", url, {"properties": properties})
    assert reply.status in (200, 201), reply.body


def traced(system: System) -> list[tuple[str, str, str, int]]:
    """What a call runs: (section, policy, scope, line in its document or fragment)."""
    managed = f"{service_of(system)}/gateways/managed"
    asked = {"apiId": "/apis/azure-openai", "purposes": ["tracing"]}
    token = system.admin("POST", f"{managed}/listDebugCredentials{VERSION}", asked).json()["token"]
    body = {"messages": [{"role": "user", "content": "Hello!"}]}
    headers = {"api-key": system.key, "Apim-Debug-Authorization": token}
    reply = call("POST", system.gateway + CHAT, body=body, headers=headers)
    assert reply.status == 200, reply.body
    wanted = {"traceId": reply.headers["apim-trace-id"]}
    document = system.admin("POST", f"{managed}/listTrace{VERSION}", wanted).json()
    return [
        (section, entry["source"], entry["scope"], entry["place"]["line"])
        for section in ("inbound", "backend", "outbound")
        for entry in document["traceEntries"].get(section, ())
        if entry["source"] not in ("base", "include-fragment")
    ]


def test_it_is_what_a_call_runs(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        operations = system.admin("GET", f"{service_of(system)}/apis/azure-openai/operations{VERSION}")
        chat = next(
            o["name"]
            for o in operations.json()["value"]
            if o["properties"]["urlTemplate"].endswith("/chat/completions")
            or "/chat/completions?" in o["properties"]["urlTemplate"]
        )
        put(system, "namedValues/canary", displayName="canary", value=SECRET, secret=True)
        put(system, "policyFragments/team", value=FRAGMENT, format="rawxml")
        put(
            system,
            "products/generative-ai/policies/policy",
            value='<policies><inbound>\n\n<base /><rate-limit calls="90" renewal-period="60" /></inbound></policies>',
            format="rawxml",
        )
        put(system, f"apis/azure-openai/operations/{chat}/policies/policy", value=OPERATION, format="rawxml")

        path = f"{service_of(system)}/apis/azure-openai/operations/{chat}/listEffectivePolicy{VERSION}"
        told = system.admin("POST", path, {"productId": "generative-ai"}).json()
        section, shown = "", []
        ran = traced(system)
        policies = {name for _, name, _, _ in ran}
        for line in told["lines"]:
            name = line["text"].strip().lstrip("<").split(" ")[0].rstrip(">")
            if name in ("inbound", "backend", "outbound"):
                section = name
            elif name in policies and line["text"].strip().startswith("<"):
                shown.append((section, name, line["scope"], line["line"]))
        assert shown == ran
        assert ("inbound", "set-variable", "operation", 3) in ran
        assert {line["scope"] for line in told["lines"]} >= {"global", "product", "api", "operation"}
        assert SECRET not in json.dumps(told)

        done = aforo("policy", "effective", "azure-openai", chat, "--product", "generative-ai", "--data", str(system.data))  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert [line.partition(" | ")[2] for line in done.stdout.splitlines()] == [
            line["text"] for line in told["lines"]
        ]
        assert "operation  fragment team" in done.stdout
        assert SECRET not in done.stdout
        wrong = aforo("policy", "effective", "azure-openia", "--data", str(system.data))
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert wrong.stderr == "aforo: There is no API 'azure-openia'; did you mean 'azure-openai' or 'azure-openai-v1'?\n"  # fmt: skip
