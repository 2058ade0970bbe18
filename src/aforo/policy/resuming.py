"""What of an outbound section is left to run when the answer came out of a cache. It generates nothing."""

from __future__ import annotations

from collections.abc import Mapping

from aforo.policy import catalog, limits
from aforo.policy.document import XmlElement, parse
from aforo.policy.emit import Use


def rest(uses: tuple[Use, ...], family: str, fragments: Mapping[str, str]) -> tuple[Use, ...]:
    """What follows the first policy that stores in caches of that family; where none does, `<base/>` and what
    follows that: the broader scope stores."""
    found = _following(uses, family, fragments)
    if found is not None:
        return found
    at = next((i for i, use in enumerate(uses) if use.name == "base"), len(uses))
    return uses[at:]


def _following(uses: tuple[Use, ...], family: str, fragments: Mapping[str, str]) -> tuple[Use, ...] | None:
    """Out of all that the policy stands in: first what follows it there, then what follows that."""
    for at, use in enumerate(uses):
        rest: tuple[Use, ...] | None = None
        if _stores(use.element, family, fragments, 0):
            rest = ()
        else:
            for inside in (use.policies, *(c.policies for cs in use.children.values() for c in cs)):
                rest = _following(inside, family, fragments)
                if rest is not None:
                    break
        if rest is not None:
            return rest + uses[at + 1 :]
    return None


def _stores(element: XmlElement, family: str, fragments: Mapping[str, str], depth: int) -> bool:
    """Whether it is such a policy, or includes a fragment with one: the rest of the fragment does not run then."""
    known = catalog.BY_NAME.get(element.name)
    if known is not None and known.stores == family:
        return True
    name = element.attributes.get("fragment-id")
    if element.name != "include-fragment" or name is None or depth > limits.FRAGMENT_NESTING:
        return False
    stack = list(parse(fragments.get(name.value.text.strip(), "<fragment/>"), "rawxml").roots)
    while stack:
        each = stack.pop()
        if _stores(each, family, fragments, depth + 1):
            return True
        stack += each.elements
    return False
