"""The system as something that is started and stopped: restarts, kills, signals, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.system import LISTENERS, System, call, eventually, running_system

CHAT = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2023-05-15"
BODY = {"messages": [{"role": "user", "content": "Hello!"}]}
ROLES = ("gateway", "control", "account", "shipper")
FREE_PORTS = [word for flag in LISTENERS for word in (flag, "0")]


def chat(system: System) -> int:
    return call("POST", system.gateway + CHAT, body=BODY, headers={"api-key": system.key}).status


def chat_works(system: System) -> bool:
    with suppress(OSError):
        return chat(system) == 200
    return False


def counted(system: System) -> int:
    with suppress(OSError, AssertionError):
        return int(system.query("ApiManagementGatewayLogs | where ResponseCode == 200 | count")[0]["Count"])
    return -1


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def journal(system: System) -> str:
    return (system.data / "logs" / "supervisor.log").read_text()


def up(
    data: Path, *options: str, limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """`aforo up` where it cannot start."""
    return subprocess.run(
        [sys.executable, "-m", "aforo", "up", "--engine", "scripted", "--data", str(data), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=limit,
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What it said when it refused to start."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (said,) = done.stderr.splitlines()
    assert said.startswith("aforo: ")
    return said


def test_without_the_local_account_calls_are_answered_like_those_to_a_dead_backend(tmp_path: Path) -> None:
    # A port where nobody listens, and which nobody gets while we hold it.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with running_system(tmp_path, engine="none", account_port=port) as system:
            assert system.endpoints["account"] is None
            assert system.pids("account") == []
            reply = call("POST", system.gateway + CHAT, body=BODY, headers={"api-key": system.key})
            assert reply.status == 500
            said = reply.json()
            assert (said["statusCode"], said["message"]) == (500, "Internal server error")


def test_after_a_restart_on_other_ports_the_first_calls_are_served(tmp_path: Path) -> None:
    with running_system(tmp_path) as first:
        assert chat(first) == 200
        old = dict(first.endpoints)
    for _ in range(2):
        system = System(first.data, ["--engine", "scripted", *FREE_PORTS])
        system.start()
        try:
            assert system["account"] != old["account"]
            assert [chat(system) for _ in range(5)] == [200] * 5
        except AssertionError as error:
            error.add_note(system.logs())
            raise
        finally:
            assert system.stop() == 0
        old = dict(system.endpoints)


def test_each_role_comes_back_after_a_kill(tmp_path: Path) -> None:
    with running_system(tmp_path, workers=2) as system:
        eventually("the shipper", lambda: system.pids("shipper"))
        for role in ROLES:
            before = set(system.pids(role))
            others = {p for r in ROLES if r != role for p in system.pids(r)}
            system.kill(role)
            eventually(
                f"another {role}",
                lambda role=role, before=before: (
                    len(system.pids(role)) == len(before) and not before & set(system.pids(role))
                ),
                within_s=20,
            )
            assert others <= set(system.pids("")), f"others were restarted with {role}"
            eventually("calls", lambda: chat_works(system))
        calls = counted(system)
        assert chat(system) == 200
        eventually("the row of the last call", lambda: counted(system) > calls, within_s=20)
        said = journal(system)
        for name in ("gateway-0", "gateway-1", "control", "account", "shipper"):
            assert f"{name}: was ended by SIGKILL" in said
            assert said.count(f"{name}: started as process") == 2


def test_processes_end_with_their_supervisor_and_a_new_one_waits_for_them(tmp_path: Path) -> None:
    system = System(tmp_path / "data", ["--engine", "scripted", *FREE_PORTS])
    system.start()
    try:
        assert chat(system) == 200
        eventually("the shipper", lambda: system.pids("shipper"))
        pids = [pid for role in ROLES for pid in system.pids(role)]
        os.kill(system.supervisor, signal.SIGKILL)
        assert system.stop() == -signal.SIGKILL
        # At once, and on the same ports: the old processes still hold them.
        system.start()
        assert not any(lives(pid) for pid in pids)
        assert chat(system) == 200
        eventually("both rows", lambda: counted(system) == 2)
    except AssertionError as error:
        error.add_note(system.logs())
        raise
    finally:
        assert system.stop() == 0


class Terminal:
    """`aforo up` as the foreground job of a terminal: Ctrl-C goes to its whole process group."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aforo", "up", "--engine", "scripted", "--data", str(data), *FREE_PORTS],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def endpoints(self) -> dict[str, str]:
        eventually("ready", (self.data / "endpoints.json").exists, within_s=60)
        found: dict[str, str] = json.loads((self.data / "endpoints.json").read_bytes())
        return found

    def ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self, within_s: float) -> tuple[int, bytes]:
        """(exit code, what it complained of)"""
        code = self.process.wait(within_s)
        assert self.process.stderr is not None
        with self.process.stderr as said:
            return code, said.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_within_seconds(tmp_path: Path, number: signal.Signals) -> None:
    terminal = Terminal(tmp_path / "data")
    endpoints = terminal.endpoints()
    pids: list[int] = list(json.loads((tmp_path / "data" / "endpoints.json").read_bytes())["pids"].values())
    address = urlsplit(endpoints["gateway"])
    # A client that keeps its connection does not hold up the end.
    with socket.create_connection((address.hostname, address.port)):
        if number == signal.SIGINT:
            terminal.ctrl_c()
        else:
            terminal.process.terminate()
        assert terminal.ended(within_s=5) == (0, b"")
    assert not any(lives(pid) for pid in pids)
    assert not (tmp_path / "data" / "endpoints.json").exists()


