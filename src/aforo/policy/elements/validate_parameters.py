"""`validate-parameters`: holds a request's headers, query and path to what its operation declares."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from aforo.policy.context.values import QueryValues
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange
from aforo.policy.running import header_text
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Child, Element
from aforo.policy.subject import Contract
from aforo.policy.validating import contract_syntax as syntax
from aforo.policy.validating.contract_check import Mistake, settle, unspecified, value_mistakes

_NAME = "validate-parameters"
# Of every request, whatever it is for; a description does not declare them (OpenAPI 3, parameter object).
_FRAMING = frozenset(("accept", "connection", "content-length", "content-type", "transfer-encoding"))

# (specified action, unspecified action, actions of single names)
Rules = tuple[str | None, str | None, Mapping[str, str]]


def validate(
    x: Exchange,
    specified: str,
    unlisted: str,
    headers: Rules,
    query: Rules,
    path: Rules,
    variable: str | None,
) -> None:
    """All mistakes are looked for; those to be prevented end the call together."""
    contract = x.operation.contract if x.operation is not None else Contract()
    api = x.api
    own = {api.key_header.lower(), api.key_query.lower()} if api is not None else set()
    fields = {
        name.decode("latin-1"): [header_text(v) for v in x.request.headers.get_all(name)]
        for name in x.request.headers.names()
    }
    found: list[Mistake] = []
    for kind, what, declared, given, rules in (
        ("RequestHeader", "header", contract.headers, fields, headers),
        ("QueryParameter", "query parameter", contract.query, dict(QueryValues(x.request.url.query_values()).pairs()), query),
        ("PathParameter", "path parameter", contract.path, {k: [v] for k, v in x.request.matched.items()}, path),
    ):  # fmt: skip
        known = {d.name.lower(): d for d in declared}
        present = {n.lower(): v for n, v in given.items()}
        for name, each in known.items():
            action = rules[2].get(name) or rules[0] or specified
            if action != "ignore":
                found += value_mistakes(api, kind, what, each, present.get(name, []), action)
        if kind == "PathParameter":
            continue
        for name in present:
            action = rules[2].get(name) or rules[1] or unlisted
            skipped = name in own or (kind == "RequestHeader" and name in _FRAMING)
            if name not in known and action != "ignore" and not skipped:
                found.append(unspecified(kind, what, name, action))
    settle(x, _NAME, found, variable)


def write(use: Use, emit: Emitter) -> None:
    values: list[Value] = []
    specified = syntax.action_code(use, emit, "specified-parameter-action", values)
    unlisted = syntax.action_code(use, emit, "unspecified-parameter-action", values)
    rules: dict[str, ast.expr] = {}
    for name in ("headers", "query", "path"):
        group = use.child(name)
        parts = [None, None]
        if group is not None:
            parts[0] = syntax.action_code(group, emit, "specified-parameter-action", values)
            if name != "path":
                parts[1] = syntax.action_code(group, emit, "unspecified-parameter-action", values)
        names = syntax.named(group, "parameter", "name", emit, values)
        rules[name] = emit.expr("(A, B, C)", A=parts[0], B=parts[1], C=names)
    if specified is None or unlisted is None:
        return
    emit.site(use, *values)
    emit.do(
        "VALIDATE(x, SPECIFIED, UNLISTED, HEADERS, QUERY, PATH, VARIABLE)",
        VALIDATE=validate,
        SPECIFIED=specified,
        UNLISTED=unlisted,
        HEADERS=rules["headers"],
        QUERY=rules["query"],
        PATH=rules["path"],
        VARIABLE=syntax.variable(use, emit),
    )


_SPECIFIED = syntax.action("specified-parameter-action", "declared parameters with a wrong value")
_UNLISTED = syntax.action("unspecified-parameter-action", "parameters that are not declared")


def _group(name: str, what: str, *, path: bool = False) -> Child:
    mine = (
        syntax.action("specified-parameter-action", "declared ones here", required=False),
        syntax.action("unspecified-parameter-action", "others here", required=False),
    )
    return Child(
        name,
        f"Other actions for {what}.",
        attributes=mine[:1] if path else mine,
        children=(
            Child(
                "parameter",
                "The action for one of them.",
                many=True,
                attributes=(
                    Attribute("name", "Its name, in any case.", "name", required=True),
                    syntax.action("action", "it"),
                ),
            ),
        ),
    )


ELEMENT = Element(
    _NAME,
    "Holds a request's headers, query and path parameters to what its operation declares. The key's own header and "
    "query parameter, and the headers that frame any message, are left alone.",
    write,
    sections=INBOUND,
    attributes=(_SPECIFIED, _UNLISTED, syntax.ERRORS),
    children=(
        _group("headers", "headers"),
        _group("query", "the query"),
        _group("path", "the path", path=True),
    ),
    once=True,
)
