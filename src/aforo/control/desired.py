"""The nouns of a change: what is wanted, where somebody wrote it, what is wrong with it, what it would change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aforo.control.secrets import masked
from aforo.errors import Detail, Invalid
from aforo.model.ids import ResourceId
from aforo.model.kind import Body, Kind, Path
from aforo.source import Diagnostic, Severity, Source, Span, render


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a span in one of the texts that were read."""

    source: Source = field(repr=False)
    span: Span

    def __str__(self) -> str:
        line, column = self.source.position(self.span.start)
        return f"{self.source.name}:{line}:{column}"


@dataclass(frozen=True, slots=True)
class TextPlace:
    """Where a text inside a text begins, so that its lines can be found again.

    `indent` characters stand before each line of it; None when its lines are not those of the file (a quoted
    or folded scalar), and then only the beginning can be told: `column` (from 1).
    """

    source: Source = field(repr=False)
    line: int
    indent: int | None
    column: int = 1

    def place(self, line: int, column: int, width: int) -> Place:
        """The place of a line and column (from 1) of the inner text."""
        if self.indent is None:
            line, column, width = 1, self.column, 1
        lines = self.source.text.count("\n") + 1
        number = min(self.line + line - 1, lines)
        before = sum(len(self.source.line(n)) + 1 for n in range(1, number))
        start = min(before + (self.indent or 0) + column - 1, len(self.source.text))
        return Place(self.source, Span(start, min(start + max(1, width), len(self.source.text))))


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong, with its place where there is a text. `target` is a resource id and property path."""

    code: str
    message: str
    target: str = ""
    place: Place | None = None
    hints: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        if self.place is not None:
            shown = Diagnostic(self.code, self.message, self.place.span, self.severity, self.hints)
            return render(self.place.source, shown)
        where = f"{self.target}: " if self.target else ""
        hints = "".join(f"\n    hint: {hint}" for hint in self.hints)
        return f"{where}{self.severity.value} {self.code}: {self.message}{hints}"

    def as_json(self) -> dict[str, Any]:
        """As `POST /aforo/v1/apply` answers it."""
        out: dict[str, Any] = {
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
            "target": self.target,
            "hints": list(self.hints),
            "rendered": str(self),
        }
        if self.place is not None:
            line, column = self.place.source.position(self.place.span.start)
            out.update(file=self.place.source.name, line=line, column=column)
        return out


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource as somebody wants it. `places` say where its properties stand, `()` the resource itself.

    Its representation does not show the body: secrets in it are not wrapped before they are checked.
    """

    id: ResourceId
    kind: Kind = field(repr=False)
    body: Body = field(repr=False)
    places: Mapping[Path, Place] = field(default_factory=dict, repr=False)
    text: TextPlace | None = field(default=None, repr=False)  # where the text in `value` begins

    def place(self, path: Path) -> Place | None:
        """Where that property stands, or the nearest thing around it that is known."""
        for end in range(len(path), -1, -1):
            found = self.places.get(path[:end])
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that a set of files wants. `mistakes` were met while reading: with an error nothing applies."""

    resources: tuple[Wanted, ...] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(default=(), repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """One resource that changes; `detail` names what, with secrets masked."""

    action: str  # create, update, delete
    id: str
    detail: str = ""

    def as_json(self) -> dict[str, str]:
        return {"action": self.action, "id": self.id, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Change:
    """What an apply does or would do. With errors among the mistakes nothing was changed."""

    items: tuple[ChangeItem, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    revision: int = 0

    @property
    def rejected(self) -> bool:
        return any(m.is_error for m in self.mistakes)

    def as_json(self) -> dict[str, Any]:
        return {
            "revision": self.revision,
            "changes": [item.as_json() for item in self.items],
            "diagnostics": [mistake.as_json() for mistake in self.mistakes],
        }


def refusal(mistakes: tuple[Mistake, ...], what: str) -> Invalid:
    """The refusal that carries those mistakes."""
    errors = [m for m in mistakes if m.is_error]
    details = tuple(
        Detail(m.code, "; ".join((m.message, *m.hints)), str(m.place) if m.place else m.target)
        for m in errors
    )
    first = details[0]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    where = f"{first.target}: " if first.target else ""
    return Invalid(
        f"{what} was not accepted: {where}{first.message}{more}",
        code=errors[0].code if len({m.code for m in errors}) == 1 else "ValidationError",
        target=first.target,
        details=details,
    )


def differences(before: Body, after: Body) -> str:
    """What differs between two bodies, in one line, secrets masked."""
    found: list[str] = []
    _compare(before, after, "", found)
    return ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")


def _compare(before: Any, after: Any, path: str, found: list[str]) -> None:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            inner = name if not path or path == "properties" else f"{path}.{name}"
            _compare(before.get(name), after.get(name), inner, found)
        return
    found.append(f"{path}: {_short(before)} -> {_short(after)}")


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = str(masked(value)).replace("\n", " ")
    return text if len(text) <= 40 else f"{text[:37]}..."
