"""What generation asks of a bound expression: whether there is a function in it, or an assignment of a local."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aforo.csharp import bound as b


def writes(node: Any) -> bool:
    """Whether an expression assigns a C# local or needs a definition of its own: then it is no Python lambda."""
    match node:
        case b.Write():
            return node.name.startswith("v") or writes(node.value)
        case b.Function():
            return isinstance(node.body, tuple) or bool(node.nonlocals) or writes(node.body)
        case tuple():
            return any(writes(n) for n in node)
        case b.Const() | b.Read():
            return False
    fields = [getattr(node, f, None) for f in getattr(type(node), "__dataclass_fields__", ())]
    return any(writes(f) for f in fields if isinstance(f, tuple) or type(f).__module__ == b.__name__)


def reads(node: Any) -> Iterator[str]:
    """The Python names that a bound tree reads."""
    if isinstance(node, b.Read):
        yield node.name
    elif isinstance(node, tuple):
        for each in node:
            yield from reads(each)
    elif type(node).__module__ == b.__name__ and not isinstance(node, b.Const):
        for name in getattr(type(node), "__dataclass_fields__", ()):
            yield from reads(getattr(node, name))


def has_functions(node: Any) -> bool:
    """Whether an expression contains a lambda: such a one is compiled to a function of its own."""
    match node:
        case b.Function():
            return True
        case tuple():
            return any(has_functions(n) for n in node)
        case b.Const() | b.Read():
            return False
    fields = [getattr(node, f, None) for f in getattr(type(node), "__dataclass_fields__", ())]
    return any(has_functions(f) for f in fields if isinstance(f, tuple) or type(f).__module__ == b.__name__)
