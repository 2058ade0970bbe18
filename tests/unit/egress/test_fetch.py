"""Whole requests with whole answers: redirects judged anew, credentials kept home, limits on time and size."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aforo.egress.fetch import MAX_REDIRECTS, Answer, fetch
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Pool
from aforo.errors import Denied, Invalid, Timeout, Upstream
from aforo.messages import Headers
from tests.support.gateway import story, until
from tests.support.scripted_backend import CLOSE, ScriptedBackend

SECRETS = [
    (b"authorization", b"Bearer s"),
    (b"cookie", b"s"),
    (b"x-functions-key", b"s"),
    (b"accept", b"a/b"),
]


class Lab:
    """Two servers and a pool that reaches them."""

    def __init__(self) -> None:
        self.here, self.there = ScriptedBackend(), ScriptedBackend()
        self.pool = Pool(parse(("127.0.0.0/8",)))

    async def __aenter__(self) -> Lab:
        await self.here.start()
        await self.there.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.pool.close()
        await self.here.stop()
        await self.there.stop()

    def url(self, path: str = "/a", server: ScriptedBackend | None = None) -> str:
        return f"http://127.0.0.1:{(server or self.here).port}{path}"

    async def fetch(self, path: str = "/a", method: str = "GET", **options: Any) -> Answer:
        return await fetch(self.pool, method, self.url(path), **options)


def redirect(status: int, location: str) -> bytes:
    return f"HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()


@story
async def test_a_request_and_its_answer() -> None:
    async with Lab() as lab:
        answer = await lab.fetch("/a?b=c", "POST", headers=Headers.of([(b"x", b"y")]), body=b"hi")
        assert (answer.status, answer.reason, answer.body) == (200, "OK", b"ok")
        (heard,) = lab.here.heard
        assert (
            heard.head
            == f"POST /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:{lab.here.port}\r\nx: y\r\ncontent-length: 2"
        )
        assert heard.body == b"hi"
        lab.here.plays(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
        assert (await lab.fetch(method="HEAD")).body == b""
        await lab.fetch()
        assert lab.here.accepted == 1


@story
async def test_redirects_are_followed_only_when_asked() -> None:
    async with Lab() as lab:
        lab.here.plays(redirect(302, "/b"))
        assert (await lab.fetch()).status == 302
        lab.here.plays(redirect(302, "b?c=d"))
        assert (await lab.fetch("/x/a", follow_redirects=True)).body == b"ok"
        assert lab.here.heard[-1].line == "GET /x/b?c=d HTTP/1.1"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
    ],
)
@story
async def test_the_method_after_a_redirect(status: int, method: str, then: str) -> None:
    async with Lab() as lab:
        lab.here.plays(redirect(status, "/b"))
        await lab.fetch(method=method, body=b"hi", follow_redirects=True)
        last = lab.here.heard[-1]
        assert (last.line, last.body) == (f"{then} /b HTTP/1.1", b"" if then == "GET" else b"hi")


@story
async def test_credentials_stay_with_who_they_were_given_to() -> None:
    async with Lab() as lab:
        lab.here.plays(redirect(307, "/again"))
        lab.here.plays(redirect(307, lab.url("/b", lab.there)))
        lab.there.plays(redirect(307, lab.url("/back")))
        await lab.fetch(headers=Headers.of(SECRETS), follow_redirects=True)
        names = ("authorization", "cookie", "x-functions-key")
        assert [[h.values(n) for n in names] for h in lab.here.heard[:2]] == [
            [["Bearer s"], ["s"], ["s"]]
        ] * 2
        for heard in (*lab.there.heard, lab.here.heard[2]):
            assert [heard.values(n) for n in names] == [[], [], []]
            assert heard.values("accept") == ["a/b"]


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest", "http://127.0.0.1:{own}/", "http://[::ffff:a9fe:a9fe]/"]
)
@story
async def test_each_redirect_is_judged_anew(to: str) -> None:
    async with Lab() as lab:
        lab.pool.policy = parse(("127.0.0.0/8",), frozenset({lab.there.port}))
        lab.here.plays(redirect(302, to.format(own=lab.there.port)))
        with pytest.raises(Denied):
            await lab.fetch(follow_redirects=True)
        assert lab.there.accepted == 0


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/", "http://[::1/"]
)
@story
async def test_a_redirect_to_nowhere_we_speak_is_refused(to: str) -> None:
    async with Lab() as lab:
        lab.here.plays(redirect(302, to))
        with pytest.raises(Invalid):
            await lab.fetch(follow_redirects=True)


@story
async def test_redirects_end_somewhere() -> None:
    async with Lab() as lab:
        for _ in range(MAX_REDIRECTS):
            lab.here.plays(redirect(302, "/b"))
        assert (await lab.fetch(follow_redirects=True)).body == b"ok"
        lab.here.always = (redirect(302, "/c"),)
        with pytest.raises(Upstream, match=f"more than {MAX_REDIRECTS} redirects"):
            await lab.fetch(follow_redirects=True)


@story
async def test_no_answer_in_time_and_the_message_hides_the_query() -> None:
    async with Lab() as lab:
        lab.here.plays(asyncio.Event())
        with pytest.raises(Timeout) as caught:
            await lab.fetch("/a?code=secret", timeout_s=0.05)
        assert "secret" not in str(caught.value)
        await until(lambda: lab.here.open == 0)


@pytest.mark.parametrize("head", [b"content-length: 2000", b"transfer-encoding: chunked"])
@story
async def test_an_answer_that_is_too_large_is_not_read(head: bytes) -> None:
    async with Lab() as lab:
        body = b"7d0\r\n" + b"x" * 2000 if b"chunked" in head else b"x" * 2000
        lab.here.plays(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body, asyncio.Event())
        with pytest.raises(Upstream, match="larger than 1000 bytes"):
            await lab.fetch(max_bytes=1000)
        await until(lambda: lab.here.open == 0)


@story
async def test_a_stale_connection_is_tried_once_again() -> None:
    async with Lab() as lab:
        await lab.fetch()
        lab.here.plays(CLOSE)
        assert (await lab.fetch()).body == b"ok"
        lab.here.plays(CLOSE)
        lab.here.plays(CLOSE)
        with pytest.raises(Upstream, match="closed the connection"):
            await lab.fetch()
        assert len(lab.here.heard) == 5


@pytest.mark.parametrize(
    ("url", "method", "headers"),
    [
        ("http://127.0.0.1/a b", "GET", []),
        ("http://127.0.0.1/a\r\nx: y", "GET", []),
        ("http://127.0.0.1\r\nx: y/", "GET", []),
        ("http://127.0.0.1/", "GET /evil HTTP/1.1\r\n\r\nGET", []),
        ("http://127.0.0.1/", "", []),
        ("http://127.0.0.1/", "GET", [(b"a", b"b\r\nx: y")]),
        ("http://127.0.0.1/", "GET", [(b"a", b"b\nx: y")]),
        ("http://127.0.0.1/", "GET", [(b"a: b\r\nx", b"y")]),
        ("http://127.0.0.1/", "GET", [(b"", b"y")]),
        ("http://127.0.0.1/", "GET", [(b"a", b"\0")]),
    ],
)
@story
async def test_what_would_become_another_request_is_refused(
    url: str, method: str, headers: list[tuple[bytes, bytes]]
) -> None:
    with pytest.raises(Invalid):
        await fetch(Pool(EgressPolicy()), method, url, Headers.of(headers))


@story
async def test_letters_of_all_scripts_in_a_path() -> None:
    async with Lab() as lab:
        await lab.fetch("/ü/%41?ß=€")
        assert lab.here.heard[0].line == "GET /%C3%BC/%41?%C3%9F=%E2%82%AC HTTP/1.1"
