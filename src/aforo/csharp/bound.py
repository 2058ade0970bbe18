"""Bound trees: every name resolved, every conversion written out, every type known. It knows no grammar.

The nodes are few because the binder has already decided what C# means; what remains is a handful of forms that
Python can express. `nullable` is False where the value cannot be None, so that no check needs to be generated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from aforo.csharp.types import Type
from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Const:
    """A literal, or an object made at compile time (an enum value, a TypeInfo). Secret ones are never printed."""

    value: Any
    type: Type
    span: Span
    secret: bool = False

    @property
    def nullable(self) -> bool:
        return self.value is None


@dataclass(frozen=True, slots=True)
class Read:
    """A local, a parameter or a temporary, by its Python name."""

    name: str
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Invoke:
    """A call of a runtime function."""

    run: Callable[..., Any]
    args: tuple[Expr, ...]
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class CallValue:
    """A call of a local function or of a delegate held in a local."""

    target: Expr
    args: tuple[Expr, ...]
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared attribute of a declared class, read directly; "" is the target itself, under another type."""

    target: Expr
    attr: str
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Operate:
    """Python's own operator, where it means the same: `+ - * & | ^ < <= > >= == !=`."""

    operator: str
    left: Expr
    right: Expr
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    value: Expr
    negated: bool
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class NotNull:
    """The value, or NullReferenceException."""

    value: Expr
    temp: str
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or` over conditions."""

    operator: str
    parts: tuple[Expr, ...]
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    value: Expr
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? then : otherwise`."""

    condition: Expr
    then: Expr
    otherwise: Expr
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Coalesce:
    """`left ?? right`; `left_value` reads `temp` converted to the common type."""

    left: Expr
    temp: str
    left_value: Expr
    right: Expr
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Conditional:
    """`receiver?.rest`: null when the receiver is, else `rest`, which reads `temp`."""

    receiver: Expr
    temp: str
    rest: Expr
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Concat:
    """Strings put together; every part is a string, null counts as empty. `grows`: in a loop or a function."""

    parts: tuple[Expr, ...]
    grows: bool
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Assigns a local; the value of the expression is what was assigned."""

    name: str
    value: Expr
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Sequence:
    """All are evaluated in order; the value is that of `parts[result]`."""

    parts: tuple[Expr, ...]
    result: int
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Items:
    """A new array (a Python list) of the elements."""

    elements: tuple[Expr, ...]
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """Element `at` of a tuple that a runtime function returned."""

    value: Expr
    at: int
    type: Type
    span: Span
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Function:
    """A lambda; `body` is an expression or statements. `steps`: it counts against the step limit."""

    parameters: tuple[str, ...]
    body: Expr | tuple[Stmt, ...]
    name: str
    nonlocals: tuple[str, ...]
    type: Type
    span: Span
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Raise:
    """`throw` in an expression."""

    value: Expr
    type: Type
    span: Span
    nullable: bool = False


Expr: TypeAlias = (
    Const
    | Read
    | Invoke
    | CallValue
    | Attribute
    | Operate
    | IsNull
    | NotNull
    | Logic
    | Not
    | Choice
    | Coalesce
    | Conditional
    | Concat
    | Write
    | Sequence
    | Items
    | Item
    | Function
    | Raise
)


@dataclass(frozen=True, slots=True)
class Place:
    """What can be assigned to. `before` runs once, then `get` reads it and `put` writes a value to it. `local` is the
    Python name where it is a local; `variable`: C# lets it be handed over by `ref` and `out`."""

    type: Type
    before: tuple[Expr, ...]
    get: Callable[[], Expr]
    put: Callable[[Expr], Expr]
    local: str = ""
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Assign:
    """Statement form of Write; value None is null. `unset`: the name of a local that is declared without a value."""

    name: str
    value: Expr | None
    span: Span
    unset: str = ""


@dataclass(frozen=True, slots=True)
class Do:
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Loop:
    """while, do-while and for: `condition` is tested before the body unless `first`; `step` runs on `continue` too."""

    condition: Expr | None
    body: tuple[Stmt, ...]
    step: tuple[Expr, ...]
    first: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Each:
    """foreach; `source` is a Python iterable, `element` converts what `name` was given."""

    name: str
    source: Expr
    element: Expr | None
    body: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Case:
    """One switch section: any of `tests` true; None is `default`."""

    tests: tuple[Expr | None, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Switch:
    """`jump` is the temporary of its `goto case`, which holds the number of a case; empty where there is none."""

    temp: str
    value: Expr
    cases: tuple[Case, ...]
    span: Span
    jump: str = ""


@dataclass(frozen=True, slots=True)
class Jump:
    """`goto case` and `goto default`: on with case `at` of the switch around."""

    jump: str
    at: int
    span: Span


@dataclass(frozen=True, slots=True)
class Return:
    value: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Break:
    span: Span


@dataclass(frozen=True, slots=True)
class Continue:
    span: Span


@dataclass(frozen=True, slots=True)
class Throw:
    value: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Catch:
    exception: type
    name: str
    guard: Expr | None
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Try:
    body: tuple[Stmt, ...]
    catches: tuple[Catch, ...]
    finally_: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Define:
    """A local function."""

    function: Function
    span: Span


Stmt: TypeAlias = (
    Assign | Do | If | Loop | Each | Switch | Jump | Return | Break | Continue | Throw | Try | Define
)
