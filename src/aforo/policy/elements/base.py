"""`base`: here the same section of the next broader scope runs."""

from __future__ import annotations

from aforo.policy.emit import Emitter, Use
from aforo.policy.spec import Element


def write(use: Use, emit: Emitter) -> None:
    emit.span = use.span
    emit.facts.uses_base = True
    # A section of the broader scope that does nothing is None.
    emit.do("if base is not None:\n    await base(x)")


ELEMENT = Element(
    "base",
    "Runs the same section of the next broader scope: operation, API, product, global. Without it they do not run.",
    write,
)
