"""Puts named values into authored texts. A secret one marks what it went into."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aforo.policy import diagnostics as say
from aforo.policy.authored import Authored, joined
from aforo.source import Diagnostic, Span

_REFERENCE: Final = re.compile(r"\{\{\s*([A-Za-z0-9._-]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class NamedValue:
    value: str
    secret: bool

    def __repr__(self) -> str:
        return "NamedValue(secret)" if self.secret else f"NamedValue({self.value!r})"


def fill(text: Authored, values: Mapping[str, NamedValue], report: Callable[[Diagnostic], None]) -> Authored:
    """The text with every `{{name}}` replaced; an unknown name is reported and stays."""
    if "{{" not in text.text:
        return text
    parts: list[tuple[str, Span, bool, bool]] = []
    last = 0
    for match in _REFERENCE.finditer(text.text):
        known = values.get(match[1])
        if known is None:
            report(say.unknown_named_value(text.span(match.start(), match.end()), match[1], values))
            continue
        parts += _kept(text, last, match.start())
        parts.append((known.value, text.span(match.start(), match.end()), False, known.secret))
        last = match.end()
    if not parts:
        return text
    parts += _kept(text, last, len(text.text))
    return joined(parts)


def _kept(text: Authored, start: int, end: int) -> list[tuple[str, Span, bool, bool]]:
    part = text.part(start, end)
    return [(part.text[p.start : p.start + p.size], p.origin, p.same, p.secret) for p in part.pieces]
