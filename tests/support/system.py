"""The whole system as a subprocess, for tests that speak to it over real sockets. It knows no plane from inside."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
LISTENERS = {
    "--gateway-port": "gateway",
    "--gateway-tls-port": "gateway_tls",
    "--control-port": "control",
    "--control-tls-port": "control_tls",
    "--account-port": "account",
}
READY_S = 60.0
STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer; header names in lower case."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    method: str,
    url: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    ca: str | None = None,
    timeout_s: float = 30.0,
) -> Reply:
    """One request on a connection of its own. `body` is sent as it is when it is bytes, else as JSON."""
    parts = urlsplit(url)
    assert parts.hostname
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca)
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout_s, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    send = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        send.setdefault("Content-Type", "application/json")
    try:
        connection.request(
            method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, send
        )
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, response.reason, names, response.read())
    finally:
        connection.close()


def eventually(what: str, ask: Callable[[], T | None], *, within_s: float = 10.0) -> T:
    """The first answer of `ask` that is neither None nor false; AssertionError naming `what` after the time."""
    until = time.monotonic() + within_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"not within {within_s} s: {what}; last answer {answer!r}")
        time.sleep(0.02)


class System:
    """A running `aforo up`. Made by `running_system`; `stop` and `start` model a restart on the same data."""

    def __init__(self, data: Path, options: list[str]) -> None:
        self.data = data
        self.endpoints: dict[str, Any] = {}
        self._command = [sys.executable, "-m", "aforo", "up", "--data", str(data), *options]
        self._said = data.parent / f"{data.name}.said"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready_s: float = READY_S) -> float:
        """Starts it and waits until `endpoints.json` is written and every listener is live; seconds that took."""
        file = self.data / "endpoints.json"
        file.unlink(missing_ok=True)
        # A second start listens where the first one did, as an installation does.
        for flag, name in LISTENERS.items():
            if self.endpoints.get(name):
                self._command[self._command.index(flag) + 1] = str(urlsplit(self.endpoints[name]).port)
        started = time.monotonic()
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(self._command, stdout=said, stderr=subprocess.STDOUT)
        while not file.exists():
            code = self._process.poll()
            if code is not None:
                raise AssertionError(f"`aforo up` ended with {code} before it was ready\n{self.logs()}")
            if time.monotonic() - started > ready_s:
                self.stop()
                raise AssertionError(f"`aforo up` was not ready after {ready_s} s\n{self.logs()}")
            time.sleep(0.005)
        took_s = time.monotonic() - started
        self.endpoints = json.loads(file.read_bytes())
        return took_s

    def stop(self) -> int:
        """SIGTERM, then the exit code; AssertionError when it has to be killed."""
        process = self._process
        if process is None:
            return 0
        self._process = None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            for pid in self.pids(""):
                _kill(pid)
            process.kill()
            process.wait()
            raise AssertionError(f"`aforo up` did not stop within {STOP_S} s\n{self.logs()}") from None

    def pids(self, role: str) -> list[int]:
        """Process ids of the roles that start with `role` (`gateway`, `shipper`, ...), as they are now."""
        try:
            found = json.loads((self.data / "endpoints.json").read_bytes())["pids"]
        except FileNotFoundError:
            return []
        pids: list[int] = []
        for name, value in found.items():
            if name.startswith(role):
                pids += value if isinstance(value, list) else [value]
        return pids

    def kill(self, role: str) -> None:
        """kill -9 to the processes of a role."""
        pids = self.pids(role)
        assert pids, f"no process has the role {role}"
        for pid in pids:
            _kill(pid)

    def kill_supervisor(self) -> None:
        """kill -9 to the process that was started, and to what is left of its children."""
        assert self._process is not None
        process, self._process = self._process, None
        for pid in self.pids(""):
            _kill(pid)
        process.kill()
        process.wait()

    @property
    def supervisor(self) -> int:
        """The process that was started."""
        assert self._process is not None
        return self._process.pid

    def __getitem__(self, name: str) -> str:
        return str(self.endpoints[name]).rstrip("/")

    @property
    def gateway(self) -> str:
        return self["gateway"]

    @property
    def ca(self) -> str:
        return self["ca"]

    @property
    def key(self) -> str:
        """The subscription key of the lab."""
        return Path(self["subscription_key_file"]).read_text().strip()

    @property
    def admin_token(self) -> str:
        return Path(self["admin_token_file"]).read_text().strip()

    def admin(self, method: str, path: str, body: Any = None) -> Reply:
        """One request to the control plane as administrator."""
        return call(
            method, self["control"] + path, body=body, headers={"Authorization": f"Bearer {self.admin_token}"}
        )

    def query(self, kql: str) -> list[dict[str, Any]]:
        """Rows of a KQL query as column name to value; AssertionError with the answer when it is refused."""
        reply = self.admin("POST", f"/v1/workspaces/{self['workspace_id']}/query", {"query": kql})
        assert reply.status == 200, f"{reply.status} {reply.body.decode(errors='replace')}"
        table = reply.json()["tables"][0]
        names = [c["name"] for c in table["columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["rows"]]

    def said(self) -> str:
        """What `aforo up` printed so far, over all starts."""
        return self._said.read_text(errors="replace")

    def logs(self, lines: int = 40) -> str:
        """The last lines of everything that its processes said."""
        files = [self._said, *sorted((self.data / "logs").glob("**/*"))]
        parts = []
        for file in files:
            if file.is_file():
                tail = file.read_text(errors="replace").splitlines()[-lines:]
                parts.append("\n".join([f"--- {file.name}", *tail]))
        return "\n".join(parts)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def running_system(tmp_path: Path, engine: str = "scripted", **options: Any) -> Iterator[System]:
    """A system on free ports below `tmp_path`, stopped at the end; what fails inside shows its logs.

    `options` are those of `aforo up` (`workers=2`, `config=path`, `insecure_http=True`).
    """
    flags = ["--engine", engine]
    for flag in LISTENERS:
        flags += [flag, "0"]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        flags += [flag] if value is True else [flag, str(value)]
    system = System(tmp_path / "data", flags)
    try:
        system.start()
        yield system
    except BaseException as error:
        error.add_note(system.logs())
        try:
            system.stop()
        except AssertionError as late:
            error.add_note(str(late))
        raise
    else:
        code = system.stop()
        assert code == 0, f"`aforo up` ended with {code}\n{system.logs()}"
