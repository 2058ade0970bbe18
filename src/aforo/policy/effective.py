"""The effective policy of a call: what its documents come to as one text, each line with where it was written.

It reads documents as the compiler does (structure, check) and generates nothing. The texts are shown as they were
stored: a `{{named value}}` stays a name, so no value is told to who may only read policies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aforo.policy import catalog, limits, structure
from aforo.policy import diagnostics as say
from aforo.policy.check import Checker
from aforo.policy.document import XmlElement, XmlText, parse
from aforo.policy.emit import Use
from aforo.policy.named_values import NamedValue
from aforo.policy.scopes import Scope, Section, broad_first
from aforo.source import Diagnostic, Source, Span

_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Origin:
    """`scope` is that of the document that brings the line in, `source` the name of the text that it stands in, `line`
    its number there; with `fragment` the text is that fragment's."""

    scope: Scope
    source: str
    line: int
    fragment: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the effective policy. No origin: nobody wrote it, a section that no document has."""

    text: str
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something could not be shown as it runs, with the text that it is about."""

    source: Source
    diagnostic: Diagnostic

    def as_json(self) -> dict[str, Any]:
        line, column = self.source.position(self.diagnostic.span.start)
        return {
            "code": self.diagnostic.code,
            "message": self.diagnostic.message,
            "resourceId": self.source.name or None,
            "line": line,
            "column": column,
        }


