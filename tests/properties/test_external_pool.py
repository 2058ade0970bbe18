"""Files outside, from a real server over the egress room into a real query process."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from aforo.egress.fetch import fetch
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Pool
from aforo.logs.external_files import FilesOutside
from aforo.logs.query import QueryPool
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from tests.support.serving import serving

ROWS = 200_000
LARGE = b"".join(b"%d,a text of some length in row %d\n" % (i, i) for i in range(ROWS))


async def _drip(_request: Request) -> Response:
    async def pieces() -> Any:
        for _ in range(100):
            yield b"x\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(pieces())


async def _flood(_request: Request) -> Response:
    async def pieces() -> Any:
        for _ in range(700):
            yield b"0123456789\n" * 10_000
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


async def _file(request: Request) -> Response:
    match request.path_params["name"]:
        case "large.csv":
            return Response(LARGE)
        case "large.csv.gz":
            return Response(gzip.compress(LARGE, 1))
        case "bomb.txt.gz":
            return Response(gzip.compress(b"0" * 300_000_000, 1))
        case "many.csv":
            return Response(b"1,2\n" * 15_000_000)
        case "away.csv":
            return RedirectResponse(f"{request.base_url}elsewhere/large.csv")
        case _:
            return Response("no such file, sig=very", 404)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    routes = [Route("/lists/drip", _drip), Route("/lists/flood", _flood), Route("/lists/{name}", _file)]
    with serving(Starlette(routes=routes)) as url:
        yield url


Ask = Callable[..., Awaitable[QueryAnswer]]


def run(tmp_path: Path, server: str, scenario: Callable[[Ask], Awaitable[None]], **more: Any) -> None:
    policy = more.pop("policy", parse((server.removeprefix("http://"),)))

    async def get(url: str, timeout_s: float, most_bytes: int) -> tuple[int, Mapping[str, str], bytes]:
        egress = Pool(policy)
        try:
            answer = await fetch(egress, "GET", url, timeout_s=timeout_s, max_bytes=most_bytes)
        finally:
            egress.close()
        return answer.status, {n.decode().lower(): v.decode() for n, v in answer.headers}, answer.body

    async def whole() -> None:
        pool = QueryPool(tmp_path, processes=1, memory_bytes=400 << 20, threads=1)
        files = FilesOutside(get, **more)

        async def ask(text: str) -> QueryAnswer:
            request = QueryRequest(
                workspace_ids=("w",), text=text, now_us=0, external=(("lab", (f"{server}/lists/",)),), timeout_s=60.0
            )  # fmt: skip
            return await files.answered(pool.query, request)

        try:
            await scenario(ask)
        finally:
            await pool.close()

    asyncio.run(whole())


def read(server: str, name: str) -> str:
    return f"externaldata(n:long, t:string)['{server}/lists/{name}']"


def test_a_file_is_asked_about_and_nothing_of_it_stays(tmp_path: Path, server: str) -> None:
    async def scenario(ask: Ask) -> None:
        for name in ("large.csv", "large.csv.gz"):
            answer = await ask(f"{read(server, name)} | summarize count(), sum(n), dcount(t) > 0")
            assert answer.outcome is Outcome.OK, answer
            assert answer.rows == b"[%d,%d,true]" % (ROWS, ROWS * (ROWS - 1) // 2)
        assert (await ask("print 1")).outcome is Outcome.OK

    run(tmp_path, server, scenario)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_is_too_much_ends_and_the_next_query_runs(tmp_path: Path, server: str) -> None:
    async def scenario(ask: Ask) -> None:
        for name, what in (
            ("flood", "it is larger than"),
            ("drip", "did not come within 2 s"),
            ("bomb.txt.gz", "larger than 64,000,000 bytes"),
            ("away.csv", "it leads to"),
            ("none.csv", "answers with 404"),
        ):
            answer = await ask(read(server, name))
            assert (answer.outcome, what in answer.message) == (Outcome.RUNTIME, True), answer
            assert "very" not in answer.message
        assert (await ask("print 1")).outcome is Outcome.OK

    run(tmp_path, server, scenario, longest_s=2.0)


def test_a_private_address_needs_the_operators_leave(tmp_path: Path, server: str) -> None:
    async def scenario(ask: Ask) -> None:
        answer = await ask(read(server, "large.csv"))
        assert answer.outcome is Outcome.RUNTIME
        assert "private address 127.0.0.1" in answer.message

    run(tmp_path, server, scenario, policy=EgressPolicy())


@pytest.mark.slow
def test_rows_that_do_not_fit_end_their_query_alone(tmp_path: Path, server: str) -> None:
    async def scenario(ask: Ask) -> None:
        answer = await ask(f"{read(server, 'many.csv')} | summarize make_list(t)")
        assert answer.outcome in (Outcome.MEMORY, Outcome.TIMEOUT), answer
        assert (await ask("print 1")).outcome is Outcome.OK

    run(tmp_path, server, scenario)
