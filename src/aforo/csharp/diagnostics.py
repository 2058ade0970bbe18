"""All wording of the C# compiler: codes and messages. It decides nothing.

Codes below CS0200 are mistakes in the text, CS02xx types and members, CS03xx what this version does not run,
CS04xx limits, CS05xx warnings.
"""

from __future__ import annotations

from collections.abc import Iterable

from aforo.nearest import nearest
from aforo.source import Diagnostic, Severity, Span


class Mistake(Exception):  # noqa: N818 - a diagnostic on its way to the list, caught inside this package
    """Ends the compile of one expression with its diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def hint(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """A hint with the names that look most like `name`."""
    found = nearest(name, names)
    return (f"did you mean {' or '.join(f'`{n}`' for n in found)}?",) if found else ()


def syntax(span: Span, text: str) -> Mistake:
    near = f" near `{text}`" if text else ""
    return Mistake(Diagnostic("CS0101", f"this is not a well-formed C# expression{near}", span))


def missing(span: Span, token: str) -> Mistake:
    return Mistake(Diagnostic("CS0102", f"`{token}` is missing here", span))


def empty(span: Span) -> Mistake:
    return Mistake(Diagnostic("CS0103", "the expression is empty", span))


def bad_literal(span: Span, reason: str) -> Mistake:
    return Mistake(Diagnostic("CS0104", reason, span))


def no_return(span: Span) -> Mistake:
    return Mistake(
        Diagnostic(
            "CS0105",
            "not every path through this block returns a value",
            span,
            hints=("add a `return` after the last statement",),
        )
    )


def unknown_name(span: Span, name: str, names: Iterable[str]) -> Mistake:
    return Mistake(
        Diagnostic("CS0201", f"the name `{name}` does not exist here", span, hints=hint(name, names))
    )


def unknown_type(span: Span, name: str, names: Iterable[str]) -> Mistake:
    return Mistake(
        Diagnostic(
            "CS0202",
            f"`{name}` is not a type that policy expressions can use",
            span,
            hints=hint(name, names),
        )
    )


def unknown_member(span: Span, type_name: str, name: str, names: Iterable[str]) -> Mistake:
    return Mistake(
        Diagnostic("CS0203", f"`{type_name}` has no member `{name}` here", span, hints=hint(name, names))
    )


def no_overload(span: Span, what: str, given: str, known: Iterable[str]) -> Mistake:
    hints = tuple(f"known: {k}" for k in list(known)[:6])
    return Mistake(Diagnostic("CS0204", f"no form of `{what}` takes ({given})", span, hints=hints))


def no_conversion(span: Span, source: str, target: str, *, explicit: bool = False) -> Mistake:
    hints = ("a cast would do it",) if explicit else ()
    return Mistake(Diagnostic("CS0205", f"`{source}` cannot be converted to `{target}`", span, hints=hints))


def no_operator(span: Span, operator: str, left: str, right: str = "") -> Mistake:
    operands = f"`{left}` and `{right}`" if right else f"`{left}`"
    return Mistake(Diagnostic("CS0206", f"operator `{operator}` does not apply to {operands}", span))


def not_indexable(span: Span, type_name: str) -> Mistake:
    return Mistake(Diagnostic("CS0207", f"`{type_name}` has no indexer for this", span))


def not_a_value(span: Span, what: str) -> Mistake:
    return Mistake(Diagnostic("CS0208", f"{what} is not a value", span))


def not_assignable(span: Span, what: str) -> Mistake:
    return Mistake(Diagnostic("CS0209", f"{what} cannot be assigned to", span))


def declared_twice(span: Span, name: str) -> Mistake:
    return Mistake(Diagnostic("CS0210", f"`{name}` is already declared in this scope", span))


def no_type(span: Span, what: str) -> Mistake:
    return Mistake(
        Diagnostic("CS0211", f"the type of {what} cannot be told", span, hints=("write its type out",))
    )


def not_enumerable(span: Span, type_name: str) -> Mistake:
    return Mistake(Diagnostic("CS0212", f"`{type_name}` cannot be enumerated", span))


def misplaced(span: Span, what: str) -> Mistake:
    return Mistake(Diagnostic("CS0213", f"{what} has no place here", span))


def unassigned(span: Span, name: str) -> Mistake:
    return Mistake(Diagnostic("CS0214", f"`{name}` may be read before it is assigned", span))


def overflow(span: Span, value: object, type_name: str) -> Mistake:
    return Mistake(
        Diagnostic(
            "CS0215",
            f"the constant {value} does not fit into `{type_name}`",
            span,
            hints=("write `unchecked(...)` around it where that is meant",),
        )
    )


def unsupported(span: Span, what: str, hint: str = "") -> Mistake:
    return Mistake(
        Diagnostic(
            "CS0301",
            f"{what} is C# that this version does not run in policies",
            span,
            hints=(hint,) if hint else (),
        )
    )


def refused(span: Span, what: str, reason: str) -> Mistake:
    return Mistake(Diagnostic("CS0302", f"{what} is refused: {reason}", span))


def too_deep(span: Span) -> Mistake:
    return Mistake(Diagnostic("CS0401", "the expression is nested too deeply", span))


def too_long(span: Span, limit: int) -> Mistake:
    return Mistake(Diagnostic("CS0402", f"the expression is longer than {limit} characters", span))


def reference_comparison(span: Span) -> Diagnostic:
    return Diagnostic(
        "CS0501",
        "an `object` is compared with a `string`: here their values are compared, .NET compares references",
        span,
        Severity.WARNING,
        ("cast it: `(string)...`",),
    )
