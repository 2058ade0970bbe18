"""Queries that want more time or memory than there is: each ends within its limit and takes nobody with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aforo.logs.query import GRACE_S, QueryPool
from aforo.logs.question import Outcome, QueryRequest

pytestmark = pytest.mark.slow

W = "11111111-1111-1111-1111-111111111111"
TIMEOUT_S = 2.0
# For a new process, for a machine that does other things, and for an answer on its way.
SLACK_S = 6.0
MEMORY = 400 << 20

# It may be answered or told why not, for sizes in functions have limits; a bug of ours it must not be.
ENDS = (Outcome.OK, Outcome.TIMEOUT, Outcome.MEMORY, Outcome.RUNTIME)
DOUBLED = " | ".join(["extend s = strcat(s, s)"] * 40)
GROWN = " | ".join(["extend a = array_concat(a, a)"] * 40)
LONG_ARRAY = "print a = range(1, 60000, 1)"
MONSTERS = {
    "rows": "range x from 1 to 1000000000000 step 1 | summarize sum(x % 7)",
    "reals": "range x from 0.0 to 1000000000000.0 step 0.001 | count",
    "list": "range x from 1 to 100000000 step 1 | summarize make_list(x, 100000000)",
    "list without limit": "range x from 1 to 100000000 step 1 | summarize make_list(strcat('some text ', x))",
    "set": "range x from 1 to 100000000 step 1 | summarize make_set(x)",
    "array": "print array_length(range(1, 1000000000000, 1))",
    "moments": "print array_length(range(datetime(0001-01-01), datetime(9999-12-31), 1s))",
    "strrep": "print strlen(strrep('abcdefgh', 1000000000))",
    "repeat": "print array_length(repeat('abcdefgh', 1000000000))",
    "many strrep": "range x from 1 to 10000000 step 1 | extend s = strrep('abcdefgh', 1024) | summarize make_list(s)",
    "doubled": f"print s = 'abcdefgh' | {DOUBLED} | project strlen(s)",
    "grown": f"print a = dynamic([1,2,3,4]) | {GROWN} | project array_length(a)",
    "strcat_array": "range x from 1 to 100000000 step 1 | summarize a = make_list(x) | project strlen(strcat_array(a, ','))",
    "mv-expand": "range x from 1 to 100000 step 1 | extend a = range(1, 60000, 1) | mv-expand a | summarize count()",
    "mv-expand twice": f"{LONG_ARRAY} | mv-expand b = a | mv-expand c = a | count",
    "mv-apply": "range x from 1 to 100000 step 1 | extend a = range(1, 60000, 1) | mv-apply a on (summarize sum(tolong(a)))",
    "cross": "range x from 1 to 1000000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | summarize sum(x * y)",
    "regex": "range x from 1 to 100000000 step 1 | where strrep('a', 1000) matches regex '(a*)*(a*)*b' | count",
    "parts": "range x from 1 to 10000000 step 1 | extend p = split(strrep('a,', 1000), ',') | summarize make_list(p)",
    "deep": "print parse_json(strrep('[', 1000))",
    "series": "range x from 1 to 100000000 step 1 | make-series n = count() on x from 1 to 100000000 step 1",
    "fine series": "print t = now() | make-series n = count() on t from datetime(2000-01-01) to datetime(2026-01-01) step 1ms",
    "order": "range x from 1 to 1000000000 step 1 | sort by x % 1000 asc | project x",
    "window": "range x from 1 to 1000000000 step 1 | serialize n = row_cumsum(x) | summarize max(n)",
    # Functions in Python, which hold the interpreter's lock.
    "fir": f"{LONG_ARRAY} | project series_fir(a, a)",
    "decompose": f"{LONG_ARRAY} | project series_decompose(a, 7)",
    "many fits": "range x from 1 to 1000000 step 1 | extend a = range(1, 1000, 1) | extend f = series_decompose(a, 7) | summarize dcount(tostring(f))",
    "sorted": "range x from 1 to 1000000 step 1 | extend a = array_sort_desc(range(1, 60000, 1)) | summarize dcount(tostring(a))",
    "agents": "range x from 1 to 100000000 step 1 | extend u = parse_user_agent(strcat('Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/', x), 'browser') | summarize dcount(tostring(u))",
    "xml": "range x from 1 to 10000000 step 1 | extend p = parse_xml(strcat('<a>', strrep('<b>1</b>', 1000), x, '</a>')) | summarize dcount(tostring(p))",
    "packed": "range x from 1 to 10000000 step 1 | extend z = zlib_compress_to_base64_string(strrep('abc', 1000)) | summarize dcount(z)",
    "digests": "range x from 1 to 1000000000 step 1 | summarize h = hll(x) by bin(x, 10) | summarize hll_merge(h)",
}


def _ask(text: str, **more: object) -> QueryRequest:
    given: dict[str, object] = {"workspace_ids": (W,), "now_us": 0, "timeout_s": TIMEOUT_S} | more
    return QueryRequest(text=text, **given)  # type: ignore[arg-type]


@asynccontextmanager
async def _pool(root: Path, **options: int) -> AsyncIterator[QueryPool]:
    pool = QueryPool(root, **({"processes": 1, "memory_bytes": MEMORY, "threads": 1} | options))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def _good(pool: QueryPool) -> None:
    answer = await pool.query(_ask("print x = 1 + 1", timeout_s=60.0))
    assert (answer.outcome, answer.rows) == (Outcome.OK, b"[2]"), answer


@pytest.mark.parametrize("name", MONSTERS)
def test_a_monster_ends_within_its_limit(tmp_path: Path, name: str) -> None:
    async def scenario() -> None:
        async with _pool(tmp_path) as pool:
            await _good(pool)
            began = time.monotonic()
            answer = await pool.query(_ask(MONSTERS[name]))
            took_s = time.monotonic() - began
            assert took_s < TIMEOUT_S + GRACE_S + SLACK_S
            assert answer.outcome in ENDS, answer
            await _good(pool)

    asyncio.run(scenario())


def test_a_hundred_queries_go_on_beside_each_monster(tmp_path: Path) -> None:
    """Two processes: one is with the monsters, one after the other; the other answers all that is asked meanwhile."""

    async def scenario() -> None:
        async with _pool(tmp_path, processes=2) as pool:
            await asyncio.gather(_good(pool), _good(pool))
            for name in ("rows", "list", "cross", "fir", "many fits"):
                monster = asyncio.create_task(pool.query(_ask(MONSTERS[name])))
                await asyncio.sleep(0.05)
                await asyncio.gather(*(_good(pool) for _ in range(100)))
                assert (await monster).outcome in ENDS

    asyncio.run(scenario())
