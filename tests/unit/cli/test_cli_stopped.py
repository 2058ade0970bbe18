"""`aforo query` without a running system: what lies in the spool is shipped first, then the files answer."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from aforo.cli import query
from aforo.cli.exits import Exit, Failure
from aforo.settings import Layout
from aforo.spool.records import RowsRecord
from aforo.spool.writer import SpoolWriter

WORKSPACE = str(uuid.UUID(int=7))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A system that was killed: two rows are in its spool, and no table has been written."""
    rows = [
        {"TimeGenerated": time.time_ns(), "MetricName": name, "Total": value, "Count": 1.0}
        for name, value in (("Calls", 3.0), ("Tokens", 41.0))
    ]
    writer = SpoolWriter(Layout(tmp_path).spool / "account", sync_interval_s=0)
    writer.append_rows(RowsRecord([WORKSPACE], "AzureMetrics", rows))
    writer.close()
    return tmp_path


def test_the_files_answer_with_what_was_only_in_the_spool(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        query.query("AzureMetrics | project MetricName, Total | order by MetricName asc", "PT1H", "csv", data)
        assert capsys.readouterr().out == "MetricName,Total\nCalls,3.0\nTokens,41.0\n"


def test_a_mistake_is_shown_with_its_place(data: Path) -> None:
    with pytest.raises(Failure) as caught:
        query.query("AzureMetrics | project MetricNam", None, "table", data)
    assert caught.value.code == Exit.DIAGNOSTICS
    assert "MetricNam" in caught.value.message
    assert "^^^^^^^^^" in caught.value.message


def test_a_wrong_timespan_is_a_usage_error(data: Path) -> None:
    with pytest.raises(Failure) as caught:
        query.query("AzureMetrics", "an hour", "table", data)
    assert caught.value.code == Exit.USAGE


def test_json_is_the_answer_of_the_query_api(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query.query("AzureMetrics | count", None, "json", data)
    said = json.loads(capsys.readouterr().out)
    assert said["tables"][0]["rows"] == [[2]]
