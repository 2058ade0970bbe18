"""A whole system that delivers its rows as a table to a bucket, whatever is killed and away meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import TableNotFoundError

from aforo.control.lab import lab_yaml
from tests.support.cutting_proxy import CuttingProxy
from tests.support.storage_servers import make_bucket, s3_server
from tests.support.system import System, call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
SECRET = "canary-of-the-bucket"
LAKE = """storageAccounts:
  lake: {{url: s3://lake/aforo, endpoint: "http://127.0.0.1:{port}", format: delta, accessKeyId: key, secretAccessKey: {secret}}}
services:
"""
SETTING = """    diagnosticSettings:
      to-lake:
        storageAccountId: lake
        logs: [{categoryGroup: allLogs}]
        metrics: [{category: AllMetrics}]
"""


def ask(system: System) -> None:
    body = {"messages": [{"role": "user", "content": "Hello!"}]}
    assert call("POST", system.gateway + CHAT, body=body, headers={"api-key": system.key}).status == 200


def delivered(port: int, category: str, table: str) -> list[dict[str, Any]]:
    options = {
        "aws_region": "us-east-1",
        "aws_access_key_id": "key",
        "aws_secret_access_key": SECRET,
        "aws_endpoint": f"http://127.0.0.1:{port}",
        "aws_allow_http": "true",
    }
    try:
        delta = DeltaTable(f"s3://lake/aforo/{category}/{table}", storage_options=options)
    except TableNotFoundError:
        return []
    found = QueryBuilder().register("t", delta).execute("select * from t").read_all()
    return list(found.to_struct_array().to_pylist())


def calls(port: int) -> list[str]:
    rows = delivered(port, "insights-logs-gatewaylogs", "ApiManagementGatewayLogs")
    return sorted(row["CorrelationId"] for row in rows)


def told(system: System) -> dict[str, Any]:
    command = [sys.executable, "-m", "aforo", "status", "--format", "json", "--data", str(system.data)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return next(d for d in json.loads(said.stdout)["deliveries"] if d["setting"].startswith("to-lake"))


def begin_anew(system: System) -> None:
    """A shipper that starts delivers at once what there is; otherwise a table is written to once a minute."""
    (pid,) = eventually("a shipper", lambda: system.pids("shipper"))
    os.kill(pid, signal.SIGKILL)
    eventually("another shipper", lambda: system.pids("shipper") not in ([], [pid]))


def test_a_table_in_a_bucket_has_each_call_once(tmp_path: Path) -> None:
    with s3_server() as port, CuttingProxy(port) as proxy:
        make_bucket(port, "lake")
        text = lab_yaml().replace("services:\n", LAKE.format(port=proxy.port, secret=SECRET), 1)
        text = text.replace("    loggers:\n", "    privateEgress: [127.0.0.0/8]\n    loggers:\n", 1)
        account, _, service = text.rpartition("    diagnosticSettings:\n")
        text = account + SETTING + service
        config = tmp_path / "aforo.yaml"
        config.write_text(text)
        with running_system(tmp_path, config=config) as system:
            for _ in range(3):
                ask(system)
            begin_anew(system)
            eventually("three calls", lambda: len(calls(port)) == 3, within_s=20)
            assert told(system)["kind"] == "delta"
            proxy.refusing = True
            proxy.cut()
            for _ in range(2):
                ask(system)
            begin_anew(system)
            away = eventually(
                "it is said that the bucket is away",
                lambda: t if (t := told(system))["error"] else None,
                within_s=20,
            )
            assert away["failingForSeconds"] is not None
            proxy.refusing = False
            eventually("all of them", lambda: len(calls(port)) == 5, within_s=20)
            eventually("nothing waits", lambda: not told(system)["error"] and told(system)["records"] >= 5)
            ask(system)
            assert system.stop() == 0
            assert len(calls(port)) == len(set(calls(port))) == 6
            llm = delivered(port, "insights-logs-gatewayllmlogs", "ApiManagementGatewayLlmLog")
            assert {row["CorrelationId"] for row in llm} == set(calls(port))
            written = [p for p in system.data.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
            assert written == []
            assert SECRET not in system.logs()
