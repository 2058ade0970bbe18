"""`python -m bench.protection`: what clients cost that bring nothing. Memory per idle connection, CPU per bad key."""

from __future__ import annotations

import contextlib
import resource
import socket
import tempfile
from pathlib import Path

from bench import load
from bench.processes import cpu_s, rss_mb
from tests.support.system import System, eventually, running_system

IDLE = 10_000
SECONDS = 5.0
_KEPT_OPEN_BY_US = 512


def idle_kb(system: System, pid: int, wanted: int) -> tuple[int, float]:
    """(connections, KB of the gateway's memory for each): plain ones that have made one call, and wait."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = min(wanted, hard - _KEPT_OPEN_BY_US)
    host, _, port = system.gateway.removeprefix("http://").partition(":")
    with contextlib.ExitStack() as held:
        before = rss_mb(pid)
        for _ in range(wanted):
            client = held.enter_context(socket.create_connection((host, int(port))))
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        grown = rss_mb(pid) - before
        answer = socket.create_connection((host, int(port)))
        held.enter_context(answer)
        answer.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.recv(4096).startswith(b"HTTP/1.1 200")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted, grown * 1e3 / wanted


def us_per_refusal(folder: Path, system: System, pid: int) -> tuple[float, float]:
    """(microseconds of the gateway's CPU for each call with a bad key, such calls per second). Each has its row."""
    port = int(system.gateway.rpartition(":")[2])
    before = cpu_s(pid)
    seen = load.run(folder, port, SECONDS, key="0" * 32)
    assert seen.failed == seen.calls, "a bad key was let in"
    return (cpu_s(pid) - before) * 1e6 / seen.calls, seen.rate


def main() -> None:
    with tempfile.TemporaryDirectory() as name, running_system(Path(name)) as system:
        eventually("the shipper", lambda: system.pids("shipper"))
        (pid,) = system.pids("gateway")
        bad, rate = us_per_refusal(Path(name), system, pid)
        print(f"bad keys: {bad:.0f} us of CPU each, {rate:.0f} a second")
        count, each = idle_kb(system, pid, IDLE)
        print(f"idle connections: {count}, {each:.1f} KB each")


if __name__ == "__main__":
    main()
