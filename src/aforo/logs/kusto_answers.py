"""Answers, schemas and errors in the shapes of Kusto's REST API (v1 and v2). It knows no request and no pool."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from aforo.errors import Conflict, Denied, Invalid, Limited, NotFound, Refusal, Unavailable
from aforo.kql.types import CLR_NAMES, TYPE_NAMES, KqlType
from aforo.logs.question import Mistake, Outcome, QueryAnswer
from aforo.logs.reader import STATUS, SavedFunction
from aforo.rest import status_of

# A table of a management answer: columns as (name, Kusto type), and rows.
Listing = tuple[Sequence[tuple[str, str]], Sequence[Sequence[Any]]]


def v1(answer: QueryAnswer, client_request_id: str) -> bytes:
    """The tables of `/v1/rest/query`: the rows, what the query says about them, how it went, and their contents."""
    columns = orjson.dumps([_v1_column(c.name, c.type) for c in answer.columns])
    rows = answer.rows
    if answer.cut:
        # Kusto's way to tell it inside a v1 answer: an object where a row is expected.
        rows += (b"," if rows else b"") + orjson.dumps(
            {"OneApiErrors": [{"error": one_api("LimitsExceeded", cut_text(answer))}]}
        )
    first = b'{"TableName":"Table_0","Columns":' + columns + b',"Rows":[' + rows + b"]}"
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    severity, name, text = (
        (2, "Error", cut_text(answer)) if answer.cut else (4, "Info", "Query completed successfully")
    )
    status = [now, severity, name, 0, text, 1, _NO_ID, _NO_ID, _NO_ID, client_request_id]
    others = (
        _v1_table("Table_1", (("Value", "string"),), [[orjson.dumps(visualization(answer)).decode()]]),
        _v1_table("Table_2", _STATUS_COLUMNS, [status]),
        _v1_table(
            "Table_3",
            _CONTENTS_COLUMNS,
            [
                [0, "QueryResult", "PrimaryResult", _NO_ID, ""],
                [1, "QueryProperties", "@ExtendedProperties", _NO_ID, ""],
                [2, "QueryStatus", "QueryStatus", _NO_ID, ""],
            ],
        ),
    )
    return b'{"Tables":[' + b",".join((first, *(orjson.dumps(o) for o in others))) + b"]}"


def visualization(answer: QueryAnswer) -> dict[str, Any]:
    """What `render` said, in the words of Kusto's clients; each of them is there."""
    said = {str(k).lower(): v for k, v in (answer.render or {}).items()}
    out: dict[str, Any] = {}
    for name, default in _VISUALIZATION.items():
        value = said.get(name.lower(), default)
        out[name] = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
    return out


def with_rows(table: Listing, kinds: Sequence[str]) -> list[list[Any]]:
    """The rows of a listing with every cell as `question.SourceRows` has it."""
    return [
        [
            orjson.dumps(v).decode() if k == "dynamic" and v is not None else v
            for v, k in zip(row, kinds, strict=True)
        ]
        for row in table[1]
    ]


_NO_ID = "00000000-0000-0000-0000-000000000000"
_STATUS_COLUMNS = (
    ("Timestamp", "datetime"),
    ("Severity", "int"),
    ("SeverityName", "string"),
    ("StatusCode", "int"),
    ("StatusDescription", "string"),
    ("Count", "int"),
    ("RequestId", "guid"),
    ("ActivityId", "guid"),
    ("SubActivityId", "guid"),
    ("ClientActivityId", "string"),
)
_CONTENTS_COLUMNS = (
    ("Ordinal", "long"),
    ("Kind", "string"),
    ("Name", "string"),
    ("Id", "string"),
    ("PrettyName", "string"),
)
# Kusto's properties of a visualization, with what they are where the query says nothing.
_VISUALIZATION: Mapping[str, Any] = {
    "Visualization": None,
    "Title": None,
    "XColumn": None,
    "Series": None,
    "YColumns": None,
    "AnomalyColumns": None,
    "XTitle": None,
    "YTitle": None,
    "XAxis": None,
    "YAxis": None,
    "Legend": None,
    "YSplit": None,
    "Accumulate": False,
    "IsQuerySorted": False,
    "Kind": None,
    "Ymin": "NaN",
    "Ymax": "NaN",
}


def listing(table: Listing) -> bytes:
    """The one table of a management command."""
    columns, rows = table
    return orjson.dumps({"Tables": [_v1_table("Table_0", columns, rows)]})


def piped(answer: QueryAnswer) -> bytes:
    """The one table of a management command whose rows went through a query."""
    head = orjson.dumps(_v1_table("Table_0", [(c.name, c.type) for c in answer.columns], []))
    return b'{"Tables":[' + head[:-2] + answer.rows + b"]}]}"


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
                one_api(
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
            error = one_api("Timeout", answer.message, ids)
        case Outcome.RUNTIME:
            error = one_api("BadRequest", answer.message, ids)
        case Outcome.MEMORY:
            error = one_api("LimitsExceeded", answer.message, ids)
        case _:
            error = one_api("InternalServiceError", answer.message, ids, permanent=False)
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
        ours = isinstance(refusal, Invalid | Conflict)
        code = "General_BadRequest" if ours else "InternalServiceError"
    # Clients try again what may go well another time.
    permanent = not isinstance(refusal, Limited | Unavailable)
    return status, orjson.dumps({"error": one_api(code, refusal.message, ids, permanent=permanent)})


def database_schema(
    name: str, rows: Sequence[Sequence[Any]], functions: Sequence[SavedFunction] = ()
) -> dict[str, Any]:
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
        "Functions": {f.name: function_schema(f) for f in functions},
        "MajorVersion": 1,
        "MinorVersion": 0,
    }


def function_schema(function: SavedFunction) -> dict[str, Any]:
    """A saved function as schemas have it."""
    return {
        "Name": function.name,
        "InputParameters": [
            {"Name": n, "CslType": kind, "Type": _clr(kind), **({"CslDefaultValue": d} if d else {})}
            for n, kind, d in function.arguments
        ],
        "Body": f"{{ {function.body} }}",
        "Folder": function.folder,
        "DocString": function.doc,
        "FunctionKind": "Unknown",
        "OutputColumns": [],
    }


def _clr(kind: str) -> str:
    known = TYPE_NAMES.get(kind)
    return CLR_NAMES[known] if known is not None else "System.Object"


def _v1_table(name: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {"TableName": name, "Columns": [_v1_column(n, t) for n, t in columns], "Rows": rows}


def _v1_column(name: str, kind: str) -> dict[str, str]:
    return {
        "ColumnName": name,
        "DataType": CLR_NAMES[KqlType(kind)].removeprefix("System."),
        "ColumnType": kind,
    }


def one_api(
    code: str,
    message: str,
    ids: Mapping[str, str] | None = None,
    *,
    kind: str = "Kusto.Data.Exceptions.KustoBadRequestException",
    permanent: bool = True,
) -> dict[str, Any]:
    """An error as Kusto's services write it."""
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


def cut_text(answer: QueryAnswer) -> str:
    """Why not all rows are here."""
    return (
        f"Query result set has exceeded the limit of {answer.cut}; the first {answer.row_count:,} rows are here "
        "(E_QUERY_RESULT_SET_TOO_LARGE)."
    )
