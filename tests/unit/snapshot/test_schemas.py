"""XML schemas of a bundle: which are broken, where, and that a gateway goes on without them."""

from __future__ import annotations

import sys

import msgspec
import pytest

from aforo.policy.subject import Schema
from aforo.policy.validating import xml_schema
from aforo.snapshot.build import Builder
from aforo.snapshot.schemas import schema_problems
from aforo.snapshot.snapshot import ApiEntry, Bundle, LogPlan
from tests.support.snapshots import DEPLOYMENT, api_subject

XS = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">\n'
BROKEN = f'{XS}  <xs:element name="a" type="gone"/></xs:schema>'
GOOD = f'{XS}  <xs:element name="a" type="xs:int"/></xs:schema>'
WSDL = '<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/"/>'


def bundle(of_service: tuple[Schema, ...], of_api: tuple[Schema, ...] = ()) -> Bundle:
    deployment = msgspec.structs.replace(DEPLOYMENT, schemas=of_service)
    api = msgspec.structs.replace(api_subject(path="a"), schemas=of_api)
    entry = ApiEntry(api, (), None, False, False, LogPlan())
    return Bundle(1, deployment, "/s", {}, (entry,), (), (), (), (), (), (), None)


def told(made: Bundle) -> list[tuple[str, str, bool, str]]:
    return [
        (source.name, d.code, d.is_error, source.text[d.span.start : d.span.end])
        for source, d in schema_problems(made)
    ]


def test_broken_schemas_are_told_with_their_place() -> None:
    made = bundle(
        (Schema("json", "json", "{"), Schema("bad", "xml", BROKEN), Schema("good", "xml", GOOD)),
        (Schema("mine", "xml", BROKEN), Schema("wsdl", "xml", WSDL)),
    )
    api = made.apis[0].subject.id
    assert told(made) == [
        ("schemas/bad", "POL0540", True, "<"),
        (f"apis/{api}/schemas/mine", "POL0540", True, "<"),
        (f"apis/{api}/schemas/wsdl", "POL0540", False, "<"),
    ]
    (first, *_) = schema_problems(made)
    assert first[0].position(first[1].span.start) == (2, 3)
    built = Builder(lambda sealed: sealed).build(made)
    assert built.runtime is not None
    assert len(built.problems) == 3


def test_without_the_extra_they_are_kept_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    xml_schema._library.cache_clear()
    monkeypatch.setitem(sys.modules, "xmlschema", None)
    monkeypatch.setattr(xml_schema, "_known", {})
    try:
        assert told(bundle((Schema("good", "xml", GOOD),))) == [("schemas/good", "POL0541", False, "")]
    finally:
        monkeypatch.undo()
        xml_schema._library.cache_clear()
