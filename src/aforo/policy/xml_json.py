"""JSON made XML and XML made JSON, as `json-to-xml` and `xml-to-json` have it. No document types, no entities."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

import orjson

from aforo.csharp.runtime.dates import DateTime, date_text, parse_date, to_universal
from aforo.csharp.runtime.exceptions import CsException
from aforo.csharp.runtime.json_parse import parse_bytes
from aforo.csharp.runtime.limits import begin, nodes, room
from aforo.csharp.runtime.objects import to_string
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, RequestState, ResponseState

DEEPEST: Final = 200
ROOT: Final = "Document"
ITEM: Final = "item"  # of an array that has no name
_XSI: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,7})?(?:Z|[+-]\d{2}:\d{2})?\Z")
# Letters that every edition of XML 1.0 lets into names: Latin, Greek, Cyrillic, kana, Han, Hangul.
_LETTERS: Final = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e\u03a3-\u03ce"
    "\u0410-\u044f\u3041-\u3094\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3"
)
_START: Final = re.compile(f"[{_LETTERS}]")
_LETTER: Final = re.compile(f"[{_LETTERS}0-9.\\-]")
# What XML 1.0 has no way to write.
_NEVER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class NotConverted(Exception):  # noqa: N818 - it becomes the failure of the policy
    """The text is not what it should be; the message holds nothing of it."""

    @staticmethod
    def guard(policy: str, convert: Callable[[], bytes]) -> bytes:
        """What `convert` makes, within the limits of an expression."""
        begin()
        try:
            return convert()
        except (NotConverted, CsException) as error:
            detail = error.message if isinstance(error, CsException) else str(error)
            message = f"The body cannot be converted. {detail}"
            raise PolicyFailure(LastError(policy, "ConversionFailed", message)) from error


def wants(
    exchange: Exchange,
    message: RequestState | ResponseState,
    always: bool,
    accept: bool,
    source: str,
    target: str,
) -> bool:
    """Whether the message is to be converted, by its Content-Type and the caller's Accept."""
    if not always and source not in _media(message.headers.joined(b"content-type")):
        return False
    return not accept or target in _media(exchange.request.headers.joined(b"accept"))


def _media(value: bytes | None) -> str:
    return (value or b"").decode("latin-1").lower()


# --- JSON to XML -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class XmlOptions:
    """The attributes of `json-to-xml`; "" where one is not given."""

    parse_date: bool = True
    separator: str = "_"
    prefix: str = ""
    attributes: str = ""


def to_xml(data: bytes, options: XmlOptions) -> bytes:
    writer = _XmlWriter(options)
    value = parse_bytes(data)
    writer.element(ROOT, {ITEM: value} if isinstance(value, list) else value, frozenset(), 0)
    text = "".join(writer.out)
    room(len(text))
    return text.encode()


@dataclass(slots=True)
class _Parts:
    """What the properties of an object are in XML; `spaces` are namespaces by prefix."""

    spaces: dict[str, str] = field(default_factory=dict)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    text: str | None = None
    children: list[tuple[str, Any]] = field(default_factory=list)


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    escaped = _text(text).replace('"', "&quot;")
    return escaped.replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")


class _XmlWriter:
    def __init__(self, options: XmlOptions) -> None:
        self.options = options
        self.out: list[str] = []

    def element(self, name: str, value: Any, prefixes: frozenset[str], depth: int) -> None:
        """One element; `prefixes` are the namespace prefixes that are declared around it."""
        if depth > DEEPEST:
            raise NotConverted(f"It is nested deeper than {DEEPEST} levels.")
        nodes(1)
        if isinstance(value, dict):
            parts = self.parts(value)
            inside = prefixes | parts.spaces.keys()
            tag = self.name(name, inside)
            # Of two attributes with one name the last one counts, as in the objects of JSON.
            named = {(f"xmlns:{_encoded(p)}" if p else "xmlns"): uri for p, uri in parts.spaces.items()}
            named |= {self.name(n, inside): v for n, v in parts.attributes}
            shown = "".join(f' {n}="{_attribute(v)}"' for n, v in named.items())
            self.out.append(f"<{tag}{shown}")
            if not parts.children and parts.text is None:
                self.out.append(" />")
                return
            self.out.append(f">{_text(parts.text or '')}")
            for child, inner in parts.children:
                self.several(child, inner, inside, depth + 1)
            self.out.append(f"</{tag}>")
            return
        tag = self.name(name, prefixes)
        if isinstance(value, list):
            # An array in an array.
            self.out.append(f"<{tag}>")
            self.several(name, value, prefixes, depth + 1)
            self.out.append(f"</{tag}>")
        elif value is None:
            self.out.append(f'<{tag} xsi:nil="true" {_XSI} />')
        else:
            text = self.text(value)
            self.out.append(f"<{tag}>{_text(text)}</{tag}>" if text else f"<{tag} />")

    def several(self, name: str, value: Any, prefixes: frozenset[str], depth: int) -> None:
        """A property: an array is its element again and again."""
        if not isinstance(value, list):
            self.element(name, value, prefixes, depth)
            return
        if not value:
            self.out.append(f"<{self.name(name, prefixes)} />")
        for each in value:
            self.element(name, each, prefixes, depth)

    def parts(self, value: dict[str, Any]) -> _Parts:
        options = self.options
        out = _Parts()
        for name, inner in value.items():
            plain = not isinstance(inner, (dict, list))
            if options.prefix and plain and self.declares(name, inner):
                out.spaces[name[len(options.prefix) + len(options.separator) :]] = self.text(inner)
            elif options.attributes and name == options.attributes and isinstance(inner, dict):
                out.attributes += [(n, self.text(v)) for n, v in inner.items()]
            elif name.startswith("@") and len(name) > 1 and plain:
                out.attributes.append((name[1:], self.text(inner)))
            elif name == "#text" and plain:
                out.text = self.text(inner)
            else:
                out.children.append((name, inner))
        return out

    def declares(self, name: str, value: Any) -> bool:
        """Whether a property declares a namespace. What XML does not let be one is a property like any other."""
        prefix, separator = self.options.prefix, self.options.separator
        if name == prefix:
            return bool(self.text(value))
        own = name.removeprefix(prefix + separator)
        return bool(separator and own != name and own not in ("", "xml", "xmlns") and self.text(value))

    def name(self, name: str, prefixes: frozenset[str]) -> str:
        """A name of XML; the separator means a colon where it follows a declared prefix."""
        separator = self.options.separator
        if separator and prefixes:
            prefix, found, rest = name.partition(separator)
            if found and rest and prefix in prefixes:
                return f"{_encoded(prefix)}:{_encoded(rest)}"
        return _encoded(name)

    def text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, (dict, list)):
            return _NEVER.sub("\ufffd", orjson.dumps(value).decode())
        if isinstance(value, str) and self.options.parse_date and _DATE.match(value):
            # As Newtonsoft reads it: what says Z stays in UTC.
            value = to_universal(parse_date(value)) if value.endswith("Z") else parse_date(value)
        text = _date(value) if isinstance(value, DateTime) else to_string(value)
        return _NEVER.sub("\ufffd", text)


