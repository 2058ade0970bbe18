"""Our own corpus of ambiguous messages, against both legs of a gateway: smuggling/requests.txt and responses.txt."""

from __future__ import annotations

import asyncio
import codecs
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.gateway import gate, story
from tests.support.scripted_backend import CLOSE

CORPUS = Path(__file__).with_name("smuggling")
SMUGGLED = b"GET /echo/smuggled HTTP/1.1\r\nHost: gate\r\n\r\n"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
GET = b"GET /echo/a HTTP/1.1\r\nHost: gate\r\n\r\n"


@dataclass(frozen=True)
class Case:
    name: str
    outcome: str
    data: bytes


def corpus(name: str) -> list[Case]:
    """The messages of a file of the corpus."""
    text = (CORPUS / name).read_text(encoding="ascii")
    cases = []
    for block in text.split("\n=== ")[1:]:
        title, outcome, *lines = block.splitlines()
        data = codecs.escape_decode("".join(lines).encode())[0]
        assert isinstance(data, bytes)
        cases.append(Case(title, outcome, data))
    return cases


REQUESTS, RESPONSES = corpus("requests.txt"), corpus("responses.txt")


@pytest.mark.parametrize("piece", [0, 1, 7], ids=["whole", "bytewise", "in-sevens"])
@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
@story
async def test_requests(case: Case, piece: int) -> None:
    verdict, _, said = case.outcome.partition(" ")
    async with gate() as g:
        client = await g.connect()
        data = case.data + SMUGGLED
        if verdict == "served":
            data = data.replace(b"smuggled HTTP/1.1\r\n", b"smuggled HTTP/1.1\r\nConnection: close\r\n")
        try:
            for at in range(0, len(data), piece or len(data)):
                await client.send(data[at : at + (piece or len(data))])
                if piece:
                    await asyncio.sleep(0)
        except ConnectionError:
            pass  # it was refused before all of it was sent
        got = await client.rest()
        await g.settled()
        heard = [(h.line.split(" ")[1], h.body) for h in g.backend.heard]
        if verdict == "served":
            assert heard == [("/base/a", said.encode()), ("/base/smuggled", b"")]
            assert got.count(b"HTTP/1.1 200 ") == 2
            assert [r.status for r in g.records] == [200, 200]
            return
        assert "/base/smuggled" not in [path for path, _ in heard]
        if verdict == "refused":
            assert heard == []
            # A reset may take the answer along where more was on its way; what is there is it alone.
            assert got.startswith(f"HTTP/1.1 {said} ".encode()) or (piece and got == b""), got
        else:
            assert verdict == "cut"
        assert got.count(b"HTTP/1.1 ") <= 1
        assert b"HTTP/1.1 200" not in got


@pytest.mark.parametrize("together", [True, False], ids=["one-read", "poison-later"])
@pytest.mark.parametrize("case", RESPONSES, ids=lambda case: case.name)
@story
async def test_responses(case: Case, together: bool) -> None:
    verdict, _, said = case.outcome.partition(" ")
    async with gate() as g:
        if said.endswith("closed"):
            said = said.removesuffix("closed").strip()
            g.backend.plays(case.data, CLOSE)
        elif together:
            g.backend.plays(case.data + POISON)
        else:
            g.backend.plays(case.data, POISON)
        g.backend.plays(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")
        client = await g.connect()
        await client.send(GET)
        if verdict == "cut":
            try:
                answer = await client.answer()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            else:
                # What broke before its head had left is an error.
                assert (answer.status, b"hi" in answer.body) == (500, False)
        else:
            answer = await client.answer()
            if verdict == "error":
                assert (answer.status, b"hi" in answer.body) == (500, False)
            else:
                assert verdict == "whole"
                assert (answer.status in (200, 204), answer.body) == (True, said.encode())
        following = await g.call(GET)
        assert (following.status, following.body) == (200, b"own")
        assert g.backend.accepted == 2
        assert b"poison" not in b"".join(r.response.body + r.backend_response.body for r in g.records)


NAMES = ("Content-Length", "Transfer-Encoding", "Host", "Connection", "X")
VALUES = ("0", "3", "4", "44", "chunked", "identity", "gate", "close", "keep-alive", "", "3, 3", "\tchunked")
FIELDS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4)
BODIES = st.sampled_from(
    [b"", b"abc", b"0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n", b"abc" + SMUGGLED]
)
NOISE = st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b"\x0b", b"0"])


@settings(max_examples=examples(150), deadline=None)
@given(FIELDS, BODIES, st.lists(st.tuples(st.floats(0, 1), NOISE), max_size=2))
def test_whatever_comes_backends_hear_the_calls_that_were_recorded_and_no_other(
    fields: list[tuple[str, str]], body: bytes, noise: list[tuple[float, bytes]]
) -> None:
    lines = "".join(f"{n}: {v}\r\n" for n, v in fields)
    data = f"POST /echo/a HTTP/1.1\r\nHost: gate\r\n{lines}\r\n".encode() + body
    for where, what in noise:
        at = int(where * len(data))
        data = data[:at] + what + data[at:]

    @story
    async def tell() -> None:
        async with gate() as g:
            client = await g.connect()
            await client.send(data + SMUGGLED)
            client.writer.write_eof()
            await client.rest()
            await g.settled()
            sent = [r for r in g.records if r.backend_url]
            paths = ["/base" + r.url.partition("/echo")[2] for r in sent]
            heard = [h.line.split(" ")[1] for h in g.backend.heard]
            # What had been sent to a backend when its client left may not have been read there.
            assert heard == paths[: len(heard)]
            for record, request in zip(sent, g.backend.heard, strict=False):
                if record.aborted != "client":
                    assert request.body == record.request.body

    tell()
