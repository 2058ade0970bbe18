"""A policy text checked on its own, without the service that it will stand in: a file, or one of many in a folder.

What only the service knows (named values, fragments, backends, the scope) is assumed, and said: a text that would compile with
some value is not refused for want of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from aforo.policy.compile import CompileContext, CompileResult, compile_document
from aforo.policy.named_values import NamedValue
from aforo.policy.scopes import Scope, Section
from aforo.source import Diagnostic, Severity, Source

_UNKNOWN_VALUE: Final = "POL0301"
_UNKNOWN_FRAGMENT: Final = "POL0302"
_UNKNOWN_BACKEND: Final = "POL0304"
_FRAGMENT: Final = "<fragment></fragment>"
# What an unknown named value may be, the likeliest first: a number is also a text, a name and a time.
_GUESSES: Final = (
    "1", "200", "true", "https://example.invalid/", '"text"', "",
    "10.0.0.1", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "2024-01-01T00:00:00Z",
)  # fmt: skip
# Most documents stand at an API; the others have policies that only they may have.
_SCOPES: Final = (Scope.API, Scope.PRODUCT, Scope.OPERATION, Scope.GLOBAL)


@dataclass(frozen=True, slots=True)
class Checked:
    """`result` by the scope that fits best; `scope` says which, `assumed` what had to be taken for granted."""

    result: CompileResult
    scope: Scope
    assumed: tuple[Diagnostic, ...]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(
            sorted((*self.result.diagnostics, *self.assumed), key=lambda d: (d.span.start, d.span.end))
        )


def check(
    source: Source,
    context: CompileContext,
    scope: Scope | None = None,
    *,
    format: Literal["rawxml", "xml"] = "rawxml",  # noqa: A002
) -> Checked:
    """Compile a document or a fragment. Without `scope` the first in which it has no errors counts."""
    scopes = (scope,) if scope is not None else _SCOPES
    best: Checked | None = None
    for each in scopes:
        for section in Section:
            found = _assuming(source, context, each, format, section)
            if best is None or _errors(found) < _errors(best):
                best = found
            if not _errors(found):
                return found
            if not _is_fragment(source):
                break
    assert best is not None
    return best


def _is_fragment(source: Source) -> bool:
    return "<fragment" in source.text and "<policies" not in source.text


def _errors(checked: Checked) -> int:
    return sum(d.is_error for d in checked.result.diagnostics)


def _assuming(
    source: Source,
    context: CompileContext,
    scope: Scope,
    format_: Literal["rawxml", "xml"],
    section: Section,
) -> Checked:
    """Compiled with what is unknown filled in, one guess after the other."""
    values, fragments = dict(context.named_values), dict(context.fragments)
    assumed: list[Diagnostic] = []
    known = context.backends if context.backends is not None else frozenset()
    first = CompileContext(values, fragments, backends=known)
    result = _compiled(source, first, scope, format_, section)
    guessed: list[str] = []
    for diagnostic in result.diagnostics:
        if diagnostic.code not in (_UNKNOWN_VALUE, _UNKNOWN_FRAGMENT, _UNKNOWN_BACKEND):
            continue
        name = diagnostic.message.partition("`")[2].partition("`")[0]
        if diagnostic.code == _UNKNOWN_VALUE:
            guessed.append(name)
        elif diagnostic.code == _UNKNOWN_FRAGMENT:
            fragments[name] = _FRAGMENT
        assumed.append(replace(diagnostic, severity=Severity.INFO, hints=("it is assumed to exist",)))
    if not assumed:
        return Checked(result, scope, ())
    # From here on any backend will do.
    best: Checked | None = None
    whatever: set[Diagnostic] | None = None  # what is wrong with every guess
    for guess, values_now in zip(_GUESSES, _guesses(values, guessed), strict=True):
        now = _compiled(source, CompileContext(values_now, fragments), scope, format_, section)
        # A fragment that is named by a named value is only known by now.
        named = dict.fromkeys(_names(now, _UNKNOWN_FRAGMENT), _FRAGMENT)
        if named:
            fragments |= named
            now = _compiled(source, CompileContext(values_now, fragments), scope, format_, section)
        found = Checked(now, scope, tuple(assumed))
        if best is None or _errors(found) < _errors(best):
            best, kept = found, values_now
        if not _errors(found):
            return found
        if (
            guess.strip('"') == guess != ""
        ):  # neither a quote nor nothing at all, which may hide what stands beside it
            wrong = {d for d in now.diagnostics if d.is_error}
            whatever = wrong if whatever is None else whatever & wrong
    assert best is not None
    # One value each: the names do not all stand for the same kind of thing. What is wrong in the same words whatever they
    # stand for is not wrong because of them.
    if whatever is not None and _errors(best) == len(whatever):
        return best
    for name in dict.fromkeys(guessed):
        for guess in _GUESSES:
            tried = {**kept, name: NamedValue(guess, False)}
            now = _compiled(source, CompileContext(tried, fragments), scope, format_, section)
            found = Checked(now, scope, tuple(assumed))
            if _errors(found) < _errors(best):
                best, kept = found, tried
        if not _errors(best):
            break
    return best


def _guesses(values: dict[str, NamedValue], names: Sequence[str]) -> list[dict[str, NamedValue]]:
    return [{**values, **{n: NamedValue(guess, False) for n in names}} for guess in _GUESSES]


def _compiled(
    source: Source,
    context: CompileContext,
    scope: Scope,
    format_: Literal["rawxml", "xml"],
    section: Section,
) -> CompileResult:
    return compile_document(source, scope, context, format=format_, fragment=section)


def _names(result: CompileResult, code: str) -> list[str]:
    """What the diagnostics of that code say is unknown."""
    return [d.message.partition("`")[2].partition("`")[0] for d in result.diagnostics if d.code == code]
