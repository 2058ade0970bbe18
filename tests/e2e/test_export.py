"""Answers as files, over the query API and from the command line of a running system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from arro3.io import read_ipc_stream

from tests.support.system import System, call, eventually

QUERY = "range n from 1 to 1000 step 1 | extend t = datetime(2026-11-22) + n * 1s, s = strcat('r', n)"


def ask(lab: System, query: str, accept: str) -> tuple[int, dict[str, str], bytes]:
    url = f"{lab['control']}/v1/workspaces/{lab['workspace_id']}/query"
    headers = {"Authorization": f"Bearer {lab.admin_token}", "Accept": accept}
    reply = call("POST", url, body={"query": query}, headers=headers)
    return reply.status, reply.headers, reply.body


def test_the_api_gives_the_form_that_is_accepted(lab: System, tmp_path: Path) -> None:
    status, headers, body = ask(lab, QUERY, "application/vnd.apache.parquet")
    assert (status, headers["content-type"]) == (200, "application/vnd.apache.parquet")
    (tmp_path / "a.parquet").write_bytes(body)
    found = duckdb.sql(f"SELECT count(*), sum(n), max(s) FROM '{tmp_path / 'a.parquet'}'").fetchall()
    assert found == [(1000, 500_500, "r999")]
    (tmp_path / "a.arrows").write_bytes(ask(lab, QUERY, "application/vnd.apache.arrow.stream")[2])
    assert read_ipc_stream(str(tmp_path / "a.arrows")).read_all().num_rows == 1000
    status, headers, body = ask(lab, "print a = 'x,y', b = 1", "text/csv")
    assert (status, headers["content-type"], body) == (200, "text/csv; charset=utf-8", b'a,b\r\n"x,y",1\r\n')
    assert ask(lab, "print a = 1", "application/json, text/csv")[1]["content-type"] == "application/json"
    assert ask(lab, "print a = 1", "*/*")[1]["content-type"] == "application/json"


def test_mistakes_and_cut_rows_are_errors_and_no_files(lab: System) -> None:
    status, headers, body = ask(lab, "print |", "text/csv")
    assert (status, headers["content-type"]) == (400, "application/json")
    assert b"BadArgumentError" in body
    status, headers, body = ask(lab, "range x from 1 to 500001 step 1", "text/csv")
    assert (status, headers["content-type"]) == (400, "application/json")
    assert b"E_QUERY_RESULT_SET_TOO_LARGE" in body


def test_an_export_is_audited(lab: System) -> None:
    ask(lab, "print marker = 'an export of 1 row'", "text/csv")
    query = "LAQueryLogs | where QueryText has 'an export of 1 row' and QueryText startswith 'print'"
    (row,) = eventually("the audit row", lambda: lab.query(query))
    assert (row["ResponseRowCount"], row["AADEmail"], row["ResponseCode"]) == (1, "admin", 200)


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "out.csv", "out.json"])
def test_the_command_writes_files(lab: System, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    command = [sys.executable, "-m", "aforo", "query", QUERY, "--output", str(path), "--data", str(lab.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "1,000 rows" in done.stderr
    assert path.stat().st_size > 1000
    assert not list(tmp_path.glob("*.part"))


def test_the_command_draws_what_render_says(lab: System) -> None:
    query = "range n from 1 to 10 step 1 | extend t = datetime(2026-11-22) + n * 1h | project t, n | render timechart with (title='Hours')"
    command = [sys.executable, "-m", "aforo", "query", query, "--format", "chart", "--data", str(lab.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "Hours"
    assert "10 ┤" in done.stdout
