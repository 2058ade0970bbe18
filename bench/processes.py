"""One process under measurement: start it, wait for its port, read its CPU and memory from /proc, stop it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
UNPACKED = ROOT / ".tools" / "debian"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def find(tool: str) -> str | None:
    """Path of a neighbour's program: the machine's, or the one that `make bench` unpacked; None without it."""
    places = [
        os.environ.get("PATH", ""),
        "/usr/sbin",
        "/usr/local/sbin",
        f"{UNPACKED}/usr/sbin",
        f"{UNPACKED}/usr/bin",
    ]
    return shutil.which(tool, path=os.pathsep.join(places))


def can_measure() -> bool:
    """Whether what every measurement needs is there; what is not is told."""
    for tool in ("nginx", "wrk"):
        if find(tool) is None:
            print(
                f"bench: no {tool}: it is the upstream or the load, so nothing can be measured",
                file=sys.stderr,
            )
            return False
    return True


def environment() -> dict[str, str]:
    """The environment of neighbours: unpacked programs find the libraries that were unpacked with them."""
    libraries = [str(p) for p in sorted((UNPACKED / "usr" / "lib").glob("*-linux-*"))]
    known = os.environ.get("LD_LIBRARY_PATH")
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join([*libraries, *([known] if known else [])])}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], timeout_s: float = 20.0) -> None:
    """Returns when somebody listens; RuntimeError when the process ended or the time is over."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args}: nobody listens on {port} after {timeout_s} s")


def cpu_s(pid: int) -> float:
    """User and system CPU seconds that a process (all its threads, not its children) has used."""
    # The command name stands in parentheses and may contain anything, so fields are counted from its end.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def exact_cpu_s(pid: int) -> float:
    """The same, to the nanosecond where the kernel counts so; a thread that has ended is not in it any more."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9 or cpu_s(pid)
    except (OSError, ValueError, IndexError):
        return cpu_s(pid)


def rss_mb(pid: int) -> float:
    """Resident memory in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"process {pid} has no VmRSS")


class Process:
    """A neighbour that runs while the block does."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self._log = log.open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=environment())
        try:
            wait_for_port(port, self._process)
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"{error}\n{log.read_text(errors='replace')[-2000:]}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ends the process; kills it when it does not go within five seconds."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
