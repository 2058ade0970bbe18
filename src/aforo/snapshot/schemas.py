"""The XML schemas of a bundle made ready before it is in force. JSON schemas are read when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from aforo.policy import diagnostics as say
from aforo.snapshot.snapshot import Bundle
from aforo.source import Diagnostic, Severity, Source, Span

_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"


def schema_problems(bundle: Bundle) -> Iterator[tuple[Source, Diagnostic]]:
    """What is wrong with them; those of the service are named `schemas/<id>`, an API's `apis/<id>/schemas/<id>`."""
    places = [("", bundle.deployment.schemas)]
    for api in bundle.apis:
        subject = api.subject
        revision = "" if subject.is_current_revision else f";rev={subject.revision}"
        places.append((f"apis/{subject.id}{revision}/", subject.schemas))
    for place, schemas in places:
        for schema in (s for s in schemas if s.kind == "xml"):
            # 20 MB that only those pay who have such schemas.
            from aforo.policy.validating import xml_schema

            source = Source(f"{place}schemas/{schema.id}", schema.text)
            try:
                xml_schema.compiled(schema.text)
            except xml_schema.BrokenSchema as broken:
                start = _offset(schema.text, broken.line, broken.column)
                span = Span(start, min(start + 1, len(schema.text)))
                problem = say.broken_schema(span, broken.message, broken.line, broken.column)
                if place and _WSDL in schema.text:
                    # It describes an API that may be served all the same.
                    problem = replace(problem, severity=Severity.WARNING)
                yield source, problem
            except xml_schema.NoLibrary as missing:
                yield source, say.no_xml_schemas(str(missing))


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return min(sum(len(each) + 1 for each in lines[: line - 1]) + column - 1, len(text))
