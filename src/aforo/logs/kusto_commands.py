"""Kusto's management commands, read: which command a text is, and with which names. It knows no database.

A `.show` may go on with a query over its rows (`.show tables | count`); other commands may not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aforo.errors import Invalid
from aforo.kql.types import TYPE_NAMES
from aforo.logs.mappings import mapping_columns

_NAME = r"(?:\[\s*(?:'(?P<{0}1>[^']+)'|\"(?P<{0}2>[^\"]+)\")\s*\]|'(?P<{0}3>[^']+)'|\"(?P<{0}4>[^\"]+)\"|(?P<{0}>[\w.-]+))"
_DB = _NAME.format("db")
_TABLE = _NAME.format("table")
_WITH = r"(?:with\s*\((?P<with>[^)]*)\)\s*)?"

_SHOWS: tuple[tuple[str, str], ...] = (
    (rf"databases?\s+\(\s*{_DB}\s*\)\s+schema\s+as\s+json", "schema_json"),
    (r"databases\s+schema\s+as\s+json", "all_schemas_json"),
    (rf"databases\s+\(\s*{_DB}\s*\)\s+schema", "schema_table"),
    (r"databases\s+schema", "all_schemas_table"),
    (r"databases\s+(?:details|identity)", "databases_details"),
    (r"databases", "databases"),
    (rf"(?:database\s+(?:{_DB}\s+)?)?schema\s+as\s+json", "schema_json"),
    (
        rf"(?:database\s+(?:{_DB}\s+)?)?schema\s+as\s+csl(?:\s+script)?(?:\s+with\s*\([^)]*\))?",
        "schema_script",
    ),
    (rf"database\s+(?:{_DB}\s+)?schema(?:\s+details)?", "schema_table"),
    (r"schema", "schema_table"),
    (rf"database\s+(?:{_DB}\s+)?principals", "principals"),
    (rf"database(?:\s+{_DB})?(?:\s+(?:details|identity))?", "database"),
    (r"tables\s+details", "tables_details"),
    (r"tables(?:\s*\((?P<names>[^)]*)\))?(?:\s+details)?", "tables"),
    (rf"table\s+{_TABLE}\s+schema\s+as\s+json", "table_json"),
    (rf"table\s+{_TABLE}\s+cslschema", "table_script"),
    (rf"table\s+{_TABLE}\s+(?:ingestion\s+(?:(?:json|csv)\s+)?mappings?)", "mappings"),
    (rf"table\s+{_TABLE}\s+principals", "principals"),
    (rf"table\s+{_TABLE}\s+details", "tables_details"),
    (rf"table\s+{_TABLE}(?:\s+schema)?", "table_columns"),
    (r"functions", "functions"),
    (rf"function\s+{_NAME.format('function')}", "functions"),
    (r"principal\s+(?:access|roles).*", "principal_roles"),
    (r"version", "version"),
    (r"cluster(?:\s+details)?", "cluster"),
    (r"external\s+tables", "external_tables"),
    (r"materialized-views", "materialized_views"),
    (r"entity_groups", "entity_groups"),
)
_CHANGES: tuple[tuple[str, str], ...] = (
    (
        rf"\.(?P<verb>create-merge|create|alter-merge)\s+table\s+{_TABLE}\s*\((?P<columns>.*?)\)\s*{_WITH}",
        "table",
    ),
    (rf"\.drop\s+table\s+{_TABLE}(?P<ifexists>\s+ifexists)?", "drop_table"),
    (
        rf"\.(?P<verb>create-or-alter|create|alter)\s+function\s+(?P<ifnotexists>ifnotexists\s+)?{_WITH}"
        rf"{_NAME.format('function')}\s*\((?P<parameters>.*?)\)\s*\{{(?P<body>.*)\}}",
        "function",
    ),
    (rf"\.drop\s+function\s+{_NAME.format('function')}(?P<ifexists>\s+ifexists)?", "drop_function"),
    (
        rf"\.(?P<verb>create-or-alter|create|alter)\s+table\s+{_TABLE}\s+ingestion\s+(?P<kind>json|csv)\s+mapping\s+"
        rf"{_NAME.format('mapping')}\s*(?P<content>(?:```.*```|h?@?'.*'|h?@?\".*\"|\s)+)",
        "mapping",
    ),
    (
        rf"\.drop\s+table\s+{_TABLE}\s+ingestion\s+(?P<kind>json|csv)\s+mapping\s+{_NAME.format('mapping')}",
        "drop_mapping",
    ),
)
KNOWN = (
    ".show databases [schema [as json]], .show database [D] [schema [as json|as csl script]|principals], .show tables "
    "[details], .show table T [schema as json|cslschema|details|ingestion mappings], .show functions, .show function F, "
    ".show principal access, .show version, .show cluster, .create[-merge] table, .alter-merge table, .drop table, "
    ".create[-or-alter] function, .drop function, .create[-or-alter] table T ingestion json|csv mapping"
)
_FLAGS = re.IGNORECASE | re.DOTALL
_COMPILED = tuple((re.compile(rf"\.show\s+{p}", _FLAGS), name) for p, name in _SHOWS)
_COMPILED_CHANGES = tuple((re.compile(p, _FLAGS), name) for p, name in _CHANGES)
_COLUMN = re.compile(r"\s*(?:\[\s*['\"]([^'\"]+)['\"]\s*\]|'([^']+)'|\"([^\"]+)\"|(\w+))\s*:\s*(\w+)\s*$")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `rest` is the query behind a `.show`, from its pipe on."""

    name: str
    show: bool
    found: dict[str, str] = field(default_factory=dict)
    rest: str = ""


