"""The unmodified azure-monitor-query against a running system: timeouts, partial answers, several workspaces, resources."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsBatchQuery, LogsQueryClient, LogsQueryPartialResult, LogsQueryStatus

from tests.support.log_clients import Token, group, put, service
from tests.support.system import System

MONSTER = "range x from 1 to 100000000 step 1 | summarize dcount(hash_sha256(tostring(x))) by z = x % 3000001 | count"


@pytest.fixture(params=["http", "https"])
def client(request: pytest.FixtureRequest, lab: System) -> Iterator[Any]:
    token = Token(lab.admin_token)
    if request.param == "https":
        with LogsQueryClient(token, endpoint=lab["control_tls"], connection_verify=lab.ca) as made:  # type: ignore[arg-type]
            yield made, {}
    else:
        with LogsQueryClient(token, endpoint=lab["control"]) as made:  # type: ignore[arg-type]
            yield made, {"enforce_https": False}


def test_a_server_timeout_ends_the_query_and_not_the_system(lab: System, client: Any) -> None:
    client, options = client
    with pytest.raises(HttpResponseError) as caught:
        client.query_workspace(
            lab["workspace_id"], MONSTER, timespan=None, server_timeout=1, retry_total=0, **options
        )
    assert caught.value.status_code == 504
    assert "within 1 s" in str(caught.value)
    answer = client.query_workspace(lab["workspace_id"], "print x = 1", timespan=None, **options)
    assert answer.tables[0].rows[0]["x"] == 1


def test_statistics_and_visualization(lab: System, client: Any) -> None:
    client, options = client
    answer = client.query_workspace(
        lab["workspace_id"],
        "LAQueryLogs | summarize n = count() by bin(TimeGenerated, 1m) | render timechart with (title='Queries', ytitle='n')",
        timespan=timedelta(days=1),
        include_statistics=True,
        include_visualization=True,
        **options,
    )
    assert answer.status is LogsQueryStatus.SUCCESS
    assert answer.visualization["visualization"] == "timechart"
    assert answer.visualization["title"] == "Queries"
    assert answer.statistics["query"]["executionTime"] >= 0


def test_rows_beyond_the_size_of_an_answer_are_a_partial_result(lab: System, client: Any) -> None:
    client, options = client
    answer = client.query_workspace(
        lab["workspace_id"],
        "range x from 1 to 7000 step 1 | extend text = strrep('0123456789', 1024)",
        timespan=None,
        **options,
    )
    assert isinstance(answer, LogsQueryPartialResult)
    assert answer.partial_error.code == "PartialError"
    assert 0 < len(answer.partial_data[0].rows) < 7000


def test_a_batch_over_several_workspaces(lab: System, client: Any) -> None:
    client, options = client
    path = f"{group(lab)}/providers/Microsoft.OperationalInsights/workspaces/law-second"
    second = put(lab, path, {"sku": {"name": "PerGB2018"}}, location="local")["properties"]["customerId"]
    results = client.query_batch(
        [
            LogsBatchQuery(second, "LAQueryLogs | count", timespan=None),
            LogsBatchQuery(
                second, "LAQueryLogs | count", timespan=None, additional_workspaces=["law-activategenai"]
            ),
            LogsBatchQuery(second, "print x |", timespan=None, server_timeout=5),
        ],
        **options,
    )
    assert [r.status for r in results] == [
        LogsQueryStatus.SUCCESS,
        LogsQueryStatus.SUCCESS,
        LogsQueryStatus.FAILURE,
    ]
    assert results[1].tables[0].rows[0][0] > results[0].tables[0].rows[0][0]


def test_a_resource_is_asked_by_its_id(lab: System, client: Any) -> None:
    client, options = client
    answer = client.query_resource(
        service(lab), "ApiManagementGatewayLogs | distinct _ResourceId", timespan=None, **options
    )
    assert all(row[0] == service(lab).lower() for row in answer.tables[0].rows)
