"""What a client of the query API sent, read and checked: bodies, batches, `Prefer`. It knows no pool and no rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from starlette.requests import Request

from aforo import rest
from aforo.errors import Invalid

DEFAULT_WAIT_S = 180.0
LONGEST_WAIT_S = 600.0
LARGEST_BODY_BYTES = 4 << 20
MOST_IN_BATCH = 100


@dataclass(frozen=True, slots=True)
class Preferences:
    """The `Prefer` header: how long the client waits, and what it wants beside the rows."""

    wait_s: float = DEFAULT_WAIT_S
    statistics: bool = False
    render: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What one query, alone or in a batch, asks for. Several timespans are all meant."""

    text: str
    timespans: tuple[str, ...]
    workspaces: tuple[str, ...]
    resources: tuple[str, ...]
    preferences: Preferences


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One query of a batch; `question` is the refusal where the item is wrong."""

    id: str
    workspace: str
    path: str
    question: Question | Invalid


async def read_body(request: Request) -> bytes:
    """The whole body; `Invalid` when it is larger than a query can be."""
    body = await rest.read_body(request, LARGEST_BODY_BYTES)
    if body is None:
        raise Invalid(f"The body is larger than {LARGEST_BODY_BYTES:,} bytes.", code="BodyTooLarge")
    return body


def question_of(request: Request, body: bytes) -> Question:
    """The query of a GET or POST request."""
    query = request.query_params
    timespans = tuple(query.getlist("timespan"))
    preferences = preferences_of(request.headers.get("prefer", ""))
    if request.method == "POST":
        return _of_object(_json_object(body), timespans, preferences)
    return _of_pairs({name: query.getlist(name) for name in query}, preferences)


def batch_of(body: bytes) -> list[BatchItem]:
    """The queries of a batch. What makes one item wrong is its own; what makes the batch wrong is `Invalid`."""
    items = _json_object(body).get("requests")
    if not isinstance(items, list) or not items:
        raise Invalid(
            "A batch has a list 'requests' with at least one query.",
            code="MissingRequests",
            target="requests",
        )
    if len(items) > MOST_IN_BATCH:
        raise Invalid(
            f"A batch has at most {MOST_IN_BATCH} queries, this one has {len(items)}.", code="BatchTooLarge"
        )
    out: list[BatchItem] = []
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise Invalid(
                f"Query {number} of the batch has no 'id' (a string).",
                code="MissingId",
                target=f"requests[{number}].id",
            )
        out.append(_batch_item(item))
    ids = [item.id for item in out]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise Invalid(
            f"The id {twice[0]!r} is there twice in the batch.", code="DuplicateId", target="requests"
        )
    return out


def preferences_of(header: str) -> Preferences:
    """`wait=30,include-statistics=true,include-render=true`; what is not known is ignored, as RFC 7240 has it."""
    given: dict[str, str] = {}
    for part in header.replace(";", ",").split(","):
        name, _, value = part.partition("=")
        given.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    wait_s = DEFAULT_WAIT_S
    if wait := given.get("wait"):
        try:
            wait_s = float(wait)
        except ValueError:
            raise Invalid(
                f"Prefer: wait={wait} is not a number of seconds.", code="InvalidPrefer", target="Prefer"
            ) from None
        if not 0 < wait_s <= LONGEST_WAIT_S:
            raise Invalid(
                f"Prefer: wait={wait} is out of range: it is at most {LONGEST_WAIT_S:g} seconds.",
                code="InvalidPrefer",
                target="Prefer",
            )
    return Preferences(
        wait_s, given.get("include-statistics") == "true", given.get("include-render") == "true"
    )


def _batch_item(item: dict[str, Any]) -> BatchItem:
    path = str(item.get("path") or "/query")
    question: Question | Invalid
    try:
        headers = item.get("headers") or {}
        if not isinstance(headers, dict):
            raise Invalid("'headers' is an object.", code="InvalidHeaders", target="headers")
        prefer = next((str(v) for k, v in headers.items() if str(k).lower() == "prefer"), "")
        preferences = preferences_of(prefer)
        pairs = parse_qs(urlsplit(path).query, keep_blank_values=True)
        if str(item.get("method") or "GET").upper() == "POST":
            body = item.get("body")
            if not isinstance(body, dict):
                raise Invalid("A POST in a batch has an object as 'body'.", code="MissingBody", target="body")
            question = _of_object(body, tuple(pairs.get("timespan", ())), preferences)
        else:
            # Azure's own samples leave the method out and send a body all the same.
            body = item.get("body")
            question = (
                _of_object(body, (), preferences) if isinstance(body, dict) else _of_pairs(pairs, preferences)
            )
    except Invalid as refusal:
        question = refusal
    return BatchItem(item["id"], str(item.get("workspace") or ""), urlsplit(path).path, question)


def _of_pairs(pairs: Mapping[str, Sequence[str]], preferences: Preferences) -> Question:
    def listed(name: str) -> tuple[str, ...]:
        return tuple(
            part.strip() for value in pairs.get(name, ()) for part in value.split(",") if part.strip()
        )

    text = next(iter(pairs.get("query", ())), None)
    return _checked(
        text, tuple(pairs.get("timespan", ())), listed("workspaces"), listed("resources"), preferences
    )


def _of_object(body: dict[str, Any], timespans: tuple[str, ...], preferences: Preferences) -> Question:
    timespan = body.get("timespan")
    if timespan is not None:
        if not isinstance(timespan, str):
            raise Invalid("'timespan' is a string or null.", code="InvalidTimespan", target="timespan")
        timespans += (timespan,)
    return _checked(
        body.get("query"), timespans, _strings(body, "workspaces"), _strings(body, "resources"), preferences
    )


def _checked(
    text: object,
    timespans: tuple[str, ...],
    workspaces: tuple[str, ...],
    resources: tuple[str, ...],
    preferences: Preferences,
) -> Question:
    if not isinstance(text, str) or not text.strip():
        raise Invalid("The request has no 'query': a KQL text.", code="MissingQuery", target="query")
    return Question(text, tuple(t for t in timespans if t.strip()), workspaces, resources, preferences)


def _strings(body: dict[str, Any], name: str) -> tuple[str, ...]:
    value = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise Invalid(f"'{name}' is a list of strings.", code="InvalidProperty", target=name)
    return tuple(value)


def _json_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise Invalid("The request has no body: send JSON with a 'query'.", code="InvalidJsonBody")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).",
            code="InvalidJsonBody",
        ) from error
    if not isinstance(value, dict):
        raise Invalid("The body is JSON but not an object.", code="InvalidJsonBody")
    return value
