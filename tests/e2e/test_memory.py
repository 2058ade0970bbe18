"""A gateway's memory: bodies are not kept when their calls are over."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.system import call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
BODY_BYTES = 1_000_000
CALLS = 96


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_bodies_are_given_back(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        (pid,) = system.pids("gateway")

        def resident_mb() -> float:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

        def one(_number: int) -> int:
            body = {"messages": [{"role": "user", "content": "x" * BODY_BYTES}]}
            reply = call("POST", system.gateway + CHAT, body=body, headers={"api-key": system.key})
            return reply.status

        before_mb = resident_mb()
        assert before_mb < 60
        with ThreadPoolExecutor(4) as clients:
            assert len(list(clients.map(one, range(CALLS)))) == CALLS
        # Some buffers stay as large as their largest content: a few bodies, not all of them.
        eventually("memory given back", lambda: resident_mb() < before_mb + 30, within_s=10)
