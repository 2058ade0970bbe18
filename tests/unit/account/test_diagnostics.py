"""Rows and metrics: Azure's columns and ticks, one metric row per minute, nothing lost silently."""

import asyncio
import json
import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aforo.account.diagnostics import MINUTE_NS, Diagnostics, Spent
from aforo.account.facts import FactsFile
from aforo.errors import Unavailable
from aforo.model.account_facts import load, save
from aforo.tables.account_rows import AccountCall, audit_row, masked_ip, request_response_row, ticks
from aforo.tables.azure_diagnostics import AZURE_DIAGNOSTICS
from aforo.tables.azure_metrics import AZURE_METRICS
from tests.support.accounts import ACCOUNT_ID, KEY, WORKSPACE, Account, RememberedRows, lab_facts
from tests.support.asgi import call

START = 1_716_553_382_435_000_000


def made(**changes: Any) -> AccountCall:
    values: dict[str, Any] = {
        "operation": "ChatCompletions_Create",
        "api_version": "2024-10-21",
        "correlation_id": "c",
        "caller_ip": "10.0.0.7",
        "object_id": "",
        "status": 200,
        "started_ns": START,
        "ended_ns": START + 1_021_000_000,
        "request_bytes": 128,
        "response_bytes": 1411,
        "streaming": False,
        "deployment": "d",
        "model": "gpt-35-turbo",
        "model_version": "0301",
    }
    return AccountCall(**{**values, **changes})


def test_ticks_are_dotnets() -> None:
    assert ticks(0) == 621_355_968_000_000_000
    # 2024-05-24T12:23:02.435Z by another way: days since the first day of year 1.
    days = date(2024, 5, 24).toordinal() - 1
    seconds = 12 * 3600 + 23 * 60 + 2
    assert ticks(START) == (days * 86_400 + seconds) * 10_000_000 + 4_350_000


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("81.2.69.144", "81.2.69.***"),
        ("::ffff:81.2.69.144", "81.2.69.***"),
        ("2001:db8::7", "2001:db8::***"),
        ("::1", "::***"),
        ("somebody", ""),
        ("", ""),
    ],
)
def test_callers_are_masked(address: str, masked: str) -> None:
    assert masked_ip(address) == masked


def test_columns_are_the_tables() -> None:
    names = set(AZURE_DIAGNOSTICS.names)
    row = request_response_row(ACCOUNT_ID, "eastus", made())
    audit = audit_row(
        ACCOUNT_ID, "eastus", operation="ListKey", object_id="o", at_ns=START, correlation_id="c"
    )
    assert set(row) <= names
    assert set(audit) <= names
    assert (row["DurationMs"], row["ResourceGroup"], row["ResultSignature"]) == (
        1021,
        "RG-ACTIVATEGENAI",
        "200",
    )
    assert json.loads(audit["properties_s"]) == {"objectId": "o"}
    assert (audit["Category"], audit["OperationName"]) == ("Audit", "ListKey")


def test_one_metric_row_per_minute() -> None:
    now = [10 * MINUTE_NS + 5]
    sink = RememberedRows()
    log = Diagnostics(sink, lambda: now[0])
    facts = lab_facts()
    log.call(facts, made(), Spent(10, 5, 2_000_000, 6_000_000))
    log.call(facts, made(status=500, ended_ns=START + 2_000_000), Spent())
    log.call(facts, made(status=404, deployment=""), Spent())
    assert sink.rows("AzureMetrics") == []
    now[0] = 11 * MINUTE_NS
    log.tick(facts)
    rows = {row["MetricName"]: row for row in sink.rows("AzureMetrics")}
    assert all(set(row) <= set(AZURE_METRICS.names) for row in rows.values())
    assert {row["TimeGenerated"] for row in rows.values()} == {10 * MINUTE_NS}
    assert {row["TimeGrain"] for row in rows.values()} == {"PT1M"}
    totals = {name: row["Total"] for name, row in rows.items()}
    assert totals["AzureOpenAIRequests"] == 2
    assert totals["TotalCalls"] == 3
    assert (totals["SuccessfulCalls"], totals["TotalErrors"]) == (1, 2)
    assert (totals["ServerErrors"], totals["ClientErrors"]) == (1, 1)
    assert (totals["ProcessedPromptTokens"], totals["GeneratedTokens"], totals["TokenTransaction"]) == (
        10,
        5,
        15,
    )
    assert totals["AzureOpenAITimeToResponse"] == 2.0
    assert rows["AzureOpenAITokenPerSecond"]["Average"] == pytest.approx(1000.0)
    latency = rows["Latency"]
    assert (latency["Count"], latency["Minimum"], latency["Maximum"]) == (3, 2.0, 1021.0)
    assert latency["Average"] == pytest.approx(latency["Total"] / 3)
    assert latency["UnitName"] == "MilliSeconds"
    log.tick(facts)
    log.flush(facts)
    assert len(sink.rows("AzureMetrics")) == len(rows)


def test_categories_are_separate() -> None:
    sink = RememberedRows()
    log = Diagnostics(sink, lambda: MINUTE_NS)
    facts = lab_facts(workspaces={"AllMetrics": [WORKSPACE]})
    log.call(facts, made(), Spent())
    log.flush(facts)
    assert {record.table for record in sink.records} == {"AzureMetrics"}


def test_a_full_spool_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    class Full:
        def append_rows(self, record: Any) -> int:
            raise Unavailable("the disk is full")

    log = Diagnostics(Full(), lambda: MINUTE_NS)
    with caplog.at_level(logging.ERROR):
        log.call(lab_facts(), made(), Spent())
    assert log.dropped == 1
    assert "the disk is full" in caplog.text


def test_facts_travel_through_their_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "account.json"
    source = FactsFile(path)
    assert source.current() is None
    facts = lab_facts()
    save(facts, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(path) == facts
    assert source.current() == facts
    assert source.current() is source.current()
    save(lab_facts(version=2, key_hashes=()), path)
    again = source.current()
    assert again is not None
    assert again.version == 2
    path.write_bytes(b'{"version": 3}')
    assert source.current() is again
    assert "last good ones" in caplog.text
    path.unlink()
    assert source.current() is again


def test_the_last_minute_is_written_when_the_account_stops() -> None:
    async def story() -> None:
        account = Account()
        said: list[str] = []
        stop = asyncio.Event()
        inbox = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> dict[str, Any]:
            kind = next(inbox)
            if kind == "lifespan.shutdown":
                await stop.wait()
            return {"type": kind}

        async def send(message: dict[str, Any]) -> None:
            said.append(message["type"])

        living = asyncio.ensure_future(account.app({"type": "lifespan", "state": {}}, receive, send))
        await asyncio.sleep(0)
        target = "/openai/v1/models"
        assert (await call(account.app, "GET", target, headers={"api-key": KEY})).status == 200
        assert account.rows.rows("AzureMetrics") == []
        stop.set()
        await living
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        totals = {row["MetricName"]: row["Total"] for row in account.rows.rows("AzureMetrics")}
        assert totals["TotalCalls"] == 1

    asyncio.run(story())
