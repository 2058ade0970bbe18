"""The unmodified azure-kusto-data and azure-kusto-ingest against a running system: http and the local https."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.data_format import DataFormat
from azure.kusto.data.exceptions import KustoApiError, KustoMultiApiError, KustoServiceError
from azure.kusto.ingest import (
    IngestionProperties,
    IngestionStatus,
    KustoStreamingIngestClient,
    ManagedStreamingIngestClient,
    StreamDescriptor,
)

from tests.support.log_clients import Token, reader, workspace
from tests.support.system import System, call, eventually

DB = "law-activategenai"
KUSTO = "https://kusto.kusto.windows.net"


def builder(lab: System, secure: bool, token: str = "") -> KustoConnectionStringBuilder:
    at = lab["control_tls"] if secure else lab["control"]
    return KustoConnectionStringBuilder.with_aad_application_token_authentication(
        at, token or lab.admin_token
    )


@pytest.fixture(params=["http", "https"])
def client(
    request: pytest.FixtureRequest, lab: System, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KustoClient]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab.ca)
    with KustoClient(builder(lab, request.param == "https")) as made:
        yield made


@pytest.fixture(scope="module")
def plain(lab: System) -> Iterator[KustoClient]:
    with KustoClient(builder(lab, False)) as made:
        yield made


def rows(client: KustoClient, command: str, db: str = DB) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.execute(db, command).primary_results[0].to_dict()["data"]
    return found


def test_a_query_gives_values_of_their_types(client: KustoClient) -> None:
    answer = client.execute_query(
        DB,
        "print a = 1, b = 'x', c = 1.5, d = datetime(2026-11-22 10:11:12.1234567), e = 1d + 2h + 3s, f = dynamic({'k':[1]}), "
        "g = true, h = decimal(1.25), i = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), j = long(null)",
    )
    table = answer.primary_results[0]
    assert [(c.column_name, c.column_type) for c in table.columns] == [
        ("a", "long"), ("b", "string"), ("c", "real"), ("d", "datetime"), ("e", "timespan"), ("f", "dynamic"),
        ("g", "bool"), ("h", "decimal"), ("i", "guid"), ("j", "long"),
    ]  # fmt: skip
    row = table[0]
    assert (row["a"], row["b"], row["c"], row["g"], row["j"]) == (1, "x", 1.5, True, None)
    assert row["d"] == datetime(2026, 11, 22, 10, 11, 12, 123456, tzinfo=UTC)
    assert row["e"] == timedelta(days=1, hours=2, seconds=3)
    assert row["h"] == Decimal("1.25")
    assert str(row["i"]) == "74be27de-1e4e-49d9-b579-fe0b331d3642"
    assert row["f"] in ({"k": [1]}, '{"k":[1]}')
    assert answer.errors_count == 0


def test_the_rows_of_a_call_are_there(lab: System, client: KustoClient) -> None:
    marker = f"kusto-{uuid.uuid4().hex}"
    url = f"{lab.gateway}/openai/deployments/gpt-35-turbo/chat/completions?api-version=2024-10-21"
    body = {"messages": [{"role": "user", "content": marker}]}
    assert call("POST", url, body=body, headers={"api-key": lab.key}).status == 200
    query = f"ApiManagementGatewayLogs | where RequestBody has '{marker}' | project ResponseCode, TotalTokens"
    found = eventually("the call", lambda: rows(client, query))
    assert found[0]["ResponseCode"] == 200


def test_a_stream_of_rows_is_read_as_it_comes(client: KustoClient) -> None:
    answer = client.execute_streaming_query(DB, "range x from 1 to 20000 step 1 | extend y = x * 2")
    assert sum(row["y"] for row in next(answer.iter_primary_results())) == 20_000 * 20_001


def test_the_visualization_is_told(client: KustoClient) -> None:
    answer = client.execute_query(DB, "print x = 'a', n = 1 | render piechart with (title='Slices')")
    properties = next(t for t in answer.tables if t.table_name == "@ExtendedProperties")
    said = json.loads(next(r["Value"] for r in properties if r["Key"] == "Visualization"))
    assert (said["Visualization"], said["Title"], said["Accumulate"]) == ("piechart", "Slices", False)


def test_parameters_and_options_hold(client: KustoClient) -> None:
    properties = ClientRequestProperties()
    properties.set_parameter("n", "7")
    properties.set_parameter("name", "it's")
    properties.set_option(ClientRequestProperties.request_timeout_option_name, timedelta(minutes=1))
    properties.set_option("query_now", "2026-01-02T03:04:05Z")
    answer = client.execute_query(
        DB, "declare query_parameters(n:long, name:string); print n + 1, name, now()", properties
    )
    row = answer.primary_results[0][0]
    assert (row[0], row[1], row[2]) == (8, "it's", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_limits_of_the_client_cut_and_tell(client: KustoClient) -> None:
    properties = ClientRequestProperties()
    properties.set_option("truncationmaxrecords", 5)
    with pytest.raises(KustoMultiApiError) as caught:
        client.execute_query(DB, "range x from 1 to 10 step 1", properties)
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in str(caught.value)
    properties = ClientRequestProperties()
    properties.set_option("query_take_max_records", 5)
    answer = client.execute_query(DB, "range x from 1 to 10 step 1", properties)
    assert len(answer.primary_results[0]) == 5
    assert answer.errors_count == 0


def test_a_partial_answer_can_be_deferred(client: KustoClient) -> None:
    properties = ClientRequestProperties()
    properties.set_option("truncationmaxrecords", 5)
    properties.set_option(ClientRequestProperties.results_defer_partial_query_failures_option_name, True)
    answer = client.execute_query(DB, "range x from 1 to 10 step 1", properties)
    assert len(answer.primary_results[0]) == 5
    assert answer.errors_count == 1


def test_a_query_that_takes_too_long_ends(plain: KustoClient) -> None:
    properties = ClientRequestProperties()
    properties.set_option(ClientRequestProperties.request_timeout_option_name, timedelta(seconds=1))
    monster = "range x from 1 to 100000000 step 1 | extend y = hash_sha256(tostring(x)) | summarize dcount(y) by z = x % 3000001 | count"
    with pytest.raises(KustoServiceError, match="did not end within 1 s"):
        plain.execute_query(DB, monster, properties)
    assert rows(plain, "print 1") == [{"print_0": 1}]


def test_mistakes_are_semantic_or_syntax_errors(client: KustoClient) -> None:
    with pytest.raises(KustoApiError) as caught:
        client.execute_query(DB, "ApiManagementGatewayLogs | where ResponsCode == 1")
    error = caught.value.get_api_error()
    assert error.code == "BadRequest_SemanticError"
    assert error.permanent
    assert "Semantic error" in error.description
    assert "ResponseCode" in error.description
    with pytest.raises(KustoApiError) as caught:
        client.execute_query(DB, "print 1 |")
    assert caught.value.get_api_error().code == "BadRequest_SyntaxError"
    with pytest.raises(KustoApiError, match="nowhere"):
        client.execute_query("nowhere", "print 1")


def test_v1_answers_are_read_too(lab: System, client: KustoClient) -> None:
    body = {
        "db": DB,
        "csl": "print x = 1 | render timechart",
        "properties": {"options": {"queryconsistency": "weak"}},
    }
    url = f"{lab['control']}/v1/rest/query"
    answer = call("POST", url, body=body, headers={"Authorization": f"Bearer {lab.admin_token}"}).json()
    from azure.kusto.data.response import KustoResponseDataSetV1

    parsed = KustoResponseDataSetV1(answer)
    assert parsed.primary_results[0][0]["x"] == 1
    assert parsed.errors_count == 0


@pytest.mark.parametrize("option", ["results_v2_fragment_primary_tables", "results_progressive_enabled"])
def test_tables_come_in_fragments_when_asked_for(lab: System, option: str) -> None:
    options = {option: True, "results_v2_newlines_between_frames": True}
    body = {"db": DB, "csl": "range x from 1 to 3 step 1", "properties": {"Options": options}}
    url = f"{lab['control']}/v2/rest/query"
    answer = call("POST", url, body=body, headers={"Authorization": f"Bearer {lab.admin_token}"})
    lines = answer.body.decode().splitlines()
    frames = [json.loads(line[1:]) for line in lines[:-1]]
    assert frames == answer.json()
    kinds = [f["FrameType"] for f in frames]
    assert kinds[:4] == ["DataSetHeader", "DataTable", "TableHeader", "TableFragment"]
    assert frames[0]["IsProgressive"] is (option == "results_progressive_enabled")
    assert frames[3]["Rows"] == [[1], [2], [3]]
    assert next(f for f in frames if f["FrameType"] == "TableCompletion")["RowCount"] == 3


def test_a_streaming_reader_learns_of_cut_rows(plain: KustoClient) -> None:
    properties = ClientRequestProperties()
    properties.set_option("truncationmaxrecords", 2)
    answer = plain.execute_streaming_query(DB, "range x from 1 to 10 step 1", properties=properties)
    table = next(answer.iter_primary_results())
    assert [next(table)["x"], next(table)["x"]] == [1, 2]
    with pytest.raises(KustoMultiApiError):
        next(table)


def test_what_editors_ask_is_answered(client: KustoClient) -> None:
    assert [r["DatabaseName"] for r in rows(client, ".show databases", "NetDefaultDB")] == [DB]
    assert rows(client, ".show version", "")[0]["ServiceType"] == "Engine"
    assert len(rows(client, ".show cluster", "")) == 1
    tables = {r["TableName"] for r in rows(client, ".show tables")}
    assert {"ApiManagementGatewayLogs", "AzureDiagnostics", "LAQueryLogs"} <= tables
    assert rows(client, f".show database ['{DB}'] details")[0]["DatabaseName"] == DB
    schema = json.loads(rows(client, ".show database schema as json")[0]["DatabaseSchema"])
    columns = schema["Databases"][DB]["Tables"]["ApiManagementGatewayLogs"]["OrderedColumns"]
    assert {"Name": "ResponseCode", "CslType": "int"}.items() <= next(
        c for c in columns if c["Name"] == "ResponseCode"
    ).items()
    for command in (".show databases schema as json", f".show databases (['{DB}']) schema as json"):
        assert DB in json.loads(rows(client, command, "NetDefaultDB")[0]["DatabaseSchema"])["Databases"]
    assert any(
        ".create-merge table AzureMetrics" in r["DatabaseSchemaScript"]
        for r in rows(client, ".show database schema as csl script")
    )
    script = rows(client, ".show table AzureMetrics cslschema")[0]["Schema"]
    assert script.startswith("TimeGenerated:datetime,")
    assert (
        json.loads(rows(client, ".show table AzureMetrics schema as json")[0]["Schema"])["Name"]
        == "AzureMetrics"
    )
    assert rows(client, ".show table AzureMetrics")[0]["AttributeName"] == "TimeGenerated"
    assert rows(client, ".show tables | where TableName startswith 'Azure' | count") == [{"Count": 3}]
    for command in (".show external tables", ".show materialized-views", ".show entity_groups"):
        assert rows(client, command) == []
    assert rows(client, ".show principal access")[0]["Role"] == "Database Viewer"
    with pytest.raises(KustoApiError, match="not supported"):
        rows(client, ".show extents")
    with pytest.raises(KustoApiError, match="no table 'Nothing'"):
        rows(client, ".show table Nothing cslschema")


def test_tables_and_functions_are_made_by_commands(lab: System, client: KustoClient) -> None:
    made = rows(
        client,
        ".create table Made_CL (a:long, ['bc']:string, when:datetime) with (docstring='Of tests')",
    )
    assert json.loads(made[0]["Schema"])["OrderedColumns"][0]["CslType"] == "long"
    rows(client, ".create-merge table Made_CL (d:dynamic)")
    assert (
        "a:long,bc:string,when:datetime,d:dynamic"
        in rows(client, ".show table Made_CL cslschema")[0]["Schema"]
    )
    found = lab.admin("GET", f"{workspace(lab)}/tables/Made_CL").json()["properties"]["schema"]
    assert [c["name"] for c in found["columns"]] == ["a", "bc", "when", "d"]
    with pytest.raises(KustoApiError, match="_CL"):
        rows(client, ".create table Other (a:long)")
    with pytest.raises(KustoApiError, match="stays it"):
        rows(client, ".create-merge table Made_CL (a:string)")
    command = ".create-or-alter function with (docstring='Codes', folder='F') codes(least:int=400) { ApiManagementGatewayLogs | where ResponseCode >= least }"
    assert rows(client, command)[0]["Folder"] == "F"
    assert rows(client, ".show function codes")[0]["Parameters"] == "(least:int=400)"
    assert "Count" in rows(client, "codes(200) | count")[0]
    assert "Count" in rows(client, "codes | count")[0]
    schema = json.loads(rows(client, ".show database schema as json")[0]["DatabaseSchema"])
    assert schema["Databases"][DB]["Functions"]["codes"]["InputParameters"][0]["CslType"] == "int"
    with pytest.raises(KustoApiError, match=r"line 1, column"):
        rows(client, ".create-or-alter function broken() { T | where ( }")
    rows(client, ".drop function codes")
    assert [r for r in rows(client, ".show functions") if r["Name"] == "codes"] == []


@pytest.fixture(scope="module")
def table(plain: KustoClient) -> str:
    rows(
        plain,
        ".create table Taken_CL (TimeGenerated:datetime, name:string, n:long, r:real, ok:bool, more:dynamic, id:guid, span:timespan)",
    )
    rows(
        plain,
        """.create-or-alter table Taken_CL ingestion json mapping 'deep' '[{"column":"name","Properties":{"Path":"$.who.name"}},{"column":"n","Properties":{"Path":"$.list[1]"}},{"column":"more","path":"$"}]'""",
    )
    rows(
        plain,
        """.create-or-alter table Taken_CL ingestion csv mapping 'few' '[{"Column":"n","Properties":{"Ordinal":"0"}},{"Column":"name","Properties":{"Ordinal":"1"}},{"Column":"ok","Properties":{"ConstValue":"true"}}]'""",
    )
    return "Taken_CL"


def ingest(client: Any, body: str, form: DataFormat, mapping: str = "", table: str = "Taken_CL") -> Any:
    properties = IngestionProperties(
        database=DB,
        table=table,
        data_format=form,
        ingestion_mapping_reference=mapping or None,
        ingestion_mapping_kind=form.ingestion_mapping_kind if mapping else None,
    )
    stream = io.BytesIO(body.encode())
    return client.ingest_from_stream(StreamDescriptor(stream), ingestion_properties=properties)


@pytest.fixture(params=["http", "https"])
def taker(
    request: pytest.FixtureRequest, lab: System, table: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KustoStreamingIngestClient]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab.ca)
    with KustoStreamingIngestClient(builder(lab, request.param == "https")) as made:
        yield made


def test_rows_are_taken_in_each_format(plain: KustoClient, taker: KustoStreamingIngestClient) -> None:
    batch = uuid.uuid4().hex
    guid = str(uuid.uuid4())
    one = {
        "name": batch,
        "n": 1,
        "r": 0.5,
        "ok": True,
        "more": {"a": 1},
        "id": guid.upper(),
        "span": "1.02:03:04.5",
    }
    two = {"TimeGenerated": "2026-11-01T00:00:00Z", "name": batch, "n": 2, "unknown": 3}
    assert (
        ingest(taker, f"{json.dumps(one)}\n{json.dumps(two)}\n", DataFormat.JSON).status
        is IngestionStatus.SUCCESS
    )
    ingest(
        taker, json.dumps([{"name": batch, "n": 3}, {"name": batch, "n": 4}], indent=2), DataFormat.MULTIJSON
    )
    ingest(
        taker,
        f'2026-11-02T00:00:00Z,"{batch}",5,1.5,true,"{{""x"":[1]}}",{guid},00:00:01\n,{batch},6,,,,,\n',
        DataFormat.CSV,
    )
    ingest(taker, f"2026-11-02\t{batch}\t7\n", DataFormat.TSV)
    ingest(taker, json.dumps({"who": {"name": batch}, "list": [0, 8]}), DataFormat.JSON, "deep")
    ingest(taker, f"9,{batch}\n", DataFormat.CSV, "few")
    query = f"Taken_CL | where name == '{batch}' | extend shown = tostring(span) | order by n asc"
    found = eventually("nine rows", lambda: r if len(r := rows(plain, query)) == 9 else None)
    assert [r["n"] for r in found] == list(range(1, 10))
    first, second, fifth, sixth = found[0], found[1], found[4], found[5]
    assert (first["r"], first["ok"], str(first["id"])) == (0.5, True, guid)
    assert first["shown"] == "1.02:03:04.5000000"
    assert "2026-11-01" in str(second["TimeGenerated"])
    assert fifth["more"] in ({"x": [1]}, '{"x":[1]}')
    assert (sixth["r"], sixth["ok"], sixth["more"]) == (None, None, None)
    assert found[8]["ok"] is True


def test_the_managed_client_streams_and_repeats_safely(lab: System, plain: KustoClient, table: str) -> None:
    batch = uuid.uuid4().hex
    with ManagedStreamingIngestClient(builder(lab, False), builder(lab, False)) as client:
        result = ingest(client, json.dumps({"name": batch, "n": 1}), DataFormat.JSON)
    assert result.status is IngestionStatus.SUCCESS
    # The same source again, as the client sends it after an answer that it did not get.
    url = f"{lab['control']}/v1/rest/ingest/{DB}/Taken_CL?streamFormat=json"
    for attempt in range(3):
        headers = {
            "Authorization": f"Bearer {lab.admin_token}",
            "x-ms-client-request-id": f"KPC.executeManagedStreamingIngest;{batch};{attempt}",
        }
        answer = call("POST", url, body=json.dumps({"name": batch, "n": 2}).encode(), headers=headers)
        assert answer.json()["Tables"][0]["Rows"] == [[1]]
    count = f"Taken_CL | where name == '{batch}' | summarize n = count(), m = max(n)"
    eventually("both rows", lambda: rows(plain, count)[0]["m"] == 2)
    assert rows(plain, count) == [{"n": 2, "m": 2}]


def test_bad_rows_are_refused_whole(plain: KustoClient, taker: KustoStreamingIngestClient) -> None:
    batch = uuid.uuid4().hex
    good = json.dumps({"name": batch, "n": 1})
    for body, form, mapping, words in (
        (f'{good}\n{{"name":"{batch}","n":"x"}}', DataFormat.JSON, "", "Row 2, column 'n': 'x' is no long"),
        (f"{good}\n{{", DataFormat.JSON, "", "line 2"),
        ("2026-11-02,a,1,1,true,,,,too many", DataFormat.CSV, "", "9 fields"),
        (good, DataFormat.JSON, "nothing", "no ingestion mapping 'nothing'"),
        (good, DataFormat.W3CLOGFILE, "", "streamFormat"),
    ):
        with pytest.raises(KustoApiError) as caught:
            ingest(taker, body, form, mapping)
        assert words in str(caught.value)
        assert caught.value.get_api_error().permanent
    for wrong in ("LAQueryLogs", "Nowhere_CL"):
        with pytest.raises(KustoApiError, match="custom tables"):
            ingest(taker, good, DataFormat.JSON, table=wrong)
    assert rows(plain, f"Taken_CL | where name == '{batch}' | count") == [{"Count": 0}]


def test_rights_hold_for_commands_and_rows(lab: System, table: str) -> None:
    analyst = reader(lab, "kusto-reader", KUSTO, ("Log Analytics Reader", workspace(lab)))
    sender = reader(
        lab, "kusto-sender", KUSTO, ("Monitoring Metrics Publisher", f"{workspace(lab)}/tables/Taken_CL")
    )
    with KustoClient(builder(lab, False, analyst)) as client:
        assert rows(client, "Taken_CL | take 0") == []
        with pytest.raises(KustoServiceError):
            rows(client, ".create table Mine_CL (a:long)")
    assert lab.admin("GET", f"{workspace(lab)}/tables/Mine_CL").status == 404
    with KustoStreamingIngestClient(builder(lab, False, sender)) as taker:
        assert ingest(taker, '{"name":"sent"}', DataFormat.JSON).status is IngestionStatus.SUCCESS
    with KustoStreamingIngestClient(builder(lab, False, analyst)) as taker, pytest.raises(KustoServiceError):
        ingest(taker, '{"name":"sent"}', DataFormat.JSON)
    with KustoClient(builder(lab, False, sender)) as client, pytest.raises(KustoServiceError):
        rows(client, "Taken_CL")


def test_credentials_find_the_local_issuer(lab: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab.ca)
    credential = Token(lab.admin_token)
    kcsb = KustoConnectionStringBuilder.with_azure_token_credential(lab["control_tls"], credential)
    with KustoClient(kcsb) as client:
        assert rows(client, "print x = 1") == [{"x": 1}]
    assert credential.scopes == [f"{lab['control_tls']}/.default"]
