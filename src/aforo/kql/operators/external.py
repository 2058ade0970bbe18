"""externaldata: rows of files outside, where whoever owns the place that is asked allows it.

The rows come as texts; they become values by Kusto's own conversions, and what does not convert is null.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import cast
from aforo.kql.external import FORMATS, UNREAD, ExternalData, ExternalFile, form_of
from aforo.kql.masking import shown
from aforo.kql.operators.spec import Declared
from aforo.kql.parser import Parser
from aforo.kql.plan import Project, Scan
from aforo.kql.scope import Row, Scope
from aforo.kql.symbols import ColumnSymbol, TableSymbol
from aforo.kql.types import DYNAMIC, STRING, KqlType
from aforo.source import Span

_PROPERTIES = {
    "format": "format",
    "ignorefirstrecord": "ignoreFirstRecord",
    "ingestionmapping": "ingestionMapping",
}
# As many files as one query names, in all.
MOST_FILES = 100


@dataclass(frozen=True, slots=True)
class ExternalTable(s.Operator):
    schema: tuple[s.ColumnDeclaration, ...]
    urls: tuple[s.Syntax, ...]
    properties: tuple[tuple[str, Span, s.Syntax], ...]
    span: Span


def parse(p: Parser, start: Span) -> ExternalTable:
    schema = p.schema()
    urls: list[s.Syntax] = []
    p.expect_mark("[")
    while not p.peek_mark("]") and not p.at_end():
        urls.append(p.expression())
        if not p.take_mark(","):
            break
    p.expect_mark("]")
    properties = tuple(_properties(p)) if p.take_name("with") else ()
    return ExternalTable(schema, tuple(urls), properties, start.to(p.last))


def _properties(p: Parser) -> Iterator[tuple[str, Span, s.Syntax]]:
    p.expect_mark("(")
    while not p.peek_mark(")") and not p.at_end():
        name = p.name("a property")
        place = p.last
        p.expect_mark("=")
        yield name, place, p.expression()
        if not p.take_mark(","):
            break
    p.expect_mark(")")


def bind(b: Binder, _relation: Relation, tree: ExternalTable, scope: Scope) -> Relation:
    names = [c.name for c in tree.schema]
    if twice := next((n for i, n in enumerate(names) if n in names[:i]), None):
        b.report(say.duplicate_column(twice, tree.span))
    columns = tuple((c.name, c.type is DYNAMIC) for c in tree.schema)
    form, skip_first, mapping = _how(b, tree)
    files = tuple(_files(b, tree, form, scope))
    data = ExternalData("", columns, files, skip_first, mapping)
    # The same files, read in the same way, are one table, however often a `let` names them.
    key = next((k.key for k in b.external if _same(k, data)), f"external {len(b.external) + 1}")
    if not any(k.key == key for k in b.external):
        b.external.append(ExternalData(key, columns, files, skip_first, mapping))
        if sum(len(k.files) for k in b.external) > MOST_FILES:
            b.report(say.bad_argument(f"a query reads at most {MOST_FILES} files from outside", tree.span))
    made = tuple(b.column(name, STRING) for name in names)
    texts = Scan(TableSymbol(key, tuple(ColumnSymbol(n, STRING) for n in names)), made)
    return Project(
        texts,
        tuple((b.column(d.name, d.type), _value(c, d.type)) for c, d in zip(made, tree.schema, strict=True)),
    )


def _same(one: ExternalData, other: ExternalData) -> bool:
    return (one.columns, one.files, one.skip_first, one.mapping) == (
        other.columns,
        other.files,
        other.skip_first,
        other.mapping,
    )


def _value(text: Column, type_: KqlType) -> Expression:
    if type_ is DYNAMIC:
        return Apply("parse_json", (Reference(text),), DYNAMIC)
    # A new name for the column also where nothing is converted.
    return Apply("same", (Reference(text),), STRING) if type_ is STRING else cast(Reference(text), type_)


def _how(b: Binder, tree: ExternalTable) -> tuple[str, bool, str]:
    """(format or "", whether the first record of each file is left out, ingestion mapping)."""
    form, skip_first, mapping = "", False, ""
    for given, place, value in tree.properties:
        name = _PROPERTIES.get(given.lower())
        # A bare word is taken for its text: `format=csv`.
        bound = Constant(value.text, STRING) if isinstance(value, s.Name) else b.scalar(value, Row())
        told = bound.value if isinstance(bound, Constant) else None
        if name is None:
            b.report(say.unsupported(f"the property '{given}' of externaldata", place,
                                     f"these are: {', '.join(_PROPERTIES.values())}"))  # fmt: skip
        elif not isinstance(bound, Constant):
            b.report(say.must_be_constant(f"the property '{given}'", value.span))
        elif name == "ignoreFirstRecord":
            if str(told).lower() not in ("true", "false"):
                b.report(say.wrong_type("ignoreFirstRecord", "true or false", str(told)[:40], value.span))
            skip_first = str(told).lower() == "true"
        elif not isinstance(told, str):
            b.report(say.wrong_type(f"'{name}'", "string", bound.type.value, value.span))
        elif name == "format":
            form = told.lower()
            _check_form(b, form, value.span)
        else:
            mapping = told
    return form, skip_first, mapping


def _check_form(b: Binder, form: str, span: Span) -> None:
    if form in UNREAD:
        b.report(say.unsupported(f"the format '{form}'", span, f"these are: {', '.join(FORMATS)}"))
    elif form not in FORMATS:
        b.report(
            say.bad_argument(f"there is no format '{form[:40]}'", span, f"these are: {', '.join(FORMATS)}")
        )


def _files(b: Binder, tree: ExternalTable, form: str, scope: Scope) -> Iterator[ExternalFile]:
    if not tree.urls:
        b.report(say.bad_argument("externaldata names at least one file", tree.span))
    for address in tree.urls:
        url = b.scalar(address, Row(scope=scope))
        if not isinstance(url, Constant) or not isinstance(url.value, str):
            b.report(say.must_be_constant("the address of a file", address.span))
            continue
        if reason := b.database.outside(url.value):
            b.report(say.refused(f"externaldata of {shown(url.value)!r}", reason, address.span))
        told = form_of(url.value)
        if not form or told == "zip":
            _check_form(b, told, address.span)
        yield ExternalFile(url.value, form or told)


OPERATORS = (
    Declared(
        ("externaldata", "external_data"),
        ExternalTable,
        parse,
        bind,
        "Rows of files outside, where the administrator of the workspace allows it.",
        pipes=False,
        starts=True,
    ),
)
