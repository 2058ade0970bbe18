"""Client certificates and proxies on the way to others: on real sockets."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from aforo.egress.fetch import fetch
from aforo.egress.policy import parse
from aforo.egress.pool import Origin, Pool, Proxy, Way
from aforo.egress.tls import Identity, client_context
from aforo.errors import Denied, Upstream
from aforo.messages import Headers
from tests.support.certificates import asking_context, certificate, server_context
from tests.support.gateway import story
from tests.support.proxy_server import ProxyServer
from tests.support.scripted_backend import ScriptedBackend

OPEN = parse(("127.0.0.0/8",))


def identity(folder: Path, name: str = "client") -> tuple[Identity, Path]:
    chain, key = certificate(folder, name)
    return Identity(chain.read_text(), key.read_text()), chain


async def asking(folder: Path) -> tuple[ScriptedBackend, Pool, Identity, list[str]]:
    """A server that wants `client`'s certificate, and tells whose it got."""
    shown, clients = identity(folder)
    chain, key = certificate(folder, "server", ip="127.0.0.1")
    names: list[str] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        peer = tls.getpeercert()
        assert peer is not None
        names.append(peer["subject"][0][0][1])

    backend = ScriptedBackend()
    backend.always = (note, *backend.always)
    await backend.start(asking_context(chain, key, clients))
    return backend, Pool(OPEN, chain), shown, names


@story
async def test_the_server_sees_our_certificate(tmp_path: Path) -> None:
    backend, pool, shown, names = await asking(tmp_path)
    url = f"https://127.0.0.1:{backend.port}/"
    for _ in range(2):
        assert (await fetch(pool, "GET", url, way=Way(shown))).status == 200
    assert names == ["client", "client"]
    assert backend.accepted == 1, "a connection with a certificate is kept alive"
    with pytest.raises(Upstream):
        await fetch(pool, "GET", url)
    stranger, _ = identity(tmp_path, "stranger")
    with pytest.raises(Upstream):
        await fetch(pool, "GET", url, way=Way(stranger))
    pool.close()
    await backend.stop()


@story
async def test_a_connection_is_for_who_opened_it(tmp_path: Path) -> None:
    backend, pool, shown, _ = await asking(tmp_path)
    await fetch(pool, "GET", f"https://127.0.0.1:{backend.port}/", way=Way(shown))
    assert pool.take(Origin("https", "127.0.0.1", backend.port)) is None
    assert pool.take(Origin("https", "127.0.0.1", backend.port, way=Way(shown))) is not None
    pool.close()
    await backend.stop()


@story
async def test_a_redirect_elsewhere_is_shown_no_certificate(tmp_path: Path) -> None:
    backend, pool, shown, _ = await asking(tmp_path)
    other, _, _, _ = await asking(tmp_path)
    backend.always = (
        b"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n" % other.port,
    )
    with pytest.raises(Upstream):
        await fetch(pool, "GET", f"https://127.0.0.1:{backend.port}/", way=Way(shown), follow_redirects=True)
    assert other.heard == []
    pool.close()
    await backend.stop()
    await other.stop()


def test_a_key_that_is_none_is_refused_without_its_words(tmp_path: Path) -> None:
    shown, _ = identity(tmp_path)
    other, _ = identity(tmp_path, "other")
    for wrong in (
        Identity(shown.pem, "canary"),
        Identity(shown.pem, other.key_pem),
        Identity("canary", shown.key_pem),
    ):
        with pytest.raises(Upstream) as caught:
            client_context(identity=wrong)
        assert "canary" not in str(caught.value)
    assert "canary" not in repr(Identity("canary", "canary"))
    assert "canary" not in repr(Proxy("p", 1, "canary"))


def test_no_key_stays_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = identity(tmp_path, "kept")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    client_context(identity=shown)
    assert list(folder.iterdir()) == []


