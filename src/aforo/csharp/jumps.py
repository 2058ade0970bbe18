"""`goto case` and `goto default`: what they can name, and from where."""

from __future__ import annotations

from aforo.csharp import bound as b
from aforo.csharp import diagnostics as say
from aforo.csharp import syntax as s
from aforo.csharp.binder import Binder
from aforo.csharp.types import Type

# Statements that may hold a `goto` of the switch around them.
_HOLDERS = (
    s.SwitchSection,
    s.Block,
    s.If,
    s.While,
    s.For,
    s.Foreach,
    s.Try,
    s.Catch,
    s.Using,
    s.CheckedBlock,
)


def labels_of(binder: Binder, node: s.Switch, type_: Type) -> dict[object, int]:
    """What `goto case` can name, with the number of its section; None is `default`."""
    out: dict[object, int] = {}
    if not _jumps(node.sections):
        return out
    for at, section in enumerate(node.sections):
        for label in section.labels:
            if label.pattern is None:
                out[None] = at
            elif isinstance(label.pattern, s.ConstantPattern) and label.guard is None:
                try:
                    value = binder.converted(label.pattern.value, type_)
                except say.Mistake:
                    continue  # a type
                if isinstance(value, b.Const):
                    out.setdefault((str(value.type), value.value), at)
    return out


def _jumps(node: object) -> bool:
    """Whether there is a `goto` anywhere in a piece of syntax."""
    if isinstance(node, tuple):
        return any(_jumps(each) for each in node)
    if isinstance(node, s.Goto):
        return True
    fields = getattr(type(node), "__dataclass_fields__", ()) if isinstance(node, _HOLDERS) else ()
    return any(_jumps(getattr(node, name)) for name in fields)


def bind_goto(binder: Binder, node: s.Goto) -> b.Stmt:
    function = binder.functions[-1]
    if not function.switches:
        raise say.misplaced(node.span, "`goto`")
    here = function.switches[-1]
    if function.continues > here.loops:
        raise say.refused(
            node.span, "this `goto`", "it leaves a loop on its way to a case; leave it by `break`"
        )
    key: object = None
    if node.label is not None:
        value = binder.converted(node.label, here.type)
        if not isinstance(value, b.Const):
            raise say.misplaced(node.label.span, "a label that is not a constant")
        key = (str(value.type), value.value)
    if key not in here.labels:
        raise say.misplaced(node.span, "a `goto` to a label that is not there")
    here.jumped = True
    return b.Jump(here.temp, here.labels[key], node.span)
