"""The syntax tree of C# expressions and statements, as the author wrote them. It knows no types and no grammar.

Every node ends with its span in the author's document. `a?.b.c` is a spine of Member, Index and Call nodes in
which `conditional` marks the `?`; Paren is kept because it ends such a spine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from aforo.source import Span


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A type as written: dotted name, generic arguments, array dimensions and `?` outermost."""

    name: str
    args: tuple[TypeRef, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Literal:
    """`kind` is int, uint, long, ulong, float, double, decimal, string, char, bool or null."""

    kind: str
    value: object
    secret: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    args: tuple[TypeRef, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Member:
    target: Expr
    name: str
    args: tuple[TypeRef, ...]
    conditional: bool
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Argument:
    """`mode` is empty, `out` or `ref`; `name` is that of a named argument."""

    value: Expr
    name: str
    mode: str
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    target: Expr
    arguments: tuple[Argument, ...]
    conditional: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    target: Expr
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Paren:
    inner: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Cast:
    type: TypeRef
    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class As:
    operand: Expr
    type: TypeRef
    span: Span


@dataclass(frozen=True, slots=True)
class Is:
    operand: Expr
    pattern: Pattern
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Step:
    """`++` and `--`; `prefix` says on which side."""

    target: Expr
    operator: str
    prefix: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """All binary operators, `??` too."""

    left: Expr
    operator: str
    right: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Ternary:
    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Assign:
    """`operator` is `=` or a compound one (`+=`)."""

    target: Expr
    operator: str
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class ElementInit:
    """An entry of an initialiser: `values` alone, `[key] = value` (index), or `Name = value` (member). `nested`
    stands for the value where that is an initialiser without `new`."""

    values: tuple[Expr, ...]
    index: tuple[Expr, ...]
    member: str
    span: Span
    nested: tuple[ElementInit, ...] | None = None


@dataclass(frozen=True, slots=True)
class New:
    type: TypeRef
    arguments: tuple[Argument, ...]
    initializer: tuple[ElementInit, ...] | None
    span: Span


@dataclass(frozen=True, slots=True)
class NewArray:
    """`element` is None in `new[] {...}`; `sizes` is empty where only elements are given, one for each of `rank`."""

    element: TypeRef | None
    sizes: tuple[Expr, ...]
    elements: tuple[Expr, ...] | None
    span: Span
    rank: int = 1


@dataclass(frozen=True, slots=True)
class NewAnonymous:
    members: tuple[tuple[str, Expr], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Lambda:
    """`loose`: `delegate { }`, which takes whatever parameters are wanted."""

    parameters: tuple[tuple[str, TypeRef | None], ...]
    body: Expr | Block
    span: Span
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Hole:
    """`{value,alignment:format}` of an interpolated string."""

    value: Expr
    alignment: int
    format: str


@dataclass(frozen=True, slots=True)
class Interpolated:
    parts: tuple[str | Hole, ...]
    secret: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Tuple:
    """`(1, b: "x")`, and what a deconstruction assigns to; an element's name is empty where none is written."""

    elements: tuple[tuple[str, Expr], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Checked:
    """`checked(...)`, or `unchecked(...)` where `on` is false."""

    on: bool
    inner: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class TypeOf:
    type: TypeRef
    span: Span


@dataclass(frozen=True, slots=True)
class Default:
    type: TypeRef | None
    span: Span


@dataclass(frozen=True, slots=True)
class ThrowExpr:
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Declaration:
    """`out var n`: a local made where it is first written; type None is `var`, an empty name a discard."""

    type: TypeRef | None
    name: str
    span: Span


Expr: TypeAlias = (
    Literal
    | Name
    | Member
    | Index
    | Call
    | Paren
    | Cast
    | As
    | Is
    | Unary
    | Step
    | Binary
    | Ternary
    | Assign
    | New
    | NewArray
    | NewAnonymous
    | Lambda
    | Interpolated
    | Tuple
    | Checked
    | TypeOf
    | Default
    | ThrowExpr
    | Declaration
)


@dataclass(frozen=True, slots=True)
class ConstantPattern:
    """`is 5`, `is null`, and `is Name` until the binder knows whether Name is a type."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class TypePattern:
    """`is string s`; an empty name where none is given; type None is `var`."""

    type: TypeRef | None
    name: str
    span: Span


Pattern: TypeAlias = ConstantPattern | TypePattern


@dataclass(frozen=True, slots=True)
class Block:
    statements: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Local:
    """Declares locals; type None is `var`. Each is (name, initialiser, span)."""

    type: TypeRef | None
    declared: tuple[tuple[str, Expr | None, Span], ...]
    span: Span
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Do:
    """An expression statement."""

    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    condition: Expr
    then: Stmt
    otherwise: Stmt | None
    span: Span


@dataclass(frozen=True, slots=True)
class While:
    """`first` is true for do-while."""

    condition: Expr
    body: Stmt
    first: bool
    span: Span


@dataclass(frozen=True, slots=True)
class For:
    start: tuple[Stmt, ...]
    condition: Expr | None
    step: tuple[Expr, ...]
    body: Stmt
    span: Span


@dataclass(frozen=True, slots=True)
class Foreach:
    type: TypeRef | None
    name: str
    source: Expr
    body: Stmt
    span: Span


@dataclass(frozen=True, slots=True)
class Label:
    """`case pattern when guard:`; pattern None is `default:`."""

    pattern: Pattern | None
    guard: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class SwitchSection:
    labels: tuple[Label, ...]
    body: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Switch:
    value: Expr
    sections: tuple[SwitchSection, ...]
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
class Goto:
    """`goto case label`; label None is `goto default`."""

    label: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Throw:
    """value None throws the caught one again."""

    value: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Catch:
    type: TypeRef | None
    name: str
    guard: Expr | None
    body: Block
    span: Span


@dataclass(frozen=True, slots=True)
class Try:
    body: Block
    catches: tuple[Catch, ...]
    finally_: Block | None
    span: Span


@dataclass(frozen=True, slots=True)
class Using:
    resource: Local | Expr
    body: Stmt
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """`checked { ... }`, or `unchecked` where `on` is false."""

    on: bool
    body: Block
    span: Span


@dataclass(frozen=True, slots=True)
class FunctionParameter:
    """A parameter of a local function; `mode` is empty, `out`, `ref` or `params`."""

    name: str
    type: TypeRef
    mode: str
    default: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Function:
    """A local function; `returns` None is void."""

    returns: TypeRef | None
    name: str
    parameters: tuple[FunctionParameter, ...]
    body: Block | Expr
    span: Span
    type_parameters: tuple[str, ...] = ()


Stmt: TypeAlias = (
    Block
    | Local
    | Do
    | If
    | While
    | For
    | Foreach
    | Switch
    | Return
    | Break
    | Continue
    | Goto
    | Throw
    | Try
    | Using
    | CheckedBlock
    | Function
)
