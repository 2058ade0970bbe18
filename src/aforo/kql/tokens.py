"""What the lexer makes of a text: tokens with places. It knows no grammar."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aforo.source import Span


class TokenKind(Enum):
    NAME = "name"
    NUMBER = "number"  # value: int or float
    TIMESPAN = "timespan"  # value: ticks
    STRING = "string"  # value: the text without quotes and escapes
    TYPED = "typed literal"  # `datetime(2024-01-01)`: text is the type's name, value what stands in the parentheses
    MARK = "mark"  # operators and punctuation
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token."""

    kind: TokenKind
    text: str
    span: Span
    value: object = None
