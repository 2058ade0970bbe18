"""Rows from outside into custom tables, sent by the unmodified azure-monitor-ingestion and readable at once."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion import LogsIngestionClient, LogsUploadError

from tests.support.log_clients import Token, custom_table, group, put, reader, rule, workspace
from tests.support.system import System, call, eventually

COLUMNS = {
    "TimeGenerated": "datetime",
    "Computer": "string",
    "Count": "int",
    "Big": "long",
    "Ratio": "real",
    "Good": "boolean",
    "Details": "dynamic",
}
MONITOR = "https://monitor.azure.com"


def rows_of(lab: System, query: str, count: int) -> list[dict[str, Any]]:
    """The rows of a query, once there are as many."""

    def asked() -> list[dict[str, Any]] | None:
        rows = lab.query(query)
        return rows if len(rows) >= count else None

    return eventually(f"{count} rows of {query}", asked)


@pytest.fixture(scope="module")
def plain(lab: System) -> str:
    custom_table(lab, "Plain_CL", COLUMNS)
    return rule(lab, "plain", "Custom-Plain", COLUMNS, "Plain_CL")


@pytest.fixture(params=["http", "https"])
def client(request: pytest.FixtureRequest, lab: System) -> Any:
    """The client, and what a call needs to go over plain http."""
    token = Token(lab.admin_token)
    if request.param == "https":
        with LogsIngestionClient(lab["control_tls"], token, connection_verify=lab.ca) as made:
            yield made, {}
    else:
        with LogsIngestionClient(lab["control"], token) as made:
            yield made, {"enforce_https": False}


def test_rows_come_back_with_their_types(lab: System, plain: str, client: Any) -> None:
    client, options = client
    name = f"pc-{'http' if options else 'https'}"
    at = datetime(2026, 11, 22, 10, 11, 12, 345678, tzinfo=UTC)
    row = {
        "TimeGenerated": at.isoformat(),
        "Computer": name,
        "Count": 3,
        "Big": 1 << 40,
        "Ratio": 0.5,
        "Good": True,
        "Details": {"a": [1, None, "x"]},
        "Undeclared": "is left out",
    }
    client.upload(plain, "Custom-Plain", [row, {"Computer": name, "Count": None}], **options)
    first, second = rows_of(lab, f"Plain_CL | where Computer == '{name}' | order by TimeGenerated asc", 2)
    assert first["TimeGenerated"].startswith("2026-11-22T10:11:12.345678")
    assert {n: first[n] for n in ("Count", "Big", "Ratio", "Good")} == {
        "Count": 3, "Big": 1 << 40, "Ratio": 0.5, "Good": True,
    }  # fmt: skip
    assert json.loads(first["Details"]) == {"a": [1, None, "x"]}
    assert first["Type"] == "Plain_CL"
    assert second["Count"] is None
    # What has no time of its own happened when it came in.
    came = datetime.fromisoformat(second["TimeGenerated"])
    assert abs(came - datetime.now(UTC)) < timedelta(minutes=2)


def test_chunks_of_a_large_upload_all_arrive(lab: System, plain: str, client: Any) -> None:
    client, options = client
    name = f"many-{'http' if options else 'https'}"
    rows = [{"Computer": name, "Count": i, "Details": "x" * 700} for i in range(4_000)]
    client.upload(plain, "Custom-Plain", rows, **options)
    query = (
        f"Plain_CL | where Computer == '{name}' | summarize n = count(), d = dcount(Count), s = sum(Count)"
    )
    eventually("4,000 rows", lambda: lab.query(query)[0]["n"] == 4_000)
    assert lab.query(query) == [{"n": 4_000, "d": 4_000, "s": 4_000 * 3_999 // 2}]


def test_a_file_is_sent_as_it_is(lab: System, plain: str) -> None:
    with LogsIngestionClient(lab["control_tls"], Token(lab.admin_token), connection_verify=lab.ca) as client:
        packed = io.BytesIO(gzip.compress(json.dumps([{"Computer": "file", "Count": 1}]).encode()))
        client.upload(plain, "Custom-Plain", packed)  # type: ignore[arg-type]
    assert rows_of(lab, "Plain_CL | where Computer == 'file'", 1)[0]["Count"] == 1


def test_a_transformation_makes_the_rows(lab: System, client: Any) -> None:
    client, options = client
    name = f"t-{'http' if options else 'https'}"
    stream = {"time": "datetime", "level": "string", "text": "string", "extra": "dynamic"}
    custom_table(
        lab,
        "Shaped_CL",
        {"TimeGenerated": "datetime", "Severity": "int", "Message": "string", "Code": "long"},
    )
    transform = (
        "source | where level != 'debug' | project TimeGenerated = time, Severity = toint(iff(level == 'error', 3, 1)), "
        "Message = strcat(text, '!'), Code = tolong(extra.code)"
    )
    shaped = rule(lab, "shaped", "Custom-Raw", stream, "Shaped_CL", transform)
    now = datetime.now(UTC).isoformat()
    client.upload(
        shaped,
        "Custom-Raw",
        [
            {"time": now, "level": "error", "text": name, "extra": {"code": 7}},
            {"time": now, "level": "debug", "text": name},
            {"time": now, "level": "info", "text": name, "extra": None},
        ],
        **options,
    )
    rows = rows_of(lab, f"Shaped_CL | where Message == '{name}!' | order by Severity asc", 2)
    assert [(r["Severity"], r["Code"]) for r in rows] == [(1, None), (3, 7)]


def test_a_transformation_keeps_each_value_what_it_is(lab: System) -> None:
    columns = {
        "TimeGenerated": "datetime",
        "d": "dynamic",
        "w": "timespan",
        "r": "real",
        "s": "string",
        "g": "guid",
        "b": "boolean",
    }
    custom_table(lab, "Exact_CL", columns)
    stream = {"d": "dynamic", "s": "string"}
    transform = "source | extend TimeGenerated = datetime(2026-11-22 01:02:03.1234567), w = 1d + 2s, r = real(inf), g = toguid(s), b = true"
    exact = rule(lab, "exact", "Custom-E", stream, "Exact_CL", transform)
    guid = "74be27de-1e4e-49d9-b579-fe0b331d3642"
    rows = [{"d": d, "s": guid} for d in ("5", 5, "text", {"a": ["x"]}, None, True, [1])]
    url = f"{lab['control']}/dataCollectionRules/{exact}/streams/Custom-E?api-version=2023-01-01"
    assert call("POST", url, body=rows, headers={"Authorization": f"Bearer {lab.admin_token}"}).status == 204
    query = "Exact_CL | extend kind = gettype(d), shown = tostring(d) | order by kind asc, shown asc"
    found = rows_of(lab, query, 7)
    assert [(r["kind"], r["shown"]) for r in found] == [
        ("array", "[1]"), ("bool", "true"), ("dictionary", '{"a":["x"]}'), ("long", "5"), ("null", ""), ("string", "5"),
        ("string", "text"),
    ]  # fmt: skip
    one = found[0]
    assert one["TimeGenerated"].startswith("2026-11-22T01:02:03.123456")
    assert (one["w"], one["r"], one["g"], one["b"]) == ("1.00:00:02", "Infinity", guid, True)


def test_a_request_that_is_sent_again_is_stored_once(lab: System, plain: str) -> None:
    url = f"{lab['control']}/dataCollectionRules/{plain}/streams/Custom-Plain?api-version=2023-01-01"
    headers = {"Authorization": f"Bearer {lab.admin_token}", "x-ms-client-request-id": "11-22"}
    for _ in range(3):
        assert call("POST", url, body=[{"Computer": "once"}], headers=headers).status == 204
    assert (
        call(
            "POST", url, body=[{"Computer": "once"}], headers=headers | {"x-ms-client-request-id": "33"}
        ).status
        == 204
    )
    rows_of(lab, "Plain_CL | where Computer == 'once'", 2)
    assert lab.query("Plain_CL | where Computer == 'once' | count") == [{"Count": 2}]


def test_a_value_of_another_type_stores_nothing_and_says_which(lab: System, plain: str, client: Any) -> None:
    client, options = client
    with pytest.raises(HttpResponseError) as caught:
        client.upload(
            plain, "Custom-Plain", [{"Computer": "bad"}, {"Computer": "bad", "Count": "many"}], **options
        )
    assert caught.value.status_code == 400
    assert caught.value.error is not None
    assert caught.value.error.code == "InvalidRecord"
    assert "Row 2, column 'Count': 'many' is no int" in str(caught.value)
    failed: list[LogsUploadError] = []
    client.upload(plain, "Custom-Plain", [{"Count": "x"}], on_error=failed.append, **options)
    assert failed[0].failed_logs == [{"Count": "x"}]
    assert lab.query("Plain_CL | where Computer == 'bad' | count") == [{"Count": 0}]


def test_who_may_not_write_is_told(lab: System, plain: str) -> None:
    dcr = f"{group(lab)}/providers/Microsoft.Insights/dataCollectionRules/plain"
    publisher = reader(lab, "publisher", MONITOR, ("Monitoring Metrics Publisher", dcr))
    owner = reader(lab, "owner-of-all", MONITOR, ("Owner", group(lab)))
    url = f"{lab['control']}/dataCollectionRules/{plain}/streams/Custom-Plain?api-version=2023-01-01"

    def send(token: str, to: str = url) -> int:
        return call(
            "POST", to, body=[{"Computer": "rights"}], headers={"Authorization": f"Bearer {token}"}
        ).status

    assert send(publisher) == 204
    # To write rows is an action of the data plane; an owner gives himself the role first.
    assert send(owner) == 403
    assert send("nonsense") == 401
    assert send(publisher, url.replace(plain, "dcr-0")) == 404
    assert send(owner, url.replace(plain, "dcr-0")) == 403
    assert send(publisher, url.replace("Custom-Plain", "Custom-Other")) == 404


def test_rules_that_would_lose_rows_are_refused_when_saved(lab: System, plain: str) -> None:
    path = f"{group(lab)}/providers/Microsoft.Insights/dataCollectionRules/wrong"

    def refused(transform: str, table: str = "Plain_CL", **stream: str) -> str:
        columns = [{"name": n, "type": k} for n, k in (stream or {"Computer": "string"}).items()]
        body = {
            "streamDeclarations": {"Custom-X": {"columns": columns}},
            "destinations": {"logAnalytics": [{"workspaceResourceId": workspace(lab), "name": "here"}]},
            "dataFlows": [
                {
                    "streams": ["Custom-X"],
                    "destinations": ["here"],
                    "transformKql": transform,
                    "outputStream": f"Custom-{table}",
                }
            ],
        }
        reply = lab.admin("PUT", path, {"location": "local", "properties": body})
        assert reply.status == 400, reply.body
        message: str = reply.json()["error"]["message"]
        return message

    assert "line 1, column 16" in refused("source | where Komputer == 'x'")
    assert "no column 'Other'" in refused("source", Other="string")
    assert "is string here and int in the table" in refused("source", Count="string")
    assert "table 'Nowhere_CL' is not known" in refused("source", "Nowhere_CL")
    assert "written by this system alone" in refused("source", "").replace("Custom-", "")


def test_a_table_can_grow_and_keeps_its_types(lab: System) -> None:
    custom_table(lab, "Growing_CL", {"A": "string"})
    first = rule(lab, "growing", "Custom-G", {"A": "string"}, "Growing_CL")
    url = f"{lab['control']}/dataCollectionRules/{first}/streams/Custom-G?api-version=2023-01-01"
    headers = {"Authorization": f"Bearer {lab.admin_token}"}
    assert lab.query("Growing_CL | project A") == []
    assert call("POST", url, body=[{"A": "old"}], headers=headers).status == 204
    rows_of(lab, "Growing_CL", 1)
    custom_table(lab, "Growing_CL", {"A": "string", "B": "dynamic", "C": "guid", "D": "timespan"})
    rule(lab, "growing", "Custom-G", {"A": "string", "B": "dynamic"}, "Growing_CL")
    assert call("POST", url, body=[{"A": "new", "B": [1]}], headers=headers).status == 204
    rows = rows_of(lab, "Growing_CL | order by A asc | project A, B = tostring(B), C, D", 2)
    assert rows == [
        {"A": "new", "B": "[1]", "C": None, "D": None},
        {"A": "old", "B": "", "C": None, "D": None},
    ]
    reply = lab.admin(
        "PUT",
        f"{workspace(lab)}/tables/Growing_CL",
        {"properties": {"schema": {"name": "Growing_CL", "columns": [{"name": "A", "type": "int"}]}}},
    )
    assert reply.status == 400
    assert "'A' is string and stays it" in reply.json()["error"]["message"]


def test_rows_survive_the_death_of_the_shipper(lab: System, plain: str) -> None:
    url = f"{lab['control']}/dataCollectionRules/{plain}/streams/Custom-Plain?api-version=2023-01-01"
    headers = {"Authorization": f"Bearer {lab.admin_token}"}
    for number in range(20):
        if number == 10:
            lab.kill("shipper")
        rows = [{"Computer": "killed", "Count": number * 10 + i} for i in range(10)]
        assert call("POST", url, body=rows, headers=headers).status == 204
    query = "Plain_CL | where Computer == 'killed' | summarize n = count(), d = dcount(Count)"
    eventually("200 rows", lambda: lab.query(query)[0]["n"] >= 200, within_s=20)
    assert lab.query(query) == [{"n": 200, "d": 200}]


def test_an_endpoint_tells_where_to_send(lab: System) -> None:
    path = f"{group(lab)}/providers/Microsoft.Insights/dataCollectionEndpoints/door"
    found = put(lab, path, {"networkAcls": {"publicNetworkAccess": "Enabled"}}, location="local")
    assert found["properties"]["logsIngestion"]["endpoint"] == lab["control"]
    assert found["properties"]["immutableId"].startswith("dce-")
