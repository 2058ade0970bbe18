"""XML schemas (XSD 1.0, with the library xmlschema) over bodies. It knows no policy.

What validates and what is validated are hostile: nothing is fetched, document types are refused, sizes are bounded,
patterns run against the clock, and so does the whole.
"""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from time import perf_counter
from typing import Any, Final

import regex

from aforo.policy.validating.json_schema import MOST_ERRORS, TIME_S, NoSchema
from aforo.policy.validating.xml_reading import NotXml, look

# Building takes a millisecond for each element, and grows with the square of those beside each other.
MOST_ELEMENTS: Final = 10_000
MOST_BESIDE: Final = 500
_SHOWN: Final = 200
_XSD: Final = "http://www.w3.org/2001/XMLSchema"
_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/ definitions"
_ELSEWHERE: Final = frozenset(f"{_XSD} {name}" for name in ("include", "import", "redefine", "override"))
_GROUPS: Final = frozenset(f"{{{_XSD}}}{name}" for name in ("sequence", "choice", "all"))
_PYTHONS: Final = "invalid literal for int() with base 10: "
_OWN: Final = "aforo-xsd"
SOAP: Final = ("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/")


class BrokenSchema(Exception):  # noqa: N818 - told to whoever saves it
    """What is wrong with a schema, and where: `line` from 1, `column` from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


class NoLibrary(NoSchema):
    """The extra is not installed."""


class _TooSlow(Exception):  # noqa: N818 - raised through the library
    pass


class _Pattern:
    """A pattern facet whose matching can be stopped: those of the library cannot."""

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._compiled = regex.compile(pattern)

    def match(self, text: str) -> Any:
        try:
            return self._compiled.match(text, timeout=TIME_S)
        except TimeoutError as error:
            raise _TooSlow from error


@lru_cache(maxsize=1)
def _library() -> Any:
    try:
        import xmlschema
        from xmlschema.validators.facets import XsdPatternFacets
    except ImportError as error:
        raise NoLibrary("validating XML by schemas needs the extra: pip install 'aforo[xsd]'") from error
    parse = XsdPatternFacets._parse_value

    def timed(self: Any, elem: Any) -> Any:
        made = parse(self, elem)
        try:
            return _Pattern(made.pattern)
        except regex.error as error:
            self.parse_error(str(error), elem)
            return made

    # The library compiles patterns for an engine that nothing stops, and has no place to say otherwise.
    XsdPatternFacets._parse_value = timed  # type: ignore[method-assign]
    return xmlschema


class CompiledSchema:
    """A schema ready to validate by."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema

    def mistakes(self, data: bytes, *, soap: bool = False) -> list[str]:
        """What does not fit, the first ten of it. The body is known to be XML without a document type (`look`), and for
        `soap` to be an envelope: what is in its Body is validated then, but for faults. NoSchema when it takes too long."""
        library = _library()
        began = perf_counter()

        def hook(_element: Any, _declared: Any) -> bool:
            if perf_counter() - began > TIME_S:
                raise _TooSlow
            return False

        try:
            resource = library.XMLResource(io.BytesIO(data), allow="none", defuse="always")
            names = resource.get_namespaces()
            elements = [resource.root] if not soap else _in_body(resource.root)
            if elements is None:
                return ["The envelope has no body, or nothing in it."]
            out: list[str] = []
            for element in elements:
                for error in self._schema.iter_errors(element, namespaces=names, validation_hook=hook):
                    hook(None, None)
                    out.append(_told(error))
                    if len(out) >= MOST_ERRORS:
                        return out
            return out
        except _TooSlow as error:
            raise NoSchema("validating took too long") from error
        except (RecursionError, library.XMLSchemaException) as error:
            raise NoSchema(f"the body cannot be validated ({type(error).__name__})") from error


def _in_body(envelope: Any) -> list[Any] | None:
    """What a schema has to say of: a fault belongs to the envelope."""
    space = envelope.tag.partition("}")[0] + "}"
    body = envelope.find(f"{space}Body")
    if body is None or not len(body):
        return None
    return [each for each in body if each.tag != f"{space}Fault"]


def _told(error: Any) -> str:
    reason = " ".join(str(error.reason or error.message).split())
    reason = reason.replace(_PYTHONS, "no whole number: ")
    # The path names elements of the body, which may be long.
    path = str(error.path or "/")
    return f"{reason[:_SHOWN].rstrip('.')}. Path: {path[:_SHOWN]}."


