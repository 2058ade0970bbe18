"""Azure Resource Graph: KQL over the resources themselves, as Grafana's data sources and `az graph` ask it.

The tables are `Resources` and `ResourceContainers`, each of them what the caller may read; a query is about one of
them. It knows no resource: rows are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from aforo.errors import Invalid, Refusal
from aforo.identity.access import Principal
from aforo.kql.lexer import lex
from aforo.kql.tokens import TokenKind
from aforo.logs import answers
from aforo.logs.asking import read_body
from aforo.logs.question import Outcome, QueryAnswer, SourceRows
from aforo.logs.reader import Reader
from aforo.rest import json_response, on_refusal

_COLUMNS = (
    ("id", "string"),
    ("name", "string"),
    ("type", "string"),
    ("tenantId", "string"),
    ("kind", "string"),
    ("location", "string"),
    ("resourceGroup", "string"),
    ("subscriptionId", "string"),
    ("managedBy", "string"),
    ("sku", "dynamic"),
    ("plan", "dynamic"),
    ("properties", "dynamic"),
    ("tags", "dynamic"),
    ("identity", "dynamic"),
    ("zones", "dynamic"),
    ("extendedLocation", "dynamic"),
)
_TABLES = ("Resources", "ResourceContainers")
_TYPES = {
    "int": "integer",
    "long": "integer",
    "real": "number",
    "decimal": "number",
    "bool": "boolean",
    "dynamic": "object",
}
# (principal, table) -> the resources as ARM shows them
Resources = Callable[[Principal, str], Sequence[Mapping[str, Any]]]


def routes(reader: Reader, resources: Resources) -> list[BaseRoute]:
    """The route of the resource graph, to be mounted at the root of the control plane."""

    async def ask(request: Request) -> Response:
        try:
            caller = await reader.caller(request)
            body = _object(await read_body(request))
            rows = _rows(resources(caller.principal, body["table"]), body["subscriptions"])
            source = SourceRows(_COLUMNS, orjson.dumps(rows), body["table"], exact=True)
            answer = await reader.over_rows(body["query"], source)
        except Refusal as refusal:
            return await on_refusal(request, refusal)
        if answer.outcome is not Outcome.OK:
            status, failed = answers.failure(answer, caller.correlation_id)
            return json_response(failed, status)
        return json_response(_shown(answer, as_table=body["table_format"]))

    return [Route("/providers/Microsoft.ResourceGraph/resources", ask, methods=["POST"])]


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error.msg}.", code="InvalidJsonBody") from error
    query = body.get("query") if isinstance(body, dict) else None
    if not isinstance(query, str) or not query.strip():
        raise Invalid("The body is an object with a text 'query'.", code="InvalidQuery", target="query")
    query, table = _table_of(query)
    options = body.get("options") or {}
    wanted = body.get("subscriptions") or []
    if not isinstance(options, dict) or not isinstance(wanted, list):
        raise Invalid("'options' is an object and 'subscriptions' a list.", code="InvalidQuery")
    return {
        "query": query,
        "table": table,
        "subscriptions": [str(s).lower() for s in wanted],
        "table_format": str(options.get("resultFormat", "")).lower() == "table",
    }


def _table_of(query: str) -> tuple[str, str]:
    """The query with its table as it is spelled here, for names of tables are not case-sensitive there; the table."""
    spelled = {t.lower(): t for t in _TABLES}
    tokens = [t for t in lex(query)[0] if t.kind is TokenKind.NAME and t.text.lower() in spelled]
    named = list(dict.fromkeys(spelled[t.text.lower()] for t in tokens))
    if len(named) > 1:
        raise Invalid(f"A query is about one of {' and '.join(_TABLES)}, not both.", code="NotSupported")
    for token in reversed(tokens):
        query = query[: token.span.start] + named[0] + query[token.span.end :]
    return query, named[0] if named else _TABLES[0]


def _rows(resources: Sequence[Mapping[str, Any]], subscriptions: Sequence[str]) -> list[list[Any]]:
    out = []
    for resource in resources:
        parts = str(resource["id"]).split("/")
        row = {
            **resource,
            "type": str(resource["type"]).lower(),
            "subscriptionId": parts[2] if len(parts) > 2 else "",
            "resourceGroup": parts[4].lower() if len(parts) > 4 else "",
        }
        if subscriptions and row["subscriptionId"].lower() not in subscriptions:
            continue
        out.append(
            [
                (orjson.dumps(row[n]).decode() if n in row else None)
                if kind == "dynamic"
                else str(row.get(n) or "")
                for n, kind in _COLUMNS
            ]
        )
    return out


def _shown(answer: QueryAnswer, *, as_table: bool) -> dict[str, Any]:
    names = [c.name for c in answer.columns]
    objects = {i for i, c in enumerate(answer.columns) if c.type == "dynamic"}
    rows = [
        [orjson.loads(v) if i in objects and v is not None else v for i, v in enumerate(row)]
        for row in orjson.loads(b"[" + answer.rows + b"]")
    ]
    data: Any = [dict(zip(names, row, strict=True)) for row in rows]
    if as_table:
        columns = [{"name": c.name, "type": _TYPES.get(c.type, "string")} for c in answer.columns]
        data = {"columns": columns, "rows": rows}
    cut = "true" if answer.cut else "false"
    return {"totalRecords": len(rows), "count": len(rows), "resultTruncated": cut, "facets": [], "data": data}
