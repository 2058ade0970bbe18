"""A query that eats its memory or its time dies alone: real query processes, killed, starved, given up."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from aforo.errors import Limited, Unavailable
from aforo.logs.query import QueryPool, ask_files
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from tests.support.places_file import write_places
from tests.support.stored_tables import write_rows

W = "11111111-1111-1111-1111-111111111111"
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLUMNS = {"TimeGenerated": "datetime", "A": "string", "N": "int"}
# Ten thousand million rows: minutes of work and no memory.
LONG = (
    "range x from 1 to 100000 step 1 | extend k = 1 "
    "| join kind=inner (range y from 1 to 100000 step 1 | extend k = 1) on k | summarize sum(x * y)"
)
LARGE = (
    "range x from 1 to 100000000 step 1 "
    "| extend y = strcat('a rather long text that is different in every row ', tostring(x)) "
    "| summarize make_list(y)"
)


def ask(text: str, **more: Any) -> QueryRequest:
    given = {"workspace_ids": (W,), "now_us": 0, "timeout_s": 60.0} | more
    return QueryRequest(text=text, **given)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tables")
    rows = [{"TimeGenerated": START + timedelta(seconds=i), "A": f"a{i}", "N": i} for i in range(100)]
    write_rows(root, W, "T_CL", COLUMNS, rows)
    return root


@asynccontextmanager
async def pool_over(root: Path, **options: Any) -> AsyncIterator[QueryPool]:
    pool = QueryPool(root, **({"processes": 1, "memory_bytes": 400 << 20, "threads": 1} | options))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


def run(root: Path, scenario: Callable[[QueryPool], Awaitable[None]], **options: Any) -> None:
    async def whole() -> None:
        async with pool_over(root, **options) as pool:
            await scenario(pool)

    asyncio.run(whole())


async def good(pool: QueryPool) -> QueryAnswer:
    answer = await pool.query(ask("T_CL | count"))
    assert (answer.outcome, answer.rows) == (Outcome.OK, b"[100]")
    return answer


async def until(condition: Callable[[], bool]) -> None:
    """Another process has no event for us."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def asked(pool: QueryPool, text: str, **more: Any) -> asyncio.Task[QueryAnswer]:
    """A query that its process has been asked."""
    before = pool._number
    task = asyncio.create_task(pool.query(ask(text, **more)))
    await until(lambda: pool._number > before)
    return task


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_answers_come_from_a_process_that_stays(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        before = pool.pids
        answer = await pool.query(ask("T_CL | where N < 3 | project N, A | order by N asc"))
        assert orjson.loads(b"[" + answer.rows + b"]") == [[0, "a0"], [1, "a1"], [2, "a2"]]
        assert answer.tables == ("T_CL",)
        assert answer.statistics.rows == (100, 100)
        assert pool.pids == before
        assert len(before) == 1

    run(root, scenario)


def test_a_query_over_its_time_ends_and_its_process_makes_room(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        before = pool.pids
        began = time.monotonic()
        answer = await pool.query(ask(LONG, timeout_s=0.5))
        assert answer.outcome is Outcome.TIMEOUT
        assert "0.5 s" in answer.message
        assert time.monotonic() - began < 30
        await good(pool)
        assert not set(before) & set(pool.pids)

    run(root, scenario)


def test_a_process_that_does_not_listen_is_killed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aforo.logs.query.GRACE_S", 0.1)

    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        answer = await pool.query(ask("T_CL | count", timeout_s=0.1))
        assert answer.outcome is Outcome.TIMEOUT
        await good(pool)
        assert pid not in pool.pids

    run(root, scenario)


def test_a_query_over_its_memory_dies_alone(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        others = [asyncio.create_task(good(pool)) for _ in range(10)]
        answer = await pool.query(ask(LARGE))
        assert answer.outcome is Outcome.MEMORY
        assert "memory" in answer.message
        await asyncio.gather(*others)
        await good(pool)

    run(root, scenario, processes=2)


def test_a_process_that_is_killed_takes_its_query_alone(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        (pid,) = pool.pids
        doomed = await asked(pool, LONG)
        os.kill(pid, signal.SIGKILL)
        answer = await doomed
        assert answer.outcome is Outcome.MEMORY
        assert "SIGKILL" in answer.message
        await good(pool)

    run(root, scenario)


def test_a_query_that_nobody_waits_for_ends_and_frees_its_place(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        before = pool.pids
        for _ in range(3):
            task = await asked(pool, LONG)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await good(pool)
        # Interrupted, not killed: the first process came back (others may have stood in for it meanwhile).
        await until(lambda: len(pool._idle) == len(pool.pids))
        assert set(before) <= set(pool.pids)

    run(root, scenario)


def test_queries_beyond_the_queue_are_refused(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        tasks = [asyncio.create_task(pool.query(ask(LONG, timeout_s=0.4))) for _ in range(3)]
        await until(lambda: pool._waiting == 2)
        with pytest.raises(Limited):
            await pool.query(ask("T_CL | count"))
        answers = await asyncio.gather(*tasks)
        assert {a.outcome for a in answers} == {Outcome.TIMEOUT}
        await good(pool)

    run(root, scenario, waiting=2)


@pytest.mark.slow
def test_a_hundred_queries_with_a_monster_among_them(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        monster = asyncio.create_task(pool.query(ask(LARGE)))
        await asyncio.gather(*(good(pool) for _ in range(99)))
        assert (await monster).outcome is Outcome.MEMORY

    run(root, scenario, processes=2)


def test_closing_ends_the_processes_and_what_waits(root: Path) -> None:
    async def whole() -> None:
        async with pool_over(root) as pool:
            await good(pool)
            (pid,) = pool.pids
            task = await asked(pool, LONG)
        with pytest.raises(Unavailable):
            await task
        await until(lambda: not lives(pid))
        with pytest.raises(Unavailable):
            await pool.query(ask("T_CL"))

    asyncio.run(whole())


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_the_process_has_no_environment_of_ours(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "s3cret")

    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        (pid,) = pool.pids
        assert b"SOME_SECRET" not in environment_of(pid)

    run(root, scenario)


def test_a_large_answer_is_cut_at_its_limits(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        rows = await pool.query(ask("range x from 1 to 1000 step 1", row_limit=10))
        assert (rows.cut, rows.row_count, rows.rows) == (
            "rows",
            10,
            b",".join(b"[%d]" % i for i in range(1, 11)),
        )
        exact = await pool.query(ask("range x from 1 to 1000 step 1", row_limit=1000))
        assert (exact.cut, exact.row_count) == ("", 1000)
        size = await pool.query(ask("range x from 1 to 1000 step 1", byte_limit=100))
        assert size.cut == "bytes"
        assert len(size.rows) <= 100
        assert len(orjson.loads(b"[" + size.rows + b"]")) == size.row_count
        assert size.rows.startswith(b"[1],[2],")

    run(root, scenario)


def test_a_process_knows_where_addresses_are(root: Path, tmp_path: Path) -> None:
    write_places(tmp_path / "geoip.mmdb", {"8.8.8.0/24": {"country": {"names": {"en": "United States"}}}})

    async def scenario(pool: QueryPool) -> None:
        answer = await pool.query(ask("print tostring(geo_info_from_ip_address('8.8.8.8').country)"))
        assert (answer.outcome, answer.rows) == (Outcome.OK, b'["United States"]')

    run(root, scenario, geoip=tmp_path / "geoip.mmdb")


def test_the_files_can_be_asked_without_a_pool(root: Path) -> None:
    answer = ask_files(root, ask("T_CL | count"))
    assert (answer.outcome, answer.rows) == (Outcome.OK, b"[100]")


def test_what_one_may_not_read_does_not_exist(root: Path) -> None:
    write_rows(root, W, "Secret_CL", COLUMNS, [{"TimeGenerated": START, "A": "s", "N": 1}])
    answer = ask_files(root, ask("Secret_CL | count", readable={W: ("T_CL",)}))
    assert answer.outcome is Outcome.INVALID
    assert "Secret_CL" in answer.mistakes[0].message
    assert all("Secret" not in h for h in answer.mistakes[0].hints)
    assert ask_files(root, ask("T_CL | count", readable={W: ("T_CL",)})).rows == b"[100]"


def test_values_that_do_not_allow_it_are_no_bug(root: Path) -> None:
    large = "todecimal('99999999999999999999999999')"
    answer = ask_files(root, ask(f"print x = {large} * {large}"))
    assert answer.outcome is Outcome.RUNTIME
    assert "beyond what its type" in answer.message


def test_a_process_that_died_with_nothing_to_do_costs_no_query(root: Path) -> None:
    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pool._idle[0].gone)
        await good(pool)

    run(root, scenario)


def test_let_that_explodes_does_not_hold_a_process(root: Path) -> None:
    lets = "".join(f"let a{i + 1} = strcat(a{i}, a{i});" for i in range(40))

    async def scenario(pool: QueryPool) -> None:
        await good(pool)
        answer = await pool.query(ask(f"let a0 = 'a'; {lets} print strlen(a40)", timeout_s=5.0))
        assert answer.outcome is Outcome.INVALID
        assert [m.code for m in answer.mistakes] == ["KQL0008"]

    run(root, scenario)
