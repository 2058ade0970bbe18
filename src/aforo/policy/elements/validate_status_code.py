"""`validate-status-code`: lets only the statuses out that an operation declares."""

from __future__ import annotations

from collections.abc import Mapping

from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange
from aforo.policy.running import answer
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Child, Element
from aforo.policy.validating import contract_syntax as syntax
from aforo.policy.validating.contract_check import INTERNAL, Mistake, settle

_NAME = "validate-status-code"


def validate(x: Exchange, unlisted: str, codes: Mapping[str, str], variable: str | None) -> None:
    status = answer(x).status
    answers = x.operation.contract.answers if x.operation is not None else ()
    action = codes.get(str(status)) or unlisted
    if action == "ignore" or any(a.status == status for a in answers):
        return
    details = f"Response status code {status} is not allowed."
    settle(x, _NAME, [Mistake(str(status), "StatusCode", "Unspecified", details, INTERNAL, action)], variable)


def write(use: Use, emit: Emitter) -> None:
    values: list[Value] = []
    unlisted = syntax.action_code(use, emit, "unspecified-status-code-action", values)
    codes = syntax.named(use, "status-code", "code", emit, values)
    if unlisted is None:
        return
    emit.site(use, *values)
    emit.do(
        "VALIDATE(x, UNLISTED, CODES, VARIABLE)",
        VALIDATE=validate,
        UNLISTED=unlisted,
        CODES=codes,
        VARIABLE=syntax.variable(use, emit),
    )


ELEMENT = Element(
    _NAME,
    "Lets only the statuses out that an operation declares.",
    write,
    sections=frozenset((Section.OUTBOUND, Section.ON_ERROR)),
    attributes=(
        syntax.action("unspecified-status-code-action", "statuses that are not declared"),
        syntax.ERRORS,
    ),
    children=(
        Child(
            "status-code",
            "The action for one status that is not declared.",
            many=True,
            attributes=(
                Attribute("code", "The status.", "int", required=True),
                syntax.action("action", "it"),
            ),
        ),
    ),
    once=True,
)