@story
async def test_https_goes_through_a_tunnel(tmp_path: Path) -> None:
    backend, pool, shown, names = await asking(tmp_path)
    proxy = ProxyServer("Basic bWU6cHc=")
    await proxy.start()
    way = Way(shown, Proxy("127.0.0.1", proxy.port, "Basic bWU6cHc="))
    url = f"https://127.0.0.1:{backend.port}/path"
    for _ in range(2):
        assert (await fetch(pool, "GET", url, way=way)).body == b"ok"
    assert [h.splitlines()[0] for h in proxy.heads] == [f"CONNECT 127.0.0.1:{backend.port} HTTP/1.1"]
    assert names == ["client", "client"]
    assert backend.heard[0].values("proxy-authorization") == []
    assert backend.heard[0].line == "GET /path HTTP/1.1"
    pool.close()
    await proxy.stop()
    await backend.stop()


@story
async def test_http_names_the_whole_url() -> None:
    backend, proxy, pool = ScriptedBackend(), ProxyServer(), Pool(OPEN)
    await backend.start()
    await proxy.start()
    way = Way(None, Proxy("127.0.0.1", proxy.port, "Basic eA=="))
    url = f"http://127.0.0.1:{backend.port}/a?b=1"
    answer = await fetch(pool, "POST", url, Headers.of(((b"x-a", b"1"),)), b"hello", way=way)
    assert answer.status == 200
    assert proxy.heads[0].startswith(f"POST {url} HTTP/1.1\r\nhost: 127.0.0.1:{backend.port}\r\n")
    assert "proxy-authorization: Basic eA==\r\n" in proxy.heads[0]
    assert backend.heard[0].body == b"hello"
    pool.close()
    await proxy.stop()
    await backend.stop()


@story
async def test_a_proxy_that_refuses_is_named(tmp_path: Path) -> None:
    backend, pool, shown, _ = await asking(tmp_path)
    proxy = ProxyServer("Basic right")
    await proxy.start()
    with pytest.raises(Upstream, match=r"127\.0\.0\.1:\d+ over the proxy .*407"):
        await fetch(
            pool,
            "GET",
            f"https://127.0.0.1:{backend.port}/",
            way=Way(shown, Proxy("127.0.0.1", proxy.port, "Basic wrong")),
        )
    pool.close()
    await proxy.stop()
    await backend.stop()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nearly", "behind its answer"),
        (b"SSH-2.0-x\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000, "no end"),
    ],
)
def test_what_is_no_answer_of_a_proxy(tmp_path: Path, answer: bytes, told: str) -> None:
    @story
    async def run() -> None:
        proxy, pool = ProxyServer(), Pool(OPEN)
        proxy.answer = answer
        await proxy.start()
        backend = ScriptedBackend()
        chain, key = certificate(tmp_path, "server", ip="127.0.0.1")
        await backend.start(server_context(chain, key))
        with pytest.raises(Upstream, match=told):
            await fetch(
                pool,
                "GET",
                f"https://127.0.0.1:{backend.port}/",
                way=Way(None, Proxy("127.0.0.1", proxy.port)),
            )
        await proxy.stop()
        await backend.stop()

    run()


@story
async def test_the_egress_policy_judges_proxy_and_target() -> None:
    proxy = ProxyServer()
    await proxy.start()
    only_proxy = Pool(parse((f"127.0.0.1:{proxy.port}",)))
    way = Way(None, Proxy("127.0.0.1", proxy.port))
    with pytest.raises(Denied):
        await fetch(only_proxy, "GET", "http://127.0.0.1:9/", way=way)
    with pytest.raises(Denied):
        await fetch(only_proxy, "GET", "https://169.254.169.254/", way=way)
    with pytest.raises(Denied):
        await fetch(Pool(parse(("127.0.0.1:9",))), "GET", "https://127.0.0.1:9/", way=way)
    assert proxy.heads == []
    await proxy.stop()


@story
async def test_a_name_that_only_the_proxy_knows_is_the_proxys_to_judge() -> None:
    proxy, pool = ProxyServer(), Pool(OPEN)
    proxy.answer = b"HTTP/1.1 403 Forbidden\r\n\r\n"
    await proxy.start()
    way = Way(None, Proxy("127.0.0.1", proxy.port))
    with pytest.raises(Upstream, match="403"):
        await fetch(pool, "GET", "https://known-inside.invalid/", way=way)
    assert proxy.heads[0].startswith("CONNECT known-inside.invalid:443 HTTP/1.1\r\n")
    with pytest.raises(Upstream):
        await fetch(pool, "GET", "https://known-inside.invalid/")
    await proxy.stop()
