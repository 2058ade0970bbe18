"""The frames of `/v2/rest/query`: whole tables, or tables in fragments, as the client asked. Nothing here parses a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from aforo.logs.kusto_answers import cut_text, one_api, visualization
from aforo.logs.kusto_options import Options
from aforo.logs.question import QueryAnswer

_COMPLETION = (
    ("NodeId", "int"),
    ("ClientRequestId", "string"),
    ("SubQueryId", "int"),
    ("ActivityId", "string"),
    ("LevelName", "string"),
    ("Level", "int"),
    ("EventTypeName", "string"),
    ("Payload", "string"),
)
_PROPERTIES = (("TableId", "int"), ("Key", "string"), ("Value", "dynamic"))
_DONE = {"Count": 1, "Text": "Query completed successfully"}


def v2(answer: QueryAnswer, client_request_id: str, options: Options) -> bytes:
    """The whole answer. Readers rely on the order of the keys in a frame."""
    parts: list[bytes] = [orjson.dumps(_header(options)), _properties(answer)]
    if options.fragmented or options.progressive:
        parts += _fragments(answer, options)
    else:
        # The rows stand last in their frame: they go in as the bytes that they are.
        parts.append(
            orjson.dumps(_table(1, "PrimaryResult", _columns(answer), []))[:-2]
            + _rows(answer, options)
            + b"]}"
        )
    parts.append(
        orjson.dumps(_table(2, "QueryCompletionInformation", _COMPLETION, _events(answer, client_request_id)))
    )
    parts.append(orjson.dumps(_completion(answer)))
    between = b"\n," if options.newlines else b","
    end = b"\n]" if options.newlines else b"]"
    return b"[" + between.join(parts) + end


def _rows(answer: QueryAnswer, options: Options) -> bytes:
    """The rows; where some were cut off, behind them an object that clients raise as an error."""
    if not answer.cut or options.deferred:
        return answer.rows
    told = orjson.dumps({"OneApiErrors": [{"error": one_api("LimitsExceeded", cut_text(answer))}]})
    return answer.rows + b"," + told if answer.rows else told


def _header(options: Options) -> dict[str, Any]:
    out: dict[str, Any] = {
        "FrameType": "DataSetHeader",
        "IsProgressive": options.progressive,
        "Version": "v2.0",
    }
    if options.fragmented:
        out |= {"IsFragmented": True, "ErrorReportingPlacement": "EndOfTable"}
    return out


def _properties(answer: QueryAnswer) -> bytes:
    rows = [[1, "Visualization", orjson.dumps(visualization(answer)).decode()]]
    return orjson.dumps(_table(0, "QueryProperties", _PROPERTIES, rows, name="@ExtendedProperties"))


def _fragments(answer: QueryAnswer, options: Options) -> list[bytes]:
    columns = [{"ColumnName": n, "ColumnType": t} for n, t in _columns(answer)]
    head = {
        "FrameType": "TableHeader",
        "TableId": 1,
        "TableKind": "PrimaryResult",
        "TableName": "PrimaryResult",
        "Columns": columns,
    }
    fragment = {
        "FrameType": "TableFragment",
        "TableFragmentType": "DataReplace" if options.progressive else "DataAppend",
        "TableId": 1,
    }
    if options.progressive:
        fragment["FieldCount"] = len(columns)
    done: dict[str, Any] = {"FrameType": "TableCompletion", "TableId": 1, "RowCount": answer.row_count}
    if answer.cut:
        done["OneApiErrors"] = [{"error": one_api("LimitsExceeded", cut_text(answer))}]
    parts = [orjson.dumps(head), orjson.dumps(fragment)[:-1] + b',"Rows":[' + answer.rows + b"]}"]
    if options.progressive:
        parts.append(orjson.dumps({"FrameType": "TableProgress", "TableId": 1, "TableProgress": 100.0}))
    return [*parts, orjson.dumps(done)]


def _events(answer: QueryAnswer, client_request_id: str) -> list[list[Any]]:
    def event(level_name: str, level: int, kind: str, payload: str) -> list[Any]:
        return [0, client_request_id, 0, "", level_name, level, kind, payload]

    events = [
        event("Info", 4, "Visualization", "{}"),
        event("Info", 4, "QueryInfo", orjson.dumps(_DONE).decode()),
    ]
    if answer.cut:
        text = orjson.dumps({"Count": 1, "Text": cut_text(answer)}).decode()
        events.append(event("Error", 2, "QueryInfo", text))
    return events


def _completion(answer: QueryAnswer) -> dict[str, Any]:
    out: dict[str, Any] = {
        "FrameType": "DataSetCompletion",
        "HasErrors": bool(answer.cut),
        "Cancelled": False,
    }
    if answer.cut:
        out["OneApiErrors"] = [{"error": one_api("LimitsExceeded", cut_text(answer))}]
    return out


def _columns(answer: QueryAnswer) -> list[tuple[str, str]]:
    return [(c.name, c.type) for c in answer.columns]


def _table(
    number: int,
    kind: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    *,
    name: str = "",
) -> dict[str, Any]:
    return {
        "FrameType": "DataTable",
        "TableId": number,
        "TableKind": kind,
        "TableName": name or kind,
        "Columns": [{"ColumnName": n, "ColumnType": t} for n, t in columns],
        "Rows": rows,
    }
