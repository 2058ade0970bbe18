"""What is written around each policy's code: its step in the traced variant, and what follows the secrets that it writes.

It knows no element; it is handed the one that writes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from aforo.policy import running
from aforo.policy.emit import Emitter, Use
from aforo.policy.masking import CREDENTIAL_HEADERS
from aforo.policy.spec import Element
from aforo.policy.tracing import trace

Write = Callable[[Use, Emitter], None]


def compile_use(use: Use, emitter: Emitter, write: Write) -> None:
    """The policy's own code, by `write`, with what stands around it."""
    first = len(emitter.unit.sites)
    if emitter.unit.tracing:
        _traced(use, emitter, write)
    else:
        write(use, emitter)
    _taint_written(use, emitter, emitter.unit.sites[first:])


def _traced(use: Use, emitter: Emitter, write: Write) -> None:
    """The policy between the begin and the end of its step."""
    unit = emitter.unit
    policy_id = use.attributes.get("id")
    line, column = unit.source.position(use.span.start)
    place = trace.Place(
        use.name,
        unit.section.value,
        unit.scope.value,
        use.path,
        policy_id.text if policy_id is not None else "",
        unit.source.name,
        line,
        column,
    )
    before, places = unit.step, unit.places
    step = emitter.local("step")
    emitter.span = use.span
    emitter.do(
        f"{step} = BEGIN(x, PLACE, OUTER)",
        BEGIN=trace.begin,
        # By a name that is free: looking for one among thousands takes its time.
        PLACE=ast.Name(unit.names.of(place, f"place_{step}"), ast.Load()),
        OUTER=ast.Name(before, ast.Load()),
    )
    holder = use.parent.spec if use.parent is not None else None
    inside = isinstance(holder, Element) and not holder.policies
    # What a statement inside of a policy (`set-header` in `send-request`) knows, that policy knows.
    unit.step, unit.places = step, (*places, place) if inside else (place,)
    write(use, emitter)
    unit.step, unit.places = before, places
    emitter.span = use.span
    emitter.do(f"END(x, {step})", END=trace.end)


def _taint_written(use: Use, emitter: Emitter, sites: list[running.Site]) -> None:
    """Where a policy puts what it made of a secret is as secret. An answer that a secret was needed for is one too:
    whoever asked for it with a token may have got another."""
    name = _written(use, emitter)
    if not name or not sites:
        return
    emitter.span = use.span
    if any(s.secret for s in sites) or any(c.startswith("authentication-") for c in use.children):
        emitter.do("F(x, NAME)", F=running.taint, NAME=name)
        return
    reads: frozenset[str | None] = frozenset().union(*(s.reads for s in sites))
    if reads:
        emitter.do(
            "if x.tainted is not None:\n    F(x, NAME, SITE)",
            F=running.pass_taint,
            NAME=name,
            SITE=replace(sites[0], reads=reads),
        )


def _variable(use: Use, emitter: Emitter, attribute: str) -> str | ast.expr:
    """The name of a variable: as it stands there, or the expression for it."""
    given = use.attributes.get(attribute)
    if given is None or not given.text.strip().startswith("@"):
        return given.text.strip() if given is not None else ""
    unit = emitter.unit
    tracing, unit.tracing = unit.tracing, False  # it has been told once
    value = emitter.value(use, attribute)
    unit.tracing = tracing
    return value.code if value is not None else ""


def _written(use: Use, emitter: Emitter) -> str | ast.expr:
    """Where it puts something, in the names of `running.Site.reads`; "" where nobody follows it."""
    if use.name in _WRITES:
        return _variable(use, emitter, _WRITES[use.name])
    if emitter.message not in ("x.request", "answer(x)"):
        return ""
    if use.name == "set-body":
        return "request-body" if emitter.message == "x.request" else "response-body"
    if use.name == "set-header" and "name" in use.attributes:
        header = use.attributes["name"].text.strip().lower()
        # Who reads a credential's header reads a secret, whatever stands in it.
        return "" if header.startswith("@") or header in CREDENTIAL_HEADERS else f"header:{header}"
    return ""


# Policies that keep what somebody answered: the attribute that names their variable.
_WRITES = {"send-request": "response-variable-name"}
