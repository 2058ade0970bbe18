"""Answers and errors in the shape of the Log Analytics query API (Azure Monitor Logs API, OneAPI errors).

Large answers are put together from bytes; nothing here parses a row. It knows no request and no pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson

from aforo.errors import Denied, Invalid, Limited, NotFound, Refusal
from aforo.logs.question import Mistake, Outcome, QueryAnswer, QueryRequest, Statistics
from aforo.logs.reader import STATUS, SavedFunction, Workspace
from aforo.rest import status_of

_INVALID = "The request had some invalid properties"
_PARTIAL = {
    "rows": (
        "E_QUERY_RESULT_SET_TOO_LARGE",
        "The query gives more than {rows:,} rows; the first {count:,} are here. Aggregate, filter or take fewer.",
    ),
    "bytes": (
        "E_QUERY_RESULT_SET_TOO_LARGE",
        "The rows of the query are larger than {bytes:,} bytes; the first {count:,} are here. "
        "Project fewer columns or take fewer rows.",
    ),
}
# What a `render` has in any case, as Azure documents it; the query says the rest.
_RENDER: dict[str, Any] = {
    "title": None,
    "accumulate": False,
    "isQuerySorted": False,
    "kind": "default",
    "annotation": "",
    "by": None,
}


def success(answer: QueryAnswer, *, statistics: bool, render: bool, row_limit: int, byte_limit: int) -> bytes:
    """The body of a 200: one table named PrimaryResult; a `PartialError` beside it when rows were cut off."""
    columns = orjson.dumps([{"name": c.name, "type": c.type} for c in answer.columns])
    parts = [b'{"tables":[{"name":"PrimaryResult","columns":', columns, b',"rows":[', answer.rows, b"]}]"]
    if statistics:
        parts += [b',"statistics":', orjson.dumps({"query": _statistics(answer.statistics, answer)})]
    if render:
        parts += [b',"render":', orjson.dumps(_RENDER | answer.render if answer.render else {})]
    if answer.cut:
        parts += [b',"error":', orjson.dumps(_partial(answer, row_limit, byte_limit))]
    parts.append(b"}")
    return b"".join(parts)


def failure(answer: QueryAnswer, correlation_id: str) -> tuple[int, dict[str, Any]]:
    """(status, body) of a query that gave no rows."""
    return STATUS[answer.outcome], _failure(answer, correlation_id)


def _failure(answer: QueryAnswer, correlation_id: str) -> dict[str, Any]:
    match answer.outcome:
        case Outcome.INVALID:
            return _mistaken(answer, correlation_id)
        case Outcome.TIMEOUT:
            return _error("GatewayTimeout", answer.message, correlation_id)
        case Outcome.MEMORY | Outcome.RUNTIME:
            code = "E_LOW_MEMORY_CONDITION" if answer.outcome is Outcome.MEMORY else "E_RUNTIME_ERROR"
            inner = {"code": code, "message": answer.message}
            message = f"{_INVALID}: {answer.message}"
            return _error("BadArgumentError", message, correlation_id, innererror=inner)
        case Outcome.CANCELLED:
            return _error("RequestCanceled", "The client went away before the query ended.", correlation_id)
        case _:
            return _error("InternalServerError", answer.message, correlation_id)


def refused(refusal: Refusal, correlation_id: str) -> tuple[int, dict[str, Any]]:
    """(status, body) of a request that never became a query."""
    status = status_of(refusal)
    if isinstance(refusal, Denied):
        code = "InsufficientAccessError" if refusal.authenticated else "AuthenticationFailed"
        return status, _error(
            refusal.code if refusal.code != Denied.default_code else code, refusal.message, correlation_id
        )
    if isinstance(refusal, NotFound):
        return status, _error(refusal.code, refusal.message, correlation_id)
    if isinstance(refusal, Invalid):
        details = [{"code": refusal.code, "message": refusal.message, "target": refusal.target or None}]
        inner = {"code": "QueryValidationError", "message": refusal.message, "details": details}
        return status, _error(
            "BadArgumentError", f"{_INVALID}: {refusal.message}", correlation_id, innererror=inner
        )
    code = "ThrottledError" if isinstance(refusal, Limited) else refusal.code
    return status, _error(code, refusal.message, correlation_id)


def incomplete(answer: QueryAnswer, asked: QueryRequest, correlation_id: str) -> dict[str, Any]:
    """The error of an answer that has to be whole and is not."""
    code, text = _PARTIAL[answer.cut]
    message = text.format(rows=asked.row_limit, bytes=asked.byte_limit, count=answer.row_count)
    inner = {"code": code, "message": message}
    return _error("BadArgumentError", f"{_INVALID}: {message}", correlation_id, innererror=inner)


def metadata(
    answer: QueryAnswer, workspace: Workspace, functions: Sequence[SavedFunction] = ()
) -> dict[str, Any]:
    """The body of `/metadata` from the answer to `describe` (Azure's metadata results, its required parts)."""
    tables: dict[str, dict[str, Any]] = {}
    for table, doc, has_data, column, kind, column_doc in orjson.loads(b"[" + answer.rows + b"]"):
        entry = tables.setdefault(
            table,
            {
                "id": table,
                "name": table,
                "description": doc,
                "timespanColumn": "TimeGenerated",
                "hasData": has_data,
                "columns": [],
                "related": {"workspaces": [workspace.id]},
            },
        )
        entry["columns"].append({"name": column, "type": kind, "description": column_doc})
    about = {
        "id": workspace.id,
        "name": workspace.name,
        "resourceId": workspace.resource_id,
        "region": workspace.region,
    }
    return {
        "tables": list(tables.values()),
        "functions": [
            {
                "id": f.name,
                "name": f.name,
                "displayName": f.doc,
                "parameters": f.parameters,
                "body": f.body,
                "related": {"workspaces": [workspace.id]},
            }
            for f in functions
        ],
        "workspaces": [
            about | {"related": {"tables": list(tables), "functions": [f.name for f in functions]}}
        ],
    }


def _error(code: str, message: str, correlation_id: str, **more: Any) -> dict[str, Any]:
    about = {"correlationId": correlation_id} if correlation_id else {}
    return {"error": {"message": message, "code": code, **about, **more}}


def _mistaken(answer: QueryAnswer, correlation_id: str) -> dict[str, Any]:
    """Azure nests the first mistake in `innererror`; all of them stand in `details`, with our codes and hints."""
    errors = answer.errors
    first = errors[0]
    syntax = first.code.startswith(("KQL00", "KQL01"))
    innermost = {
        "code": "SYN0002" if syntax else "SEM0100",
        "message": _sentence(first),
        "line": first.line,
        "pos": first.column - 1,  # Kusto counts positions in a line from 0
        "token": first.token,
    }
    inner = {
        "code": "SyntaxError" if syntax else "SemanticError",
        "message": "A syntax error was found in the query."
        if syntax
        else "A semantic error was found in the query.",
        "innererror": innermost,
    }
    details = [
        {
            "code": m.code,
            "message": m.message,
            "severity": m.severity,
            "line": m.line,
            "pos": m.column - 1,
            "start": m.start,
            "end": m.end,
            "token": m.token,
            "hints": list(m.hints),
        }
        for m in answer.mistakes
    ]
    message = f"{_INVALID}: {_sentence(first)}"
    if len(errors) > 1:
        message += f" (and {len(errors) - 1} more)"
    return _error("BadArgumentError", message, correlation_id, innererror=inner, details=details)


def _sentence(mistake: Mistake) -> str:
    hint = f" ({'; '.join(mistake.hints)})" if mistake.hints else ""
    return f"line {mistake.line}, column {mistake.column}: {mistake.message}{hint} [{mistake.code}]"


def _partial(answer: QueryAnswer, row_limit: int, byte_limit: int) -> dict[str, Any]:
    code, text = _PARTIAL[answer.cut]
    message = text.format(rows=row_limit, bytes=byte_limit, count=answer.row_count)
    inner = {"code": code, "message": message, "severity": 2, "severityName": "Error"}
    return {
        "code": "PartialError",
        "message": f"There were some errors when processing your query: {message}",
        "details": [{"code": "EngineError", "message": message, "innererror": inner}],
    }


def _statistics(costs: Statistics, answer: QueryAnswer) -> dict[str, Any]:
    return {
        "executionTime": round(costs.compile_s + costs.execution_s, 6),
        "resourceUsage": {
            "cpu": {"total cpu": str(timedelta(seconds=costs.cpu_s))},
            "memory": {"peak_per_node": costs.peak_bytes},
        },
        "inputDatasetStatistics": {
            "extents": {"scanned": costs.files[0], "total": costs.files[1]},
            "rows": {"scanned": costs.rows[0], "total": costs.rows[1]},
        },
        "datasetStatistics": [{"tableRowCount": answer.row_count, "tableSize": len(answer.rows)}],
    }