def compile_schema(text: str) -> CompiledSchema:
    """A schema, or what a WSDL document holds of them. BrokenSchema says what is wrong with it; NoLibrary."""
    roots: list[int] = []
    counted = 0

    def each(name: str, attributes: dict[str, str]) -> None:
        nonlocal counted
        if name in _ELSEWHERE and attributes.get("schemaLocation") and not _is_known(attributes):
            where = attributes["schemaLocation"][:_SHOWN]
            raise ValueError(f"{where!r} leads to another document; put what it means into this one")
        if name == f"{_XSD} schema":
            roots.append(counted)
        counted += 1

    try:
        looked = look(text, each, most_elements=MOST_ELEMENTS)
    except NotXml as error:
        raise BrokenSchema(str(error), error.line, error.column + 1) from error
    wsdl = looked.root == _WSDL
    if not roots or (roots != [0] and not wsdl):
        raise BrokenSchema(
            "it is no XML schema: its root is to be 'schema' of http://www.w3.org/2001/XMLSchema"
        )
    return _built(text, looked.places, wsdl=wsdl)


def _is_known(attributes: dict[str, str]) -> bool:
    """Namespaces that the library has itself: the location is no matter."""
    return attributes.get("namespace") in (
        "http://www.w3.org/XML/1998/namespace",
        "http://www.w3.org/2001/XMLSchema-instance",
    )


def _built(text: str, places: list[tuple[int, int]], *, wsdl: bool) -> CompiledSchema:
    library = _library()
    order: dict[int, int] = {}
    try:
        resource = library.XMLResource(io.StringIO(text), allow="none", defuse="always")
        elements = (e for e in resource.root.iter() if isinstance(e.tag, str))
        order.update((id(element), at) for at, element in enumerate(elements))
        _not_too_many(resource.root, order, places)
        source: Any = resource
        if wsdl:
            source = [
                library.XMLResource(_apart(element, resource), allow="none", defuse="always")
                for element in resource.root.iter(f"{{{_XSD}}}schema")
            ]
            source = source[0] if len(source) == 1 else source
        with warnings.catch_warnings():
            # An import without a location of a namespace that is in the same document.
            warnings.simplefilter("ignore")
            schema = library.XMLSchema10(source, allow="none", defuse="always", validation="lax")
        errors = schema.all_errors
    except _TooSlow as error:
        raise BrokenSchema("a pattern takes too long on a value that the schema itself names") from error
    except RecursionError as error:
        raise BrokenSchema("its definitions are nested too deep") from error
    except (library.XMLSchemaException, ValueError, TypeError, KeyError) as error:
        message = " ".join(str(getattr(error, "message", "") or error).split())
        raise BrokenSchema(message[:_SHOWN], *_place(getattr(error, "elem", None), order, places)) from error
    if errors:
        first = errors[0]
        message = " ".join(str(first.message).split())
        raise BrokenSchema(message[:_SHOWN], *_place(first.elem, order, places))
    return CompiledSchema(schema)


def _apart(schema: Any, resource: Any) -> io.BytesIO:
    """A schema inside of a WSDL document as a document of its own, with the prefixes that its names are written with."""
    from xml.etree import ElementTree

    inside = f"{{{_XSD}}}"
    for element in schema.iter():
        for note in element.findall(f"{inside}annotation"):
            element.remove(note)
        for name in [n for n in element.attrib if n.startswith("{")]:
            del element.attrib[name]  # of other vocabularies: they constrain nothing
        element.tag = f"{_OWN}:{element.tag.removeprefix(inside)}"
    for prefix, space in (resource.get_nsmap(schema) or {}).items():
        schema.attrib.setdefault(f"xmlns:{prefix}" if prefix else "xmlns", space)
    schema.attrib[f"xmlns:{_OWN}"] = _XSD
    return io.BytesIO(ElementTree.tostring(schema))


def _not_too_many(root: Any, order: dict[int, int], places: list[tuple[int, int]]) -> None:
    for element in root.iter():
        if element.tag in _GROUPS and len(element) > MOST_BESIDE:
            what = f"more than {MOST_BESIDE} elements stand beside each other"
            raise BrokenSchema(what, *_place(element, order, places))


def _place(element: Any, order: dict[int, int], places: list[tuple[int, int]]) -> tuple[int, int]:
    at = order.get(id(element), 0)
    line, column = places[at] if at < len(places) else (1, 0)
    return line, column + 1


_known: dict[str, CompiledSchema | BrokenSchema] = {}
_MOST_KNOWN: Final = 128


def compiled(text: str) -> CompiledSchema:
    """The same, remembered: gateways compile the schemas of a configuration before it is in force."""
    found = _known.get(text)
    if found is None:
        try:
            found = compile_schema(text)
        except BrokenSchema as broken:
            found = broken
        if len(_known) >= _MOST_KNOWN:
            del _known[next(iter(_known))]
        _known[text] = found
    if isinstance(found, BrokenSchema):
        raise found
    return found
