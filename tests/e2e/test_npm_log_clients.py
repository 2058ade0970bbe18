"""Azure's clients for Node against a running system: @azure/monitor-query-logs (https) and azure-kusto-data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.log_clients import custom_table, service
from tests.support.system import System, eventually

MODULES = Path(__file__).resolve().parents[2] / ".tools" / "npm"
SCRIPTS = Path(__file__).parent / "npm"
DB = "law-activategenai"


def node(script: str, **environment: str) -> dict[str, Any]:
    """What a script printed; it runs where the modules lie."""
    if shutil.which("node") is None or not (MODULES / "node_modules").is_dir():
        pytest.skip("node and the clients in .tools/npm are needed; `make test` makes them where npm is")
    done = subprocess.run(
        ["node", "--input-type=module", "-"],
        cwd=MODULES,
        input=(SCRIPTS / script).read_bytes(),
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[:1000]
    printed: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return printed


def test_the_logs_client_asks_workspaces_resources_and_batches(lab: System) -> None:
    got = node(
        "monitor.mjs",
        ENDPOINT=lab["control_tls"],
        TOKEN=lab.admin_token,
        WORKSPACE=lab["workspace_id"],
        SERVICE=service(lab).lstrip("/"),
        NODE_EXTRA_CA_CERTS=lab.ca,
    )
    assert got["status"] == "Success"
    assert [c["type"] for c in got["columns"]] == ["long", "string", "datetime", "dynamic", "bool"]
    assert got["row"][:2] == [1, "x"]
    assert got["row"][2].startswith("2026-11-22T00:00:00")
    assert got["row"][4] is True
    assert (got["statistics"], got["visualization"], got["resource"]) == (True, "table", 1)
    # The client calls every item of a batch that has an error a partial failure.
    assert got["batch"] == ["Success", "PartialFailure", "PartialFailure"]
    assert got["batchCode"] == "BadArgumentError"
    assert got["error"]["status"] == 400
    assert got["error"]["code"] == "BadArgumentError"
    assert "Nothing" in got["error"]["message"]


@pytest.mark.parametrize("secure", [False, True])
def test_the_kusto_client_asks_and_sends(lab: System, secure: bool) -> None:
    custom_table(lab, "Node_CL", {"name": "string", "n": "long"})
    got = node(
        "kusto.mjs",
        ENDPOINT=lab["control_tls" if secure else "control"],
        TOKEN=lab.admin_token,
        DATABASE=DB,
        TABLE="Node_CL",
        NODE_EXTRA_CA_CERTS=lab.ca,
    )
    assert got["columns"] == [
        ["a", "long"], ["b", "datetime"], ["c", "timespan"], ["d", "dynamic"], ["e", "bool"],
    ]  # fmt: skip
    assert (got["row"]["a"], got["row"]["e"]) == (42, True)
    assert (got["v1"], got["databases"]) == (1, DB)
    assert got["tables"] >= 9
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in got["cut"]
    assert got["error"]["status"] == 400
    assert "Semantic error" in got["error"]["text"]
    eventually("the row", lambda: lab.query("Node_CL | where name == 'node' and n == 7"))
