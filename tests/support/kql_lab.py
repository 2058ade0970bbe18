"""A small workspace for KQL tests: the lab's tables as compiled SQL reads them, with rows of every awkward kind.

The stored promoted columns are filled here as the shipper does: NULL and flagged where the text does not fit.
"""

from __future__ import annotations

import json

import duckdb

from aforo.kql.sql.duckdb.prepare import prepare
from aforo.kql.symbols import ColumnSymbol, Database, PromotedPath, TableSymbol
from aforo.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, STRING, KqlType

_SQL = {
    BOOL: "BOOLEAN",
    INT: "INTEGER",
    LONG: "BIGINT",
    STRING: "VARCHAR",
    DATETIME: "TIMESTAMPTZ",
    DYNAMIC: "VARCHAR",
}
# 2024-01-02T00:00:00Z, in ticks.
NOW = 638_397_504_000_000_000


def _table(
    name: str,
    columns: dict[str, KqlType],
    promoted: tuple[PromotedPath, ...] = (),
    hidden: tuple[str, ...] = (),
) -> TableSymbol:
    return TableSymbol(name, tuple(ColumnSymbol(n, t) for n, t in columns.items()), promoted, hidden)


_BODY, _FLAG = "BackendResponseBody", "body_misfit"
_PROMOTED = (
    PromotedPath(_BODY, ("model",), "p_model", STRING, _FLAG),
    PromotedPath(_BODY, ("usage", "prompt_tokens"), "p_prompt", LONG, _FLAG),
    PromotedPath(_BODY, ("usage", "completion_tokens"), "p_completion", LONG, _FLAG),
    PromotedPath(_BODY, ("usage", "total_tokens"), "p_total", LONG, _FLAG),
)

GATEWAY = _table(
    "ApiManagementGatewayLogs",
    {
        "TimeGenerated": DATETIME, "CorrelationId": STRING, "OperationId": STRING, "ResponseCode": INT,
        "IsRequestSuccess": BOOL, "CallerIpAddress": STRING, "TotalTime": LONG, "Url": STRING, "ApimSubscriptionId": STRING,
        "BackendResponseBody": STRING,
    },
    _PROMOTED,
    ("p_model", "p_prompt", "p_completion", "p_total", _FLAG),
)  # fmt: skip
LLM = _table(
    "ApiManagementGatewayLlmLog",
    {
        "TimeGenerated": DATETIME, "CorrelationId": STRING, "DeploymentName": STRING, "ModelName": STRING, "TotalTokens": INT,
        "RequestMessages": DYNAMIC, "ResponseMessages": DYNAMIC,
    },
)  # fmt: skip
DIAGNOSTICS = _table(
    "AzureDiagnostics",
    {
        "TimeGenerated": DATETIME, "_ResourceId": STRING, "Category": STRING, "OperationName": STRING,
        "ResultSignature": STRING, "DurationMs": LONG, "properties_s": STRING,
    },
)  # fmt: skip
DATABASE = Database(
    "law",
    {t.name: t for t in (GATEWAY, LLM, DIAGNOSTICS)},
    {"Slow": "(limit: long = 100) { ApiManagementGatewayLogs | where TotalTime > limit }"},
)


def _completion(model: str, prompt: int, completion: int) -> str:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    choices = [{"index": 0, "message": {"role": "assistant", "content": f"Answer of {model}."}}]
    return json.dumps({"model": model, "choices": choices, "usage": usage})


_ODD = json.dumps(
    {
        "model": "gpt-4",
        "usage": '{"prompt_tokens": "3", "completion_tokens": 1.5, "total_tokens": 4}',
        "choices": "none",
    }
)
# (time, correlation, operation, code, success, ip, ms, url, subscription, body, promoted..., misfit)
_CALLS = [
    ("2024-01-01 10:00:00.123456", "c1", "ChatCompletions_Create", 200, True, "10.0.0.1", 120,
     "https://gw/openai/deployments/a/chat/completions?api-version=2023-05-15", "team-a",
     _completion("gpt-35-turbo", 10, 5), "gpt-35-turbo", 10, 5, 15, False),
    ("2024-01-01 10:20:00", "c2", "ChatCompletions_Create", 200, True, "10.0.0.1", 80,
     "https://gw/openai/deployments/a/chat/completions?api-version=2023-05-15", "team-a",
     _completion("gpt-35-turbo", 20, 6), "gpt-35-turbo", 20, 6, 26, False),
    ("2024-01-01 11:00:00", "c3", "Completions_Create", 200, True, "10.0.0.2", 300,
     "https://gw/openai/deployments/b/completions", "team-b", _completion("gpt-4", 7, 1), "gpt-4", 7, 1, 8, False),
    ("2024-01-01 11:59:59.999999", "c4", "completions_create", 200, True, "10.0.0.2", 310,
     "https://gw/openai/deployments/b/completions", None, _ODD, None, None, None, None, True),
    ("2024-01-01 23:30:00", "c5", "ChatCompletions_Create", 429, False, None, 2,
     "https://gw/openai/deployments/a/chat/completions", "team-a", '{"error":{"code":"429"}}', None, None, None, None, False),
    ("2024-01-01 23:45:00", "c6", "Embeddings_Create", 500, False, "10.0.0.3", None,
     "https://gw/openai/deployments/e/embeddings", "team-b", "upstream broke", None, None, None, None, False),
]  # fmt: skip
_MESSAGES = [
    ("2024-01-01 10:00:00", "c1", "a", "gpt-35-turbo", 15, None, None),
    ("2024-01-01 10:00:00", "c1", None, None, None, '[{"role":"system","content":"Be kind."},{"role":"user","content":"Hello?"}]',
     '[{"role":"assistant","content":"Hello!"}]'),
    ("2024-01-01 11:00:00", "c3", "b", "gpt-4", 8, None, None),
]  # fmt: skip
_EVENTS = [
    ("2024-01-01 10:00:00", "/subscriptions/s/a", "RequestResponse", "ChatCompletions_Create", "200", 118,
     '{"modelName":"gpt-35-turbo","streamType":"Streaming","requestLength":128}'),
    ("2024-01-01 10:20:00", "/subscriptions/s/a", "Audit", "ListKey", None, None, '{"objectId":"x"}'),
    ("2024-01-01 11:00:00", "/subscriptions/s/a", "RequestResponse", "Completions_Create", "404", 3, "not json"),
]  # fmt: skip


def lab() -> duckdb.DuckDBPyConnection:
    """A prepared connection with the tables of `DATABASE` filled."""
    connection = duckdb.connect()
    prepare(connection)
    for table, rows in ((GATEWAY, _CALLS), (LLM, _MESSAGES), (DIAGNOSTICS, _EVENTS)):
        columns = [f'"{c.name}" {_SQL[c.type]}' for c in table.columns]
        types = {p.stored: _SQL[p.type] for p in table.promoted} | {_FLAG: "BOOLEAN"}
        columns += [f'"{name}" {types[name]}' for name in table.hidden]
        connection.execute(f'CREATE TABLE "{table.name}" ({", ".join(columns)})')
        connection.executemany(f'INSERT INTO "{table.name}" VALUES ({", ".join("?" * len(columns))})', rows)
    return connection
