"""`validate-headers`: holds a response's headers to what its operation declares for that status."""

from __future__ import annotations

from collections.abc import Mapping

from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange
from aforo.policy.running import answer, header_text
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Child, Element
from aforo.policy.validating import contract_syntax as syntax
from aforo.policy.validating.contract_check import Mistake, settle, unspecified, value_mistakes

_NAME = "validate-headers"
# Of every response; nobody declares them.
_FRAMING = frozenset(
    ("connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding")
)


def validate(
    x: Exchange, specified: str, unlisted: str, names: Mapping[str, str], variable: str | None
) -> None:
    """All mistakes are looked for; those to be prevented end the call together."""
    response = answer(x)
    answers = x.operation.contract.answers if x.operation is not None else ()
    declared = next((a.headers for a in answers if a.status == response.status), ())
    known = {d.name.lower(): d for d in declared}
    found: list[Mistake] = []
    present = {
        name.decode("latin-1"): [header_text(v) for v in response.headers.get_all(name)]
        for name in response.headers.names()
    }
    for name, each in known.items():
        action = names.get(name) or specified
        if action != "ignore":
            found += value_mistakes(x.api, "ResponseHeader", "header", each, present.get(name, []), action)
    for name in present:
        action = names.get(name) or unlisted
        if name not in known and name not in _FRAMING and action != "ignore":
            found.append(unspecified("ResponseHeader", "header", name, action))
    settle(x, _NAME, found, variable)


def write(use: Use, emit: Emitter) -> None:
    values: list[Value] = []
    specified = syntax.action_code(use, emit, "specified-header-action", values)
    unlisted = syntax.action_code(use, emit, "unspecified-header-action", values)
    names = syntax.named(use, "header", "name", emit, values)
    if specified is None or unlisted is None:
        return
    emit.site(use, *values)
    emit.do(
        "VALIDATE(x, SPECIFIED, UNLISTED, NAMES, VARIABLE)",
        VALIDATE=validate,
        SPECIFIED=specified,
        UNLISTED=unlisted,
        NAMES=names,
        VARIABLE=syntax.variable(use, emit),
    )


ELEMENT = Element(
    _NAME,
    "Holds a response's headers to what its operation declares for that status. The headers that frame any message are "
    "left alone.",
    write,
    sections=frozenset((Section.OUTBOUND, Section.ON_ERROR)),
    attributes=(
        syntax.action("specified-header-action", "declared headers with a wrong value"),
        syntax.action("unspecified-header-action", "headers that are not declared"),
        syntax.ERRORS,
    ),
    children=(
        Child(
            "header",
            "The action for one header.",
            many=True,
            attributes=(
                Attribute("name", "Its name, in any case.", "name", required=True),
                syntax.action("action", "it"),
            ),
        ),
    ),
    once=True,
)
