"""Tokens of a running system: limits that hold between calls, and their metrics found by a query."""

from __future__ import annotations

from typing import Any

from tests.support.system import Reply, System, call, eventually

LIMIT = """<llm-token-limit counter-key="@(context.Request.Headers.GetValueOrDefault("x-team"))" tokens-per-minute="60"
    estimate-prompt-tokens="false" remaining-tokens-header-name="x-left" tokens-consumed-header-name="x-consumed"/>
  <llm-emit-token-metric namespace="teams">
    <dimension name="API ID"/>
    <dimension name="Team" value="@(context.Request.Headers.GetValueOrDefault("x-team"))"/>
  </llm-emit-token-metric>
</inbound>"""


def metered(system: System) -> str:
    """An API as the lab's, with a limit and metrics; the URL of its chat completions."""
    group = f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
    apis = f"{group}/providers/Microsoft.ApiManagement/service/{system['service']}/apis"
    version = "api-version=2024-05-01"
    lab = system.admin("GET", f"{apis}/azure-openai?{version}").json()["properties"]
    policy = system.admin("GET", f"{apis}/azure-openai/policies/policy?{version}&format=rawxml").json()[
        "properties"
    ]
    api = {k: lab[k] for k in ("serviceUrl", "protocols") if k in lab}
    api |= {"path": "metered", "displayName": "Metered", "subscriptionRequired": False}
    template = "/deployments/{deployment-id}/chat/completions"
    parameters = [{"name": "deployment-id", "type": "string", "required": True}]
    operation = {
        "displayName": "Chat",
        "method": "POST",
        "urlTemplate": template,
        "templateParameters": parameters,
    }
    text = str(policy["value"]).replace("</inbound>", LIMIT)
    for path, properties in (
        ("", api),
        ("/operations/chat", operation),
        ("/policies/policy", {"format": "rawxml", "value": text}),
    ):
        reply = system.admin("PUT", f"{apis}/metered{path}?{version}", {"properties": properties})
        assert reply.status in (200, 201), reply.body
    return f"{system.gateway}/metered/deployments/gpt-35-turbo/chat/completions?api-version=2024-10-21"


def test_tokens_are_limited_and_their_metrics_are_found(lab: System) -> None:
    url = metered(lab)

    def ask(team: str, **more: Any) -> Reply:
        body = {"messages": [{"role": "user", "content": "Tell me of the sea."}], **more}
        return call("POST", url, body=body, headers={"x-team": team})

    spent = left = 0
    for _ in range(60):
        reply = ask("red")
        if reply.status == 429:
            break
        assert reply.status == 200, reply.body
        consumed = int(reply.headers["x-consumed"])
        assert consumed == reply.json()["usage"]["total_tokens"] > 0
        spent, left = spent + consumed, int(reply.headers["x-left"])
    assert (reply.status, left) == (429, 0)
    assert spent >= 60
    assert reply.json()["message"].startswith("Token limit is exceeded. Try again in ")
    assert int(reply.headers["retry-after"]) > 0
    streamed = ask("blue", stream=True)
    assert streamed.status == 200
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert b'"usage":{' not in streamed.body.replace(b" ", b"")
    kql = (
        "AppMetrics | where Namespace == 'teams' and Name == 'Total Tokens'"
        " and tostring(Properties['API ID']) == 'metered'"
        " | summarize Sum = sum(Sum), Calls = sum(ItemCount) by Team = tostring(Properties.Team) | order by Team asc"
    )

    def found() -> list[dict[str, Any]] | None:
        rows = lab.query(kql)
        return rows if len(rows) == 2 else None

    blue, red = eventually("the metrics of both teams", found)
    assert (red["Team"], red["Sum"]) == ("red", spent)
    assert (blue["Team"], blue["Calls"]) == ("blue", 1)
    assert blue["Sum"] > 0