@dataclass(frozen=True, slots=True)
class Effective:
    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]

    @property
    def text(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """`{format, value, lines, diagnostics}`; the names of sources as `resourceId`, null for one without a name."""
        return {
            "format": "rawxml",
            "value": self.text,
            "lines": [{"text": line.text, **_told(line.origin)} for line in self.lines],
            "diagnostics": [p.as_json() for p in self.problems],
        }


def effective(
    documents: Mapping[Scope, Source | None],
    fragments: Mapping[str, Source],
    named_values: Mapping[str, NamedValue],
) -> Effective:
    """The documents of one call over each other: per section what runs, in its order.

    A section that a document does not have is its `<base />`. Fragments stand where they are included, but for one that
    a secret names. Named values serve to read the names of fragments and are not shown.
    """
    writer = _Writer(fragments, named_values)
    with suppress(_TooLong):
        writer.run([_Document(scope, source) for scope, source in broad_first(documents)])
    return Effective(tuple(writer.lines), tuple(writer.problems))


def _told(origin: Origin | None) -> dict[str, Any]:
    if origin is None:
        return {"scope": None, "resourceId": None, "fragment": None, "line": None}
    return {
        "scope": origin.scope.value,
        "resourceId": origin.source or None,
        "fragment": origin.fragment or None,
        "line": origin.line,
    }


class _TooLong(Exception):  # noqa: N818 - ends the writing
    pass


@dataclass(slots=True)
class _Document:
    scope: Scope
    source: Source
    root: XmlElement | None = None
    sections: dict[Section, XmlElement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that is being written, in one section. `below` are the documents that its `<base />` means."""

    source: Source
    scope: Scope
    section: Section
    below: tuple[_Document, ...]
    including: tuple[str, ...]
    uses: Mapping[int, Use]  # by the identity of their elements

    def origin(self, at: int) -> Origin:
        line, _ = self.source.position(at)
        fragment = self.including[-1] if self.including else ""
        return Origin(self.scope, self.source.name, line, fragment)


class _Writer:
    def __init__(self, fragments: Mapping[str, Source], named_values: Mapping[str, NamedValue]) -> None:
        self.fragments = fragments
        self.names = {name: source.text for name, source in fragments.items()}
        self.named_values = named_values
        self.lines: list[Line] = []
        self.problems: list[Problem] = []
        self.left = limits.EFFECTIVE_CHARACTERS
        self.read_sections: dict[int, dict[int, Use]] = {}
        self.read_fragments: dict[tuple[str, Section, Scope], tuple[XmlElement | None, dict[int, Use]]] = {}

    def run(self, documents: list[_Document]) -> None:
        for each in documents:
            self.read(each)
        narrowest = documents[-1] if documents else None
        root = narrowest.root if narrowest is not None else None
        self.tag("<policies>", narrowest, root.span.start if root is not None else None)
        for section in Section:
            holder = next((d for d in reversed(documents) if section in d.sections), None)
            element = holder.sections[section] if holder is not None else None
            opening = len(self.lines)
            self.tag(
                f"{_INDENT}<{section.value}>", holder, element.span.start if element is not None else None
            )
            self.base(tuple(documents), section, 2)
            if len(self.lines) == opening + 1:
                self.lines[opening] = Line(f"{_INDENT}<{section.value} />", self.lines[opening].origin)
            else:
                at = element.inner.end if element is not None else None
                self.tag(f"{_INDENT}</{section.value}>", holder, at)
        self.tag("</policies>", narrowest, root.inner.end if root is not None else None)

    def read(self, document: _Document) -> None:
        source = document.source
        parsed = parse(source.text, "rawxml")
        self.problems += [Problem(source, d) for d in parsed.diagnostics]
        document.sections = structure.sections(
            parsed, len(source.text), lambda d: self.problems.append(Problem(source, d))
        )
        if parsed.roots and parsed.roots[0].name == "policies":
            document.root = parsed.roots[0]

    # --- what runs -------------------------------------------------------------------------------------------

    def base(self, documents: tuple[_Document, ...], section: Section, depth: int) -> None:
        """What the section is over all these documents, broadest first."""
        while documents and section not in documents[-1].sections:
            documents = documents[:-1]
        if not documents:
            return
        document = documents[-1]
        element = document.sections[section]
        if id(element) not in self.read_sections:
            self.read_sections[id(element)] = self.uses(element, section, document.scope, top=True)
        uses = self.read_sections[id(element)]
        text = _Text(document.source, document.scope, section, documents[:-1], (), uses)
        self.inside(element, text, depth)

    def uses(self, element: XmlElement, section: Section, scope: Scope, *, top: bool) -> dict[int, Use]:
        """Everything in it that the compiler reads as a policy or as a part of one."""
        # What is wrong with them, the compiler has said when they were saved.
        checker = Checker(
            section, scope, catalog.BY_NAME, catalog.NEVER, self.named_values, lambda _: None, budget=1 << 30
        )
        stack = list(checker.policies(element.elements, "", None, top=top))
        found: dict[int, Use] = {}
        while stack:
            use = stack.pop()
            found[id(use.element)] = use
            stack += use.policies
            stack += (child for children in use.children.values() for child in children)
        return found

    def fragment(self, use: Use, text: _Text, depth: int) -> bool:
        """Writes what it includes; false where that cannot be told."""
        given = use.attributes.get("fragment-id")
        if given is None or given.secret:
            return False
        name = given.text.strip()
        wrong = structure.not_includable(name, self.names, text.including, use.span)
        if wrong is not None:
            self.problems.append(Problem(text.source, wrong))
            return False
        source = self.fragments[name]
        key = (name, text.section, text.scope)
        if key not in self.read_fragments:
            self.read_fragments[key] = self.read_fragment(source, text)
        root, uses = self.read_fragments[key]
        if root is None:
            return False
        inner = _Text(source, text.scope, text.section, (), (*text.including, name), uses)
        self.inside(root, inner, depth)
        return True

    def read_fragment(self, source: Source, text: _Text) -> tuple[XmlElement | None, dict[int, Use]]:
        parsed = parse(source.text, "rawxml")
        found = [*parsed.diagnostics]
        root = structure.fragment_root(parsed, found.append)
        self.problems += [Problem(source, d) for d in found]
        return root, {} if root is None else self.uses(root, text.section, text.scope, top=False)

    # --- lines -----------------------------------------------------------------------------------------------

    def inside(self, element: XmlElement, text: _Text, depth: int) -> None:
        """Its elements and the comments between them, each on lines of its own."""
        # Whatever multiplies goes through here, also what multiplies nothing.
        self.left -= 1 + element.inner.end - element.inner.start
        if self.left < 0:
            raise self.too_long(text.source, element.span.start, f"{limits.EFFECTIVE_CHARACTERS} characters")
        at = element.inner.start
        for child in element.elements:
            self.comments(at, child.span.start, text, depth)
            self.element(child, text, depth)
            at = _end(child, text.source.text)
        self.comments(at, element.inner.end, text, depth)

    def comments(self, start: int, end: int, text: _Text, depth: int) -> None:
        for match in _COMMENT.finditer(text.source.text, start, end):
            self.put(match.start(), match.end(), text, depth)

    def element(self, element: XmlElement, text: _Text, depth: int) -> None:
        use = text.uses.get(id(element))
        if use is not None and element.name == "base":
            self.base(text.below, text.section, depth)
        elif use is not None and element.name == "include-fragment" and self.fragment(use, text, depth):
            pass
        elif use is None or _has_text(element, use) or self.one_line(element, text):
            end = _end(element, text.source.text)
            self.put(element.span.start, end, text, depth, as_is=_values(element))
        else:
            self.put(element.span.start, element.span.end, text, depth, as_is=_values(element))
            self.inside(element, text, depth + 1)
            end = _end(element, text.source.text)
            self.put(element.inner.end, end, text, depth)

    def one_line(self, element: XmlElement, text: _Text) -> bool:
        """Whether it is left as short as it was written: nothing in it stands for something else."""
        if not element.elements:
            return True
        stack = list(element.elements)
        while stack:
            each = stack.pop()
            if each.name == "include-fragment" and id(each) in text.uses:
                return False
            stack += each.elements
        return "\n" not in text.source.text[element.span.start : element.inner.end]

    def put(self, start: int, end: int, text: _Text, depth: int, as_is: tuple[Span, ...] = ()) -> None:
        """The characters `start..end` of the text, indented anew but where a line begins inside of a value."""
        content = text.source.text
        old = len(content[content.rfind("\n", 0, start) + 1 : start])
        at = start
        for line in content[start:end].split("\n"):
            shown = line.rstrip("\r")
            if at == start:
                shown = _INDENT * depth + shown
            elif not any(s.start < at <= s.end for s in as_is):
                blank = len(shown) - len(shown.lstrip())
                shown = _INDENT * depth + " " * max(0, blank - old) + shown.lstrip()
            self.add(Line(shown, text.origin(at)), text.source, start)
            at += len(line) + 1

    def tag(self, shown: str, document: _Document | None, at: int | None) -> None:
        origin = None
        if document is not None and at is not None:
            line, _ = document.source.position(at)
            origin = Origin(document.scope, document.source.name, line)
        self.lines.append(Line(shown, origin))

    def add(self, line: Line, source: Source, at: int) -> None:
        if len(self.lines) >= limits.EFFECTIVE_LINES:
            raise self.too_long(source, at, f"{limits.EFFECTIVE_LINES} lines")
        self.lines.append(line)

    def too_long(self, source: Source, at: int, limit: str) -> _TooLong:
        wrong = say.too_large(Span(at, at + 1), f"{limit} are the limit of an effective policy")
        self.problems.append(Problem(source, wrong))
        return _TooLong()


def _end(element: XmlElement, text: str) -> int:
    """Behind its end tag."""
    if text.startswith("/>", element.span.end - 2):
        return element.span.end
    return text.find(">", element.inner.end) + 1


def _has_text(element: XmlElement, use: Use) -> bool:
    """Whether what stands between its tags is a text, which is left as it is."""
    markup = use.spec.text is not None and use.spec.text.markup
    return markup or any(isinstance(c, XmlText) and c.value.text.strip() for c in element.children)


def _values(element: XmlElement) -> tuple[Span, ...]:
    """Where the values of its attributes stand, and what stands between its tags."""
    return (*(a.value.whole for a in element.attributes.values()), element.inner)
