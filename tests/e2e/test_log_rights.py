"""Who reads what of the logs: tables by role, rows by product and subscription, content by a right of its own."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.support.log_clients import assign, custom_table, group, put, reader, service, workspace
from tests.support.system import Reply, System, call, eventually

LOGS = "https://api.loganalytics.io"
CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2024-10-21"
TOKENS = """ApiManagementGatewayLogs
| extend model = tostring(parse_json(BackendResponseBody)['model'])
| extend total = parse_json(parse_json(BackendResponseBody)['usage'])['total_tokens']
| where model != ''
| summarize sum(todecimal(total)) by model"""


class Asker:
    """Somebody with a token of his own."""

    def __init__(self, lab: System, token: str) -> None:
        self._lab, self._token = lab, token

    def ask(self, query: str, path: str = "", **headers: str) -> Reply:
        where = path or f"/v1/workspaces/{self._lab['workspace_id']}/query"
        headers["Authorization"] = f"Bearer {self._token}"
        return call("POST", self._lab["control"] + where, body={"query": query}, headers=headers)

    def rows(self, query: str, path: str = "") -> list[list[Any]]:
        reply = self.ask(query, path)
        assert reply.status == 200, reply.body
        found: list[list[Any]] = reply.json()["tables"][0]["rows"]
        return found

    def columns(self, query: str) -> list[str]:
        reply = self.ask(query)
        assert reply.status == 200, reply.body
        return [c["name"] for c in reply.json()["tables"][0]["columns"]]

    def refusal(self, query: str) -> str:
        reply = self.ask(query)
        assert reply.status in (400, 403), reply.body
        message: str = reply.json()["error"]["message"]
        return message


@pytest.fixture(scope="module")
def keys(lab: System) -> dict[str, str]:
    """Subscription keys by name: two products, two teams; and one call of each, with its name in the prompt."""
    out = {}
    for product in ("gold", "silver"):
        path = f"{service(lab)}/products/{product}"
        put(lab, path, {"displayName": product, "state": "published", "subscriptionRequired": True})
        reply = lab.admin("PUT", f"{path}/apis/azure-openai")
        assert reply.status in (200, 201), reply.body
        name = f"team-{product}"
        put(
            lab,
            f"{service(lab)}/subscriptions/{name}",
            {"scope": f"/products/{product}", "displayName": name, "state": "active"},
        )
        secrets = lab.admin("POST", f"{service(lab)}/subscriptions/{name}/listSecrets").json()
        out[name] = secrets["primaryKey"]
    for name, key in out.items():
        body = {"messages": [{"role": "user", "content": f"the secret of {name}"}]}
        assert call("POST", lab.gateway + CHAT, body=body, headers={"api-key": key}).status == 200
    for name in out:
        query = f"ApiManagementGatewayLogs | where ApimSubscriptionId == '{name}'"
        eventually(f"the call of {name}", lambda query=query: lab.query(query))
        query = f"ApiManagementGatewayLlmLog | where ApimSubscriptionId == '{name}'"
        eventually(f"the messages of {name}", lambda query=query: lab.query(query))
    return out


@pytest.fixture(scope="module")
def analyst(lab: System, keys: dict[str, str]) -> Asker:
    return Asker(lab, reader(lab, "analyst", LOGS, ("Log Analytics Reader", workspace(lab))))


def test_without_a_role_nothing_is_read(lab: System, keys: dict[str, str]) -> None:
    nobody = Asker(lab, reader(lab, "nobody", LOGS))
    assert "may not read the logs" in nobody.refusal("ApiManagementGatewayLogs | count")
    assert nobody.ask("print 1").status == 403


def test_content_is_a_right_of_its_own(lab: System, analyst: Asker) -> None:
    for query, column in (
        ("ApiManagementGatewayLogs | where RequestBody has 'secret' | count", "RequestBody"),
        (
            "ApiManagementGatewayLogs | project TimeGenerated, x = substring(ResponseBody, 0, 10)",
            "ResponseBody",
        ),
        (
            "ApiManagementGatewayLogs | extend p = parse_json(BackendRequestBody).messages",
            "BackendRequestBody",
        ),
        ("ApiManagementGatewayLlmLog | mv-expand RequestMessages", "RequestMessages"),
    ):
        message = analyst.refusal(query)
        assert column in message
        assert "Aforo.Logs/content/read" in message
    owner = Asker(lab, reader(lab, "owner-of-logs", LOGS, ("Owner", group(lab))))
    assert "Aforo.Logs/content/read" in owner.refusal("ApiManagementGatewayLogs | project RequestBody")


def test_what_needs_no_content_runs_without_it(analyst: Asker) -> None:
    rows = analyst.rows(TOKENS)
    assert rows
    assert all(float(total) > 0 for _, total in rows)
    columns = analyst.columns("ApiManagementGatewayLogs | take 3")
    assert {"ResponseCode", "TotalTokens", "ApimSubscriptionId"} <= set(columns)
    assert not [c for c in columns if c.endswith("Body")]
    assert analyst.rows("ApiManagementGatewayLlmLog | where TotalTokens > 0 | count")[0][0] > 0
    # What is not there for somebody cannot be found either.
    assert analyst.rows(
        "search in (ApiManagementGatewayLogs, ApiManagementGatewayLlmLog) 'the secret of' | count"
    ) == [[0]]
    assert analyst.rows("ApiManagementGatewayLogs | where * has 'the secret of' | count") == [[0]]
    assert analyst.rows(
        "ApiManagementGatewayLogs | project x = column_ifexists('RequestBody', 'none') | distinct x"
    ) == [["none"]]


def test_neither_functions_nor_joins_open_content(lab: System, analyst: Asker) -> None:
    put(
        lab,
        f"{workspace(lab)}/savedSearches/prompts",
        {
            "category": "t",
            "displayName": "prompts",
            "query": "ApiManagementGatewayLogs | project RequestBody",
            "functionAlias": "prompts",
        },
    )
    assert lab.query("prompts | where RequestBody has 'secret' | take 1")
    for query in (
        "prompts",
        "prompts() | where RequestBody != '' | count",
        "ApiManagementGatewayLogs | join kind=inner (ApiManagementGatewayLogs | project CorrelationId, RequestBody) on CorrelationId",
        "let t = materialize(ApiManagementGatewayLogs | project RequestBody); t",
        "print toscalar(ApiManagementGatewayLogs | summarize make_list(RequestBody))",
        "union ApiManagementGateway* | summarize max(RequestBody)",
        "ApiManagementGatewayLogs | summarize arg_max(TimeGenerated, RequestBody)",
        "ApiManagementGatewayLogs | project-rename x = RequestBody",
        "ApiManagementGatewayLogs | evaluate bag_unpack(RequestHeaders) | project RequestBody",
    ):
        assert analyst.ask(query).status == 400, query


def test_the_role_for_content_opens_it(lab: System, keys: dict[str, str]) -> None:
    auditor = Asker(
        lab,
        reader(
            lab,
            "auditor",
            LOGS,
            ("Log Analytics Reader", workspace(lab)),
            ("Log Content Reader", workspace(lab)),
        ),
    )
    assert (
        auditor.rows("ApiManagementGatewayLogs | where RequestBody has 'the secret of team' | count")[0][0]
        >= 2
    )
    assert "RequestBody" in auditor.columns("ApiManagementGatewayLogs | take 1")


def test_an_owner_of_a_product_sees_its_rows_alone(lab: System, keys: dict[str, str]) -> None:
    gold = f"{service(lab)}/products/gold"
    owner = Asker(lab, reader(lab, "gold-owner", LOGS, ("Reader", gold)))
    assert owner.rows("ApiManagementGatewayLogs | distinct ProductId") == [["gold"]]
    assert owner.rows("ApiManagementGatewayLlmLog | distinct ApimSubscriptionId") == [["team-gold"]]
    assert owner.rows("union withsource=T ApiManagementGateway* | where ProductId != 'gold' | count") == [[0]]
    assert owner.rows("ApiManagementGatewayLogs | where ApimSubscriptionId == 'team-silver' | count") == [[0]]
    assert owner.rows("ApiManagementGatewayLogs | distinct ProductId", f"/v1{service(lab)}/query") == [
        ["gold"]
    ]
    assert float(owner.rows(TOKENS)[0][1]) > 0
    # What cannot tell a product is not there for him.
    for table in ("AzureMetrics", "LAQueryLogs", "AzureActivity"):
        assert table in owner.refusal(table)
    assert "Aforo.Logs/content/read" in owner.refusal("ApiManagementGatewayLogs | project RequestBody")


def test_an_owner_of_a_subscription_may_read_its_content_with_the_role_for_it(
    lab: System, keys: dict[str, str]
) -> None:
    silver = f"{service(lab)}/subscriptions/team-silver"
    team = Asker(lab, reader(lab, "silver-team", LOGS, ("Reader", silver), ("Log Content Reader", silver)))
    assert team.rows("ApiManagementGatewayLogs | distinct ApimSubscriptionId") == [["team-silver"]]
    assert team.rows(
        "ApiManagementGatewayLogs | where RequestBody has 'the secret of team-gold' | count"
    ) == [[0]]
    assert (
        team.rows("ApiManagementGatewayLogs | where RequestBody has 'the secret of team-silver' | count")[0][
            0
        ]
        >= 1
    )


def test_a_reader_of_the_service_sees_it_in_all_tables(lab: System, keys: dict[str, str]) -> None:
    operator = Asker(lab, reader(lab, "operator", LOGS, ("Reader", service(lab))))
    assert operator.rows("ApiManagementGatewayLogs | summarize dcount(ProductId)")[0][0] >= 2
    assert operator.rows(
        f"AzureActivity | where _ResourceId !startswith '{service(lab).lower()}' | count"
    ) == [[0]]
    assert operator.rows("LAQueryLogs | count") == [[0]]


def test_a_role_that_is_taken_away_closes_at_once(lab: System, keys: dict[str, str]) -> None:
    someone = Asker(lab, reader(lab, "someone", LOGS))
    principal = lab.admin("GET", f"{group(lab)}/providers/Aforo.Identity/applications/someone").json()[
        "properties"
    ]["principalId"]
    name = uuid.uuid4()
    path = f"{workspace(lab)}/providers/Microsoft.Authorization/roleAssignments/{name}"
    put(lab, path, {"roleDefinitionId": "Log Analytics Reader", "principalId": principal})
    assert someone.rows("print 1") == [[1]]
    assert lab.admin("DELETE", path).status == 200
    assert someone.ask("print 1").status == 403
    assign(lab, principal, "Reader", group(lab))
    assert someone.rows("print 1") == [[1]]


def test_custom_tables_follow_the_workspace(lab: System, analyst: Asker, keys: dict[str, str]) -> None:
    custom_table(lab, "Rights_CL", {"a": "string"})
    assert analyst.rows("Rights_CL | count") == [[0]]
    owner = Asker(lab, reader(lab, "gold-owner-2", LOGS, ("Reader", f"{service(lab)}/products/gold")))
    assert "Rights_CL" in owner.refusal("Rights_CL")


def test_each_query_leaves_its_row(lab: System, analyst: Asker) -> None:
    marker = uuid.uuid4().hex
    analyst.ask(
        f"ApiManagementGatewayLogs | where '{marker}' != '' | take 2",
        **{"x-ms-app": "tests", "x-ms-client-request-id": marker},
    )
    refused = analyst.ask(f"ApiManagementGatewayLogs | where RequestBody == '{marker}'")
    assert refused.status == 400
    query = f"LAQueryLogs | where QueryText has '{marker}' and QueryText !startswith 'LAQueryLogs' | order by TimeGenerated asc"
    first, second = eventually("both rows", lambda: r if len(r := lab.query(query)) == 2 else None)
    assert (first["RequestClientApp"], first["ResponseCode"]) == ("tests", 200)
    assert (first["ResponseRowCount"], first["Outcome"], first["TablesRead"]) == (
        2,
        "ok",
        '["ApiManagementGatewayLogs"]',
    )
    assert first["AADObjectId"] != first["AADClientId"]
    assert first["AADTenantId"] == lab["tenant_id"]
    assert first["RequestTarget"].endswith("/law-activategenai")
    assert first["StatsWorkspaceCount"] == 1
    assert (second["ResponseCode"], second["Outcome"], second["ResponseRowCount"]) == (400, "invalid", 0)
    empty = [n for n, v in first.items() if v in (None, "")]
    assert set(empty) <= {"QueryTimeRangeStart", "QueryTimeRangeEnd", "_SubscriptionId"}