def test_a_stop_before_it_is_ready(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "data")
    eventually("processes", lambda: (tmp_path / "data" / "logs" / "control.log").exists(), within_s=30)
    terminal.ctrl_c()
    assert terminal.ended(within_s=10) == (0, b"")


def test_a_second_ctrl_c_does_not_wait_for_calls(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "data")
    endpoints = terminal.endpoints()
    key = Path(endpoints["subscription_key_file"]).read_text().strip()
    address = urlsplit(endpoints["gateway"])
    with socket.create_connection((address.hostname, address.port)) as client:
        # The body does not come: the call hangs in the middle.
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\napi-key: {key}\r\nContent-Length: 100\r\n\r\n{{"
        client.sendall(head.encode())
        time.sleep(0.2)
        terminal.ctrl_c()
        time.sleep(1.0)
        assert terminal.process.poll() is None, "the call was not waited for"
        started = time.monotonic()
        terminal.ctrl_c()
        assert terminal.ended(within_s=5)[0] == 130
        assert time.monotonic() - started < 1.0


def test_two_systems_on_one_data_directory(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        said = one_sentence(up(system.data, *FREE_PORTS))
        assert f"{system.data} is in use by another system" in said
        assert "--data" in said
        # The one that runs is not disturbed, not even its file.
        assert (system.data / "endpoints.json").exists()
        assert chat(system) == 200


@pytest.mark.parametrize("flag", LISTENERS)
def test_a_taken_port(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        others = [word for other in LISTENERS if other != flag for word in (other, "0")]
        said = one_sentence(up(tmp_path / "data", flag, port, *others))
    assert f"127.0.0.1:{port}" in said
    assert flag in said
    assert not (tmp_path / "data" / "endpoints.json").exists()


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = one_sentence(up(tmp_path / "file" / "data", *FREE_PORTS))
    assert str(tmp_path / "file" / "data") in said
    assert "cannot be used" in said


@pytest.mark.parametrize("most_bytes", [0, 1_000, 40_000])
def test_a_disk_that_takes_no_more(tmp_path: Path, most_bytes: int) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    said = one_sentence(up(tmp_path / "data", *FREE_PORTS, limit=limit))
    assert str(tmp_path / "data") in said or "store" in said or "spool" in said
    assert not (tmp_path / "data" / "endpoints.json").exists()
