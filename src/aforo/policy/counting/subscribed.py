"""What `rate-limit` and `quota` share: a subscription's limits, with parts for single APIs and operations."""

from __future__ import annotations

import ast
from typing import Any

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.spec import Attribute

IDENTITY = (
    Attribute("name", "Its display name.", "name", expressions=False),
    Attribute("id", "Its id; `name` does not count beside it.", "name", expressions=False),
)

# (API's id, API's name, operation's id or None, operation's name or None, the limits)
Part = tuple[str, str, str | None, str | None, tuple[Any, ...]]


def place(exchange: Exchange, scope: str) -> str:
    """Where a limit stands, as a part of its counter's name: each product, API and operation counts by itself."""
    api = exchange.api.id if exchange.api is not None else ""
    if scope == "product":
        return f"products/{exchange.product.id}" if exchange.product is not None else "products/"
    if scope == "operation":
        return f"apis/{api}/operations/{exchange.operation.id if exchange.operation is not None else ''}"
    return f"apis/{api}" if scope == "api" else ""


def parts(use: Use) -> list[Use]:
    """The APIs and operations with limits of their own, in the order of `rules`."""
    out: list[Use] = []
    for api in use.children.get("api", ()):
        out += (api, *api.children.get("operation", ()))
    return out


def rules(use: Use, emit: Emitter, codes: list[list[ast.expr]]) -> ast.expr:
    """A tuple of `Part`; `codes` are the limits of each of `parts(use)`."""
    out: list[ast.expr] = []
    left = iter(codes)

    def add(api: tuple[str, str], operation: tuple[str | None, str | None]) -> None:
        named = [emit.expr("N", N=n) for n in (*api, *operation)]
        out.append(ast.Tuple([*named, ast.Tuple(next(left), ast.Load())], ast.Load()))

    for api in use.children.get("api", ()):
        which = _identity(api, emit)
        add(which, (None, None))
        for operation in api.children.get("operation", ()):
            add(which, _identity(operation, emit))
    made: ast.expr = emit.place(ast.Tuple(out, ast.Load()))
    return made


def matching(exchange: Exchange, rules: tuple[Part, ...]) -> list[tuple[str, tuple[Any, ...]]]:
    """(suffix of the counter's name, limits) of the parts that this call falls under."""
    out: list[tuple[str, tuple[Any, ...]]] = []
    api, operation = exchange.api, exchange.operation
    for api_id, api_name, operation_id, operation_name, limits in rules:
        if api is None or not _is(api.id, api.name, api_id, api_name):
            continue
        if operation_id is None or operation_name is None:
            out.append((f"/api/{api.id}", limits))
        elif operation is not None and _is(operation.id, operation.name, operation_id, operation_name):
            out.append((f"/api/{api.id}/operation/{operation.id}", limits))
    return out


def _is(known_id: str, known_name: str, wanted_id: str, wanted_name: str) -> bool:
    if wanted_id:
        return known_id.lower() == wanted_id.lower()
    return known_name.lower() == wanted_name.lower()


def _identity(use: Use, emit: Emitter) -> tuple[str, str]:
    """(id, name); one of them must be there."""
    found = []
    for attribute in ("id", "name"):
        value = emit.value(use, attribute)
        found.append((value.const or "").strip() if value is not None else "")
    if not any(found):
        emit.report(say.at_least_one_of(use.span, use.name, ("id", "name")))
    return found[0], found[1]
