"""A text as the policy compiler reads it, which remembers where each character stood in the author's text.

Entities become characters and `{{named values}}` their contents; a diagnostic about the result still points at
what the author wrote, and what came out of a secret named value is known to be secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from aforo.source import Span


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start..start+size` of the text come from `origin`; `same` when one for one."""

    start: int
    size: int
    origin: Span
    same: bool
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Authored:
    text: str
    pieces: tuple[Piece, ...]

    def span(self, start: int, end: int) -> Span:
        """Where characters `start..end` of the text stand in the author's."""
        first, last = self._origin(start), self._origin(max(start, end - 1))
        if end <= start:
            return Span(first.start, first.start)
        return Span(first.start, max(first.start, last.end))

    def _origin(self, at: int) -> Span:
        for piece in self.pieces:
            if piece.start <= at < piece.start + piece.size:
                if not piece.same:
                    return piece.origin
                place = piece.origin.start + at - piece.start
                return Span(place, place + 1)
        if not self.pieces:
            return Span(0, 0)
        end = self.pieces[-1].origin.end
        return Span(end, end)

    @property
    def whole(self) -> Span:
        if not self.pieces:
            return Span(0, 0)
        return Span(self.pieces[0].origin.start, self.pieces[-1].origin.end)

    def is_secret(self, start: int, end: int) -> bool:
        return any(p.secret and p.start < end and start < p.start + p.size for p in self.pieces)

    @property
    def secret(self) -> bool:
        return any(p.secret for p in self.pieces)

    @property
    def shown(self) -> str:
        """The text; of one with a secret in it, nothing."""
        return "*****" if self.secret else self.text

    def part(self, start: int, end: int) -> Authored:
        """The characters `start..end` as a text of their own."""
        out: list[Piece] = []
        for p in self.pieces:
            left, right = max(start, p.start), min(end, p.start + p.size)
            if left >= right:
                continue
            if p.same:
                first = p.origin.start + left - p.start
                out.append(
                    Piece(left - start, right - left, Span(first, first + right - left), True, p.secret)
                )
            else:
                out.append(Piece(left - start, right - left, p.origin, False, p.secret))
        if not out:
            place = self.span(start, start).start
            out.append(Piece(0, 0, Span(place, place), True))
        return Authored(self.text[start:end], tuple(out))

    def stripped(self) -> Authored:
        left = len(self.text) - len(self.text.lstrip())
        return self.part(left, max(left, len(self.text.rstrip())))


def plain(text: str, at: int) -> Authored:
    """Characters that stand in the author's text at offset `at`, as they are."""
    return Authored(text, (Piece(0, len(text), Span(at, at + len(text)), True),))


def joined(parts: list[tuple[str, Span, bool, bool]]) -> Authored:
    """From (text, origin, same, secret) in order."""
    pieces: list[Piece] = []
    size = 0
    for text, origin, same, secret in parts:
        if text or not pieces:
            pieces.append(Piece(size, len(text), origin, same, secret))
        size += len(text)
    return Authored("".join(p[0] for p in parts), tuple(pieces))
