"""`include-fragment`: the policies of a fragment, as if they stood here."""

from __future__ import annotations

from aforo.policy.emit import Emitter, Use
from aforo.policy.spec import Attribute, Element


def write(use: Use, emit: Emitter) -> None:
    name = emit.value(use, "fragment-id")
    if name is None or name.const is None:
        return
    emit.site(use)
    section = emit.unit.include(emit, name.const.strip(), use.span)
    if section is not None:
        emit.do("await FRAGMENT(x)", FRAGMENT=section)


ELEMENT = Element(
    "include-fragment",
    "Runs the policies of a policy fragment at this place.",
    write,
    attributes=(Attribute("fragment-id", "The fragment's name.", "name", required=True, expressions=False),),
)
