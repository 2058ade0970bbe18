"""Policy fragments, judged when they are saved: what is wrong with one would otherwise show in those that include it,
and nowhere while nobody does."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.kind import Problem, Resource, View
from aforo.model.kinds.policy import FRAGMENT_TYPE

# As XML, and in circles. What its policies may be depends on where they are included.
_CIRCLE = "POL0303"


def problems(resource: Resource, view: View) -> Iterable[Problem]:
    """What is wrong with the text of a fragment wherever it may be included; nothing for other kinds."""
    if resource.kind.type != FRAGMENT_TYPE:
        return
    from aforo.policy.compile import CompileContext, compile_document
    from aforo.policy.document import parse
    from aforo.policy.scopes import Scope, Section
    from aforo.policy.structure import fragment_root
    from aforo.source import Source

    text = str(resource.properties.get("value", ""))
    source = Source(resource.name, text)
    parsed = parse(text, "rawxml")
    found = list(parsed.diagnostics)
    fragment_root(parsed, found.append)
    if not found:
        fragments = {
            r.name: str(r.properties.get("value", ""))
            for r in view.children(resource.id.parent_key, FRAGMENT_TYPE)
        }
        # Included where everything may stand: only circles count.
        including = (
            f'<policies><inbound><include-fragment fragment-id="{resource.name}" /></inbound></policies>'
        )
        made = compile_document(
            Source("", including), Scope.API, CompileContext(fragments=fragments), fragment=Section.INBOUND
        )
        for each in made.diagnostics:
            if each.code == _CIRCLE:
                yield Problem(("properties", "value"), each.message, each.hints, code=each.code)
    for each in found:
        line, column = source.position(each.span.start)
        message = f"in line {line}, column {column} of the text: {each.message}"
        yield Problem(("properties", "value"), message, each.hints, code=each.code)
