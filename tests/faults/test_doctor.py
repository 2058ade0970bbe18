"""`aforo doctor` in a running system: it adds up under load, and says what is wrong when something is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.certificates import certificate
from tests.support.counting_client import CountingClient
from tests.support.fault_lab import lab_file
from tests.support.system import System, eventually, running_system


def doctor(data: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "aforo", "doctor", "--data", str(data), "--format", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def wrong(said: dict[str, Any]) -> list[tuple[str, str]]:
    return [(f["check"], f["subject"]) for f in said["findings"] if f["state"] == "wrong"]


def test_a_healthy_system_adds_up_while_it_runs(tmp_path: Path) -> None:
    with running_system(tmp_path, workers=2) as system, CountingClient(system) as clients:
        clients.wait_for(50)
        accepted = 0
        for _ in range(3):
            code, said = doctor(system.data)
            assert (code, wrong(said), said["healthy"]) == (0, [], True), said
            spools = [f["facts"] for f in said["findings"] if f["check"] == "spool"]
            assert all(s["accepted"] == s["stored"] + s["pending"] for s in spools)
            total = sum(s["accepted"] for s in spools)
            assert total > accepted
            accepted = total
            clients.wait_for(20)
        looked = {(f["check"], f["subject"]) for f in said["findings"]}
        assert {
            ("process", "gateway-0"),
            ("process", "gateway-1"),
            ("certificate", "gateway_tls"),
            ("certificate", "authority"),
            ("backend", "named value openai-endpoint"),
            ("clock", ""),
        } <= looked


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "ended", ip="127.0.0.1", days=-1)
    config = lab_file(tmp_path, backend="127.0.0.1:9")
    with running_system(tmp_path, config=config, certificate=chain, certificate_key=key) as system:
        code, said = doctor(system.data)
        assert code == 1
        assert wrong(said) == [
            ("certificate", "gateway_tls"),
            ("certificate", "control_tls"),
            ("backend", "named value openai-endpoint"),
        ]
        _a_gateway_that_stands_still(system)
    code, said = doctor(tmp_path / "data")
    assert code == 1
    assert ("system", str(tmp_path / "data")) in wrong(said)


def _a_gateway_that_stands_still(system: System) -> None:
    (pid,) = system.pids("gateway")
    os.kill(pid, signal.SIGSTOP)
    try:
        path = (
            f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
            f"/providers/Microsoft.ApiManagement/service/{system['service']}/groups/g?api-version=2024-05-01"
        )
        assert system.admin("PUT", path, {"properties": {"displayName": "G"}}).status in (200, 201)
        _, said = doctor(system.data)
        assert {("process", "gateway-0"), ("listener", "gateway")} <= set(wrong(said))
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually("the revision", lambda: ("process", "gateway-0") not in wrong(doctor(system.data)[1]))
