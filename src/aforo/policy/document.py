"""Policy XML to a tree of elements, with the places of everything. It knows no policy by name.

Two formats. `rawxml`: an expression stands as it is in an attribute or text, bare quotes, `<` and `&&` and all;
its end is found by C#'s lexical rules. `xml`: expressions are escaped like any text. Raw documents that escape
their expressions all the same are read too. No DTD, no entity but the five and numbers, no network, no file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from aforo.csharp.scan import Scan, Unclosed, scan
from aforo.policy import diagnostics as say
from aforo.policy import limits
from aforo.policy.authored import Authored, joined, plain
from aforo.source import Diagnostic, Span

Format = Literal["rawxml", "xml"]

_NAME: Final = re.compile(r"[A-Za-z_][\w.\-]*(?::[\w.\-]+)?")
_SPACE: Final = re.compile(r"\s*")
_ENTITY: Final = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(\w+));")
_KNOWN: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


@dataclass(frozen=True, slots=True)
class XmlAttribute:
    name: str
    value: Authored
    name_span: Span


@dataclass(frozen=True, slots=True)
class XmlText:
    """Text between tags; `raw` for CDATA."""

    value: Authored


@dataclass(slots=True)
class XmlElement:
    name: str
    name_span: Span
    attributes: dict[str, XmlAttribute] = field(default_factory=dict)
    children: list[XmlElement | XmlText] = field(default_factory=list)
    span: Span = field(default_factory=lambda: Span(0, 0))  # of the start tag
    inner: Span = field(default_factory=lambda: Span(0, 0))  # between the tags
    document: str = field(default="", repr=False)

    @property
    def elements(self) -> list[XmlElement]:
        return [c for c in self.children if isinstance(c, XmlElement)]

    @property
    def markup(self) -> Authored:
        """What stands between the tags as it was written, tags and all."""
        return plain(self.document[self.inner.start : self.inner.end], self.inner.start)


@dataclass(frozen=True, slots=True)
class Parsed:
    roots: tuple[XmlElement, ...]
    diagnostics: tuple[Diagnostic, ...]


def parse(text: str, format_: Format) -> Parsed:
    """The elements at the top of a document. Every mistake that can be found in one pass is reported."""
    parser = _Parser(text, raw=format_ == "rawxml")
    if len(text) > limits.DOCUMENT_CHARACTERS:
        size = f"{limits.DOCUMENT_CHARACTERS} characters are the limit"
        return Parsed((), (say.too_large(Span(0, 0), size),))
    parser.run()
    return Parsed(tuple(parser.roots), tuple(parser.found))


class _Stop(Exception):  # noqa: N818 - ends the parse, nothing sensible can follow
    pass


class _Parser:
    def __init__(self, text: str, *, raw: bool) -> None:
        self.text = text
        self.raw = raw
        self.at = 1 if text.startswith("\ufeff") else 0
        self.roots: list[XmlElement] = []
        self.stack: list[XmlElement] = []
        self.found: list[Diagnostic] = []

    def report(self, diagnostic: Diagnostic) -> None:
        end = min(diagnostic.span.end, len(self.text))
        self.found.append(replace(diagnostic, span=Span(min(diagnostic.span.start, end), end)))
        if len(self.found) >= limits.DIAGNOSTICS:
            raise _Stop

    def run(self) -> None:
        try:
            while self.at < len(self.text):
                self.content()
            for left in reversed(self.stack):
                self.report(say.unclosed_element(left.span, left.name))
        except _Stop:
            return

    def content(self) -> None:
        text = self.text
        if text.startswith("<!--", self.at):
            end = text.find("-->", self.at + 4)
            if end < 0:
                self.stop(say.not_xml(Span(self.at, self.at + 4), "the comment does not end"))
            self.at = end + 3
        elif text.startswith("<![CDATA[", self.at):
            end = text.find("]]>", self.at + 9)
            if end < 0:
                self.stop(say.not_xml(Span(self.at, self.at + 9), "the CDATA section does not end"))
            self.add_text(plain(text[self.at + 9 : end], self.at + 9))
            self.at = end + 3
        elif text.startswith("<?", self.at):
            end = text.find("?>", self.at)
            head = not self.roots and not self.stack and text.startswith("<?xml", self.at)
            if end < 0 or not head:
                self.stop(say.doctype(Span(self.at, self.at + 2)))
            self.at = end + 2
        elif text.startswith("<!", self.at):
            self.stop(say.doctype(Span(self.at, self.at + 2)))
        elif text.startswith("</", self.at):
            self.end_tag()
        elif text.startswith("<", self.at):
            self.start_tag()
        else:
            self.characters()

    def stop(self, diagnostic: Diagnostic) -> None:
        self.report(diagnostic)
        raise _Stop

    # --- text ------------------------------------------------------------------------------------------------

    def characters(self) -> None:
        start = self.at
        inside = self.space(start)
        if self.raw and self.text.startswith(("@(", "@{"), inside) and not self.has_text():
            end = self.expression(inside)
            if end is not None:
                self.add_text(self.raw_expression(inside, end))
                self.at = end
                return
        end = self.text.find("<", start)
        self.at = end = len(self.text) if end < 0 else end
        self.add_text(self.decoded(start, end))

    def has_text(self) -> bool:
        """An expression begins its text: after other text, `@(` is text itself."""
        return bool(self.stack) and any(
            isinstance(c, XmlText) and c.value.text.strip() for c in self.stack[-1].children
        )

    def add_text(self, value: Authored) -> None:
        if self.stack:
            self.stack[-1].children.append(XmlText(value))
        elif value.text.strip():
            self.report(say.stray_text(value.stripped().whole, "the document"))

    def space(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match is not None else at

    def expression(self, at: int) -> int | None:
        """The end of the raw expression at `at`; None when it has none by C#'s rules."""
        found = scan(self.text, at + 1)
        if isinstance(found, Unclosed):
            # Perhaps it is escaped after all; else say what is open.
            end = self.text.find("<", at)
            inner = self.decoded(at, len(self.text) if end < 0 else end)
            if isinstance(scan(inner.text, 1), Scan):
                return None
            self.stop(say.unclosed_expression(Span(found.at, found.at + 1), found.what))
            return None
        return found.end

    def raw_expression(self, start: int, end: int) -> Authored:
        """The expression as it stands, or decoded when entities stand outside of its strings."""
        found = scan(self.text, start + 1)
        if isinstance(found, Scan) and found.escaped:
            inner = self.decoded(start, end)
            if isinstance(scan(inner.text, 1), Scan):
                return inner
        return plain(self.text[start:end], start)

    def decoded(self, start: int, end: int) -> Authored:
        """Text with its entities replaced."""
        text = self.text[start:end]
        if "&" not in text:
            return plain(text, start)
        parts: list[tuple[str, Span, bool, bool]] = []
        last = 0
        for match in re.finditer("&", text):
            at = match.start()
            if at < last:
                continue
            parts.append((text[last:at], Span(start + last, start + at), True, False))
            entity = _ENTITY.match(text, at)
            value = _entity(entity) if entity is not None else None
            if entity is None or value is None:
                shown = entity.group() if entity is not None else text[at : at + 8]
                self.report(say.entity(Span(start + at, start + at + len(shown)), shown))
                last = at + 1
                continue
            last = entity.end()
            parts.append((value, Span(start + at, start + last), False, False))
        parts.append((text[last:], Span(start + last, end), True, False))
        return joined(parts)

    # --- tags -------------------------------------------------------------------------------------------------

    def end_tag(self) -> None:
        start = self.at
        match = _NAME.match(self.text, start + 2)
        end = self.text.find(">", start)
        if match is None or end < 0 or self.text[match.end() : end].strip():
            self.stop(say.not_xml(Span(start, start + 2), "this end tag is not well-formed"))
            return
        name = match.group()
        self.at = end + 1
        span = Span(start, end + 1)
        if self.stack and self.stack[-1].name == name:
            ended = self.stack.pop()
            ended.inner = Span(ended.inner.start, start)
        elif any(e.name == name for e in self.stack):
            while self.stack[-1].name != name:
                left = self.stack.pop()
                self.report(say.unclosed_element(left.span, left.name))
            self.stack.pop()
        else:
            self.report(say.stray_end(span, name))

    def start_tag(self) -> None:
        start = self.at
        match = _NAME.match(self.text, start + 1)
        if match is None:
            self.stop(
                say.not_xml(
                    Span(start, start + 1),
                    "`<` begins no tag here",
                    "write &lt; in text; inside an expression it needs no escape in a raw document",
                )
            )
            return
        element = XmlElement(match.group(), Span(start + 1, match.end()))
        self.at = match.end()
        closed = self.attributes(element)
        element.span = Span(start, self.at)
        element.inner = Span(self.at, self.at)
        element.document = self.text
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.roots.append(element)
        if not closed:
            if len(self.stack) >= limits.NESTING:
                self.stop(say.too_large(element.span, f"elements are nested more than {limits.NESTING} deep"))
            self.stack.append(element)

    def attributes(self, element: XmlElement) -> bool:
        """Reads up to the end of the tag; true when it closes itself."""
        text = self.text
        while True:
            spaced = self.space(self.at)
            gap = spaced > self.at
            self.at = spaced
            if text.startswith("/>", self.at):
                self.at += 2
                return True
            if text.startswith(">", self.at):
                self.at += 1
                return False
            match = _NAME.match(text, self.at)
            if match is None:
                what = f"the tag `<{element.name}` is not well-formed here"
                self.stop(say.not_xml(Span(self.at, self.at + 1), what))
                return True
            if not gap:
                self.report(
                    say.not_xml(Span(match.start(), match.end()), "a space is missing before this attribute")
                )
            self.at = self.space(match.end())
            if not text.startswith("=", self.at):
                self.stop(
                    say.not_xml(
                        Span(match.start(), match.end()), f"the attribute `{match.group()}` has no value"
                    )
                )
            self.at = self.space(self.at + 1)
            quote = text[self.at : self.at + 1]
            if quote not in ('"', "'") or not quote:
                self.stop(
                    say.not_xml(Span(self.at, self.at + 1), f"the value of `{match.group()}` must be quoted")
                )
            value = self.value(quote)
            attribute = XmlAttribute(match.group(), value, Span(match.start(), match.end()))
            if attribute.name in element.attributes:
                self.report(say.duplicate_attribute(attribute.name_span, attribute.name))
            element.attributes[attribute.name] = attribute
            if len(element.attributes) > limits.ATTRIBUTES:
                self.stop(say.too_large(element.name_span, f"more than {limits.ATTRIBUTES} attributes"))

    def value(self, quote: str) -> Authored:
        """An attribute's value; `at` stands on the opening quote, and behind the closing one afterwards."""
        text = self.text
        start = self.at + 1
        inside = self.space(start)
        if self.raw and text.startswith(("@(", "@{"), inside):
            found = scan(text, inside + 1)
            if isinstance(found, Scan):
                after = self.space(found.end)
                if text.startswith(quote, after):
                    self.at = after + 1
                    return self.raw_expression(inside, found.end)
            escaped = self.quoted(start, quote)
            inner = escaped.stripped() if escaped is not None else None
            if inner is not None and isinstance(scan(inner.text, 1), Scan):
                return inner
            if isinstance(found, Unclosed):
                self.stop(say.unclosed_expression(Span(found.at, found.at + 1), found.what))
            else:
                after = self.space(found.end)
                self.stop(say.after_expression(Span(after, after + 1)))
        value = self.quoted(start, quote)
        if value is None:
            self.stop(say.not_xml(Span(start - 1, start), "the attribute's value does not end"))
            raise _Stop
        return value

    def quoted(self, start: int, quote: str) -> Authored | None:
        end = self.text.find(quote, start)
        if end < 0:
            return None
        self.at = end + 1
        if "<" in self.text[start:end] and not self.raw:
            at = self.text.index("<", start)
            self.report(say.not_xml(Span(at, at + 1), "`<` must be written &lt; in an attribute"))
        return self.decoded(start, end)


def _entity(match: re.Match[str]) -> str | None:
    if match[3] is not None:
        return _KNOWN.get(match[3])
    code = int(match[1], 16) if match[1] is not None else int(match[2])
    if code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF:
        return chr(code)
    return None
