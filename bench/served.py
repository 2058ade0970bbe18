"""A gateway under measurement with all its processes: started in a session of its own, counted as a tree, ended as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STOP_S = 8.0


def tree(pid: int) -> list[int]:
    """A process and all that descend from it, as they are now."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process and its descendants; those that ended are counted where their parent has waited for them."""
    total = 0
    for one in tree(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / _TICKS_PER_S


def tree_mb(pid: int) -> float:
    """Memory of a process and its descendants in MB (10^6 bytes); what several of them share is counted once (PSS)."""
    return sum(_pss_kb(one) for one in tree(pid)) * 1024 / 1e6


def _pss_kb(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


class Served:
    """A server that runs while the block does; `ready_s` says how long it took until it answered."""

    def __init__(
        self,
        command: list[str],
        port: int,
        log: Path,
        *,
        env: Mapping[str, str],
        health: str = "/",
        timeout_s: float = 60.0,
    ) -> None:
        self.port = port
        self._log = log.open("wb")
        began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **env},
            cwd=log.parent,
            start_new_session=True,
        )
        try:
            self._wait(health, began + timeout_s)
        except RuntimeError as error:
            self.stop()
            said = log.read_text(errors="replace").strip().splitlines()
            raise RuntimeError(f"{error}: {said[-1] if said else 'it said nothing'}") from error
        self.ready_s = time.monotonic() - began

    def _wait(self, health: str, until: float) -> None:
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"it ended with {self._process.returncode} before it was ready")
            if answers(self.port, health):
                return
            time.sleep(0.05)
        raise RuntimeError("it was not ready in time")

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ends it and what it started; kills what does not go."""
        known = tree(self.pid)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        for pid in known:
            # What is left of our session; a number that somebody else has by now is not of it.
            if _session(pid) == self.pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def answers(port: int, path: str) -> bool:
    """Whether a request is answered with anything below 500."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def quiet(
    pid: int, *, within_s: float = 20.0, share: float = 0.05, now: Callable[[], float] = time.monotonic
) -> None:
    """Returns when the tree has used less than `share` of a processor for a second, or when the time is over."""
    until = now() + within_s
    before = tree_cpu_s(pid)
    while now() < until:
        time.sleep(1.0)
        after = tree_cpu_s(pid)
        if after - before < share:
            return
        before = after
