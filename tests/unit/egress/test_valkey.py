"""The connection to a Valkey server, against a real one: pipelines, scripts, signing in, going away and coming back."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aforo.egress import resp
from aforo.egress.policy import EgressPolicy
from aforo.egress.resp import Link
from aforo.egress.valkey import Script, Valkey
from aforo.errors import Unavailable, Upstream
from tests.support.certificates import certificate, server_context
from tests.support.gateway import story, until
from tests.support.valkey_server import ValkeyServer, client

COUNT = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        yield running


def asked(valkey: Valkey, *command: bytes | str | int) -> list[Any]:
    """The list that gets the reply."""
    out: list[Any] = []
    valkey.ask(command, out.append)
    return out


@story
async def test_values_and_commands_that_are_refused(server: ValkeyServer) -> None:
    valkey = client(f"unix://{server.path}")
    assert await valkey.query("GET", "nothing") is None
    assert await valkey.query("SET", "k", b"\x00\r\n$5", "PX", 60_000) == b"OK"
    assert await valkey.query("GET", "k") == b"\x00\r\n$5"
    assert await valkey.query("MGET", "k", "nothing") == [b"\x00\r\n$5", None]
    with pytest.raises(Upstream) as refused:
        await valkey.query("NOSUCH", "CANARY")
    assert refused.value.code == "ERR"
    assert "CANARY" not in refused.value.message
    with pytest.raises(Upstream, match="WRONGTYPE"):
        await valkey.query("LPUSH", "k", "x")
    await valkey.close()
    with pytest.raises(Unavailable):
        await valkey.query("GET", "k")


@story
async def test_what_is_asked_in_one_turn_goes_in_one_write_and_comes_in_its_order(
    server: ValkeyServer,
) -> None:
    valkey = client(f"127.0.0.1:{server.port}")
    # More than one packet, before the connection is there and after.
    for _ in range(2):
        got: list[bytes] = []
        for i in range(500):
            valkey.ask(("ECHO", f"{i}{'x' * 200}"), got.append)
        await until(lambda got=got: len(got) == 500)
        assert [int(r.rstrip(b"x")) for r in got] == list(range(500))
    await valkey.close()


@story
async def test_scripts_are_atomic_and_sent_once(server: ValkeyServer) -> None:
    one, other = client(f"unix://{server.path}"), client(f"127.0.0.1:{server.port}")
    got: list[int] = []
    for _ in range(200):
        for each in (one, other):
            each.run(COUNT, ("counter",), (1,), got.append)
    await until(lambda: len(got) == 400)
    assert sorted(got) == list(range(1, 401))
    stats = await one.query("INFO", "commandstats")
    assert stats.count(b"cmdstat_evalsha") == 1
    await one.query("SCRIPT", "FLUSH")
    one.run(COUNT, ("counter",), (1,), got.append)
    await until(lambda: len(got) == 401)
    assert got[-1] == 401
    broken = Script("return redis.call('NOSUCH')")
    one.run(broken, (), (), got.append)
    await until(lambda: len(got) == 402)
    assert isinstance(got[-1], Upstream)
    await one.close()
    await other.close()


@story
async def test_databases_and_users() -> None:
    with ValkeyServer(
        "--requirepass", "main", *["--user", "app", "on", ">hush", "~k*", "+get", "+set", "+auth"]
    ) as server:
        at = f"127.0.0.1:{server.port}"
        whole = client(f"{at},password=main,defaultDatabase=2")
        assert await whole.query("SET", "k", "two") == b"OK"
        user = client(f"valkey://app:hush@{at}")
        assert await user.query("GET", "k") is None
        with pytest.raises(Upstream, match="NOPERM"):
            await user.query("GET", "other")
        for bad in (f"{at},password=CANARY", f"{at},user=app,password=CANARY", at):
            refused = client(bad)
            with pytest.raises(Unavailable):
                await refused.query("GET", "k")
            await refused.close()
        await whole.close()
        await user.close()


@story
async def test_who_may_not_sign_in_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with ValkeyServer("--requirepass", "main") as server:
        valkey = client(f"127.0.0.1:{server.port},password=CANARY")
        with pytest.raises(Unavailable):
            await valkey.query("GET", "k")
        await until(lambda: valkey._failures > 2)
        await valkey.close()
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 1
    assert "AUTH (WRONGPASS)" in told[0]
    assert "CANARY" not in "".join(told)


@story
async def test_a_server_that_goes_comes_back_without_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with ValkeyServer() as server:
        valkey = client(f"unix://{server.path}")
        assert await valkey.query("SET", "k", "v") == b"OK"
        server.stop()
        await until(lambda: valkey._failures)
        for _ in range(1_000):
            assert isinstance(asked(valkey, "GET", "k")[0], Unavailable)  # at once
        server.start()
        await until(lambda: valkey.is_up)
        assert await valkey.query("GET", "k") is None
        await valkey.close()
    told = [r.getMessage().partition(": ")[0] for r in caplog.records]
    name = f"the external cache at {server.path}"
    assert told == [f"{name} cannot be reached", f"{name} can be reached again"]


@story
async def test_a_connection_that_is_cut_is_made_anew(server: ValkeyServer) -> None:
    valkey = client(f"unix://{server.path}")
    number = await valkey.query("CLIENT", "ID")
    other = client(f"unix://{server.path}")
    waits = asked(valkey, "BLPOP", "none", 0)
    await other.query("CLIENT", "KILL", "ID", number)
    await until(lambda: waits)
    assert isinstance(waits[0], Unavailable)
    await until(lambda: valkey.is_up)
    assert await valkey.query("PING") == b"PONG"
    await other.close()
    valkey.renew()
    await until(lambda: not valkey.is_up)
    await until(lambda: valkey.is_up)
    assert await valkey.query("PING") == b"PONG"
    await valkey.close()


@story
async def test_a_server_that_hangs_is_left(caplog: pytest.LogCaptureFixture) -> None:
    with ValkeyServer() as server:
        valkey = client(f"unix://{server.path}", timeout_s=0.1)
        await valkey.query("PING")
        server.signal(signal.SIGSTOP)
        with pytest.raises(Unavailable, match="silent"):
            await valkey.query("GET", "k")
        server.signal(signal.SIGCONT)
        await until(lambda: valkey.is_up)
        await valkey.close()


@story
async def test_a_server_that_does_much_for_one_is_no_server_that_hangs(server: ValkeyServer) -> None:
    valkey = client(f"unix://{server.path}", timeout_s=0.3)
    replies = [asked(valkey, "ECHO", b"x" * 1_000_000) for _ in range(20)]
    await until(lambda: all(replies))
    assert {type(r[0]) for r in replies} == {bytes}
    await valkey.close()


@story
async def test_no_more_waits_than_fits(server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resp, "MAX_WAITING", 10)
    valkey = client(f"unix://{server.path}")
    await valkey.query("PING")
    replies = [asked(valkey, "PING") for _ in range(12)]
    assert [r[0].code for r in replies[10:]] == ["Busy", "Busy"]
    await until(lambda: all(replies))
    assert replies[9] == [b"PONG"]
    monkeypatch.setattr(resp, "MAX_REPLY_BYTES", 100_000)
    with pytest.raises(Unavailable, match="too large"):
        await valkey.query("ECHO", b"x" * 10_000_000)
    await valkey.close()


@story
async def test_what_speaks_another_protocol_is_no_server() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    web = await asyncio.start_server(serve, "127.0.0.1", 0)
    valkey = client(f"127.0.0.1:{web.sockets[0].getsockname()[1]}")
    with pytest.raises(Unavailable):
        await valkey.query("GET", "k")
    await valkey.close()
    web.close()


@story
async def test_only_what_has_leave_is_connected(
    server: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (f"127.0.0.1:{server.port}", f"unix://{server.path}"):
        valkey = client(text, policy=EgressPolicy())
        with pytest.raises(Unavailable):
            await valkey.query("GET", "k")
        await valkey.close()
    told = " ".join(r.getMessage() for r in caplog.records)
    assert told.count("privateEgress") == 2
    assert f"`unix:{server.path}`" in told


@story
async def test_tls_is_verified(server: ValkeyServer, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "cache.example")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, out = await asyncio.open_unix_connection(server.path)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, out), pump(inner, writer), return_exceptions=True)

    relay = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context(chain, key))
    at = f"127.0.0.1:{relay.sockets[0].getsockname()[1]},ssl=True"
    good = client(f"{at},sslHost=cache.example", ca=chain)
    assert await good.query("PING") == b"PONG"
    await good.close()
    for bad in (client(at, ca=chain), client(f"{at},sslHost=cache.example")):
        with pytest.raises(Unavailable):
            await bad.query("PING")
        await bad.close()
    relay.close()


@story
async def test_a_connection_that_ends_behind_its_last_reply_is_not_taken_for_one(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = Valkey._sign_in, 0

    async def ends(self: Valkey, link: Link) -> None:
        nonlocal tries
        tries += 1
        await real(self, link)
        if tries == 1:
            link.close("the other side has closed it")
            await asyncio.sleep(0.01)

    monkeypatch.setattr(Valkey, "_sign_in", ends)
    valkey = client(f"unix://{server.path}")
    with pytest.raises(Unavailable):
        await valkey.query("PING")
    assert not valkey.is_up
    await until(lambda: valkey.is_up)
    assert (tries, await valkey.query("PING")) == (2, b"PONG")


@story
async def test_whatever_connecting_fails_of_nobody_waits_for_ever(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, tries = Valkey._sign_in, 0

    async def fails(self: Valkey, link: Link) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError("a mistake of ours")
        await real(self, link)

    monkeypatch.setattr(Valkey, "_sign_in", fails)
    valkey = client(f"unix://{server.path}")
    with pytest.raises(Unavailable):
        await valkey.query("PING")
    assert "a mistake of ours" in caplog.text
    await until(lambda: valkey.is_up)
    assert await valkey.query("PING") == b"PONG"
