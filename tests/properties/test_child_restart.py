"""A process that dies is started again, one that never becomes ready is given up, one that is stopped stays so."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from aforo.app import child as child_module
from aforo.app.child import Child, how_it_ended
from aforo.app.spec import Spec
from aforo.errors import Unavailable
from tests.support.gateway import until

SPEC = Spec(
    "gateway", 0, "/data", "127.0.0.1", 1, 2, 3, 4, 5, "none", "warning", "https://issuer", "header", {}
)

# What a process of a role does as far as its supervisor can see: reads its spec, says ready, serves until told.
TEXT = """#!{python} -I
import json, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL)
spec = json.loads(sys.stdin.buffer.readline())
print("a library that prints", flush=True)
print(json.dumps({{"ready": True, "facts": {{"argv": " ".join(sys.argv[1:]), "issuer": spec["issuer"]}}}}), flush=True)
sys.stdin.buffer.read()
"""


def pretend(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of the interpreter, and the log of who runs it."""
    program = folder / "python"
    program.write_text(text.format(python=sys.executable))
    program.chmod(0o700)
    monkeypatch.setattr(child_module.sys, "executable", str(program))
    return folder / "log"


def test_what_dies_is_started_again_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = pretend(tmp_path, TEXT, monkeypatch)
    monkeypatch.setattr(child_module, "_PAUSES_S", (0.0,))

    async def tell() -> None:
        changes: list[int] = []
        child = Child("gateway-0", "gateway", (), log, lambda c: changes.append(c.pid))
        child.spec.set_result(SPEC)
        running = asyncio.ensure_future(child.keep_alive())
        pids: list[int] = []
        for _ in range(3):
            await until(lambda: changes and changes[-1] and changes[-1] not in pids)
            pids.append(child.pid)
            assert child.facts == {"argv": "-m aforo.app gateway", "issuer": "https://issuer"}
            if len(pids) < 3:
                os.kill(child.pid, signal.SIGKILL)
        assert len(set(pids)) == 3
        await child.stop()
        await asyncio.wait_for(running, 10)
        assert child.pid == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pids[-1], 0)

    asyncio.run(tell())
    assert log.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_started_for_a_while_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = pretend(tmp_path, TEXT, monkeypatch)
    monkeypatch.setattr(child_module, "_PAUSES_S", (0.0,))
    real, refused = asyncio.create_subprocess_exec, 0

    async def no_memory(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal refused
        if refused < 3:
            refused += 1
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return await real(*arguments, **options)

    async def tell() -> None:
        child = Child("gateway-0", "gateway", (), log, lambda c: None)
        child.spec.set_result(SPEC)
        running = asyncio.ensure_future(child.keep_alive())
        await until(lambda: child.pid)
        first = child.pid
        monkeypatch.setattr(asyncio, "create_subprocess_exec", no_memory)
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.pid and child.pid != first)
        assert refused == 3
        await child.stop()
        await asyncio.wait_for(running, 10)
        # At the very first start it is an error of the start.
        monkeypatch.setattr(child_module.sys, "executable", str(tmp_path / "none"))
        never = Child("gateway-1", "gateway", (), log, lambda c: None)
        with pytest.raises(FileNotFoundError):
            await never.keep_alive()

    asyncio.run(tell())
    assert caplog.text.count("could not be run (Cannot allocate memory)") == 3


def test_what_never_becomes_ready_is_given_up_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = pretend(tmp_path, "#!{python} -I\nraise SystemExit('the disk is on fire')\n", monkeypatch)

    async def tell() -> None:
        child = Child("control", "control", (), log, lambda c: None)
        child.spec.set_result(SPEC)
        with pytest.raises(
            Unavailable, match=r"(?s)control process ended with exit code 1.*the disk is on fire"
        ):
            await asyncio.wait_for(child.keep_alive(), 10)

    asyncio.run(tell())


def test_why_it_cannot_start_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = '{{"failed": "no way", "mistakes": [{{"code": "A", "message": "b", "target": "c"}}]}}'
    log = pretend(tmp_path, f"#!{{python}} -I\nprint('{said}')\n", monkeypatch)

    async def tell() -> None:
        child = Child("control", "control", (), log, lambda c: None)
        child.spec.set_result(SPEC)
        with pytest.raises(Unavailable, match="no way") as caught:
            await asyncio.wait_for(child.keep_alive(), 10)
        assert [(d.code, d.message, d.target) for d in caught.value.details] == [("A", "b", "c")]

    asyncio.run(tell())


def test_how_processes_end() -> None:
    assert how_it_ended(3) == "ended with exit code 3"
    assert how_it_ended(-15) == "was ended by SIGTERM"
    assert "memory" in how_it_ended(-9)