def _date(value: DateTime) -> str:
    """As XML Schema writes it."""
    return date_text(value, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")


def _encoded(name: str) -> str:
    """A name with what XML does not allow in it as _xHHHH_, as .NET's XmlConvert has it."""
    out = []
    for at, letter in enumerate(name):
        good = (_START if at == 0 else _LETTER).match(letter)
        code = ord(letter)
        out.append(letter if good else f"_x{code:04X}_" if code < 0x10000 else f"_x{code:08X}_")
    return "".join(out) or "_"


# --- XML to JSON -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


def to_json(data: bytes, *, friendly: bool, arrays: bool) -> bytes:
    """`friendly`: names without marks; `arrays`: child elements are always arrays."""
    head, root = _parse(data)
    out: dict[str, Any] = {} if friendly else dict(head)
    out[_key(root.name)] = _value(root, friendly, arrays)
    text = orjson.dumps(out)
    room(len(text))
    return text


def _value(node: _Node, friendly: bool, arrays: bool) -> Any:
    text = "".join(node.text)
    if node.children and not text.strip():
        text = ""
    if node.attributes.get("xsi:nil") == "true" and not node.children and not text:
        if friendly:
            return None
    elif not node.attributes and not node.children:
        return text or None
    names = {_key(c.name) for c in node.children}
    out: dict[str, Any] = {}
    for name, value in node.attributes.items():
        key = _key(name)
        out[key if friendly and key not in names else f"@{key}"] = value
    if text:
        out["value" if friendly and "value" not in out and "value" not in names else "#text"] = text
    found: dict[str, list[Any]] = {}
    for child in node.children:
        found.setdefault(_key(child.name), []).append(_value(child, friendly, arrays))
    for key, values in found.items():
        out[key] = values if arrays or len(values) > 1 else values[0]
    return out


def _key(name: str) -> str:
    return name.replace(":", "$")


def _parse(data: bytes) -> tuple[dict[str, str], _Node]:
    """(what the declaration says, the root element); NotConverted says in which way it is no XML."""
    room(len(data) * 4)
    head: dict[str, str] = {}
    top = _Node("", {})
    stack = [top]

    def declaration(version: str, encoding: str | None, standalone: int) -> None:
        head["version"] = version
        if encoding:
            head["encoding"] = encoding
        if standalone >= 0:
            head["standalone"] = "yes" if standalone else "no"

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > DEEPEST:
            raise NotConverted(f"It is nested deeper than {DEEPEST} levels.")
        nodes(1 + len(attributes))
        node = _Node(name, attributes)
        stack[-1].children.append(node)
        stack.append(node)

    def doctype(*_: object) -> None:
        raise NotConverted("It has a document type.")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.XmlDeclHandler = declaration
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = lambda text: stack[-1].text.append(text)
    try:
        parser.Parse(data.removeprefix(b"\xef\xbb\xbf"), True)
    except expat.ExpatError as error:
        raise NotConverted(
            f"It is not well-formed XML (line {error.lineno}, column {error.offset + 1})."
        ) from None
    except (LookupError, ValueError):
        raise NotConverted("It is in an encoding that is not known.") from None
    return head, top.children[0]
