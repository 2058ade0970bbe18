"""Server-sent events (WHATWG HTML, section 9.2): bytes in any pieces become events. It knows no JSON."""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """One event. `data` is its lines joined with a line feed."""

    data: bytes
    event: bytes = b""
    id: bytes = b""


class EventParser:
    """Feed it what comes; it gives the events that are whole. The pieces may be cut anywhere."""

    __slots__ = ("_any", "_data", "_event", "_id", "_skip_lf", "_started", "_tail")

    def __init__(self) -> None:
        self._tail = b""  # the line that has not ended yet
        self._skip_lf = False  # the last piece ended in CR; an LF at the start of the next belongs to it
        self._started = False
        self._data: list[bytes] = []
        self._any = False
        self._event = b""
        self._id = b""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes."""
        if not piece:
            return []
        if self._skip_lf:
            self._skip_lf = False
            if piece[:1] == b"\n":
                piece = piece[1:]
        text = self._tail + piece
        if not self._started:
            # A byte order mark may stand at the very start, and may itself be cut.
            if b"\xef\xbb\xbf".startswith(text[:3]) and len(text) < 3:
                self._tail = text
                return []
            self._started = True
            text = text.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in text:
            self._skip_lf = text.endswith(b"\r")
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = text.split(b"\n")
        self._tail = lines.pop()
        out: list[Event] = []
        for line in lines:
            if line:
                self._field(line)
                continue
            if self._any:
                out.append(Event(b"\n".join(self._data), self._event, self._id))
            self._data, self._any, self._event = [], False, b""
        return out

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value)
            self._any = True
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value


def parse_events(body: bytes) -> list[Event]:
    """The events of a whole stream. One that was cut off before its blank line is not an event."""
    return EventParser().feed(body)
