"""`trace`: a message into the trace of the call and, where it is severe enough, into the logs."""

from __future__ import annotations

import ast
from dataclasses import replace

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange
from aforo.policy.masking import MASK
from aforo.policy.running import Site
from aforo.policy.running import word as checked_word
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Child, Element, Text
from aforo.policy.tracing.records import SEVERITIES, Record
from aforo.policy.tracing.records import write as keep

_WORDS = frozenset(SEVERITIES)
Part = tuple[str | None, Site]  # a text, and what went into it


def record(
    exchange: Exchange, source: Part, severity: str, message: Part, *metadata: tuple[Part, Part]
) -> None:
    """A text that a secret went into is not written down; one that is null is left out."""

    def fit(part: Part) -> str:
        text, site = part
        return MASK if site.tainted(exchange, text or "") else text or ""

    said = {fit(name): fit(value) for name, value in metadata}
    keep(exchange, Record(fit(source), severity, fit(message), said, message[1].known))


def write(use: Use, emit: Emitter) -> None:
    source, severity = emit.value(use, "source"), emit.value(use, "severity")
    child = use.child("message")
    # The older form has its message between its own tags.
    message = emit.text(child if child is not None else use)
    pairs = [(emit.value(m, "name"), emit.value(m, "value")) for m in use.children.get("metadata", ())]
    if source is None or severity is None or message is None:
        return
    if child is None and (use.text is None or not use.text.text.strip()):
        emit.report(say.missing_child(use.span, use.name, "message"))
        return
    if any(n is None or v is None for n, v in pairs):
        return
    site = emit.site(use, source, severity, message, *(v for pair in pairs for v in pair))
    known = (severity.const or "").strip().lower()
    level = (
        emit.expr("S", S=known)
        if known
        else emit.expr("F(V, 'severity', W)", F=checked_word, V=severity, W=_WORDS)
    )

    def part(value: Value) -> ast.expr:
        about = replace(site, secret=value.secret, reads=value.reads)
        return emit.expr("(VALUE, ABOUT)", VALUE=value, ABOUT=about)

    call = emit.expr(
        "F(x, SOURCE, LEVEL, MESSAGE)", F=record, SOURCE=part(source), LEVEL=level, MESSAGE=part(message)
    )
    assert isinstance(call, ast.Call)
    call.args += [
        emit.expr("(NAME, VALUE)", NAME=part(n), VALUE=part(v))
        for n, v in pairs
        if n is not None and v is not None
    ]
    emit.do("CALL", CALL=call)


ELEMENT = Element(
    "trace",
    "Writes a message into the trace of the call, and into `TraceRecords` of the gateway log and the table `AppTraces` "
    "where it is at least as severe as the diagnostic's verbosity.",
    write,
    sections=frozenset((Section.INBOUND, Section.BACKEND, Section.OUTBOUND, Section.ON_ERROR)),
    attributes=(
        Attribute("source", "Where the message comes from, in your own words.", required=True),
        Attribute("severity", "How severe it is.", default="verbose", values=SEVERITIES),
    ),
    children=(
        Child("message", "The message.", text=Text("The message.")),
        Child(
            "metadata",
            "A property of the message.",
            many=True,
            attributes=(
                Attribute("name", "Its name.", "name", required=True),
                Attribute("value", "Its value.", required=True),
            ),
        ),
    ),
    text=Text("The message, in the older form without a `message` element."),
)
