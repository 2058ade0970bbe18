"""XML schemas and bodies that mean harm, what is said of broken ones and where, and WSDL."""

from __future__ import annotations

import pytest
import regex

from aforo.policy.validating import xml_schema
from aforo.policy.validating.json_schema import NoSchema
from aforo.policy.validating.xml_reading import NotXml, look
from aforo.policy.validating.xml_schema import BrokenSchema, compile_schema, compiled

XS = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
ORDER = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o" xmlns="urn:o"
 elementFormDefault="qualified">
<xs:element name="order"><xs:complexType><xs:sequence>
 <xs:element name="sku" type="Sku" maxOccurs="unbounded"/>
</xs:sequence><xs:attribute name="id" type="xs:int" use="required"/></xs:complexType></xs:element>
<xs:simpleType name="Sku"><xs:annotation><xs:documentation>Any.</xs:documentation></xs:annotation>
 <xs:restriction base="xs:string"><xs:pattern value="([a-z]+)+"/></xs:restriction></xs:simpleType></xs:schema>"""


def order(inside: str, attributes: str = 'id="1"') -> bytes:
    return f'<order xmlns="urn:o" {attributes}>{inside}</order>'.encode()


def test_what_does_not_fit_is_told_with_its_path() -> None:
    schema = compile_schema(ORDER)
    assert schema.mistakes(order("<sku>a</sku>")) == []
    assert schema.mistakes(order("<sku>A</sku>", 'id="x"')) == [
        "attribute id='x': no whole number: 'x'. Path: /order.",
        "value doesn't match any pattern of ['([a-z]+)+']. Path: /order/sku.",
    ]
    assert len(schema.mistakes(order("<sku>a</sku>" + "<bad/>" * 50))) == 10


@pytest.mark.parametrize(
    ("text", "says", "line", "column"),
    [
        (f'{XS}\n<xs:element name="a"/>\n  <xs:element name="b" type="xs:in"/></xs:schema>', "unknown type 'xs:in'", 3, 3),
        (f"{XS}\n</xs:schem>", "it is not XML", 2, 3),
        ("", "it is not XML", 1, 1),
        ("/etc/passwd", "it is not XML", 1, 1),
        ("<a/>", "it is no XML schema", 1, 1),
        (f'{XS}\n<xs:import namespace="urn:x" schemaLocation="file:///etc/passwd"/></xs:schema>', "leads to another document", 2, 1),
        (f'{XS}<xs:include schemaLocation="http://127.0.0.1:9/a.xsd"/></xs:schema>', "leads to another document", 1, 56),
        (f'{XS}<xs:redefine schemaLocation="a.xsd"/></xs:schema>', "leads to another document", 1, 56),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "it has a document type", 1, 13),
        (f'<!DOCTYPE a SYSTEM "file:///etc/passwd">{XS}</xs:schema>', "it has a document type", 1, 40),
        (f'{XS}<xs:group name="g"><xs:sequence><xs:group ref="g"/></xs:sequence></xs:group></xs:schema>', "Circular", 1, 56),
        (XS + "<xs:annotation>" * 300, "deep in each other", 1, 3041),
        (f'{XS}<xs:element name="r"><xs:complexType><xs:choice>' + '<xs:element name="e"/>' * 501 + "</xs:choice></xs:complexType></xs:element></xs:schema>", "beside each other", 1, 93),
        (XS + "<xs:annotation/>" * 10_001, "more than 10000 elements", 1, 160040),
        (f'{XS}<xs:element name="a"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="(a"/></xs:restriction></xs:simpleType></xs:element></xs:schema>', "unterminated", 1, 125),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_schema_and_where(text: str, says: str, line: int, column: int) -> None:
    with pytest.raises(BrokenSchema, match=says) as broken:
        compile_schema(text)
    assert (broken.value.line, broken.value.column) == (line, column)
    with pytest.raises(BrokenSchema, match=says):
        compiled(text)


def test_a_schema_is_compiled_once() -> None:
    assert compiled(ORDER) is compiled(ORDER)


def test_hints_of_a_body_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *a, **k: opened.append(a))
    instance = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    hint = f'{instance} xsi:schemaLocation="urn:o http://127.0.0.1:9/a.xsd urn:p file:///etc/passwd" id="1"'
    assert compile_schema(ORDER).mistakes(order("<sku>a</sku>", hint)) == []
    assert opened == []


def test_patterns_run_against_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = compile_schema(ORDER)
    assert schema.mistakes(order(f"<sku>{'a' * 40}!</sku>")) != []

    monkeypatch.setattr(xml_schema._Pattern, "match", lambda *_: _too_slow())
    with pytest.raises(NoSchema, match="too long"):
        schema.mistakes(order("<sku>a</sku>"))


def _too_slow() -> None:
    raise xml_schema._TooSlow


def test_a_pattern_that_is_stopped_ends_the_look() -> None:
    found = xml_schema._Pattern("(?:a|aa|a?)+b$")

    class Stopped:
        def match(self, text: str, timeout: float) -> None:
            assert timeout == xml_schema.TIME_S
            regex.compile("a").match(text, timeout=timeout)
            raise TimeoutError

    found._compiled = Stopped()
    with pytest.raises(xml_schema._TooSlow):
        found.match("a")


def test_the_whole_runs_against_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = compile_schema(ORDER)
    monkeypatch.setattr(xml_schema, "TIME_S", -1.0)
    with pytest.raises(NoSchema, match="too long"):
        schema.mistakes(order("<sku>a</sku>"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<a>" * 300, "more than 200 deep"),
        (b"<a>" + b"<b/>" * 50_001, "more than 50000 elements"),
        (b"<a " + b" ".join(b"x%d='1'" % n for n in range(501)) + b"/>", "more than 500 attributes"),
        (b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 1000 + b'">]><a/>', "document type"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "not XML"),
        (b"\xff\xfe", "not XML"),
        (b"", "not XML"),
    ],
)
def test_bodies_that_nobody_builds_a_tree_of(data: bytes, says: str) -> None:
    with pytest.raises(NotXml, match=says):
        look(data)


def test_encodings_are_the_body_s_own() -> None:
    schema = compile_schema(f'{XS}<xs:element name="a" type="xs:string"/></xs:schema>')
    for encoding in ("utf-8", "utf-16", "utf-8-sig"):
        assert schema.mistakes("<a>ä</a>".encode(encoding)) == []


def test_the_schemas_of_a_wsdl_document() -> None:
    wsdl = (
        '<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        f'xmlns:p="urn:p"><w:types>{ORDER}<xs:schema targetNamespace="urn:p"><xs:import namespace="urn:o"/>'
        '<xs:element name="all" type="p:T"/><xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>'
        '</xs:schema></w:types><w:message name="m"/></w:definitions>'
    )
    schema = compile_schema(wsdl)
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
    )
    for inside, count in (
        ('<order xmlns="urn:o" id="1"><sku>a</sku></order>', 0),
        ('<order xmlns="urn:o"/>', 2),
        ('<p:all xmlns:p="urn:p">1</p:all>', 0),
        ('<p:all xmlns:p="urn:p">x</p:all>', 1),
        ("<s:Fault/>", 0),
        ("<other/>", 1),
        ("", 1),
    ):
        assert len(schema.mistakes(envelope.format(inside).encode(), soap=True)) == count, inside
