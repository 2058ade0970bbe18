"""Completion and mistakes for an editor, over HTTP, in a running system."""

from __future__ import annotations

from typing import Any

from tests.support.log_clients import custom_table, put, reader, service, workspace
from tests.support.system import System, call

LOGS = "https://api.loganalytics.io"


def ask(lab: System, what: str, body: dict[str, Any], token: str = "") -> tuple[int, Any]:
    url = f"{lab['control']}/aforo/v1/workspaces/{lab['workspace_id']}/kql/{what}"
    reply = call("POST", url, body=body, headers={"Authorization": f"Bearer {token or lab.admin_token}"})
    return reply.status, reply.json()


def test_names_words_and_values_of_the_workspace(lab: System) -> None:
    custom_table(lab, "Edited_CL", {"who": "string", "n": "long"})
    put(
        lab,
        f"{workspace(lab)}/savedSearches/edited",
        {"category": "t", "displayName": "edited", "query": "Edited_CL | where n > least", "functionAlias": "edited", "functionParameters": "least:long=0"},
    )  # fmt: skip
    status, found = ask(lab, "complete", {"query": "Edi", "offset": 3})
    assert status == 200
    assert [(s["label"], s["kind"]) for s in found["suggestions"]][:2] == [
        ("Edited_CL", "table"),
        ("edited", "function"),
    ]
    _, found = ask(lab, "complete", {"query": "edited(3) | where "})
    assert {"who", "n", "TimeGenerated"} <= {
        s["label"] for s in found["suggestions"] if s["kind"] == "column"
    }
    _, found = ask(lab, "complete", {"query": "ApiManagementGatewayLogs | where Cache == '"})
    assert {s["text"] for s in found["suggestions"]} == {"hit", "miss", "none"}
    _, found = ask(lab, "complete", {"query": "ApiManagementGatewayLogs | extend x = substring(Url, "})
    assert (found["signature"]["name"], found["signature"]["active"]) == ("substring", 1)
    code = next(s for s in found["suggestions"] if s["label"] == "ResponseCode")
    assert (code["detail"], code["doc"]) == ("int", "Status that the client got.")


def test_every_mistake_is_told_with_its_place(lab: System) -> None:
    query = "ApiManagementGatewayLogs\n| where ResponsCode == 1\n| extend x = strlen(5, 6)"
    status, found = ask(lab, "diagnose", {"query": query})
    assert status == 200
    assert [(d["line"], d["severity"]) for d in found["diagnostics"]] == [(2, "error"), (3, "error")]
    first = found["diagnostics"][0]
    assert query[first["start"] : first["end"]] == "ResponsCode"
    assert any("ResponseCode" in hint for hint in first["hints"])
    _, found = ask(lab, "diagnose", {"query": "print a = 1, b = 'x' | render table"})
    assert found["diagnostics"] == []
    assert found["columns"] == [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]
    assert found["render"]["visualization"] == "table"


def test_only_what_one_may_read_is_suggested(lab: System) -> None:
    nobody = reader(lab, "editor-nobody", LOGS)
    assert ask(lab, "complete", {"query": ""}, nobody)[0] == 403
    assert ask(lab, "complete", {"query": ""}, "nonsense")[0] == 401
    put(lab, f"{service(lab)}/products/edited", {"displayName": "edited", "state": "published"})
    owner = reader(lab, "editor-owner", LOGS, ("Reader", f"{service(lab)}/products/edited"))
    status, found = ask(lab, "complete", {"query": ""}, owner)
    assert status == 200
    assert {s["label"] for s in found["suggestions"] if s["kind"] == "table"} == {
        "ApiManagementGatewayLogs",
        "ApiManagementGatewayLlmLog",
    }


def test_wrong_requests_say_what(lab: System) -> None:
    for body, word in (
        ({}, "query"),
        ({"query": "T", "offset": 5}, "offset"),
        ({"query": "x" * 300_000}, "characters"),
    ):
        status, answer = ask(lab, "complete", body)
        assert status == 400
        assert word in answer["error"]["message"]


def test_a_query_may_name_the_workspace_that_it_asks(lab: System) -> None:
    for name in ("law-activategenai", lab["workspace_id"]):
        assert lab.query(f"workspace('{name}').LAQueryLogs | take 0") == []
