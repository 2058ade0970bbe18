"""Detectors over a text and over what it reads as without its escapes (JSON, URLs, entities). It knows no message.

A text inside of quotes that has escapes is read, masked and escaped again; so are runs of a URL. Escapes inside of
escapes are followed a few levels deep.
"""

from __future__ import annotations

import html
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote_plus

import orjson

from aforo.gateway.masking.detectors import DETECTORS
from aforo.gateway.masking.marks import KEEP, Marks
from aforo.policy.masking import MASK

# Begin, end, and what stands there instead.
Edit = tuple[int, int, str]

_DEPTH: Final = 3
_SHORTEST: Final = 6  # of all that a detector finds
# A longer text is looked at in pieces that end at blanks, and for so long in all: what is left then is masked.
PIECE: Final = 32 * 1024
MOST_S: Final = 0.25
_BACK: Final = 1024  # how far a piece may be shortened to end at a blank
_MOST: Final = 10_000  # places in one text; one with more is masked as a whole
# A text in quotes with an escape in it, up to its closing quote or to the end of what there is.
_ESCAPED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)++(?:"|\\?$)', re.DOTALL)
_RUN = re.compile(r"[^\s\"'<>&=?#/;,{}()\[\]|\\]++")
_ENTITY_RUN = re.compile(r"[^\s<>\"']++")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_WORD_END = re.compile(r"[\s\"'<>,;]")
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Finder:
    """The detectors of one set of rules. `modes` is name to mode; the order of `DETECTORS` decides who claims first."""

    def __init__(
        self, modes: Mapping[str, str], marks: Marks, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._marks = marks
        self._clock = clock
        self._until = math.inf
        self._active = [
            (find, mode) for name, find in DETECTORS.items() if (mode := modes.get(name, KEEP)) != KEEP
        ]

    def __bool__(self) -> bool:
        return bool(self._active)

    def begin(self) -> None:
        """Another record: its time begins."""
        self._until = self._clock() + MOST_S

    def mask(self, text: str) -> str:
        """The text with all that was found replaced."""
        if len(text) < _SHORTEST or not self._active:
            return text
        edits = self.checked(text)
        return splice(text, edits) if edits else text

    def checked(self, text: str) -> list[Edit]:
        """`edits` of a text of any length, within the time that there is."""
        if len(text) > PIECE:
            found: list[Edit] = []
            at = 0
            for piece in _pieces(text):
                found += _moved(self._in_time(piece), at)
                at += len(piece)
            return found
        return self._in_time(text)

    def _in_time(self, text: str) -> list[Edit]:
        if self._clock() > self._until:
            # Nobody else is served meanwhile, and nothing may be kept that was not looked at.
            return [(0, len(text), MASK)]
        return self.edits(text)

    def edits(self, text: str, depth: int = _DEPTH) -> list[Edit]:
        """What is to be replaced, in order and without overlaps."""
        if "\\" not in text or not depth:
            return united(self._plain(text, depth))
        found: list[Edit] = []
        at = 0
        for quoted in _ESCAPED.finditer(text):
            start, end = quoted.span()
            if start > at:
                found += _moved(self._plain(text[at:start], depth), at)
            inner = _unescaped(quoted[0])
            edits = self.edits(inner, depth - 1)
            if edits:
                closing = '"' if quoted[0].endswith('"') else ""
                found.append((start, end, orjson_text(splice(inner, edits))[:-1] + closing))
            at = end
        if at < len(text):
            found += _moved(self._plain(text[at:], depth), at)
        return united(found)

    def _plain(self, text: str, depth: int) -> list[Edit]:
        """What stands there as it is, or escaped as in URLs and XML."""
        found: list[Edit] = []
        instead = self._marks.instead
        for find, mode in self._active:
            for start, end in find(text):
                found.append((start, end, instead(mode, text[start:end])))
                if len(found) > _MOST:
                    return [(0, len(text), MASK)]
        if "%" in text and depth:
            for run in _RUN.finditer(text):
                if "%" in run[0] and (plain := unquote_plus(run[0])) != run[0]:
                    edits = self.edits(plain, depth - 1)
                    if edits:
                        found.append(
                            (*run.span(), quote(splice(plain, edits), safe="*:@ ").replace(" ", "+"))
                        )
        if depth and ("&#" in text or "&commat;" in text):
            for run in _ENTITY_RUN.finditer(text):
                if "&" in run[0] and (plain := html.unescape(run[0])) != run[0]:
                    edits = self.edits(plain, depth - 1)
                    if edits:
                        found.append((*run.span(), html.escape(splice(plain, edits))))
        return found


def splice(text: str, edits: list[Edit]) -> str:
    """The text with those places replaced; they are in order and do not overlap."""
    out: list[str] = []
    at = 0
    for start, end, instead in edits:
        out += (text[at:start], instead)
        at = end
    out.append(text[at:])
    return "".join(out)


def united(edits: list[Edit]) -> list[Edit]:
    """In order; those that overlap are one, with the text of the one that covers the most."""
    if len(edits) < 2:
        return edits
    edits.sort(key=lambda e: (e[0], e[0] - e[1]))
    out = [edits[0]]
    widest = edits[0][1] - edits[0][0]
    for start, end, instead in edits[1:]:
        last_start, last_end, last = out[-1]
        if start >= last_end:
            out.append((start, end, instead))
            widest = end - start
            continue
        if end - start > widest and instead:
            widest, last = end - start, instead
        out[-1] = (last_start, max(end, last_end), last or instead)
    return out


def _pieces(text: str) -> Iterator[str]:
    at = 0
    while len(text) - at > PIECE:
        end = at + PIECE
        # A line's end before a blank: numbers and accounts have blanks in them.
        cut = max(text.rfind("\n", end - _BACK, end), text.rfind("\\n", end - _BACK, end) - 1)
        if cut < 0:
            cut = max(text.rfind(mark, end - _BACK, end) for mark in (". ", ", ", '"', "; ", ") "))
        if cut < 0:
            cut = text.rfind(" ", end - _BACK, end)
        if cut < 0:
            # One long word: it ends where it ends.
            found = _WORD_END.search(text, end)
            cut = found.start() if found is not None else len(text) - 1
        yield text[at : cut + 1]
        at = cut + 1
    yield text[at:]


def orjson_text(text: str) -> str:
    """A text as JSON writes it, quotes included; what is no Unicode is replaced."""
    return orjson.dumps(text.encode("utf-8", "replace").decode()).decode()


def _moved(edits: list[Edit], by: int) -> list[Edit]:
    return [(start + by, end + by, instead) for start, end, instead in edits] if by else edits


def _unescaped(quoted: str) -> str:
    """What a text in quotes reads as; escapes that JSON does not have stay."""
    if quoted.endswith('"'):
        try:
            plain = orjson.loads(quoted)
        except ValueError:
            pass
        else:
            if isinstance(plain, str):
                return plain
    inner = quoted[1:-1] if quoted.endswith('"') else quoted[1:]
    return _ESCAPE.sub(
        lambda m: chr(int(m[1], 16)) if m[1] else _LETTERS.get(m[2], m[2] if m[2] in '"\\/' else m[0]), inner
    )
