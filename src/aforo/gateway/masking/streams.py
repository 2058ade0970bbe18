"""Event streams as they are kept: what models say comes in pieces, and a piece ends anywhere.

The same text of all events (a choice's content, a tool's arguments) is put together, looked at as one, and what was
found is taken out of every piece that it touches. Each piece is looked at by itself as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from aforo.gateway.masking.fields import Rule, spots, text_of, texts_in
from aforo.gateway.masking.marks import KEEP, Marks
from aforo.gateway.masking.written import Edit, Finder, splice, united
from aforo.model.field_path import ALL, Part

STREAM_STARTS: Final = ("data:", "event:", ":", "id:", "retry:")
_DATA = re.compile(r"^data: ?([^\n]*+(?:\ndata:[^\n]*+)*+)", re.MULTILINE)
_NEXT_LINE = re.compile(r"\ndata: ?")
_INDEXES: Final = ("output_index", "content_index", "summary_index", "index")
# Fields of a whole answer as the events of its stream name them.
_DELTA_OF: Final = {"message": "delta"}
_TEXTS: Final = ("text", "arguments", "refusal", "transcript")
# Where the pieces of texts stand. Another text that is the same in every event (an id, a name) is looked at once.
_PIECES: Final = frozenset(
    ("content", "text", "delta", "arguments", "refusal", "reasoning_content", "reasoning", "thinking", "partial_json",
     "transcript", "input", "summary", "data", "audio")
)  # fmt: skip


@dataclass(slots=True)
class _Piece:
    container: Any
    key: Any
    text: str


@dataclass(slots=True)
class _Event:
    start: int
    end: int
    value: list[Any]  # one: what its data says
    raw: str | None = None  # of data that is no JSON
    before: bytes = b""


@dataclass(slots=True)
class _Line:
    """The pieces of one text, in the order of the events, and what a rule says about it."""

    pieces: list[_Piece] = field(default_factory=list)
    mode: str = ""
    again: list[_Piece] = field(default_factory=list)  # those that say what the one before them said


def mask_stream(text: str, rules: Sequence[Rule], finder: Finder, marks: Marks, told: list[str]) -> str:
    """The stream with the same events. An event that was cut off and cannot be read is left out."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    events, lines, end = _read(text, [(each, mode) for steps, mode in rules for each in _in_events(steps)])
    for line in lines.values():
        if line.mode and line.mode != KEEP:
            whole = "".join(piece.text for piece in line.pieces)
            told.append(whole)
            instead = marks.instead(line.mode, whole)
            for piece in line.pieces:
                _put(piece, instead)
                instead = ""
        elif not line.mode and finder:
            _look(line, finder)
    out: list[str] = []
    at = 0
    for event in events:
        out.append(finder.mask(text[at : event.start]) if finder else text[at : event.start])
        out.append(_written(text, event))
        at = event.end
    out.append(finder.mask(text[at:end]) if finder else text[at:end])
    return "".join(out)


def _read(text: str, rules: list[Rule]) -> tuple[list[_Event], dict[Any, _Line], int]:
    """The events with data, the texts in them by what they are pieces of, and where the readable part ends."""
    events: list[_Event] = []
    lines: dict[Any, _Line] = {}
    last: dict[Any, str] = {}
    end = len(text)
    for found in _DATA.finditer(text):
        data = found[1]
        if "\n" in data:
            data = _NEXT_LINE.sub("\n", data)
        try:
            value = orjson.loads(data)
        except ValueError:
            if found.end() == len(text) and data[:1] in ("{", "["):
                end = found.start()
                break
            value = data
        event = _Event(found.start(), found.end(), [value], data if isinstance(value, str) else None)
        if event.raw is None:
            event.before = orjson.dumps(value)
        events.append(event)
        ruled: dict[tuple[int, Any], str] = {}
        for steps, mode in rules:
            for container, key in spots(value, steps):
                ruled.setdefault((id(container), key), mode)
        _collect(event.value, ruled, lines, last)
    return events, lines, end


