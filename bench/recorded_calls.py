"""Chat calls as a busy gateway records them, and many more rows made from them.

`calls` are records for the real spool and shipper; `multiply` copies rows that were shipped into days before, straight
into the table, where millions would take the shipper hours. It knows no query.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import duckdb
import msgspec
import orjson
from deltalake import DeltaTable, write_deltalake

from aforo.logs.columns import DAY
from aforo.logs.delta import writer_properties
from aforo.logs.versions import TableVersions
from aforo.spool.records import CallRecord
from aforo.tables.gateway_logs import GATEWAY_LOGS
from bench.shipper_cost import WORKSPACE, make_call

DAY_NS = 86_400_000_000_000
# A midnight, so that a day of calls is one partition.
START_NS = 1_795_046_400_000_000_000
# So many calls a day has when there are days before.
A_DAY = 1_000_000
# So many rows are written in one commit: each takes memory until it is made.
_AT_ONCE = 200_000
# What compaction leaves (logs/retention.py).
_FILE_BYTES = 128 << 20
_SYLLABLES = (
    "ka",
    "ro",
    "mi",
    "ten",
    "sol",
    "ve",
    "dar",
    "lu",
    "pi",
    "nor",
    "as",
    "ge",
    "tu",
    "bel",
    "ix",
    "on",
)
_MODELS = ("gpt-35-turbo", "gpt-4o", "gpt-4o-mini")


def _vocabulary() -> tuple[list[str], list[float]]:
    """Words as people use them: a few all the time, most of six thousand hardly ever. The n-th ends in its number."""
    chance = random.Random(1)
    words = [f"{''.join(chance.choices(_SYLLABLES, k=chance.choice((1, 2, 2, 3))))}{n}" for n in range(6_000)]
    return words, list(accumulate(1 / (n + 3) for n in range(len(words))))


WORDS, _WEIGHTS = _vocabulary()


def calls(count: int, context: int, *, first: int = 0, seed: int = 7) -> Iterator[CallRecord]:
    """A day of chat completions: forty subscriptions, fifty callers, three models, eight assistants with instructions of
    their own, one call in twenty refused. A request has about 1 KB, an answer 1 to 1.5."""
    chance = random.Random(seed + first)

    def said(least: int, most: int) -> str:
        return " ".join(chance.choices(WORDS, cum_weights=_WEIGHTS, k=chance.randrange(least, most)))

    instructions = [said(80, 110) for _ in range(8)]
    step_ns = DAY_NS // max(count, 1)
    nothing = {"filtered": False, "severity": "safe"}
    filtered = {"hate": nothing, "self_harm": nothing, "sexual": nothing, "violence": nothing}
    for number in range(first, first + count):
        call = make_call(number, context)
        started = START_NS + (number - first) * step_ns
        prompt, completion = chance.randrange(150, 900), chance.randrange(60, 400)
        status = 200 if chance.random() < 0.95 else 429
        asked = orjson.dumps(
            {
                "messages": [
                    {"role": "system", "content": chance.choice(instructions)},
                    {"role": "user", "content": said(15, 60)},
                ],
                "temperature": 0.7,
                "max_tokens": 800,
            }
        )
        answer: dict[str, object] = {
            "error": {"code": "429", "message": "Rate limit is exceeded. Try again in 6 seconds."}
        }
        if status == 200:
            answer = {
                "id": f"chatcmpl-{number:029d}",
                "object": "chat.completion",
                "created": started // 1_000_000_000,
                "model": chance.choice(_MODELS),
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop" if chance.random() < 0.9 else "length",
                        "message": {"role": "assistant", "content": said(40, 120)},
                        "content_filter_results": filtered,
                    }
                ],
                "usage": {
                    "prompt_tokens": prompt,
                    "completion_tokens": completion,
                    "total_tokens": prompt + completion,
                },
                "system_fingerprint": "fp_44709d6fcb",
            }
        caller = f"10.0.0.{chance.randrange(50)}"
        took_us = int(chance.lognormvariate(13.0, 0.8))
        body = orjson.dumps(answer)
        yield msgspec.structs.replace(
            call,
            started_ns=started,
            ended_ns=started + took_us * 1_000,
            peer_ip=caller,
            client_ip=caller,
            subscription_id=f"team-{min(39, int(chance.expovariate(0.15)))}",
            status=status,
            backend_status=status,
            request=msgspec.structs.replace(call.request, body=asked, size=len(asked)),
            response=msgspec.structs.replace(call.response, body=body, size=len(body)),
            backend_us=took_us,
        )


def multiply(root: Path, rows: int) -> None:
    """So many further rows of calls in the days before, in files as compaction leaves them: each copy of those that are
    there has its own ids, in its bodies too, and its own part of its day."""
    version = TableVersions(root).latest(WORKSPACE, GATEWAY_LOGS.name)
    assert version is not None
    files = ", ".join(f"'{f.path}'" for f in version.files)
    delta = DeltaTable(root / WORKSPACE / GATEWAY_LOGS.name)
    with duckdb.connect() as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; SET memory_limit = '4GB'; SET arrow_large_buffer_size = false"
        )
        connection.execute(
            f"CREATE TABLE shipped AS SELECT * FROM read_parquet([{files}], hive_partitioning = false) "
            "ORDER BY TimeGenerated"
        )
        have = sum(f.rows for f in version.files)
        a_day, count = max(1, A_DAY // have), -(-rows // have)
        at_once = max(1, _AT_ONCE // have)
        for first in range(0, count, at_once):
            copies = range(first, min(first + at_once, count))
            parts = [_copy(copy, a_day, min(have, rows - copy * have)) for copy in copies]
            made = connection.sql(" UNION ALL ".join(parts))
            write_deltalake(
                delta,
                made,
                mode="append",
                target_file_size=_FILE_BYTES,
                writer_properties=writer_properties(),
            )


def _copy(copy: int, a_day: int, rows: int) -> str:
    """SQL of one copy of the rows that were shipped."""
    days, part = copy // a_day + 1, copy % a_day
    start_us = START_NS // 1_000
    at = (
        f"make_timestamptz(({start_us} - {days} * 86_400_000_000 + ({part} * 86_400_000_000 "
        f"+ epoch_us(TimeGenerated) - {start_us}) // {a_day})::BIGINT)"
    )
    mark = f"{copy + 1:08x}"

    def own(body: str) -> str:
        return f'replace({body}, \'"id":"chatcmpl-00000000\', \'"id":"chatcmpl-{mark}\') AS {body}'

    return (
        f"SELECT * REPLACE ({at} AS TimeGenerated, '{mark}' || CorrelationId[9:] AS CorrelationId, "
        f"{own('ResponseBody')}, {own('BackendResponseBody')}), ({at})::DATE AS {DAY} FROM (FROM shipped LIMIT {rows})"
    )
