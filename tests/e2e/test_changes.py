"""Changing a running system: a new file is in force at once, a wrong one changes nothing, a restart keeps all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.system import System, call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
BODY = {"messages": [{"role": "user", "content": "Hello!"}]}


def aforo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aforo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
    )


def chat(system: System) -> int:
    return call("POST", system.gateway + CHAT, body=BODY, headers={"api-key": system.key}).status


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The lab as `aforo init` writes it."""
    path = tmp_path / "aforo.yaml"
    assert aforo("init", str(path)).returncode == 0
    return path


def test_an_applied_change_is_in_force_and_a_wrong_one_changes_nothing(tmp_path: Path, file: Path) -> None:
    with running_system(tmp_path, workers=2) as system:
        assert chat(system) == 200
        text = file.read_text()
        teapot = '<inbound>\n              <return-response><set-status code="418" reason="Teapot" /></return-response>'
        file.write_text(text.replace("<inbound>", teapot, 1))
        dry = aforo("apply", str(file), "--dry-run", "--data", str(system.data))
        assert dry.returncode == 0, dry.stdout + dry.stderr
        assert "would be made" in dry.stdout
        assert chat(system) == 200

        done = aforo("apply", str(file), "--data", str(system.data))
        assert done.returncode == 0, done.stdout + done.stderr
        assert chat(system) == 418

        file.write_text(text.replace("<inbound>", "<inbound>\n              <set-heaer name='x' />", 1))
        wrong = aforo("apply", str(file), "--data", str(system.data))
        assert wrong.returncode == 4, wrong.stdout + wrong.stderr
        number = next(n for n, line in enumerate(file.read_text().splitlines(), 1) if "set-heaer" in line)
        assert f"aforo.yaml:{number}:" in wrong.stdout
        assert "set-header" in wrong.stdout
        assert chat(system) == 418

        file.write_text("services: [")
        broken = aforo("apply", str(file), "--data", str(system.data))
        assert broken.returncode == 4
        assert "aforo.yaml:1:" in broken.stdout
        assert "Traceback" not in broken.stdout + broken.stderr
        assert chat(system) == 418


def test_an_answered_change_is_in_force_on_every_gateway(tmp_path: Path) -> None:
    """Each answer to a change is followed at once by calls, on connections of their own, to all gateways."""
    with running_system(tmp_path, workers=2) as system:
        base = (
            f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"
            f"/providers/Microsoft.ApiManagement/service/{system['service']}"
        )
        path = f"{base}/policies/policy?api-version=2024-05-01"
        took_s: list[float] = []
        for status in range(410, 418):
            policy = (
                f'<policies><inbound><return-response><set-status code="{status}" /></return-response></inbound>'
                "<backend><forward-request /></backend><outbound /><on-error /></policies>"
            )
            started = time.monotonic()
            made = system.admin("PUT", path, {"properties": {"format": "rawxml", "value": policy}})
            took_s.append(time.monotonic() - started)
            assert made.status in (200, 201), made.body
            assert {chat(system) for _ in range(12)} == {status}
        # It waits for gateways, not for its patience (2 s) to end.
        assert sorted(took_s)[len(took_s) // 2] < 1.0, took_s


def test_a_restart_keeps_keys_state_and_rows(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        key, workspace = system.key, system["workspace_id"]
        assert chat(system) == 200
        count = "ApiManagementGatewayLogs | where ResponseCode == 200 | count"
        eventually("the row", lambda: system.query(count)[0]["Count"] == 1)
        assert system.stop() == 0

        stopped = aforo("query", count, "--format", "json", "--data", str(system.data))
        assert stopped.returncode == 0, stopped.stderr
        assert json.loads(stopped.stdout)["tables"][0]["rows"] == [[1]]
        assert aforo("status", "--data", str(system.data)).returncode == 3

        system.start()
        assert (system.key, system["workspace_id"]) == (key, workspace)
        assert chat(system) == 200
        eventually("the second row", lambda: system.query(count)[0]["Count"] == 2)


def test_the_gateway_serves_and_records_without_the_control_plane(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        assert chat(system) == 200
        before = system.pids("control")
        system.kill("control")
        assert [chat(system) for _ in range(20)] == [200] * 20
        eventually("a new control plane", lambda: set(system.pids("control")) - set(before), within_s=30)
        count = "ApiManagementGatewayLogs | where ResponseCode == 200 | count"

        def counted() -> bool:
            try:
                return bool(system.query(count)[0]["Count"] == 21)
            except OSError:
                return False

        eventually("all rows", counted, within_s=30)


def test_everything_of_a_system_is_private_to_its_user(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        assert chat(system) == 200
        open_to_others = [
            str(p.relative_to(system.data))
            for p in (system.data, *system.data.rglob("*"))
            if not p.is_symlink() and p.stat().st_mode & 0o077
        ]
        # The certificate of the CA and the list of endpoints hold no secret, and other users' clients need them.
        assert [name for name in open_to_others if name not in ("endpoints.json", "ca.pem")] == []
