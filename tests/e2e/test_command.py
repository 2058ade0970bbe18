"""The command line against a running system, and what it says when there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.system import System


def aforo(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a pipe, as a script calls it."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-m", "aforo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env=environment,
    )


def test_chat_prints_the_answer_and_nothing_else(lab: System) -> None:
    done = aforo("chat", "Hello!", "--system", "You are an AI professor.", "--data", str(lab.data))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr == ""


def test_chat_with_an_unknown_deployment_says_so(lab: System) -> None:
    done = aforo("chat", "Hello!", "--deployment", "gpt-99", "--data", str(lab.data))
    assert done.returncode == 1
    assert "404" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_as_json(lab: System) -> None:
    done = aforo("status", "--format", "json", "--data", str(lab.data))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ready"] is True
    assert {entry["name"] for entry in said["listeners"]} == {
        "gateway",
        "gateway_tls",
        "control",
        "control_tls",
        "account",
    }


def test_a_second_system_on_the_same_data_is_refused(lab: System) -> None:
    done = aforo("up", "--data", str(lab.data), "--gateway-port", "0", "--control-port", "0")
    assert done.returncode != 0
    assert str(lab.data) in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_exported_can_be_applied_and_changes_nothing(lab: System, tmp_path: Path) -> None:
    out = aforo("export", str(tmp_path / "state"), "--data", str(lab.data))
    assert out.returncode == 0, out.stderr
    text = "".join(p.read_text() for p in (tmp_path / "state").rglob("*") if p.is_file())
    assert lab.key not in text
    again = aforo("apply", str(tmp_path / "state"), "--dry-run", "--format", "json", "--data", str(lab.data))
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(again.stdout)["changes"] == []
