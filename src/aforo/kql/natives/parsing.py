"""Texts in formats of their own: CSV, XML, paths, versions, command lines. What cannot be read is null."""

from __future__ import annotations

import re
from typing import Any

from aforo.kql.natives.spec import Native, native, written
from aforo.kql.types import DYNAMIC, STRING

# Kusto reads no longer XML than this (bytes).
_LONGEST_XML = 1_048_576
_DEEPEST_XML = 256


def parse_csv(text: str) -> str | None:
    """The fields of the first record."""
    out: list[str] = []
    at, end = 0, len(text)
    while True:
        if at < end and text[at] == '"':
            field, at = _quoted(text, at + 1)
        else:
            field = ""
        start = at
        while at < end and text[at] not in ",\r\n":
            at += 1
        out.append(field + text[start:at])
        if at >= end or text[at] != ",":
            return written(out)
        at += 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    """A field in quotes (two stand for one), and where it ends; one that is left open ends with the text."""
    out: list[str] = []
    while (close := text.find('"', at)) >= 0:
        out.append(text[at:close])
        if text[close + 1 : close + 2] != '"':
            return "".join(out), close + 1
        out.append('"')
        at = close + 2
    return "".join([*out, text[at:]]), len(text)


# -- XML -------------------------------------------------------------------------------------------------


class _Element:
    """An element while it is read: its attributes and children in order, its pieces of text."""

    __slots__ = ("items", "name", "texts")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.items: dict[str, Any] = {f"@{k}": v for k, v in attributes.items()}
        self.texts: list[str] = []

    def add(self, name: str, value: Any) -> None:
        if name not in self.items:
            self.items[name] = value
        elif isinstance(self.items[name], list):
            self.items[name].append(value)
        else:
            self.items[name] = [self.items[name], value]

    def value(self) -> Any:
        """Attributes, then the text, then the children."""
        text = "".join(self.texts).strip()
        if not self.items:
            return text or None
        out = {k: v for k, v in self.items.items() if k.startswith("@")}
        if text:
            out["#text"] = text
        return out | self.items


def parse_xml(text: str) -> str | None:
    """Elements, attributes (`@name`) and texts (`#text`); no document type is read."""
    from xml.parsers import expat

    if not text or len(text.encode()) > _LONGEST_XML:
        return None
    root = _Element("", {})
    stack = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEEPEST_XML:
            raise ValueError(name)
        stack.append(_Element(name, attributes))

    def finish(_name: str) -> None:
        done = stack.pop()
        stack[-1].add(done.name, done.value())

    def refuse(*_arguments: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = lambda data: stack[-1].texts.append(data)
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.strip().encode(), True)
    except (expat.ExpatError, ValueError):
        return None
    return written(root.items)


# -- paths and versions ----------------------------------------------------------------------------------

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_DRIVE = re.compile(r"[A-Za-z]:")


def parse_path(text: str) -> str | None:
    """The parts of a path of either slash."""
    scheme, rest = "", text
    if m := _SCHEME.match(text):
        scheme, rest = m.group(1), text[m.end() :]
    root = m.group() if (m := _DRIVE.search(rest[:8])) and not rest[: m.start()].strip("\\/?.") else ""
    begin = rest.find(root) + len(root) if root else 0
    cut = max(rest.rfind("/"), rest.rfind("\\"))
    name = rest[max(cut + 1, begin) :]
    directory = rest[:cut] if cut >= 0 else root
    name, _, stream = name.partition(":")
    last = re.split(r"[\\/]", directory)[-1]
    return written(
        {
            "Scheme": scheme,
            "RootPath": root,
            "DirectoryPath": directory,
            "DirectoryName": "" if last == root else last,
            "Filename": name,
            "Extension": name.rpartition(".")[2] if "." in name else "",
            "AlternateDataStreamName": stream,
        }
    )


def version_digits(text: str) -> str:
    """One to four numbers of up to eight digits each, as the digits of one number that compares as they do; "" for what
    is no version."""
    parts = text.strip().split(".")
    if len(parts) > 4 or not all(p.isascii() and p.isdigit() and len(p) <= 8 for p in parts):
        return ""
    number = 0
    for part in [*parts, "0", "0", "0"][:4]:
        number = number * 100_000_000 + int(part)
    return str(number)


def parse_command_line(text: str, _system: str) -> str | None:
    """The arguments as Windows programs get them."""
    if not text.strip():
        return written([])
    out: list[str] = []
    at, end = 0, len(text)
    while at < end:
        if text[at] in " \t":
            at += 1
            continue
        argument, at = _argument(text, at)
        out.append(argument)
    return written(out)


def _argument(text: str, at: int) -> tuple[str, int]:
    """Backslashes count only before a quote: two of them are one, an odd one makes the quote a character."""
    out: list[str] = []
    quoted = False
    while at < len(text):
        char = text[at]
        if char == "\\":
            run = len(text) - at - len(text[at:].lstrip("\\"))
            at += run
            if text[at : at + 1] == '"':
                out.append("\\" * (run // 2))
                if run % 2:
                    out.append('"')
                    at += 1
            else:
                out.append("\\" * run)
        elif char == '"':
            if quoted and text[at + 1 : at + 2] == '"':
                out.append('"')
                at += 1
            else:
                quoted = not quoted
            at += 1
        elif char in " \t" and not quoted:
            break
        else:
            out.append(char)
            at += 1
    return "".join(out), at


NATIVES: tuple[Native, ...] = (
    native("parse_csv", parse_csv, DYNAMIC, STRING),
    native("parse_xml", parse_xml, DYNAMIC, STRING),
    native("parse_path", parse_path, DYNAMIC, STRING),
    native("version_digits", version_digits, STRING, STRING),
    native("parse_command_line", parse_command_line, DYNAMIC, STRING, STRING),
)
