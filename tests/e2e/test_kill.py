"""kill -9 of the gateway under load: whatever a client had fully received has its row, exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.counting_client import CountingClient, every_finished_call_has_one_row
from tests.support.system import System, call, eventually, running_system

CLIENTS = 8
KILLS = 4


def _answers(system: System) -> bool:
    try:
        return call("GET", f"{system.gateway}/readyz", timeout_s=2.0).status == 200
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_no_finished_call_is_without_its_row(tmp_path: Path, workers: int) -> None:
    with running_system(tmp_path, workers=workers) as system:
        with CountingClient(system, clients=CLIENTS) as clients:
            for _ in range(KILLS):
                clients.wait_for(50)
                killed = system.pids("gateway")
                system.kill("gateway")
                eventually(
                    "a new gateway",
                    lambda killed=killed: set(system.pids("gateway")) - set(killed),  # type: ignore[misc]
                    within_s=30,
                )
                eventually("the new gateway answers", lambda: _answers(system), within_s=30)
        every_finished_call_has_one_row(system, clients.seen)


def test_nor_a_call_with_a_large_body(tmp_path: Path) -> None:
    """Their records are written in slices: a kill, or the end of the system, comes in the middle of some."""
    with running_system(tmp_path) as system:
        spool = tmp_path / "data" / "spool" / "gateway-0"
        with CountingClient(system, clients=8, large_bytes=3_000_000) as clients:
            for _ in range(3):
                clients.wait_for(50)
                eventually("a record that is being written", lambda: list(spool.glob("*.aside")), within_s=20)
                (killed,) = system.pids("gateway")
                system.kill("gateway")
                eventually(
                    "a new gateway",
                    lambda killed=killed: set(system.pids("gateway")) - {killed},  # type: ignore[misc]
                    within_s=30,
                )
                eventually("the new gateway answers", lambda: _answers(system), within_s=30)
            clients.wait_for(50)
            system.stop()
        system.start()
        every_finished_call_has_one_row(system, clients.seen)
        assert not list(spool.glob("*.aside"))
        assert not list(spool.glob("*.damaged"))
        large = "ApiManagementGatewayLogs | where ResponseCode == 200 and RequestSize > 3000000 | count"
        assert system.query(large)[0]["Count"] > 10


def test_nor_after_a_kill_of_everything(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        with CountingClient(system, clients=CLIENTS) as clients:
            clients.wait_for(200)
            system.kill_supervisor()
        system.start()
        every_finished_call_has_one_row(system, clients.seen)
