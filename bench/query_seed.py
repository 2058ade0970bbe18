"""The lab's token query over generated rows: through the whole evaluation, with promoted columns and without.

    python -m bench.query_seed [--rows 200000] [--rounds 5] [--files 20]

It prints medians; hand-written SQL over the plain columns stands beside them as the measure.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import orjson

from aforo.logs.evaluate import Evaluator
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from aforo.logs.versions import TableVersions
from aforo.tables.gateway_logs import GATEWAY_LOGS
from tests.support.stored_tables import micros, write_rows

WORKSPACE = "11111111-1111-1111-1111-111111111111"
START = datetime(2026, 11, 22, tzinfo=UTC)
QUERY = """ApiManagementGatewayLogs
| where tolower(OperationId) in ('completions_create','chatcompletions_create')
| where ResponseCode  == '200'
| extend modelkey = substring(parse_json(BackendResponseBody)['model'], 0, indexof(parse_json(BackendResponseBody)['model'], '-', 0, -1, 2))
| extend model = tostring(parse_json(BackendResponseBody)['model'])
| extend prompttokens = parse_json(parse_json(BackendResponseBody)['usage'])['prompt_tokens']
| extend completiontokens = parse_json(parse_json(BackendResponseBody)['usage'])['completion_tokens']
| extend totaltokens = parse_json(parse_json(BackendResponseBody)['usage'])['total_tokens']
| extend ip = CallerIpAddress
| where model !=  ''
| summarize
    sum(todecimal(prompttokens)),
    sum(todecimal(completiontokens)),
    sum(todecimal(totaltokens)),
    avg(todecimal(totaltokens))
    by ip, model
"""
BY_HAND = """
SELECT CallerIpAddress, _BackendResponseBody_model, sum(_BackendResponseBody_prompt_tokens),
    sum(_BackendResponseBody_completion_tokens), sum(_BackendResponseBody_total_tokens),
    avg(_BackendResponseBody_total_tokens)
FROM read_parquet([{files}])
WHERE lower(OperationId) IN ('completions_create', 'chatcompletions_create') AND ResponseCode = 200
    AND _BackendResponseBody_model <> ''
GROUP BY ALL
"""
COLUMNS = {
    "TimeGenerated": "datetime",
    "OperationId": "string",
    "ResponseCode": "int",
    "CallerIpAddress": "string",
    "BackendResponseBody": "string",
    "_BackendResponseBody_model": "string",
    "_BackendResponseBody_prompt_tokens": "long",
    "_BackendResponseBody_completion_tokens": "long",
    "_BackendResponseBody_total_tokens": "long",
    "_BackendResponseBody_finish_reason": "string",
    "_BackendResponseBody_odd": "bool",
}


def row(number: int, chance: random.Random) -> dict[str, object]:
    """A recorded chat call with a body of about 700 bytes."""
    prompt, completion = chance.randrange(5, 900), chance.randrange(5, 400)
    model = chance.choice(("gpt-35-turbo", "gpt-4o", "gpt-4o-mini"))
    body = {
        "id": f"chatcmpl-{number:024x}",
        "object": "chat.completion",
        "created": 1_795_300_000 + number,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": " ".join(chance.choices(WORDS, k=60))},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }
    return {
        "TimeGenerated": START + timedelta(milliseconds=100 * number),
        "OperationId": "ChatCompletions_Create",
        "ResponseCode": 200 if chance.random() < 0.95 else 429,
        "CallerIpAddress": f"10.0.0.{chance.randrange(50)}",
        "BackendResponseBody": orjson.dumps(body).decode(),
        "_BackendResponseBody_model": model,
        "_BackendResponseBody_prompt_tokens": prompt,
        "_BackendResponseBody_completion_tokens": completion,
        "_BackendResponseBody_total_tokens": prompt + completion,
        "_BackendResponseBody_finish_reason": "stop",
        "_BackendResponseBody_odd": False,
    }


WORDS = [
    "a",
    "gateway",
    "measures",
    "limits",
    "routes",
    "and",
    "records",
    "every",
    "call",
    "to",
    "a",
    "language",
    "model",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        chance = random.Random(7)
        per_file = options.rows // options.files
        for file in range(options.files):
            rows = [row(file * per_file + i, chance) for i in range(per_file)]
            write_rows(root, WORKSPACE, GATEWAY_LOGS.name, COLUMNS, rows)
        versions = TableVersions(root)
        plain = dataclasses.replace(GATEWAY_LOGS, promotions=())
        request = QueryRequest(
            workspace_ids=(WORKSPACE,), text=QUERY, now_us=micros(START + timedelta(days=1)), timespan=None
        )
        print(f"{options.rows:,} rows in {options.files} files, duckdb {duckdb.__version__}")
        for title, table in (("promoted columns", GATEWAY_LOGS), ("bodies parsed", plain)):
            evaluator = Evaluator(versions, memory_bytes=1 << 30, threads=2, declared={table.name: table})
            answers = [_ask(evaluator, request) for _ in range(options.rounds + 1)][1:]
            compiled = statistics.median(a.statistics.compile_s for a, _ in answers)
            whole = statistics.median(s for _, s in answers)
            print(f"  {title:20} {whole * 1000:8.1f} ms, of it compiled in {compiled * 1000:.1f} ms")
        version = versions.latest(WORKSPACE, GATEWAY_LOGS.name)
        assert version is not None
        sql = BY_HAND.format(files=", ".join(f"'{f.path}'" for f in version.files))
        connection = duckdb.connect()
        connection.execute("SET threads = 2")
        by_hand = statistics.median(
            _timed(lambda: connection.execute(sql).fetchall()) for _ in range(options.rounds)
        )
        print(f"  {'SQL by hand':20} {by_hand * 1000:8.1f} ms")


def _ask(evaluator: Evaluator, request: QueryRequest) -> tuple[QueryAnswer, float]:
    evaluator.warm()
    began = time.perf_counter()
    answer = evaluator.answer(request)
    taken = time.perf_counter() - began
    assert answer.outcome is Outcome.OK, (answer.outcome, answer.message, answer.mistakes)
    assert answer.row_count == 150, answer.row_count
    return answer, taken


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
