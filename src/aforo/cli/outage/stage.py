"""The processes of an outage: two scripted regions and a system of several workers, in a directory that goes with them.

It knows what can be killed, not when.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from aforo.app.held_backends import held_backends
from aforo.app.listeners import listening
from aforo.cli import running
from aforo.cli.exits import Failure
from aforo.control.lab import REGION_PORTS, ha_yaml
from aforo.settings import Layout

READY_S = 60.0
STOP_S = 20.0
_POLL_S = 0.02
_PORTS = ("--gateway-port", "--gateway-tls-port", "--control-port", "--control-tls-port", "--account-port")


class Stage:
    """A context: everything is up when it is entered, and nothing is left when it is left."""

    def __init__(self, workers: int, trip_s: int) -> None:
        self._workers = workers
        self._trip_s = trip_s
        self._folder = tempfile.TemporaryDirectory(prefix="aforo-outage-")
        self._root = Path(self._folder.name)
        self._data = self._root / "data"
        self._ports: dict[str, int] = {}
        self._regions: dict[str, subprocess.Popen[bytes]] = {}
        self._up: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Stage:
        try:
            self._ports = _free_ports(list(REGION_PORTS))
            for name in self._ports:
                self.start_region(name)
            self._start_system()
            for name in self._ports:
                self.wait_for_region(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops what runs, the gateway first, and removes the directory."""
        processes = [p for p in (self._up, *self._regions.values()) if p is not None]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()

    @property
    def system(self) -> running.Running:
        """The running system, as its file tells it now."""
        found = running.read(self._data)
        if found is None:
            raise Failure(f"`aforo up` has gone.{self._said('up')}")
        return found

    @property
    def workers(self) -> dict[str, int]:
        """The gateway processes by name."""
        pids = self.system.endpoints.get("pids") or {}
        return {name: pid for name, pid in sorted(pids.items()) if name.startswith("gateway")}

    @property
    def regions_down(self) -> frozenset[str]:
        """The regions that have no process now."""
        return frozenset(name for name, process in self._regions.items() if process.poll() is not None)

    @property
    def open_breakers(self) -> dict[str, int]:
        """The regions that are taken out now, with how many workers have done so."""
        out: dict[str, int] = {}
        for held in held_backends(Layout(self._data).snapshots):
            out[held.backend] = out.get(held.backend, 0) + 1
        return out

    def start_region(self, name: str) -> None:
        """Starts it on its port, where the configuration has it."""
        self._regions[name] = self._run(name, "demo", "region", name, "--port", str(self._ports[name]))

    def wait_for_region(self, name: str) -> None:
        """Until it answers."""
        url = f"http://127.0.0.1:{self._ports[name]}"
        self._until(f"region {name}", lambda: running.is_alive(url), self._regions[name], name)

    def kill_region(self, name: str) -> int:
        """kill -9; the process that it was."""
        process = self._regions[name]
        process.kill()
        process.wait()
        return process.pid

    def kill_worker(self) -> tuple[str, int]:
        """kill -9 to the first gateway; its name and the process that it was."""
        name, pid = next(iter(self.workers.items()))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return name, pid

    def _start_system(self) -> None:
        config = self._root / "aforo.yaml"
        text = ha_yaml().replace("tripDuration: PT1M", f"tripDuration: PT{self._trip_s}S")
        for name, port in REGION_PORTS.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self._ports[name]}")
        config.write_text(text)
        options = ["--data", str(self._data), "--config", str(config), "--workers", str(self._workers)]
        for option in _PORTS:
            options += [option, "0"]
        self._up = self._run("up", "up", "--engine", "none", *options)
        self._until("`aforo up`", Layout(self._data).endpoints.exists, self._up, "up")

    def _run(self, log: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._root / f"{log}.log").open("ab") as said:
            # A group of its own: Ctrl-C at the terminal is this command's to pass on.
            return subprocess.Popen(
                [sys.executable, "-m", "aforo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _until(
        self, what: str, ready: Callable[[], bool], process: subprocess.Popen[bytes], log: str
    ) -> None:
        until = time.monotonic() + READY_S
        while not ready():
            if process.poll() is not None:
                raise Failure(f"{what} ended with {process.returncode} before it was ready.{self._said(log)}")
            if time.monotonic() > until:
                raise Failure(f"{what} was not ready within {READY_S:.0f} s.{self._said(log)}")
            time.sleep(_POLL_S)

    def _said(self, log: str) -> str:
        try:
            lines = (self._root / f"{log}.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return "".join(f"\n  {line}" for line in lines[-10:])


def _free_ports(names: list[str]) -> dict[str, int]:
    """A free port for each; all are held until all are known, so that they differ."""
    held = {name: listening("127.0.0.1", 0, "region")[0] for name in names}
    try:
        return {name: sock.getsockname()[1] for name, sock in held.items()}
    finally:
        for sock in held.values():
            sock.close()
