"""Real storage for tests: a server that speaks S3 (moto) and one that speaks Azure's blobs (Azurite), as `make test` puts
them below .tools; moto also where it is installed otherwise. Where one is not to be had, its tests are skipped."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / ".tools"
_MOTO = TOOLS / "moto"
_AZURITE = TOOLS / "azurite"
_READY_S = 30.0
# What Azurite knows before anybody tells it anything: the account and the key of its documentation.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def s3_server() -> Iterator[int]:
    """Its port on loopback."""
    with _running([*_moto(), "-H", "127.0.0.1", "-p"]) as port:
        yield port


def make_bucket(port: int, name: str) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{name}", method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def blob_server() -> Iterator[int]:
    """Its port on loopback; `ACCOUNT` stands at the path of that name."""
    node, program = (
        shutil.which("node"),
        _AZURITE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js",
    )
    if node is None or not program.is_file():
        pytest.skip(
            "no Azurite below .tools/azurite: `make .tools/.storage` puts it there where node and npm are"
        )
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with _running([node, str(program), *options, "--blobHost", "127.0.0.1", "--blobPort"]) as port:
        yield port


def _moto() -> list[str]:
    own = _MOTO / "bin" / "python"
    if own.exists() and any((_MOTO / "lib").glob("python*/site-packages/moto")):
        return [str(own), "-m", "moto.server"]
    if importlib.util.find_spec("moto") is not None:
        return [sys.executable, "-m", "moto.server"]
    found = shutil.which("moto_server")
    if found is None:
        pytest.skip("no moto below .tools/moto: `make .tools/.storage` puts it there")
    return [found]


@contextmanager
def _running(command: list[str]) -> Iterator[int]:
    """The command with a free port behind it, when something answers there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    server = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _READY_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()
