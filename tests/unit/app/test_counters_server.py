"""The server that workers count on: it keeps what it has over a kill, starts without what it cannot read, leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aforo.app.counters_server import CountersServer, check_counters, needs_server, shown
from aforo.errors import Invalid
from aforo.settings import Layout, Settings
from tests.support.gateway import story, until
from tests.support.valkey_server import binary, client


@contextlib.asynccontextmanager
async def running(root: Path) -> AsyncIterator[CountersServer]:
    binary()
    layout = Layout(root)
    for folder in (layout.logs, layout.run):
        folder.mkdir(parents=True, exist_ok=True)
    server = CountersServer(layout, lambda _: None)
    living = asyncio.create_task(server.keep_alive())
    try:
        await asyncio.wait((asyncio.create_task(server.ready.wait()), living), return_when="FIRST_COMPLETED")
        assert server.ready.is_set(), (layout.logs / "counters.log").read_text()
        yield server
    finally:
        await server.stop()
        await living
        server.close()


@story
async def test_what_it_has_outlives_a_kill_and_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        asking = client(server.url)
        await asking.query("SET", "k", "v")
        first = server.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid not in (0, first))
        assert await client(server.url).query("GET", "k") == b"v"
        mode = (tmp_path / "run" / "counters.sock").stat().st_mode & 0o777
        assert mode == 0o600
    async with running(tmp_path) as server:
        assert await client(server.url).query("GET", "k") == b"v"


@story
async def test_what_does_not_load_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path) as server:
        await client(server.url).query("SET", "k", "v")
    (kept,) = (tmp_path / "counters" / "appendonlydir").glob("*.incr.aof")
    kept.write_bytes(b"this is no log of commands\r\n" + kept.read_bytes())
    async with running(tmp_path) as server:
        assert await client(server.url).query("GET", "k") is None
    assert (tmp_path / "counters" / "damaged" / kept.name).exists()
    assert "put aside" in caplog.text


@story
async def test_one_that_was_left_behind_is_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as left:
        orphan = left.pid
        layout = Layout(tmp_path)
        other = CountersServer(layout, lambda _: None)
        await other._end_orphan()
        await until(lambda: left.pid != orphan)
        other.close()


@story
async def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    long = tmp_path / ("a folder with a long name " * 5)
    async with running(long) as server:
        assert await client(server.url).query("PING") == b"PONG"
        place = Path(server.url.removeprefix("unix://")).parent
        assert place.stat().st_mode & 0o777 == 0o700
    assert not place.exists()


def test_which_settings_need_it() -> None:
    assert needs_server(Settings(workers=2))
    assert not needs_server(Settings())
    assert not needs_server(Settings(workers=2, counters="memory"))
    assert not needs_server(Settings(workers=2, counters="redis://host"))
    check_counters(Settings(workers=2, counters="memory"))
    with pytest.raises(Invalid) as caught:
        check_counters(Settings(counters="redis://:hunter2@host:port/0"))
    assert "hunter2" not in caught.value.message
    assert caught.value.message.startswith("--counters: ")
    assert "hunter2" not in repr(Settings(counters="redis://:hunter2@host"))
    assert shown("rediss://:hunter2@host") == "host:6380"
    assert shown("") == "in each gateway"


def test_without_a_server_the_start_is_refused_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr("aforo.app.counters_server.import_module", nothing)
    monkeypatch.setattr("aforo.app.counters_server.shutil.which", lambda _: None)
    with pytest.raises(Invalid, match=r"pip install 'aforo\[workers\]'.*--counters memory"):
        check_counters(Settings(workers=2))
