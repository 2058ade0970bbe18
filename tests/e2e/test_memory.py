"""Large bodies: not kept when their calls are over, and recorded however many come at once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.system import System, call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"


def chats(system: System, body_bytes: int, calls: int, clients: int) -> list[int]:
    """The statuses of that many calls with a prompt of that size, by so many clients at once."""
    body = {"messages": [{"role": "user", "content": "x" * body_bytes}]}

    def one(_number: int) -> int:
        return call("POST", system.gateway + CHAT, body=body, headers={"api-key": system.key}).status

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(calls)))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_bodies_are_given_back(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        (pid,) = system.pids("gateway")

        def resident_mb() -> float:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

        before_mb = resident_mb()
        assert before_mb < 60
        assert chats(system, 1_000_000, 96, 4) == [200] * 96
        eventually("memory given back", lambda: resident_mb() < before_mb + 30, within_s=10)


def test_many_large_bodies_at_once_are_recorded_and_none_is_refused(tmp_path: Path) -> None:
    """Their records fill more than one segment of the spool between two looks after it."""
    with running_system(tmp_path) as system:
        assert chats(system, 4_000_000, 32, 8) == [200] * 32
        kql = "ApiManagementGatewayLogs | where ResponseCode == 200 and RequestSize > 4000000 | count"
        eventually("all rows", lambda: system.query(kql)[0]["Count"] == 32, within_s=30)
