"""What Grafana's data sources ask, in their own shapes: Azure Data Explorer, Azure Monitor, the resource graph."""

from __future__ import annotations

import json
from typing import Any

from tests.support.log_clients import group, reader, workspace
from tests.support.system import System, call

DB = "law-activategenai"
ARM = "https://management.azure.com"


def post(lab: System, path: str, body: dict[str, Any], token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token or lab.admin_token}"}
    reply = call("POST", lab["control"] + path, body=body, headers=headers)
    assert reply.status == 200, reply.body
    return reply.json()


def test_the_data_explorer_source_is_healthy_and_finds_its_schema(lab: System) -> None:
    options = {
        "queryconsistency": "strongconsistency",
        "query_results_cache_max_age": "00:05:00",
        "servertimeout": "00:00:30",
    }
    common = {"querySource": "schema", "properties": {"options": options}}
    health = post(lab, "/v1/rest/query", {"db": "", "csl": ".show databases schema", **common})
    assert health["Tables"][0]["Columns"][0]["ColumnName"] == "DatabaseName"
    names = post(lab, "/v1/rest/mgmt", {"db": "", "csl": ".show databases"})
    assert names["Tables"][0]["Rows"][0][0] == DB
    schema = post(lab, "/v1/rest/mgmt", {"db": DB, "csl": f".show databases (['{DB}']) schema as json"})
    assert (
        "ApiManagementGatewayLogs" in json.loads(schema["Tables"][0]["Rows"][0][0])["Databases"][DB]["Tables"]
    )
    csl = "print t = now(), n = 1, d = dynamic({'a':1}), b = true, r = real(nan), w = 1h | project t, n, d, b, r, w"
    table = post(lab, "/v1/rest/query", {"db": DB, "csl": csl, **common})["Tables"][0]
    assert all(c["ColumnType"] for c in table["Columns"])
    assert table["Rows"][0][1:] == [1, '{"a":1}', True, "NaN", "01:00:00"]


def test_the_monitor_source_is_healthy(lab: System) -> None:
    assert lab.admin("GET", "/subscriptions?api-version=2020-01-01").json()["value"]
    path = f"/subscriptions/{lab['subscription_id']}/providers/Microsoft.OperationalInsights/workspaces"
    found = lab.admin("GET", f"{path}?api-version=2017-04-26-preview").json()["value"]
    assert found[0]["properties"]["customerId"] == lab["workspace_id"]
    answer = post(lab, f"/v1/workspaces/{lab['workspace_id']}/query", {"query": "AzureActivity | limit 1"})
    assert answer["tables"][0]["name"] == "PrimaryResult"
    answer = post(
        lab, f"/v1{workspace(lab)}/query", {"query": "print x = dynamic([1]), y = real(nan), z = 1s"}
    )
    assert answer["tables"][0]["rows"] == [["[1]", "NaN", "00:00:01"]]
    graph = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    answer = post(lab, graph, {"query": "Resources | project id | limit 1"})
    assert answer["count"] == 1
    assert answer["data"][0]["id"].startswith("/subscriptions/")


def test_the_resource_graph_is_asked_in_kql(lab: System) -> None:
    graph = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    query = "resources | where type == 'microsoft.operationalinsights/workspaces' | project name, sku.name, properties.customerId, resourceGroup"
    (row,) = post(lab, graph, {"query": query, "subscriptions": [lab["subscription_id"]]})["data"]
    assert row["name"] == DB
    assert lab["workspace_id"] in row.values()
    assert post(lab, graph, {"query": "Resources | where type == 'microsoft.kusto/clusters'"})["data"] == []
    assert post(lab, graph, {"query": "Resources", "subscriptions": ["another"]})["count"] == 0
    query = "ResourceContainers | where type == 'microsoft.resources/subscriptions' | project subscriptionName = name, subscriptionId | limit 1"
    table = post(lab, graph, {"query": query, "options": {"resultFormat": "table"}})["data"]
    assert [c["name"] for c in table["columns"]] == ["subscriptionName", "subscriptionId"]
    assert table["rows"][0][1] == lab["subscription_id"]


def test_the_resource_graph_shows_what_one_may_read(lab: System) -> None:
    graph = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    nobody = reader(lab, "graph-nobody", ARM)
    assert post(lab, graph, {"query": "Resources"}, nobody)["count"] == 0
    one = reader(lab, "graph-one", ARM, ("Reader", workspace(lab)))
    assert [r["name"] for r in post(lab, graph, {"query": "Resources"}, one)["data"]] == [DB]
    some = reader(lab, "graph-some", ARM, ("Reader", group(lab)))
    assert post(lab, graph, {"query": "Resources | count"}, some)["data"][0]["Count"] > 2
    shown = json.dumps(post(lab, graph, {"query": "Resources"}, some))
    assert lab.key not in shown
    assert "a-secret-of-tests" not in shown


def test_kqlmagic_and_other_old_clients_get_by_get(lab: System) -> None:
    headers = {"Authorization": f"Bearer {lab.admin_token}"}
    url = f"{lab['control']}/v1/workspaces/{lab['workspace_id']}"
    assert call("GET", f"{url}/query?query=print%20x%3D1&timespan=PT1H", headers=headers).json()["tables"][0][
        "rows"
    ] == [[1]]
    names = {t["name"] for t in call("GET", f"{url}/metadata", headers=headers).json()["tables"]}
    assert "ApiManagementGatewayLogs" in names
