"""A PostgreSQL server of a test's own, on a Unix socket in a folder of its own; from Debian's packages or the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WAIT_S = 60


def tool(name: str) -> Path | None:
    """A program of PostgreSQL's server; None where there is none on this machine."""
    found = shutil.which(name)
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return places[0] if places else Path(found) if found else None


@dataclass(frozen=True)
class Server:
    """A cluster in a folder: started, stopped and started again."""

    folder: Path

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://aforo@/postgres?host={self.folder}"

    def control(self, *words: str) -> None:
        _run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", str(WAIT_S), *words)

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self.control("-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self.control("-m", "immediate", "stop")


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs while the block does."""
    # A path of a socket has 107 bytes at most: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="aforo-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    server = Server(folder)
    try:
        _run("initdb", "-D", str(folder / "data"), "-U", "aforo", "-A", "trust", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(name: str, *words: str) -> None:
    program = tool(name)
    assert program is not None
    # The server refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    done = subprocess.run(
        [program, *words], user=user, cwd="/", capture_output=True, text=True, timeout=2 * WAIT_S, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
