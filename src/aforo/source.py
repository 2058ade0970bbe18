"""Texts that people write, places in them, and what is wrong there. It knows no language.

Both compilers, the policy document parser and `aforo apply` speak of mistakes with these three nouns.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: an ERROR stops the compile, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of character offsets in one source text."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Source:
    """A named text. Lines and columns count from 1, columns in characters."""

    name: str
    text: str
    _starts: list[int] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        self._starts.append(0)
        self._starts.extend(i + 1 for i, c in enumerate(self.text) if c == "\n")

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character offset; an offset past the end is the end."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake of an author: what (code, message), where (span), and what to do (hints)."""

    code: str
    message: str
    span: Span
    severity: Severity = Severity.ERROR
    hints: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def has_errors(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> bool:
    """Whether any of them stops the compile."""
    return any(d.is_error for d in diagnostics)


def render(source: Source, diagnostic: Diagnostic) -> str:
    """The diagnostic as a person reads it: place, message, the line with a caret under the span, hints."""
    line, column = source.position(diagnostic.span.start)
    text = source.line(line)
    end_line, end_column = source.position(diagnostic.span.end)
    width = (end_column - column) if end_line == line else (len(text) - column + 1)
    # A tab stays a tab in the caret line, so that the caret stands where the eye expects it.
    indent = "".join("\t" if c == "\t" else " " for c in text[: column - 1])
    out = [
        f"{source.name}:{line}:{column}: {diagnostic.severity.value} {diagnostic.code}: {diagnostic.message}",
        f"    {text}",
        f"    {indent}{'^' * max(1, width)}",
    ]
    out.extend(f"    hint: {hint}" for hint in diagnostic.hints)
    return "\n".join(out)