def command_of(text: str) -> Command:
    """The command that a text is; `Invalid` names what there is."""
    text = _without_comments(text).strip().rstrip(";").strip()
    if re.match(r"\.show\b", text, re.IGNORECASE):
        head, pipe, rest = text.partition("|")
        for pattern, name in _COMPILED:
            if (match := pattern.fullmatch(head.strip())) is not None:
                return Command(name, True, _found(match), pipe + rest)
    else:
        for pattern, name in _COMPILED_CHANGES:
            if (match := pattern.fullmatch(text)) is not None:
                return Command(name, False, _found(match))
    shown = text.splitlines()[0][:80] if text else ""
    raise Invalid(f"The command {shown!r} is not supported; supported are {KNOWN}.", code="UnknownCommand")


def columns_of(text: str) -> tuple[tuple[str, str], ...]:
    """`a:long, ['b c']:string` as (name, type)."""
    out = []
    for part in text.split(","):
        match = _COLUMN.match(part)
        if match is None:
            raise Invalid(f"{part.strip()!r} is no column: write name:type.", code="BadColumn")
        name = next(g for g in match.groups()[:4] if g)
        kind = TYPE_NAMES.get(match[5].lower())
        if kind is None:
            raise Invalid(f"{match[5]!r} is no type; types are {', '.join(TYPE_NAMES)}.", code="BadColumn")
        out.append((name, kind.value))
    return tuple(out)


def options_of(text: str | None) -> dict[str, str]:
    """`with (docstring='x', folder="y")`."""
    return {
        m[1].lower(): m[2] if m[2] is not None else m[3] if m[3] is not None else m[4]
        for m in re.finditer(r"(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\s)]+))", text or "")
    }


def mapping_of(text: str, kind: str) -> list[dict[str, Any]]:
    """The columns of an ingestion mapping, as the resource of its table keeps them."""
    text = text.strip()
    if text.startswith("```"):
        text = text.strip("`")
    else:
        # A long mapping is written as several literals, one behind the other.
        text = "".join(
            a or b for a, b in re.findall(r"h?@?(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")", text)
        )
        text = text.replace('\\"', '"').replace("\\'", "'")
    return mapping_columns(text, kind)


def names_of(text: str | None) -> Sequence[str]:
    """`(A, ['B'])` as names."""
    return [p.strip().strip("[]'\" ") for p in (text or "").split(",") if p.strip()]


def _found(match: re.Match[str]) -> dict[str, str]:
    """What was named, whichever way it was quoted."""
    out: dict[str, str] = {}
    for name, value in match.groupdict().items():
        if value is not None:
            out.setdefault(name.rstrip("1234"), value)
    return out


def _without_comments(text: str) -> str:
    lines = text.splitlines()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("//")):
        lines.pop(0)
    return "\n".join(lines)
