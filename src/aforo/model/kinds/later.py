"""How a kind says that it is declared, but that nothing can act on it yet."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.kind import Problem, Resource, Rule, View


def not_yet(why: str) -> Rule:
    """A rule that refuses every resource of a kind by name: what would be ignored is not accepted."""

    def refuse(resource: Resource, _view: View) -> Iterable[Problem]:
        yield Problem((), f"{resource.kind.name} {resource.name!r}: {why}", code="NotSupported")

    return refuse
