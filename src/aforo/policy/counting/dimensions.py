"""Dimensions of metrics: `<dimension>` as a child, the names that need no value, and what these stand for in a call."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from math import isfinite
from typing import Final

from aforo.csharp.runtime.exceptions import FormatException
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange
from aforo.policy.flow import may_be_key
from aforo.policy.masking import MASK
from aforo.policy.running import Site
from aforo.policy.spec import Attribute, Child

_DEFAULTS: Final[dict[str, Callable[[Exchange], str]]] = {
    "API ID": lambda x: x.api.id if x.api is not None else "",
    "Operation ID": lambda x: x.operation.id if x.operation is not None else "",
    "Product ID": lambda x: x.product.id if x.product is not None else "",
    "User ID": lambda x: x.user.id if x.user is not None else "",
    "Subscription ID": lambda x: x.subscription.id if x.subscription is not None else "",
    "Location": lambda x: x.services.deployment.region,
    "Location ID": lambda x: x.services.deployment.region,
    "Gateway ID": lambda x: x.services.deployment.gateway_id,
    "Backend ID": lambda x: x.backend_used or x.backend_id or "",
}
_BY_FOLDED = {name.lower(): name for name in _DEFAULTS}
_LONGEST = 1024
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")

# (name, value): None stands for the value of a default dimension.
Given = tuple[str, str | None]

NAMESPACE = Attribute(
    "namespace", "The namespace of the metric.", "name", default="API Management", expressions=False
)
CHILD = Child(
    "dimension",
    "A dimension of the metric.",
    many=True,
    attributes=(
        Attribute("name", "Its name.", "name", required=True),
        Attribute(
            "value",
            "Its value. It may be left out for " + ", ".join(_DEFAULTS) + ".",
        ),
    ),
)


def given(use: Use, emit: Emitter) -> tuple[list[ast.expr], list[object]]:
    """(code of each (name, value) pair, the values for the site of the policy)."""
    pairs: list[ast.expr] = []
    values: list[object] = []
    for each in use.children.get("dimension", ()):
        name, value = emit.value(each, "name"), emit.value(each, "value")
        if name is None or (value is None and "value" in each.attributes):
            continue
        if value is None and name.const is not None and name.const.strip().lower() not in _BY_FOLDED:
            emit.report(say.default_dimension(name.span, name.const.strip(), _DEFAULTS))
        values += [name, value]
        code = (
            emit.expr("F(V)", F=_named, V=name)
            if name.const is None
            else emit.part(_named(name.const, value is None))
        )
        pairs.append(ast.Tuple([fit(emit, name, code), fit(emit, value, emit.part(value))], ast.Load()))
    return pairs, values


def fit(emit: Emitter, value: Value | None, code: ast.expr) -> ast.expr:
    """A text that is known to hold a secret is not counted by; what a token claims is."""
    if value is None or not (value.sealed or value.secret or value.reads):
        return code
    if value.sealed:
        # It is evaluated all the same: it may fail.
        return emit.expr("F(V)", F=_masked, V=code)
    about = Site("", "", "", "", "", 0, "", value.secret, value.reads)
    if value.secret or may_be_key(value.reads):
        return emit.expr("F(x, V, SITE)", F=_kept, V=code, SITE=about)
    return emit.expr("V if x.tainted is None else F(x, V, SITE)", F=_kept, V=code, SITE=about)


def _masked(value: str | None) -> str | None:
    return None if value is None else MASK


def _kept(exchange: Exchange, value: str | None, site: Site) -> str | None:
    return MASK if value is not None and site.keeps(exchange) else value


def resolve(exchange: Exchange, dimensions: tuple[Given, ...]) -> dict[str, str]:
    """Names and values as they are now."""
    out: dict[str, str] = {}
    for name, value in dimensions:
        if value is not None:
            out[name] = value if len(value) <= _LONGEST else value[:_LONGEST]
            continue
        known = _DEFAULTS.get(name)
        if known is None:
            # An expression that gave null, or a name that only the call knows.
            name = _named(name, True)
            known = _DEFAULTS.get(name, _nothing)
        out[name] = known(exchange)
    return out


def _named(text: str | None, default: bool = False) -> str:
    """The name of a dimension; `default`: one of those that need no value, whatever its case."""
    name = (text or "").strip()
    return _BY_FOLDED.get(name.lower(), name) if default else name


def _nothing(_exchange: Exchange) -> str:
    return ""


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None and isfinite(float(text))


def measured(text: str | None, name: str) -> float:
    """A number as expressions write it, with the invariant culture."""
    if text is None or not is_number(text):
        raise FormatException(f"The value of '{name}' is not a number.")
    return float(text)
