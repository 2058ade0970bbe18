"""What docs/logs.md tells people to run, run as it stands there against a running system, and its numbers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aforo.logs.asking import DEFAULT_WAIT_S, LARGEST_BODY_BYTES, LONGEST_WAIT_S, MOST_IN_BATCH
from aforo.logs.formats import LARGEST_BYTES
from aforo.logs.question import BYTE_LIMIT, ROW_LIMIT
from tests.support.system import System, call, eventually

PAGE = (Path(__file__).parents[2] / "docs" / "logs.md").read_text()
BLOCKS = re.findall(r"^## (.+?)\n|^```(sh|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str, str]]:
    """(heading, language, text) of each block that is to be run."""
    out, heading = [], ""
    for title, language, text in BLOCKS:
        heading = title or heading
        if language:
            out.append((heading, language, text))
    return out


@pytest.mark.parametrize(
    ("heading", "language", "text"), blocks(), ids=lambda value: value.split("\n")[0][:24]
)
def test_the_page_says_what_works(
    lab: System, tmp_path: Path, heading: str, language: str, text: str
) -> None:
    if "curl" in text and shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    if "ApiManagementGatewayLogs" in text:
        _a_call_is_there(lab)
    environment = {
        **os.environ,
        "CONTROL": lab["control"],
        "TOKEN": lab.admin_token,
        "WORKSPACE": lab["workspace_id"],
        "DATABASE": "law-activategenai",
        "AFORO_DATA": str(lab.data),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [sys.executable, "-c", text] if language == "python" else ["sh", "-ec", text]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{heading}\n{done.stderr}"
    assert done.stdout, heading


def _a_call_is_there(lab: System) -> None:
    if not lab.query("ApiManagementGatewayLogs | take 1"):
        url = f"{lab.gateway}/openai/deployments/gpt-35-turbo/chat/completions?api-version=2024-10-21"
        body = {"messages": [{"role": "user", "content": "Hello!"}]}
        assert call("POST", url, body=body, headers={"api-key": lab.key}).status == 200
        eventually("the call", lambda: lab.query("ApiManagementGatewayLogs | take 1"))


def test_the_limits_are_those_of_the_code() -> None:
    for told in (
        f"| rows of an answer | {ROW_LIMIT:,} |",
        f"| bytes of an answer | {BYTE_LIMIT:,} |",
        f"| time of a query | {DEFAULT_WAIT_S:.0f} s,",
        f"at most {LONGEST_WAIT_S:.0f} s |",
        f"| queries in a batch | {MOST_IN_BATCH} |",
        f"| body of a query | {LARGEST_BODY_BYTES >> 20} MiB |",
        f"| body of an ingestion request | {LARGEST_BYTES >> 20} MiB",
    ):
        assert told in PAGE
