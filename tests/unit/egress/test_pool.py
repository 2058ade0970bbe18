"""Connections kept and handed out again, names resolved, certificates checked: on real sockets."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from aforo.egress import pool as pool_module
from aforo.egress import resolve as resolve_module
from aforo.egress.http1 import ClientConnection
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Origin, Pool
from aforo.egress.resolve import Resolver
from aforo.errors import Denied, Timeout, Upstream
from tests.support.certificates import certificate, server_context
from tests.support.gateway import story, until
from tests.support.scripted_backend import ScriptedBackend

OPEN = parse(("127.0.0.0/8", "::1"))
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Done:
    """A holder that waits for its answer."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def progress(self) -> None:
        """Looked at from outside."""

    def can_write(self, ready: bool) -> None:
        """Small requests only."""


async def ask(connection: ClientConnection) -> int:
    connection.send(Done(connection), REQUEST, silent=False)
    await until(lambda: connection.ended or connection.failure)
    status = connection.status
    connection.release()
    return status


async def backend() -> tuple[ScriptedBackend, Origin]:
    made = ScriptedBackend()
    await made.start()
    return made, Origin("http", "127.0.0.1", made.port)


@story
async def test_the_last_one_put_back_is_the_first_one_taken() -> None:
    served, origin = await backend()
    pool = Pool(OPEN)
    assert pool.take(origin) is None
    first, second = await pool.connect(origin), await pool.connect(origin)
    for connection in (first, second):
        assert await ask(connection) == 200
    assert pool.take(origin) is second
    assert pool.take(origin) is first
    assert pool.take(origin) is None
    assert pool.take(Origin("http", "127.0.0.1", served.port, validate_name=False)) is None
    pool.close()
    await served.stop()


@story
async def test_a_connection_that_the_other_side_closed_is_not_handed_out() -> None:
    served, origin = await backend()
    pool = Pool(OPEN)
    connection = await pool.connect(origin)
    await ask(connection)
    await served.stop()
    await until(lambda: not connection.usable)
    assert pool.take(origin) is None


@story
async def test_what_is_idle_too_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    served, origin = await backend()
    pool = Pool(OPEN)
    connection = await pool.connect(origin)
    await ask(connection)
    pool.sweep()
    assert connection.usable
    monkeypatch.setattr(pool_module, "IDLE_S", -1.0)
    pool.sweep()
    assert not connection.usable
    assert pool._idle == {}
    await served.stop()


@story
async def test_no_more_than_so_many_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "MAX_IDLE", 1)
    served, origin = await backend()
    pool = Pool(OPEN)
    first, second = await pool.connect(origin), await pool.connect(origin)
    await ask(first)
    await ask(second)
    assert (first.usable, second.usable) == (True, False)
    pool.close()
    assert not first.usable
    await served.stop()


@story
async def test_what_may_not_be_reached_is_not_connected() -> None:
    served, origin = await backend()
    with pytest.raises(Denied):
        await Pool(EgressPolicy()).connect(origin)
    with pytest.raises(Denied):
        await Pool(EgressPolicy()).connect(Origin("http", "localhost", served.port))
    assert served.accepted == 0
    await served.stop()


@story
async def test_one_forbidden_address_of_a_name_forbids_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(OPEN)

    async def both(host: str) -> list[str]:
        return ["127.0.0.1", "169.254.169.254"]

    monkeypatch.setattr(pool._resolver, "resolve", both)
    with pytest.raises(Denied):
        await pool.connect(Origin("http", "rebound.example", 80))


@story
async def test_nobody_there_and_nobody_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Upstream, match=f"127.0.0.1:{port}"):
        await Pool(OPEN).connect(Origin("http", "127.0.0.1", port))
    monkeypatch.setattr(pool_module, "CONNECT_TIMEOUT_S", 0.0)
    with pytest.raises(Timeout):
        await Pool(OPEN).connect(Origin("http", "127.0.0.1", port))


@story
async def test_names_are_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    loop = asyncio.get_running_loop()

    async def getaddrinfo(host: str, *args: object, **kwargs: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host == "nowhere":
            raise socket.gaierror("no such name")
        return [
            (0, 0, 0, "", ("10.0.0.1", 0)),
            (0, 0, 0, "", ("10.0.0.1", 0)),
            (0, 0, 0, "", ("10.0.0.2", 0)),
        ]

    class Loop:
        def __init__(self) -> None:
            self.getaddrinfo = getaddrinfo

    monkeypatch.setattr(resolve_module.asyncio, "get_running_loop", Loop)
    resolver = Resolver()
    for _ in range(3):
        assert await resolver.resolve("a") == ["10.0.0.1", "10.0.0.2"]
    assert await resolver.resolve("::1") == ["::1"]
    with pytest.raises(Upstream) as caught:
        await resolver.resolve("nowhere")
    assert caught.value.code == "NameNotResolved"
    assert asked == ["a", "nowhere"]
    monkeypatch.setattr(resolve_module, "TTL_S", -1.0)
    monkeypatch.setattr(resolve_module, "MAX_NAMES", 2)
    for name in "bcdefb":
        await resolver.resolve(name)
    assert len(resolver._known) <= 2
    assert asked.count("b") == 2
    assert not loop.is_closed()


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "." + "b" * 300])
@story
async def test_what_no_host_can_be_called_is_no_name(host: str) -> None:
    with pytest.raises(Upstream) as caught:
        await Resolver().resolve(host)
    assert caught.value.code == "NameNotResolved"


@pytest.mark.parametrize(
    ("name", "ip", "days", "known", "chain", "names", "good"),
    [
        ("good", "127.0.0.1", 1, True, True, True, True),
        ("unknown", "127.0.0.1", 1, False, True, True, False),
        ("other", "127.0.0.2", 1, True, True, True, False),
        ("old", "127.0.0.1", -1, True, True, True, False),
        ("other-unchecked", "127.0.0.2", 1, True, True, False, True),
        ("unknown-unchecked", "127.0.0.2", 1, False, False, True, True),
        ("unknown-name-unchecked", "127.0.0.1", 1, False, True, False, False),
    ],
)
def test_certificates(
    tmp_path: Path, name: str, ip: str, days: int, known: bool, chain: bool, names: bool, good: bool
) -> None:
    path, key = certificate(tmp_path, name, ip=ip, days=days)
    context = server_context(path, key)

    @story
    async def tell() -> None:
        served = ScriptedBackend()
        await served.start(context)
        pool = Pool(OPEN, path if known else None)
        origin = Origin("https", "127.0.0.1", served.port, validate_chain=chain, validate_name=names)
        if good:
            connection = await pool.connect(origin)
            assert await ask(connection) == 200
            connection.close()
        else:
            with pytest.raises(Upstream, match="certificate"):
                await pool.connect(origin)
            assert served.heard == []
        await until(lambda: served.open == 0)
        await served.stop()

    tell()
