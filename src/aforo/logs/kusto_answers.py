"""Answers, schemas and errors in the shapes of Kusto's REST API (v1 and v2). It knows no request and no pool."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from aforo.errors import Denied, Invalid, Limited, NotFound, Refusal
from aforo.kql.types import CLR_NAMES, KqlType
from aforo.logs.question import Mistake, Outcome, QueryAnswer
from aforo.logs.reader import STATUS
from aforo.rest import status_of

# A table of a management answer: columns as (name, Kusto type), and rows.
Listing = tuple[Sequence[tuple[str, str]], Sequence[Sequence[Any]]]


def v2(answer: QueryAnswer, client_request_id: str) -> bytes:
    """The frames of `/v2/rest/query`, none of them progressive. Readers rely on the order of the keys."""
    completion = [
        [0, client_request_id, 0, "", "Info", 4, "Visualization", "{}"],
        [
            0,
            client_request_id,
            0,
            "",
            "Info",
            4,
            "QueryInfo",
            orjson.dumps({"Count": 1, "Text": "Query completed successfully"}).decode(),
        ],
    ]
    if answer.cut:
        completion.append(
            [
                0,
                client_request_id,
                0,
                "",
                "Error",
                2,
                "QueryInfo",
                orjson.dumps({"Count": 1, "Text": _cut(answer)}).decode(),
            ]
        )
    properties = [[1, "Visualization", orjson.dumps(answer.render or {"Visualization": None}).decode()]]
    head = [
        {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"},
        _data_table(
            0,
            "QueryProperties",
            "@ExtendedProperties",
            (("TableId", "int"), ("Key", "string"), ("Value", "dynamic")),
            properties,
        ),
    ]
    primary = _data_table(1, "PrimaryResult", "PrimaryResult", [(c.name, c.type) for c in answer.columns], [])
    tail = [
        _data_table(
            2,
            "QueryCompletionInformation",
            "QueryCompletionInformation",
            (
                ("NodeId", "int"),
                ("ClientRequestId", "string"),
                ("SubQueryId", "int"),
                ("ActivityId", "string"),
                ("LevelName", "string"),
                ("Level", "int"),
                ("EventTypeName", "string"),
                ("Payload", "string"),
            ),
            completion,
        ),
        {"FrameType": "DataSetCompletion", "HasErrors": bool(answer.cut), "Cancelled": False}
        | ({"OneApiErrors": [{"error": _one_api("LimitsExceeded", _cut(answer))}]} if answer.cut else {}),
    ]
    # The rows stand last in their frame: they go in as the bytes that they are.
    before = orjson.dumps([*head, primary])[: -len(b"]}]")]
    return b"".join((before, answer.rows, b"]},", orjson.dumps(tail)[1:]))


def v1(answer: QueryAnswer) -> bytes:
    """The one table of `/v1/rest/query`."""
    columns = orjson.dumps([_v1_column(c.name, c.type) for c in answer.columns])
    rows = answer.rows
    if answer.cut:
        # Kusto's way to tell it inside a v1 answer: an object where a row is expected.
        rows += (b"," if rows else b"") + orjson.dumps(
            {"OneApiErrors": [{"error": _one_api("LimitsExceeded", _cut(answer))}]}
        )
    return b'{"Tables":[{"TableName":"Table_0","Columns":' + columns + b',"Rows":[' + rows + b"]}]}"


def listing(table: Listing) -> bytes:
    """The one table of a management command."""
    columns, rows = table
    out = {"TableName": "Table_0", "Columns": [_v1_column(n, t) for n, t in columns], "Rows": rows}
    return orjson.dumps({"Tables": [out]})


def failure(answer: QueryAnswer, ids: Mapping[str, str]) -> tuple[int, bytes]:
    """(status, body) of a query that gave no rows."""
    match answer.outcome:
        case Outcome.INVALID:
            first = answer.errors[0]
            syntax = first.code.startswith(("KQL00", "KQL01"))
            code, kind = (
                ("BadRequest_SyntaxError", "Syntax error")
                if syntax
                else ("BadRequest_SemanticError", "Semantic error")
            )
            number = "SYN0002" if syntax else "SEM0100"
            sentence = "; ".join(_sentence(m) for m in answer.errors)
            text = f"Request is invalid and cannot be processed: {kind}: {number}: {sentence}"
            more = {
                "@errorCode": number,
                "@errorMessage": first.message,
                "@line": first.line,
                "@pos": first.column - 1,
                "@token": first.token,
            }
            error = (
                _one_api(
                    code,
                    text,
                    ids,
                    kind="Kusto.Data.Exceptions.SyntaxException"
                    if syntax
                    else "Kusto.Data.Exceptions.SemanticException",
                )
                | more
            )
        case Outcome.TIMEOUT:
            error = _one_api("Timeout", answer.message, ids)
        case Outcome.RUNTIME:
            error = _one_api("BadRequest", answer.message, ids)
        case Outcome.MEMORY:
            error = _one_api("LimitsExceeded", answer.message, ids)
        case _:
            error = _one_api("InternalServiceError", answer.message, ids, permanent=False)
    return STATUS[answer.outcome], orjson.dumps({"error": error})


def refused(refusal: Refusal, ids: Mapping[str, str]) -> tuple[int, bytes]:
    """(status, body) of a request that never became a query."""
    status = status_of(refusal)
    if isinstance(refusal, Denied):
        code = "Forbidden" if refusal.authenticated else "Unauthorized"
    elif isinstance(refusal, NotFound):
        # Kusto says that an unknown database is a bad request.
        status, code = 400, "BadRequest_EntityNotFound"
    elif isinstance(refusal, Limited):
        code = "TooManyRequests"
    else:
        code = "General_BadRequest" if isinstance(refusal, Invalid) else "InternalServiceError"
    return status, orjson.dumps({"error": _one_api(code, refusal.message, ids)})


def database_schema(name: str, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """A database as `.show database schema as json` prints it, from `describe` rows."""
    tables: dict[str, dict[str, Any]] = {}
    for table, doc, _has_data, column, kind, column_doc in rows:
        entry = tables.setdefault(table, {"Name": table, "DocString": doc, "OrderedColumns": []})
        entry["OrderedColumns"].append(
            {"Name": column, "Type": CLR_NAMES[KqlType(kind)], "CslType": kind, "DocString": column_doc}
        )
    return {
        "Name": name,
        "Tables": tables,
        "ExternalTables": {},
        "MaterializedViews": {},
        "Functions": {},
        "MajorVersion": 1,
        "MinorVersion": 0,
    }


def _data_table(
    number: int, kind: str, name: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    return {
        "FrameType": "DataTable",
        "TableId": number,
        "TableKind": kind,
        "TableName": name,
        "Columns": [{"ColumnName": n, "ColumnType": t} for n, t in columns],
        "Rows": rows,
    }


def _v1_column(name: str, kind: str) -> dict[str, str]:
    return {
        "ColumnName": name,
        "DataType": CLR_NAMES[KqlType(kind)].removeprefix("System."),
        "ColumnType": kind,
    }


def _one_api(
    code: str,
    message: str,
    ids: Mapping[str, str] | None = None,
    *,
    kind: str = "Kusto.Data.Exceptions.KustoBadRequestException",
    permanent: bool = True,
) -> dict[str, Any]:
    return {
        "code": code,
        "message": "Request is invalid and cannot be executed." if permanent else "The request failed.",
        "@type": kind,
        "@message": message,
        "@context": {
            "timestamp": datetime.now(UTC).isoformat(),
            "serviceAlias": "AFORO",
            "clientRequestId": (ids or {}).get("client", ""),
            "activityId": (ids or {}).get("activity", str(uuid.uuid4())),
        },
        "@permanent": permanent,
    }


def _sentence(mistake: Mistake) -> str:
    hint = f" ({'; '.join(mistake.hints)})" if mistake.hints else ""
    return f"{mistake.message}{hint} [line:position={mistake.line}:{mistake.column - 1}] [{mistake.code}]"


def _cut(answer: QueryAnswer) -> str:
    return (
        f"Query result set has exceeded the limit of {answer.cut}; the first {answer.row_count:,} rows are here "
        "(E_QUERY_RESULT_SET_TOO_LARGE)."
    )