def _collect(
    box: list[Any], ruled: dict[tuple[int, Any], str], lines: dict[Any, _Line], last: dict[Any, str]
) -> None:
    """The texts of one event."""
    root = box[0]
    begin: tuple[Any, ...] = ()
    if isinstance(root, dict):
        begin = (root.get("type"), root.get("item_id"), *(root.get(name) for name in _INDEXES))
    waiting: list[tuple[tuple[Any, ...], Any]] = [(begin, box)]
    while waiting:
        path, at = waiting.pop()
        in_list = isinstance(at, list)
        for key, value in enumerate(at) if in_list else at.items():
            mode = ruled.get((id(at), key), "") if ruled else ""
            if isinstance(value, str):
                name = (*path, key) if not in_list or at is box else path
                if mode:
                    name = (*name, mode)
                elif last.get(name) == value and key not in _PIECES and not in_list:
                    lines[name].again.append(_Piece(at, key, value))
                    continue
                else:
                    last[name] = value
                line = lines.get(name)
                if line is None:
                    line = lines[name] = _Line(mode=mode)
                line.pieces.append(_Piece(at, key, value))
            elif mode and mode != KEEP:
                texts = texts_in(value)
                line = lines.setdefault((*path, key, mode, len(lines)), _Line(mode=mode))
                line.pieces.append(_Piece(at, key, text_of(value) if texts else ""))
            elif isinstance(value, dict):
                waiting.append(((*path, value.get("index", key) if in_list else key), value))
            elif isinstance(value, list):
                waiting.append(((*path, key), value))


def _look(line: _Line, finder: Finder) -> None:
    """Detect in the joined text and in each of its pieces."""
    texts = [piece.text for piece in line.pieces]
    found = finder.checked("".join(texts))
    if len(texts) > 1:
        found = united(found + _alone(texts, finder, found))
    masked: dict[str, str] = {}
    for number, edits in _distributed(found, texts).items():
        piece = line.pieces[number]
        text = splice(piece.text, edits)
        masked[piece.text] = text
        _put(piece, text)
    for piece in line.again:
        if piece.text in masked:
            _put(piece, masked[piece.text])


def _alone(texts: list[str], finder: Finder, joined: list[Edit]) -> list[Edit]:
    """What is found in single pieces, as places of the joined text. A part of what stands there is no find of its own."""
    out: list[Edit] = []
    begins = _begins(texts, 1)
    for start, end, instead in finder.checked("\n".join(texts)):
        before = bisect_right(begins, start) - 1  # so many line ends stand before it
        first, last = start - before, end - (bisect_right(begins, end - 1) - 1)
        if last <= first:
            continue
        meets = [each for each in joined if each[0] < last and first < each[1]]
        out.append((first, last, "" if meets else instead))
    return out


def _begins(texts: list[str], gap: int) -> list[int]:
    out = []
    at = 0
    for text in texts:
        out.append(at)
        at += len(text) + gap
    return out


def _distributed(found: list[Edit], texts: list[str]) -> dict[int, list[Edit]]:
    """Edits of the joined text as edits of its pieces; what stands instead goes into the first one."""
    edits: dict[int, list[Edit]] = {}
    begins = _begins(texts, 0)
    for start, end, instead in found:
        number = bisect_right(begins, start) - 1
        while number < len(texts) and begins[number] < end:
            first = max(start - begins[number], 0)
            upto = min(end - begins[number], len(texts[number]))
            if upto > first:
                edits.setdefault(number, []).append((first, upto, instead))
                instead = ""
            number += 1
    return edits


def _put(piece: _Piece, text: str) -> None:
    piece.container[piece.key] = text


def _written(text: str, event: _Event) -> str:
    value = event.value[0]
    if event.raw is not None:
        return (
            text[event.start : event.end]
            if value == event.raw
            else "data: " + value.replace("\n", "\ndata: ")
        )
    after = orjson.dumps(value)
    return text[event.start : event.end] if after == event.before else "data: " + after.decode()


def _in_events(steps: tuple[Part, ...]) -> list[tuple[Part, ...]]:
    """The paths of a whole answer's field in the events of its stream."""
    found = [
        steps,
        tuple(_DELTA_OF.get(s, s) if isinstance(s, str) else s for s in steps),
        ("response", *steps),
    ]
    if steps[0] == "output" and len(steps) > 1:
        found.append(("item", *steps[2:]))
        if len(steps) > 3 and steps[2] == "content":
            found.append(("part", *steps[4:]))
        if steps[-1] in _TEXTS or steps[-1] is ALL or len(steps) <= 4:
            found += [(name,) for name in ("delta", *_TEXTS)]
    return list(dict.fromkeys(each for each in found if each))
