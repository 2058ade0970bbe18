"""XML text to nodes: no document types, no entities but the five, a depth that has an end."""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat

from aforo.csharp.runtime.exceptions import ArgumentNullException, XmlException
from aforo.csharp.runtime.limits import nodes, room, work
from aforo.csharp.runtime.xml_model import (
    XAttribute,
    XCData,
    XComment,
    XContainer,
    XDeclaration,
    XDocument,
    XElement,
    XName,
    XNode,
    XProcessingInstruction,
    XText,
)
from aforo.csharp.runtime.xml_write import XML, XMLNS

DEEPEST: Final = 200
_DTD: Final = (
    "For security reasons DTD is prohibited in this XML document. To enable DTD processing set the DtdProcessing "
    "property on XmlReaderSettings to Parse and pass the settings into XmlReader.Create method."
)


class _Builder:
    """What the parser calls; `keep` keeps text that is only white space."""

    def __init__(self, source: bytes, encoding: str | None, keep: bool) -> None:
        self.source = source
        self.document = XDocument()
        self.now: XContainer = self.document
        self.keep = keep
        self.depth = 0
        self.spaces: list[dict[str, str]] = [{"": "", "xml": XML, "xmlns": XMLNS}]
        self.cdata = False
        self.parser: Any = expat.ParserCreate(encoding)
        parser = self.parser
        # A text in one piece, however long it is.
        parser.buffer_size = len(source) + 1
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self.declaration
        parser.StartDoctypeDeclHandler = self.doctype
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        parser.StartCdataSectionHandler = self.cdata_starts
        parser.EndCdataSectionHandler = self.cdata_ends
        parser.CommentHandler = self.comment
        parser.ProcessingInstructionHandler = self.instruction

    def wrong(self, message: str) -> XmlException:
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        return XmlException(f"{message} Line {line}, position {column}.")

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.document.declaration = XDeclaration(
            version, encoding, {0: "no", 1: "yes"}.get(standalone)
        )  # fmt: skip

    def doctype(self, *_: Any) -> None:
        raise XmlException(_DTD)

    def append(self, node: XNode) -> None:
        nodes(1)
        node.parent = self.now
        self.now.nodes.append(node)
        if isinstance(self.now, XElement):
            self.now.closed = False

    def name(self, qualified: str, attribute: bool) -> XName:
        prefix, colon, local = qualified.rpartition(":")
        if not colon:
            return XName(qualified, "" if attribute else self.spaces[-1].get("", ""))
        space = self.spaces[-1].get(prefix)
        if not space or ":" in prefix:
            raise self.wrong(f"'{prefix}' is an undeclared prefix.")
        return XName(local, space)

    def start(self, qualified: str, attributes: list[str]) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise XmlException(f"The XML is nested deeper than {DEEPEST} elements.")
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        nodes(len(pairs))
        scope = self.spaces[-1]
        own = {
            n[6:] if n.startswith("xmlns:") else "": v
            for n, v in pairs
            if n == "xmlns" or n.startswith("xmlns:")
        }
        if own:
            work(len(scope))
            scope = {**scope, **own}
        self.spaces.append(scope)
        element = XElement(self.name(qualified, False))
        for name, value in pairs:
            given = XName("xmlns") if name == "xmlns" else self.name(name, True)
            if any(a.name == given for a in element.attributes):
                raise self.wrong(f"'{name}' is a duplicate attribute name.")
            work(len(element.attributes))
            made = XAttribute(given, value)
            made.parent = element
            element.attributes.append(made)
        self.append(element)
        self.now = element

    def end(self, _qualified: str) -> None:
        self.depth -= 1
        self.spaces.pop()
        element = self.now
        assert element.parent is not None
        if isinstance(element, XElement) and element.closed:
            # The parser stands before `</a>` or behind `<a/>`.
            at = self.parser.CurrentByteIndex
            element.closed = self.source[at - 2 : at] == b"/>"
        self.now = element.parent

    def text(self, value: str) -> None:
        if self.now is self.document:
            return
        if self.cdata:
            self.append(XCData(value))
            return
        if not self.keep and not value.strip(" \t\r\n"):
            if isinstance(self.now, XElement):
                self.now.closed = False
            return
        last = self.now.nodes[-1] if self.now.nodes else None
        if type(last) is XText:
            last.value += value
            return
        self.append(XText(value))

    def cdata_starts(self) -> None:
        self.cdata = True

    def cdata_ends(self) -> None:
        self.cdata = False

    def comment(self, value: str) -> None:
        self.append(XComment(value))

    def instruction(self, target: str, data: str) -> None:
        self.append(XProcessingInstruction(target, data))


def read_document(data: str | bytes | bytearray | None, keep: bool = False) -> XDocument:
    """The whole of a text, or of bytes in the encoding that they declare."""
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    room(2 * len(data))
    work(1 + (len(data) >> 6))
    text = isinstance(data, str)
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    # A text has no encoding of its own, whatever it declares.
    builder = _Builder(raw, "utf-8" if text else None, keep)
    try:
        builder.parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise _refused(error) from None
    return builder.document


_MESSAGES: Final = {
    "no element found": "Root element is missing.",
    "mismatched tag": "The start tag does not match the end tag.",
    "duplicate attribute": "This is a duplicate attribute name.",
    "junk after document element": "There are multiple root elements.",
    "undefined entity": "Reference to undeclared entity.",
    "not well-formed (invalid token)": "This is an invalid character in XML.",
    "unclosed token": "Unexpected end of file has occurred.",
    "XML or text declaration not at start of entity": "Unexpected XML declaration. The XML declaration must be the first node in the document, and no white space characters are allowed to appear before it.",
}


def _refused(error: expat.ExpatError) -> XmlException:
    known = expat.ErrorString(error.code)
    message = _MESSAGES.get(known, f"The XML is not well-formed: {known}.")
    if known == "no element found" and (error.lineno, error.offset) != (1, 0):
        message = "Unexpected end of file has occurred."
    return XmlException(f"{message} Line {error.lineno}, position {error.offset + 1}.")


def read_element(data: str | bytes | bytearray | None, keep: bool = False) -> XElement:
    """The root of a text, on its own."""
    document = read_document(data, keep)
    root = next(n for n in document.nodes if isinstance(n, XElement))
    root.parent = None
    return root
