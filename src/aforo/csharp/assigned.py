"""Whether every local is assigned before it is read (definite assignment, C# 7 specification 5.3).

It runs over bound trees. Where the specification's rules are finer than these, a local counts as assigned: a policy
that C# takes is never refused here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias, get_args

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp.types import NEVER

# Locals that were declared without a value and may have none yet; None where control does not come.
Open: TypeAlias = frozenset[str] | None
_EXPRESSIONS = get_args(b.Expr)
_FOLDED = (b.Operate, b.Invoke, b.IsNull, b.Concat, b.Logic, b.Not, b.Choice)


class Split(NamedTuple):
    """What is open after a condition that was true, and after one that was false."""

    true: Open
    false: Open


def check_assigned(root: b.Expr | tuple[b.Stmt, ...]) -> None:
    """Raises Mistake at the first local that may be read before it is assigned."""
    flow = _Flow()
    if isinstance(root, tuple):
        flow.all(root, frozenset())
    else:
        flow.expr(root, frozenset())


def _meet(*states: Open) -> Open:
    """Where ways come together: open is what is open on any of them."""
    reached = [s for s in states if s is not None]
    return frozenset().union(*reached) if reached else None


class _Flow:
    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.captured: set[str] = set()  # assigned in a local function, which stands before all others
        self.breaks: list[list[Open]] = []
        self.continues: list[list[Open]] = []

    # --- expressions ----------------------------------------------------------------------------------------------

    def expr(self, node: b.Expr, state: Open) -> Open:
        """What is open after the expression."""
        match node:
            case b.Read():
                if state and node.name in state:
                    raise say.unassigned(node.span, self.names[node.name])
                return state
            case b.Write():
                return self.assign(node.name, self.expr(node.value, state))
            case b.Logic() | b.Not() | b.Choice():
                return _meet(*self.condition(node, state))
            case b.Coalesce():
                state = self.expr(node.left, state)
                return _meet(self.expr(node.left_value, state), self.expr(node.right, state))
            case b.Conditional():
                state = self.expr(node.receiver, state)
                return _meet(state, self.expr(node.rest, state))
            case b.Raise():
                self.expr(node.value, state)
                return None
            case b.Function():
                return self.function(node, state)
        for child in _children(node):
            state = self.expr(child, state)
        return None if node.type == NEVER else state

    def condition(self, node: b.Expr, state: Open) -> Split:
        match node:
            case b.Const(value=True):
                return Split(state, None)
            case b.Const(value=False):
                return Split(None, state)
            case b.Not():
                inner = self.condition(node.value, state)
                return Split(inner.false, inner.true)
            case b.Logic():
                return self.logic(node, state)
            case b.Choice():
                asked = self.condition(node.condition, state)
                then = self.condition(node.then, asked.true)
                otherwise = self.condition(node.otherwise, asked.false)
                return Split(_meet(then.true, otherwise.true), _meet(then.false, otherwise.false))
            case b.Sequence() if node.result == len(node.parts) - 1:
                for part in node.parts[:-1]:
                    state = self.expr(part, state)
                return self.condition(node.parts[-1], state)
        after = self.expr(node, state)
        # C# knows what constants come to, and which way is never taken; here neither way counts.
        return Split(None, None) if _constant(node) else Split(after, after)

    def logic(self, node: b.Logic, state: Open) -> Split:
        ways: list[Open] = []  # on which a part decides the whole
        for part in node.parts:
            asked = self.condition(part, state)
            state, decided = asked if node.operator == "and" else (asked.false, asked.true)
            ways.append(decided)
        decided = _meet(*ways)
        return Split(state, decided) if node.operator == "and" else Split(decided, state)

    def assign(self, name: str, state: Open) -> Open:
        return None if state is None else state - {name}

    def function(self, node: b.Function, state: Open) -> Open:
        """Its body runs some time, or never: what it captures counts as assigned in it, what it assigns, behind it."""
        breaks, continues, self.breaks, self.continues = self.breaks, self.continues, [], []
        if isinstance(node.body, tuple):
            self.all(node.body, frozenset())
        else:
            self.expr(node.body, frozenset())
        self.breaks, self.continues = breaks, continues
        self.captured.update(node.nonlocals)
        return None if state is None else state.difference(node.nonlocals)

    # --- statements -----------------------------------------------------------------------------------------------

    def all(self, statements: Iterable[b.Stmt], state: Open) -> Open:
        for each in statements:
            state = self.statement(each, state)
        return state

    def statement(self, node: b.Stmt, state: Open) -> Open:
        match node:
            case b.Assign():
                if node.unset:
                    self.names[node.name] = node.unset
                    return state if state is None or node.name in self.captured else state | {node.name}
                if node.value is not None:
                    state = self.expr(node.value, state)
                return self.assign(node.name, state)
            case b.Do():
                return self.expr(node.value, state)
            case b.If():
                return self.chosen(node, state)
            case b.Loop():
                return self.loop(node, state)
            case b.Each():
                state = self.expr(node.source, state)
                after, _ = self.body(node.body, state)
                return _meet(state, *after)
            case b.Switch():
                return self.switch(node, state)
            case b.Return() | b.Throw():
                if node.value is not None:
                    self.expr(node.value, state)
                return None
            case b.Jump():
                return None
            case b.Break():
                self.breaks[-1].append(state)
                return None
            case b.Continue():
                self.continues[-1].append(state)
                return None
            case b.Try():
                return self.tried(node, state)
            case b.Define():
                return self.function(node.function, state)

    def chosen(self, node: b.If, state: Open) -> Open:
        ends: list[Open] = []
        while True:  # a chain of `else if` is walked: it may be longer than the stack is deep
            asked = self.condition(node.condition, state)
            ends.append(self.all(node.then, asked.true))
            state = asked.false
            match node.otherwise:
                case (b.If() as node,):
                    continue
                case rest:
                    return _meet(*ends, self.all(rest, state))

    def body(self, statements: tuple[b.Stmt, ...], state: Open) -> tuple[list[Open], Open]:
        """A loop's body: (what is open at its breaks, what is open where the next round begins)."""
        self.breaks.append([])
        self.continues.append([])
        end = self.all(statements, state)
        return self.breaks.pop(), _meet(end, *self.continues.pop())

    def loop(self, node: b.Loop, state: Open) -> Open:
        if node.first:
            breaks, state = self.body(node.body, state)
        asked = self.condition(node.condition, state) if node.condition is not None else Split(state, None)
        if not node.first:
            breaks, state = self.body(node.body, asked.true)
            for each in node.step:
                state = self.expr(each, state)
        return _meet(asked.false, *breaks)

    def switch(self, node: b.Switch, state: Open) -> Open:
        state = self.expr(node.value, state)
        self.breaks.append([])
        ends: list[Open] = []
        for case in node.cases:
            asked = [self.condition(test, state).true for test in case.tests if test is not None]
            entered = asked[0] if len(case.tests) == 1 and asked else state
            ends.append(self.all(case.body, entered))
        if not any(None in case.tests for case in node.cases):
            ends.append(state)
        return _meet(*ends, *self.breaks.pop())

    def tried(self, node: b.Try, state: Open) -> Open:
        ends = [self.all(node.body, state)]
        for each in node.catches:
            entered = self.condition(each.guard, state).true if each.guard is not None else state
            ends.append(self.all(each.body, entered))
        end = _meet(*ends)
        last = self.all(node.finally_, state)
        if last is None or end is None:
            return None
        assigned = (state or frozenset()) - last
        return end - assigned


def _constant(node: b.Expr) -> bool:
    """Whether it may be a constant for C#: operators over literals. (A call of literals is taken for one too.)"""
    if isinstance(node, b.Const):
        return True
    below = list(_children(node))
    return isinstance(node, _FOLDED) and bool(below) and all(_constant(each) for each in below)


def _children(node: Any) -> Iterable[b.Expr]:
    """The expressions directly below one, in the order in which they run."""
    for name in type(node).__slots__:
        value = getattr(node, name)
        if isinstance(value, _EXPRESSIONS):
            yield value
        elif isinstance(value, tuple):
            yield from (each for each in value if isinstance(each, _EXPRESSIONS))
