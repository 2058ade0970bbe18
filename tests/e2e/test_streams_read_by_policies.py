"""A policy of a running system that reads streamed answers: what it says of them is in the tables."""

from __future__ import annotations

import json
import uuid

import openai

from tests.support.system import System, call, eventually

READS = """<outbound>
  <base/>
  <set-header name="x-early"><value>1</value></set-header>
  <set-variable name="answer" value="@(context.Response.Body.As<JObject>(preserveContent: true))"/>
  <trace source="usage" severity="information"><message>@(context.Request.Headers.GetValueOrDefault("x-mark", "") + " " + ((JObject)context.Variables["answer"])["usage"]["total_tokens"] + " " + ((JObject)context.Variables["answer"])["choices"][0]["message"]["content"])</message></trace>
  <set-header name="x-late"><value>1</value></set-header>
</outbound>
</policies>"""


def reading(system: System) -> str:
    """An API as the lab's whose outbound reads answers, with a limit on bodies; its base URL."""
    group = f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
    apis = f"{group}/providers/Microsoft.ApiManagement/service/{system['service']}/apis"
    version = "api-version=2024-05-01"
    lab = system.admin("GET", f"{apis}/azure-openai?{version}").json()["properties"]
    policy = system.admin("GET", f"{apis}/azure-openai/policies/policy?{version}&format=rawxml").json()
    api = {k: lab[k] for k in ("serviceUrl", "protocols") if k in lab}
    api |= {"path": "reading", "displayName": "Reading", "subscriptionRequired": False, "maxBodyBytes": 1000}
    operation = {
        "displayName": "Chat",
        "method": "POST",
        "urlTemplate": "/deployments/{deployment-id}/chat/completions",
        "templateParameters": [{"name": "deployment-id", "type": "string", "required": True}],
    }
    text = str(policy["properties"]["value"]).replace("</policies>", READS)
    for path, properties in (
        ("", api),
        ("/operations/chat", operation),
        ("/policies/policy", {"format": "rawxml", "value": text}),
    ):
        reply = system.admin("PUT", f"{apis}/reading{path}?{version}", {"properties": properties})
        assert reply.status in (200, 201), reply.body
    return f"{system.gateway}/reading"


def test_a_stream_is_read(lab: System) -> None:
    base = reading(lab)
    mark = f"m{uuid.uuid4().hex[1:]}"
    client = openai.AzureOpenAI(
        base_url=f"{base}/deployments/gpt-35-turbo", api_key="none", api_version="2024-10-21", max_retries=0
    )
    with client.chat.completions.with_streaming_response.create(
        model="gpt-35-turbo",
        messages=[{"role": "user", "content": "Count to thirty."}],
        stream=True,
        max_tokens=40,
        temperature=0,
        extra_headers={"x-mark": mark},
    ) as response:
        assert (response.headers["x-early"], response.headers.get("x-late")) == ("1", None)
        said = ""
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            for choice in json.loads(line[6:])["choices"]:
                said += choice["delta"].get("content") or ""
    found = eventually(
        "what the policy said of the stream",
        lambda: lab.query(f"AppTraces | where Message startswith '{mark}' | project Message"),
    )
    name, tokens, text = found[0]["Message"].split(" ", 2)
    assert (name, text) == (mark, said)
    assert int(tokens) > 10
    (row,) = lab.query(
        "ApiManagementGatewayLogs | where ApiId == 'reading' and IsStream == true"
        " | project total = toint(parse_json(BackendResponseBody)['usage']['total_tokens']), StreamComplete"
    )
    assert row == {"total": int(tokens), "StreamComplete": True}


def test_an_api_limits_its_bodies(lab: System) -> None:
    url = f"{reading(lab)}/deployments/gpt-35-turbo/chat/completions?api-version=2024-10-21"
    body = {"messages": [{"role": "user", "content": "x" * 2000}]}
    assert call("POST", url, body=body).status == 413
