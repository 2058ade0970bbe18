"""Metrics of policies: summed up, bounded, and found again by a query."""

from __future__ import annotations

import ast
import time
import uuid
from pathlib import Path

import msgspec
import pytest

from aforo.cli import query
from aforo.errors import Unavailable
from aforo.gateway import metrics as metrics_module
from aforo.gateway.metrics import SpooledMetrics
from aforo.settings import Layout
from aforo.snapshot.snapshot import Bundle
from aforo.spool.records import RowsRecord
from aforo.spool.writer import SpoolWriter
from tests.support.snapshots import DEPLOYMENT

WORKSPACE = str(uuid.UUID(int=7))
SERVICE = "/subscriptions/Sub/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim"
BUNDLE = Bundle(1, DEPLOYMENT, SERVICE, {"AllMetrics": [WORKSPACE]}, (), (), (), (), (), (), (), None)


class Sink:
    def __init__(self) -> None:
        self.records: list[RowsRecord] = []
        self.broken = False

    def append_rows(self, record: RowsRecord) -> int:
        if self.broken:
            raise Unavailable("the disk is full")
        self.records.append(record)
        return len(self.records)

    @property
    def rows(self) -> list[tuple[object, ...]]:
        names = ("Name", "Sum", "ItemCount", "Min", "Max")
        return [tuple(row[n] for n in names) for record in self.records for row in record.rows]


def metrics_on(sink: Sink, bundle: Bundle = BUNDLE) -> SpooledMetrics:
    made = SpooledMetrics(sink, lambda: 5)
    made.follow(bundle)
    return made


def test_a_query_finds_what_policies_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with SpoolWriter(Layout(tmp_path).spool / "gateway-0", sync_interval_s=0) as spool:
        metrics = SpooledMetrics(spool, time.time_ns)
        metrics.follow(BUNDLE)
        for team, tokens in (("red", 40.0), ("red", 2.0), ("blue", 8.5)):
            metrics.emit("AzureOpenAI", "Total Tokens", tokens, {"Subscription ID": team})
        metrics.emit("mine", "Requests", 1.0, {})
        metrics.flush()
    query.query("AppMetrics | summarize sum(Sum) by Name | order by Name asc", "PT1H", "csv", tmp_path)
    assert capsys.readouterr().out == "Name,sum_Sum\nRequests,1.0\nTotal Tokens,50.5\n"
    text = (
        "AppMetrics | where Name == 'Total Tokens' | extend Team = tostring(Properties['Subscription ID'])"
        " | project Team, Sum, Min, Max, ItemCount, Namespace, Service = tostring(Properties['Service Name']),"
        " AppRoleName, _ResourceId | order by Team asc"
    )
    query.query(text, "PT1H", "csv", tmp_path)
    lines = capsys.readouterr().out.splitlines()[1:]
    tail = f"AzureOpenAI,{DEPLOYMENT.service_name},{DEPLOYMENT.service_name} {DEPLOYMENT.region},{SERVICE.lower()}"
    assert lines == [f"blue,8.5,8.5,8.5,1,{tail}", f"red,42.0,2.0,40.0,2,{tail}"]


def test_without_a_setting_for_metrics_nothing_is_kept() -> None:
    sink = Sink()
    metrics = metrics_on(sink, msgspec.structs.replace(BUNDLE, workspaces={"GatewayLogs": [WORKSPACE]}))
    metrics.emit("n", "a", 1.0, {})
    metrics.flush()
    assert sink.rows == []


def test_what_was_measured_under_a_configuration_goes_where_that_one_said() -> None:
    sink = Sink()
    metrics = metrics_on(sink)
    metrics.emit("n", "a", 1.0, {})
    metrics.follow(msgspec.structs.replace(BUNDLE, workspaces={"AllMetrics": ["other"]}))
    metrics.emit("n", "a", -2.0, {})
    metrics.flush()
    metrics.flush()
    assert [r.workspaces for r in sink.records] == [[WORKSPACE], ["other"]]
    assert sink.rows == [("a", 1.0, 1, 1.0, 1.0), ("a", -2.0, 1, -2.0, -2.0)]


def test_very_many_dimensions_stay_within_bounds_and_are_all_written() -> None:
    sink = Sink()
    metrics = metrics_on(sink)
    total = 3 * metrics_module.MOST_SERIES + 7
    for number in range(total):
        metrics.emit("n", "a", 1.0, {"caller": str(number)})
        assert len(metrics._series) <= metrics_module.MOST_SERIES
    metrics.flush()
    assert len(sink.rows) == total
    assert {row["TimeGenerated"] for record in sink.records for row in record.rows} == {5}


def test_a_spool_that_takes_nothing_fails_no_call() -> None:
    sink = Sink()
    metrics = metrics_on(sink)
    sink.broken = True
    metrics.emit("n", "a", 1.0, {})
    metrics.flush()
    assert metrics.dropped == 1
    sink.broken = False
    metrics.emit("n", "a", 1.0, {})
    metrics.flush()
    assert len(sink.rows) == 1


def test_what_gateways_measure_themselves_is_documented() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "costs.md").read_text()
    names = set()
    for file in (root / "src" / "aforo" / "gateway").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                words = node.args
            elif isinstance(node, ast.Tuple):
                words = node.elts
            else:
                continue
            if len(words) > 1 and isinstance(words[0], ast.Name) and words[0].id == "NAMESPACE":
                names.add(ast.literal_eval(words[1]))
    assert len(names) == 6
    assert {name for name in names if f"\n| `{name}` | " not in page} == set()
