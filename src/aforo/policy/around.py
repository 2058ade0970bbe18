"""What is written around each policy's code: its step in the traced variant, and what follows the secrets that it writes.

It knows no element; it is handed the one that writes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from aforo.policy import running
from aforo.policy.emit import Emitter, Use
from aforo.policy.masking import CREDENTIAL_HEADERS, SHORTEST
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
        policy_id.shown if policy_id is not None else "",
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
    if use.policies or any(each.policies for group in use.children.values() for each in group):
        sites = [s for s in sites if s.source == use.name]  # those that it holds have spoken for themselves
    if not sites:
        return
    emitter.span = use.span
    reads: frozenset[str | None] = frozenset().union(*(s.reads for s in sites))
    signs = any(c.startswith("authentication-") for c in use.children)
    secret, sealed = any(s.secret for s in sites) or signs, any(s.sealed for s in sites) or signs
    together = replace(sites[0], reads=reads, secret=secret, sealed=sealed)
    if None in reads or (secret and any(_is_variable(r) for r in reads)) or len(reads) > 1:
        emitter.where_tainted("F(x, SITE)", together, F=running.taint_held, SITE=together)
    name = _written(use, emitter)
    if name:
        emitter.follow(together, name)
    places = _places(use, emitter, together)
    if places and (secret or reads):
        emitter.where_tainted(
            "F(x, NAMES, SITE)", together, F=running.taint_place, NAMES=emitter.part(places), SITE=together
        )


def _is_variable(name: str | None) -> bool:
    return name is not None and not name.startswith(("@", "header:", "query:"))


def _places(use: Use, emitter: Emitter, site: running.Site) -> tuple[str, ...]:
    """Where in the request to the backend a policy puts something beside what stands there."""
    if use.name == "set-query-parameter" and emitter.message == "x.request":
        name = use.attributes.get("name")
        if name is None or name.text.strip().startswith("@"):
            return ("@query", "query:*")
        return ("@query", f"query:{name.text.strip().lower()}")
    if use.name not in _PLACES:
        return ()
    # A secret that is written out is masked by its text, and the rest of the address is shown.
    texts = [a for a in use.attributes.values() if a.secret]
    written = texts and not any(a.text.strip().startswith("@") for a in use.attributes.values())
    if written and all(len(s) >= SHORTEST for s in site.known if any(s in a.text for a in texts)):
        return ()
    return _PLACES[use.name]


_PLACES = {
    "rewrite-uri": ("@path", "@query", "query:*"),
    "set-backend-service": ("@base-url",),
}


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
    """What it makes anew, in the names of `running.Site.reads`; "" where nobody follows it."""
    if use.name in _WRITES:
        return _variable(use, emitter, _WRITES[use.name])
    if emitter.message not in ("x.request", "answer(x)"):
        return ""
    if use.name == "set-body":
        return "@request-body" if emitter.message == "x.request" else "@response-body"
    if use.name == "set-header" and "name" in use.attributes:
        header = use.attributes["name"].text.strip().lower()
        # Who reads a credential's header reads a secret, whatever stands in it.
        return "" if header.startswith("@") or header in CREDENTIAL_HEADERS else f"header:{header}"
    return ""


# Policies that keep what somebody answered: the attribute that names their variable.
_WRITES = {"send-request": "response-variable-name"}
