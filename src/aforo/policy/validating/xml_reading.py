"""XML looked at before anybody builds a tree of it: well formed, without a document type, not too deep, not too much.
It knows no schema.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

DEEPEST: Final = 200
MOST_ELEMENTS: Final = 50_000
_MOST_ATTRIBUTES: Final = 500


class NotXml(Exception):  # noqa: N818 - told to whoever asked
    """Why it cannot be read, and where: `line` from 1, `column` from 0, as the parser counts."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(slots=True)
class Looked:
    """What there is: the root's name (`namespace name`, or `name`), and the place of each element in document order."""

    root: str = ""
    places: list[tuple[int, int]] = field(default_factory=list)


# Is told each element's name and attributes; may raise NotXml's message as ValueError.
Start = Callable[[str, dict[str, str]], None]


def look(data: bytes | str, each: Start | None = None, *, most_elements: int = MOST_ELEMENTS) -> Looked:
    """Reads all of it and keeps nothing but places. NotXml says what is wrong."""
    parser = expat.ParserCreate(namespace_separator=" ")
    found = Looked()
    depth = 0

    def refuse(message: str) -> NotXml:
        return NotXml(message, parser.CurrentLineNumber, parser.CurrentColumnNumber)

    def no_document_type(*_: Any) -> None:
        raise refuse("it has a document type")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise refuse(f"elements are more than {DEEPEST} deep in each other")
        if len(found.places) >= most_elements:
            raise refuse(f"it has more than {most_elements} elements")
        if len(attributes) > _MOST_ATTRIBUTES:
            raise refuse(f"an element has more than {_MOST_ATTRIBUTES} attributes")
        found.root = found.root or name
        found.places.append((parser.CurrentLineNumber, parser.CurrentColumnNumber))
        if each is not None:
            try:
                each(name, attributes)
            except ValueError as error:
                raise refuse(str(error)) from error

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = no_document_type
    parser.EntityDeclHandler = no_document_type
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise NotXml("it is not XML", error.lineno, error.offset) from error
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise NotXml("it is not XML", 1, 0) from error
    return found
