"""Where control goes: whether a list of bound statements runs past its end, or out of its switch section."""

from __future__ import annotations

from collections.abc import Sequence

from aforo.csharp import bound as b
from aforo.csharp.types import NEVER


def ends(statements: Sequence[b.Stmt]) -> bool:
    """Whether control never runs past the last of them."""
    return any(_ends(each) for each in statements)


def _ends(node: b.Stmt) -> bool:
    match node:
        case b.Return() | b.Throw() | b.Jump():
            return True
        case b.If(b.Const(bool(value))):
            return ends(node.then if value else node.otherwise)
        case b.If():
            return ends(node.then) and ends(node.otherwise)
        case b.Loop():
            endless = node.condition is None or (
                isinstance(node.condition, b.Const) and node.condition.value is True
            )
            return (endless and not _breaks(node.body)) or (
                node.first and ends(node.body) and not _breaks(node.body)
            )
        case b.Switch():
            takes_all = any(test is None or _always(test) for case in node.cases for test in case.tests)
            return takes_all and all(ends(c.body) and not _breaks(c.body) for c in node.cases)
        case b.Try():
            return ends(node.finally_) or (ends(node.body) and all(ends(c.body) for c in node.catches))
        case b.Do():
            return node.value.type == NEVER
    return False


def _always(test: b.Expr) -> bool:
    """`case var x`, which takes whatever comes."""
    last = test.parts[test.result] if isinstance(test, b.Sequence) else test
    return isinstance(last, b.Const) and last.value is True


def _breaks(statements: Sequence[b.Stmt]) -> bool:
    """Whether a `break` in them leaves the loop or switch around."""
    for node in statements:
        match node:
            case b.Break():
                return True
            case b.If():
                if _breaks(node.then) or _breaks(node.otherwise):
                    return True
            case b.Try():
                if _breaks(node.body) or _breaks(node.finally_) or any(_breaks(c.body) for c in node.catches):
                    return True
    return False


def leaves(statements: Sequence[b.Stmt]) -> bool:
    """Whether a switch section cannot fall out of its end."""
    if ends(statements):
        return True
    if not statements:
        return False
    last = statements[-1]
    match last:
        case b.Break() | b.Continue():
            return True
        case b.If():
            return bool(last.otherwise) and leaves(last.then) and leaves(last.otherwise)
        case b.Try():
            return leaves(last.body) and all(leaves(c.body) for c in last.catches)
    return False
