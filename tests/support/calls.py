"""Records as a gateway would write them, and a look into the tables that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import msgspec
import orjson
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from aforo.spool.records import CallRecord, Message
from aforo.spool.writer import SpoolWriter

WORKSPACE = "11111111-1111-1111-1111-111111111111"
RESOURCE = "/subscriptions/SUB/resourceGroups/rg-Lab/providers/Microsoft.ApiManagement/service/apim-Lab"
START_NS = 1_795_000_000_123_456_789  # 2026-11-18T11:06:40.123456789Z

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_795_000_000,
    "model": "gpt-35-turbo",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
}
REQUEST = {"messages": [{"role": "user", "content": "Hello"}], "user": "ada"}

_CALL = CallRecord(
    call_id=f"{1:032x}",
    started_ns=START_NS,
    ended_ns=START_NS + 45_600_000,
    context=1,
    method="POST",
    url="http://gate/openai/deployments/d/chat/completions?api-version=2023-05-15",
    protocol="HTTP/1.1",
    tls_version="1.3",
    peer_ip="10.0.0.1",
    client_ip="192.0.2.7",
    status=200,
    api_id="azure-openai",
    api_revision="3",
    operation_id="ChatCompletions_Create",
    product_id="product",
    subscription_id="subscription",
    user_id="user",
    backend_id="backend",
    backend_method="POST",
    backend_url="http://account/openai/deployments/d/chat/completions",
    backend_protocol="HTTP/1.1",
    backend_status=200,
    client_us=1_400,
    backend_us=40_600,
    cache_us=0,
    cache="none",
    request=Message([(b"content-type", b"application/json")], orjson.dumps(REQUEST), 70),
    response=Message([(b"content-type", b"application/json")], orjson.dumps(ANSWER), 300),
    backend_request=Message(),
    backend_response=Message(size=299),
    same_request=True,
    same_response=True,
    first_byte_us=41_250,
    attempts=1,
    aborted="",
    errors=[],
    trace_records=[],
    trace_flags=0,
    log_flags=15,
    llm_wire="chat",
    deployment="d",
    api_version="2023-05-15",
    claims={},
)


def make_call(**changes: Any) -> CallRecord:
    """A good chat call, with fields of the record changed; `number` makes its id."""
    if "number" in changes:
        changes["call_id"] = f"{changes.pop('number'):032x}"
    return msgspec.structs.replace(_CALL, **changes)


def open_writer(folder: Path, **options: Any) -> tuple[SpoolWriter, int]:
    """A spool writer and the context of the lab, with which all categories go to WORKSPACE."""
    writer = SpoolWriter(folder, **{"segment_bytes": 64 * 1024, "sync_interval_s": 0, **options})
    categories = {c: [WORKSPACE] for c in ("GatewayLogs", "GatewayLlmLogs", "AllMetrics")}
    return writer, writer.context(RESOURCE, "local", categories)


def rows_of(tables: Path, table: str, *columns: str, workspace: str = WORKSPACE) -> list[tuple[Any, ...]]:
    """Those columns of all rows of a table, sorted; [] when there is no table."""
    path = tables / workspace / table
    try:
        files = DeltaTable(path).file_uris()
    except TableNotFoundError:
        return []
    if not files:
        return []
    # Times as plain UTC datetimes: for those with a zone DuckDB asks for a package that we do not have.
    names = ", ".join(f'"{c}"::TIMESTAMP' if c == "TimeGenerated" else f'"{c}"' for c in columns)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = (
            f"SELECT {names} FROM read_parquet(?, union_by_name=true, hive_partitioning=false) ORDER BY ALL"
        )
        return connection.execute(query, [files]).fetchall()
