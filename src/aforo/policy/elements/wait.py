"""`wait`: runs its policies side by side, until all of them or the first of them has ended."""

from __future__ import annotations

import ast
from collections.abc import Callable, Coroutine
from typing import Any

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Facts, Use
from aforo.policy.exchange import Exchange
from aforo.policy.running import word
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Element

_WORDS = frozenset(("all", "any"))


async def run(exchange: Exchange, how: str, *branches: Callable[[], Coroutine[Any, Any, None]]) -> None:
    if len(branches) == 1:
        await branches[0]()
    else:
        await exchange.services.together(branches, first=how == "any")


def write(use: Use, emit: Emitter) -> None:
    how = emit.value(use, "for")
    if how is None:
        return
    forwards = [u for u in _inside(use) if u.name == "forward-request"]
    if forwards:
        emit.report(say.unknown_child(forwards[0].span, use.name, "forward-request", ()))
        return
    emit.site(use, how)
    chosen = (
        emit.expr("H", H=how.const.strip().lower())
        if how.const is not None
        else emit.expr("F(V, 'for', W)", F=word, V=how, W=_WORDS)
    )
    facts = Facts()
    branches = []
    for each in use.policies:
        branch = Emitter(emit.unit, facts, emit.message)
        name, inner = branch.nested((each,), "branch")
        branches.append((name, inner, each))
    # Bodies that any of them reads are there before the first begins: two may not wait for one body.
    emit.span = use.span
    emit.await_effects(facts.effects)
    emit.facts.cors += facts.cors
    emit.facts.writers += facts.writers
    place = len(emit.unit.sites)
    emit.site(use)
    for name, inner, each in branches:
        emit.span = each.span
        emit.define(name, inner, place=place)
    emit.span = use.span
    names = [emit.expr(name) for name, _, _ in branches]
    if names:
        call = emit.expr("RUN(x, HOW)", RUN=run, HOW=chosen)
        assert isinstance(call, ast.Call)
        call.args += names
        emit.do("await CALL", CALL=call)


def _inside(use: Use) -> list[Use]:
    """The policies inside, at any depth; fragments are not looked into."""
    found: list[Use] = []
    stack = [*use.policies]
    while stack:
        each = stack.pop()
        found.append(each)
        stack += each.policies
        for children in each.children.values():
            for child in children:
                stack += child.policies
    return found


ELEMENT = Element(
    "wait",
    "Runs the policies inside at the same time and waits for all of them, or for the first; what is then still under way is given up.",
    write,
    sections=frozenset((Section.INBOUND, Section.BACKEND, Section.OUTBOUND)),
    attributes=(
        Attribute(
            "for", "`all`, or `any` for the first one that ends.", default="all", values=("all", "any")
        ),
    ),
    policies=True,
    only=("send-request", "cache-lookup-value", "choose"),
)
