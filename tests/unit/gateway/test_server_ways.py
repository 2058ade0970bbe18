"""Redirects that are followed, client certificates and proxies towards backends, on a gateway with sockets."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.named_values import NamedValue
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.policy.services import Certificate
from aforo.snapshot.snapshot import BackendEntry
from aforo.source import Source
from tests.support.certificates import asking_context, certificate
from tests.support.gateway import Gate, gate, story
from tests.support.proxy_server import ProxyServer
from tests.support.scripted_backend import ScriptedBackend

GET = b"GET /echo/a?k=v HTTP/1.1\r\nHost: gate\r\nauthorization: Bearer mine\r\naccept: text/plain\r\n\r\n"
POST = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nauthorization: Bearer mine\r\ncontent-type: text/x\r\ncontent-length: 5\r\n\r\nhello"
FOLLOW = '<forward-request follow-redirects="true"/>'


def policy(inbound: str = "", backend: str = "<forward-request/>", **values: str) -> Pipeline:
    text = f"<policies><inbound>{inbound}</inbound><backend>{backend}</backend></policies>"
    context = CompileContext({n: NamedValue(v, secret=True) for n, v in values.items()})
    result = compile_document(Source("policy.xml", text), Scope.GLOBAL, context)
    assert result.document is not None, result.diagnostics
    return result.document.bind(EMPTY)


def moved(status: int, location: str, body: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (301, "GET", b""),
        (302, "GET", b""),
        (303, "GET", b""),
        (307, "POST", b"hello"),
        (308, "POST", b"hello"),
    ],
)
def test_a_redirect_on_the_same_origin(status: int, method: str, body: bytes) -> None:
    @story
    async def run() -> None:
        async with gate(policy(backend=FOLLOW)) as g:
            g.backend.plays(moved(status, "../there?x=1", b"gone"))
            answer = await g.call(POST)
            assert (answer.status, answer.body) == (200, b"ok")
            _, second = g.backend.heard
            assert second.line == f"{method} /there?x=1 HTTP/1.1"
            assert second.body == body
            assert second.values("authorization") == ["Bearer mine"]
            assert second.values("content-type") == (["text/x"] if body else [])
            assert second.connection == 1
            await g.settled()
            assert g.records[0].backend_url == f"http://127.0.0.1:{g.backend.port}/there?x=1"

    run()


@story
async def test_another_origin_gets_no_credentials() -> None:
    other = ScriptedBackend()
    await other.start()
    entry = {"headers": (("x-key", ("secret",)),), "authorization": ("Bearer", "backends")}
    inbound = '<set-backend-service backend-id="one"/>'

    def entries(port: int) -> dict[str, BackendEntry]:
        return {"one": BackendEntry("one", f"http://127.0.0.1:{port}", **entry)}  # type: ignore[arg-type]

    async with gate(policy(inbound, FOLLOW), backends=entries) as g:
        g.backend.plays(moved(302, "/near"))
        g.backend.plays(moved(302, f"http://127.0.0.1:{other.port}/far"))
        assert (await g.call(GET)).status == 200
        near = g.backend.heard[1]
        assert (near.values("authorization"), near.values("x-key")) == (["Bearer backends"], ["secret"])
        (far,) = other.heard
        assert far.line == "GET /far HTTP/1.1"
        assert (far.values("authorization"), far.values("x-key")) == ([], [])
        assert far.values("accept") == ["text/plain"]
        assert far.values("host") == [f"127.0.0.1:{other.port}"]
    await other.stop()


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest", "http://10.1.2.3/", "http://[::ffff:169.254.169.254]/"]
)
def test_a_redirect_is_judged_like_any_address(location: str) -> None:
    @story
    async def run() -> None:
        async with gate(policy(backend=FOLLOW)) as g:
            g.backend.plays(moved(302, location))
            assert (await g.call(GET)).status == 500
            await g.settled()
            assert "BackendConnectionFailure" in str(g.records[0].errors[0])

    run()


@story
async def test_what_is_not_followed_goes_to_the_client() -> None:
    async with gate(policy(backend=FOLLOW)) as g:
        g.backend.always = (moved(302, "/again"),)
        answer = await g.call(GET)
        assert (answer.status, answer.values("location")) == (302, ["/again"])
        assert len(g.backend.heard) == 6
    for odd in ("ftp://host/x", "//[bad/"):
        async with gate(policy(backend=FOLLOW)) as g:
            g.backend.plays(moved(302, odd))
            assert (await g.call(GET)).status == 302
    async with gate(policy()) as g:
        g.backend.plays(moved(302, "/there"))
        assert (await g.call(GET)).status == 302


@story
async def test_the_time_runs_over_all_redirects() -> None:
    async with gate(policy(backend='<forward-request follow-redirects="true" timeout-ms="300"/>')) as g:
        g.backend.plays(moved(302, "/there"))
        g.backend.plays(asyncio.Event())
        sweeping = asyncio.create_task(swept(g))
        assert (await g.call(GET)).status == 500
        sweeping.cancel()
        await g.settled()
        assert "Timeout" in str(g.records[0].errors[0])


async def swept(g: Gate) -> None:
    while True:
        g.upstream.sweep()
        await asyncio.sleep(0.02)


async def asking(folder: Path) -> tuple[ScriptedBackend, Path, Certificate, list[str]]:
    """(A TLS server that wants client's certificate, whom to trust for it, that certificate, who showed one)"""
    chain, key = certificate(folder, "server", ip="127.0.0.1")
    shown, shown_key = certificate(folder, "client")
    names: list[str] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        peer = tls.getpeercert()
        assert peer is not None
        names.append(peer["subject"][0][0][1])

    backend = ScriptedBackend()
    backend.always = (note, *backend.always)
    await backend.start(asking_context(chain, key, shown))
    return backend, chain, Certificate("partner", "AB12", shown.read_text(), shown_key.read_text()), names


@story
async def test_a_policy_shows_a_client_certificate(tmp_path: Path) -> None:
    backend, trusted, held, names = await asking(tmp_path)
    inbound = (
        '<choose><when condition="@(context.Request.Headers.ContainsKey("accept"))">'
        '<authentication-certificate thumbprint="ab 12"/></when></choose>'
        f'<set-backend-service base-url="https://127.0.0.1:{backend.port}"/>'
    )
    async with gate(policy(inbound)) as g:
        g.pool._ca_file = trusted
        g.proxy._services.certificates.known = {"partner": held, "ab12": held}
        assert [(await g.call(GET)).status for _ in range(2)] == [200, 200]
        assert names == ["client", "client"]
        assert backend.accepted == 1
        # A call that shows none does not go over that connection.
        assert (await g.call(GET.replace(b"accept", b"x-a"))).status == 500
        assert len(backend.heard) == 2
    await backend.stop()


@story
async def test_a_backend_has_its_client_certificate(tmp_path: Path) -> None:
    backend, trusted, held, names = await asking(tmp_path)
    url = f"https://127.0.0.1:{backend.port}"
    inbound = (
        '<send-request mode="copy" response-variable-name="r"><set-method>GET</set-method></send-request>'
        '<set-header name="status"><value>@(((IResponse)context.Variables["r"]).StatusCode.ToString())</value></set-header>'
    )
    entries = {
        "one": BackendEntry("one", url, certificate="AB12"),
        "none": BackendEntry("none", url, certificate="x"),
    }

    def choosing(name: str) -> Pipeline:
        return policy(f'<set-backend-service backend-id="{name}"/>' + inbound * (name == "one"))

    async with gate(choosing("one"), backends=lambda _: entries) as g:
        g.pool._ca_file = trusted
        g.proxy.runtime.certificates = {"ab12": held}
        assert (await g.call(GET)).status == 200
        assert [h.line for h in backend.heard] == ["GET /a?k=v HTTP/1.1"] * 2
        assert backend.heard[1].values("status") == ["200"]
        assert names == ["client", "client"]
    async with gate(choosing("none"), backends=lambda _: entries) as g:
        assert (await g.call(GET)).status == 500
        await g.settled()
        assert "certificate" in str(g.records[0].errors[0])
    await backend.stop()


@story
async def test_a_policy_sends_over_a_proxy(tmp_path: Path) -> None:
    backend, trusted, held, names = await asking(tmp_path)
    proxy = ProxyServer("Basic bWU6czNjcmV0")
    await proxy.start()
    through = f'<proxy url="http://127.0.0.1:{proxy.port}" username="me" password="{{{{word}}}}"/>'
    shown = '<authentication-certificate certificate-id="partner"/>'
    secure = f'<set-backend-service base-url="https://127.0.0.1:{backend.port}"/>'
    async with gate(policy(through + shown + secure, word="s3cret")) as g:
        g.pool._ca_file = trusted
        g.proxy._services.certificates.known = {"partner": held}
        assert (await g.call(GET)).status == 200
        assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{backend.port} HTTP/1.1")
        assert names == ["client"]
        assert backend.heard[0].values("proxy-authorization") == []
    async with gate(policy(through, word="s3cret")) as g:
        assert (await g.call(GET)).status == 200
        where = f"127.0.0.1:{g.backend.port}"
        assert proxy.heads[1].startswith(f"GET http://{where}/base/a?k=v HTTP/1.1\r\n")
        assert f"\r\nhost: {where}\r\n" in proxy.heads[1]
    async with gate(policy(through, word="wrong")) as g:
        answer = await g.call(GET)
        assert answer.status == 407
        await g.settled()
        assert "wrong" not in str(g.records[0])
    await proxy.stop()
    await backend.stop()


@story
async def test_the_proxy_of_a_backend_resource() -> None:
    proxy = ProxyServer("Basic bWU6d29yZA==")
    await proxy.start()

    def entries(port: int) -> dict[str, BackendEntry]:
        way = (f"http://127.0.0.1:{proxy.port}", "me", "word")
        return {"one": BackendEntry("one", f"http://127.0.0.1:{port}/v1", proxy=way)}

    inbound = '<set-backend-service backend-id="one"/>'
    async with gate(policy(inbound), backends=entries) as g:
        assert (await g.call(GET)).status == 200
        (head,) = proxy.heads
        assert head.startswith(f"GET http://127.0.0.1:{g.backend.port}/v1/a?k=v HTTP/1.1\r\n")
        (heard,) = g.backend.heard
        assert heard.values("x-key") == []
        await g.settled()
        assert "word" not in repr(g.records)
    await proxy.stop()
