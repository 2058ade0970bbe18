"""The unmodified azure-monitor-query client against the query API over real sockets: plain http and local https."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import (
    LogsBatchQuery,
    LogsQueryClient,
    LogsQueryError,
    LogsQueryPartialResult,
    LogsQueryResult,
    LogsQueryStatus,
)
from starlette.applications import Starlette
from starlette.requests import Request

from aforo.errors import Denied
from aforo.identity.access import Principal
from aforo.identity.ca import ensure_tls
from aforo.identity.tls_files import TlsFiles
from aforo.logs import api
from aforo.logs.reader import Workspace
from tests.support.asked_files import InProcessPool
from tests.support.serving import serving
from tests.support.stored_tables import write_rows

W = "11111111-1111-1111-1111-111111111111"
EMPTY = "22222222-2222-2222-2222-222222222222"
_ARM = "/subscriptions/s1/resourceGroups/rg-activategenai/providers"
WORKSPACES = [
    Workspace(i, n, f"{_ARM}/Microsoft.OperationalInsights/workspaces/{n}")
    for i, n in ((W, "law"), (EMPTY, "empty"))
]
SERVICE = f"{_ARM}/Microsoft.ApiManagement/service/apim1"
NOW = datetime.now(UTC).replace(microsecond=123_456)

TOKENS = """
ApiManagementGatewayLogs
| where tolower(OperationId) in ('completions_create','chatcompletions_create')
| where ResponseCode  == '200'
| extend modelkey = substring(parse_json(BackendResponseBody)['model'], 0, indexof(parse_json(BackendResponseBody)['model'],
'-', 0, -1, 2))
| extend model = tostring(parse_json(BackendResponseBody)['model'])
| extend prompttokens = parse_json(parse_json(BackendResponseBody)['usage'])['prompt_tokens']
| extend completiontokens = parse_json(parse_json(BackendResponseBody)['usage'])['completion_tokens']
| extend totaltokens = parse_json(parse_json(BackendResponseBody)['usage'])['total_tokens']
| extend ip = CallerIpAddress
| where model !=  ''
| summarize
sum(todecimal(prompttokens)),
sum(todecimal(completiontokens)),
sum(todecimal(totaltokens)),
avg(todecimal(totaltokens))
by ip, model
"""
# As it stands in print: without its pipes.
WITHOUT_PIPES = """AzureDiagnostics
take 100
project TimeGenerated, _ResourceId, Category, OperationName
"""

COLUMNS = {
    "TimeGenerated": "datetime",
    "CorrelationId": "string",
    "OperationId": "string",
    "ResponseCode": "int",
    "IsRequestSuccess": "bool",
    "TotalTime": "long",
    "CallerIpAddress": "string",
    "RequestHeaders": "dynamic",
    "BackendResponseBody": "string",
    "_ResourceId": "string",
}


def call(number: int, age: timedelta, resource: str = SERVICE) -> dict[str, Any]:
    usage = f'{{"prompt_tokens":{number},"completion_tokens":{2 * number},"total_tokens":{3 * number}}}'
    return {
        "TimeGenerated": NOW - age,
        "CorrelationId": f"c{number}",
        "OperationId": "ChatCompletions_Create",
        "ResponseCode": 200,
        "IsRequestSuccess": True,
        "TotalTime": 100 + number,
        "CallerIpAddress": "10.0.0.1",
        "RequestHeaders": '{"a":"b"}',
        "BackendResponseBody": f'{{"model":"gpt-35-turbo","usage":{usage}}}',
        "_ResourceId": resource.lower(),
    }


class Credential:
    """Any object with `get_token` is a credential to azure-core."""

    def __init__(self, token: str = "local-token") -> None:
        self._token = token
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken(self._token, int(time.time()) + 3600)


class Service:
    """The API over stored tables, on two listeners."""

    def __init__(self, root: Path, tls: TlsFiles) -> None:
        self.root = root
        self.ca = str(tls.ca)
        self.rows: list[dict[str, Any]] = []
        self.pool = InProcessPool(root)
        routes = api.routes(
            self.pool,
            self._authenticate,
            lambda _principal, workspace, _table: True,
            self._resolve,
            lambda _workspace, _table, row: self.rows.append(row),
            resolve_resource=lambda arm_id: WORKSPACES[:1] if arm_id.lower() == SERVICE.lower() else (),
        )
        self.app = Starlette(routes=routes)
        self.http = self.https = ""

    async def _authenticate(self, request: Request) -> Principal:
        if request.headers.get("authorization") != "Bearer local-token":
            raise Denied("The token is not one of ours.", code="InvalidTokenError", authenticated=False)
        return Principal("oid", "cid", "analyst")

    def _resolve(self, text: str) -> Workspace | None:
        return next((w for w in WORKSPACES if text.lower() in (w.id, w.name, w.resource_id.lower())), None)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("tables")
    tls = ensure_tls(tmp_path_factory.mktemp("tls"))
    rows = [call(n, timedelta(minutes=10 * n)) for n in range(1, 6)]
    write_rows(root, W, "ApiManagementGatewayLogs", COLUMNS, rows)
    other = call(9, timedelta(minutes=1), resource="/subscriptions/s1/other")
    write_rows(root, W, "ApiManagementGatewayLogs", COLUMNS, [other | {"OperationId": "Other"}])
    service = Service(root, tls)
    with (
        serving(service.app) as plain,
        serving(service.app, certificate=tls.certificate, key=tls.key) as secure,
    ):
        service.http, service.https = plain, secure
        yield service


@pytest.fixture(params=["http", "https"])
def client(request: pytest.FixtureRequest, service: Service) -> Iterator[Any]:
    """The client, and what a call needs to go over plain http."""
    if request.param == "https":
        with LogsQueryClient(Credential(), endpoint=service.https, connection_verify=service.ca) as made:  # type: ignore[arg-type]
            yield made, {}
    else:
        with LogsQueryClient(Credential(), endpoint=service.http) as made:  # type: ignore[arg-type]
            yield made, {"enforce_https": False}


def test_a_query_gives_typed_rows(client: Any) -> None:
    client, options = client
    result = client.query_workspace(
        W,
        "ApiManagementGatewayLogs | where CorrelationId == 'c1' | project TimeGenerated, ResponseCode, "
        "IsRequestSuccess, TotalTime, RequestHeaders, x = todecimal(TotalTime), y = 1.5, z = 90s",
        timespan=timedelta(hours=1),
        **options,
    )
    assert isinstance(result, LogsQueryResult)
    (table,) = result.tables
    assert table.name == "PrimaryResult"
    assert list(zip(table.columns, table.columns_types, strict=True)) == [
        ("TimeGenerated", "datetime"),
        ("ResponseCode", "int"),
        ("IsRequestSuccess", "bool"),
        ("TotalTime", "long"),
        ("RequestHeaders", "dynamic"),
        ("x", "decimal"),
        ("y", "real"),
        ("z", "timespan"),
    ]
    row = table.rows[0]
    assert row["TimeGenerated"] == NOW - timedelta(minutes=10)
    assert list(row)[1:4] == [200, True, 101]
    assert row["RequestHeaders"] == '{"a":"b"}'
    assert (str(row["x"]), row["y"], row["z"]) == ("101", 1.5, "00:01:30")


def test_the_token_query_of_the_lab(client: Any) -> None:
    client, options = client
    result = client.query_workspace(W, TOKENS, timespan=None, **options)
    (table,) = result.tables
    assert list(zip(table.columns, table.columns_types, strict=True)) == [
        ("ip", "string"),
        ("model", "string"),
        ("sum_prompttokens", "decimal"),
        ("sum_completiontokens", "decimal"),
        ("sum_totaltokens", "decimal"),
        ("avg_totaltokens", "decimal"),
    ]
    assert [list(map(str, r)) for r in table.rows] == [["10.0.0.1", "gpt-35-turbo", "15", "30", "45", "9"]]


def test_timespans_limit_the_rows(client: Any) -> None:
    client, options = client

    def count(timespan: Any) -> int:
        result = client.query_workspace(W, "ApiManagementGatewayLogs | count", timespan=timespan, **options)
        value: int = result.tables[0].rows[0][0]
        return value

    assert count(None) == 6
    assert count(timedelta(minutes=25)) == 3
    assert count((NOW - timedelta(minutes=35), NOW - timedelta(minutes=15))) == 2
    assert count((NOW - timedelta(minutes=35), timedelta(minutes=20))) == 2


def test_statistics_and_visualization_come_when_asked_for(client: Any) -> None:
    client, options = client
    result = client.query_workspace(
        W,
        "ApiManagementGatewayLogs | summarize count() by OperationId | render barchart",
        timespan=None,
        include_statistics=True,
        include_visualization=True,
        server_timeout=30,
        **options,
    )
    assert result.statistics["query"]["inputDatasetStatistics"]["rows"]["total"] == 6
    assert result.visualization["visualization"] == "barchart"


def test_a_table_without_files_is_empty_and_has_its_columns(client: Any) -> None:
    client, options = client
    result = client.query_workspace(EMPTY, "ApiManagementGatewayLogs | take 5", timespan=None, **options)
    assert result.tables[0].rows == []
    assert result.tables[0].columns[0] == "TimeGenerated"


def test_further_workspaces_are_asked_too(client: Any) -> None:
    client, options = client
    result = client.query_workspace(
        EMPTY, "ApiManagementGatewayLogs | count", timespan=None, additional_workspaces=["law"], **options
    )
    assert result.tables[0].rows[0][0] == 6


def test_a_row_committed_just_now_is_in_the_next_answer(client: Any, service: Service) -> None:
    client, options = client
    table = "FreshHttp_CL" if options else "FreshHttps_CL"
    for count in range(1, 4):
        write_rows(service.root, W, table, COLUMNS, [call(count, timedelta(0))])
        result = client.query_workspace(W, f"{table} | count", timespan=None, **options)
        assert result.tables[0].rows[0][0] == count


def test_a_resource_sees_its_own_rows(client: Any) -> None:
    client, options = client
    result = client.query_resource(SERVICE, "ApiManagementGatewayLogs | count", timespan=None, **options)
    assert result.tables[0].rows[0][0] == 5


def test_a_syntax_error_says_where_and_what_to_do(client: Any) -> None:
    client, options = client
    with pytest.raises(HttpResponseError) as caught:
        client.query_workspace(W, WITHOUT_PIPES, timespan=None, **options)
    error = caught.value
    assert error.status_code == 400
    assert error.error is not None
    assert error.error.code == "BadArgumentError"
    assert "pipe" in str(error)
    assert "line 2" in str(error)
    inner = error.error.innererror
    assert inner["code"] == "SyntaxError"
    assert inner["innererror"]["code"] == "SYN0002"
    assert (inner["innererror"]["line"], inner["innererror"]["token"]) == (2, "take")


def test_an_unknown_column_is_a_semantic_error_with_a_hint(client: Any) -> None:
    client, options = client
    with pytest.raises(HttpResponseError) as caught:
        client.query_workspace(
            W, "ApiManagementGatewayLogs | where ResponsCode == 200", timespan=None, **options
        )
    assert "ResponseCode" in str(caught.value)
    assert caught.value.error is not None
    assert caught.value.error.innererror["code"] == "SemanticError"


def test_an_unknown_workspace_is_404(client: Any) -> None:
    client, options = client
    with pytest.raises(HttpResponseError) as caught:
        client.query_workspace("nowhere", "T", timespan=None, **options)
    assert caught.value.status_code == 404


def test_a_wrong_token_is_an_authentication_error(service: Service) -> None:
    with (
        LogsQueryClient(Credential("other"), endpoint=service.https, connection_verify=service.ca) as client,  # type: ignore[arg-type]
        pytest.raises(HttpResponseError) as caught,
    ):
        client.query_workspace(W, "T", timespan=None)
    assert caught.value.status_code == 401


def test_a_batch_keeps_good_and_bad_queries_apart(client: Any) -> None:
    client, options = client
    results = client.query_batch(
        [
            LogsBatchQuery(W, "ApiManagementGatewayLogs | count", timespan=timedelta(minutes=25)),
            LogsBatchQuery(W, WITHOUT_PIPES, timespan=None),
            LogsBatchQuery(EMPTY, "ApiManagementGatewayLogs | count", timespan=None, include_statistics=True),
            LogsBatchQuery("nowhere", "ApiManagementGatewayLogs", timespan=None),
        ],
        **options,
    )
    assert [r.status for r in results] == [
        LogsQueryStatus.SUCCESS,
        LogsQueryStatus.FAILURE,
        LogsQueryStatus.SUCCESS,
        LogsQueryStatus.FAILURE,
    ]
    assert results[0].tables[0].rows[0][0] == 3
    assert isinstance(results[1], LogsQueryError)
    assert results[1].code == "BadArgumentError"
    assert results[2].tables[0].rows[0][0] == 0
    assert results[2].statistics is not None


# Half a million rows once: what they go over changes nothing.
@pytest.mark.slow
@pytest.mark.parametrize("client", ["http"], indirect=True)
def test_more_rows_than_the_limit_are_a_partial_result(client: Any) -> None:
    client, options = client
    result = client.query_workspace(W, "range x from 1 to 500001 step 1", timespan=None, **options)
    assert isinstance(result, LogsQueryPartialResult)
    assert len(result.partial_data[0].rows) == 500_000
    assert result.partial_error.code == "PartialError"
    assert "500,000" in result.partial_error.message


def test_the_audit_knows_each_query(client: Any, service: Service) -> None:
    client, options = client
    before = len(service.rows)
    client.query_workspace(W, "ApiManagementGatewayLogs | take 2", timespan=None, **options)
    (row,) = service.rows[before:]
    assert (row["AADEmail"], row["ResponseRowCount"], row["ResponseCode"]) == ("analyst", 2, 200)
    assert row["TablesRead"] == ["ApiManagementGatewayLogs"]
