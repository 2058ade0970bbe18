"""Aforo under measurement: the lab with another backend address, its processes, its CPU and its rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aforo.cli.yaml_text import before, replaced
from aforo.control.lab import lab_yaml
from bench.processes import cpu_s, rss_mb
from tests.support.system import System, running_system


def configuration(folder: Path, upstream_port: int) -> Path:
    """The lab's own `aforo.yaml` with the fast upstream as backend; everything else of it stays as it is."""
    service = ("services", "*")
    address = f"127.0.0.1:{upstream_port}"
    values = f"namedValues:\n  openai-endpoint:\n    value: http://{address}"
    text = replaced(lab_yaml(), (*service, "namedValues"), values)
    text = before(text, (*service, "namedValues"), f'privateEgress: ["{address}"]')
    path = folder / "aforo.yaml"
    path.write_text(text)
    return path


# Rows that have not come after this time are not on their way.
STILL_S = 1.0


@contextmanager
def aforo(folder: Path, upstream_port: int) -> Iterator[Measured]:
    """The system with one gateway worker and no model of its own."""
    config = configuration(folder, upstream_port)
    with running_system(folder, engine="scripted", config=config, workers=1) as system:
        yield Measured(system)


class Measured:
    """A running system and the counts that a measurement needs."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.port = int(system.gateway.rpartition(":")[2])
        (self.gateway_pid,) = system.pids("gateway")

    def gateway_cpu_s(self) -> float:
        """CPU seconds of the gateway process so far."""
        return cpu_s(self.gateway_pid)

    def gateway_rss_mb(self) -> float:
        """Memory of the gateway process."""
        return rss_mb(self.gateway_pid)

    def total_cpu_s(self) -> float:
        """CPU seconds of all processes of the system but the local account, which no measured call reaches."""
        account = set(self.system.pids("account"))
        pids = {*self.system.pids(""), self.system.supervisor} - account
        return sum(cpu_s(pid) for pid in pids | {child for pid in pids for child in _children(pid)} - account)

    def rows(self) -> int:
        """How many calls can be queried now."""
        found = self.system.query("ApiManagementGatewayLogs | summarize n = count()")
        return int(found[0]["n"])

    def wait_for_rows(self, at_least: int, at_most: int, timeout_s: float = 120.0) -> tuple[float, int]:
        """(seconds until `at_least` rows were visible, rows when no more came).

        RuntimeError when they do not come, or are more than `at_most`: a call without a row, or one with two.
        """
        started = time.monotonic()
        while (seen := self.rows()) < at_least:
            if time.monotonic() - started > timeout_s:
                raise RuntimeError(f"{at_least} calls were answered, but {seen} rows can be queried")
            time.sleep(0.1)
        behind_s = time.monotonic() - started
        while True:
            time.sleep(STILL_S)
            before, seen = seen, self.rows()
            if seen == before:
                break
        if seen > at_most:
            raise RuntimeError(f"at most {at_most} calls were begun, but {seen} rows can be queried")
        return behind_s, seen


def _children(pid: int) -> list[int]:
    """Processes that a process has started, such as query workers."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.glob("*/children") for child in task.read_text().split()]
