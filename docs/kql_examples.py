"""The examples of KQL that stand beside the declarations (`*.kql` in `src/aforo`): read, and asked of the engine.

A file is KQL with comments. Its first comment is the page's title and what is said on top. `// # a, b` begins the
section of these names; a comment before a query says what it shows; a blank line ends the query. A comment that ends
with `Refused:` goes with a query that must fail.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from aforo.kql.compile import compile_query, parse
from aforo.kql.operators.sources import Print
from aforo.kql.syntax import Named
from aforo.logs.external_files import outside
from aforo.logs.external_rows import lay_down
from aforo.logs.question import FileOutside
from aforo.source import Source, render
from docs.kql_commands import Commands
from tests.support.kql_lab import DATABASE, NOW, lab

SOURCES = Path(__file__).resolve().parents[1] / "src" / "aforo"
KQL = SOURCES / "kql"
COMMANDS = SOURCES / "logs" / "kusto_commands.kql"
# What the workspace of the examples lets `externaldata` read, and what lies there.
LISTS = "https://example.net/lists/"
FILES = (
    FileOutside(f"{LISTS}teams.csv", b"name,team,since\nann,red,2024-01-01\nbob,blue,soon\n"),
    FileOutside(f"{LISTS}calls.json", b'{"who": "ann", "usage": {"total": 7}}\n{"who": "bob"}\n'),
)


@dataclass(frozen=True, slots=True)
class Example:
    """What is said before a query, and the query (empty: only said)."""

    said: str
    query: str

    @property
    def refused(self) -> bool:
        return self.said.endswith("Refused:")


@dataclass(slots=True)
class Section:
    """What is said and shown of some names."""

    names: tuple[str, ...]
    examples: list[Example] = field(default_factory=list)

    @property
    def said(self) -> str:
        return self.examples[0].said if self.examples else ""


@dataclass(slots=True)
class Page:
    """One file. `path` is below `kql/` in the reference and has no suffix."""

    path: str
    title: str
    intro: list[Example]
    sections: list[Section]


@dataclass(frozen=True, slots=True)
class Answer:
    """`columns` are (name, type), `asked` what each of them was asked with where that can be told. `message` is what is
    said of a query that fails, `remark` of one that runs."""

    columns: Sequence[tuple[str, str]] = ()
    rows: Sequence[Sequence[Any]] = ()
    message: str = ""
    asked: Sequence[str] = ()
    remark: str = ""


def read(text: str, path: str) -> Page:
    """One file of examples."""
    page = Page(path, "", [], [])
    into = page.intro
    for block in text.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if lines and lines[0].startswith("// # "):
            page.sections.append(Section(tuple(lines.pop(0).removeprefix("// # ").split(", "))))
            into = page.sections[-1].examples
        elif lines and not page.title:
            page.title = lines.pop(0).removeprefix("// ")
        if lines:
            said = [line.removeprefix("//").strip() for line in lines if line.startswith("//")]
            query = [line for line in lines if not line.startswith("//")]
            into.append(Example("\n".join(said), "\n".join(query)))
    return page


@cache
def pages() -> dict[str, Page]:
    """All files of examples, by the path of their page."""
    paths = {p.relative_to(KQL).with_suffix("").as_posix(): p for p in sorted(KQL.rglob("*.kql"))}
    return {name: read(p.read_text(), name) for name, p in {**paths, "commands": COMMANDS}.items()}


class Engine:
    """DuckDB with the tests' small workspace, asked at a moment that never changes; and its management commands."""

    def __init__(self) -> None:
        self._connection = lab()
        self._commands = Commands(DATABASE)
        self._database = replace(DATABASE, outside=outside([("lab", (LISTS,))]))

    def ask(self, text: str) -> Answer:
        """The answer. What fails when it is compiled, or when it runs, gives its message."""
        if text.startswith("."):
            return Answer(*self._commands.ask(text))
        source = Source("query", text)
        discovered: dict[str, list[tuple[Any, ...]]] = {}
        while True:
            result = compile_query(source, self._database, now=NOW, discovered=discovered)
            if result.discovery is None:
                break
            sql = result.discovery.compiled.sql
            discovered[result.discovery.key] = self._connection.execute(sql).fetchall()
        said = "\n".join(render(source, d) for d in result.diagnostics)
        if result.compiled is None:
            return Answer(message=said)
        columns = tuple((c.name, c.type.value) for c in result.compiled.columns)
        try:
            lay_down(self._connection, result.compiled.external, FILES, lambda: None)
            found = self._connection.execute(result.compiled.json_sql).fetchall()
        except duckdb.Error as error:
            if "aforo: " not in str(error):
                raise
            return Answer(message=str(error).partition("aforo: ")[2].splitlines()[0])
        finally:
            for data in result.compiled.external:
                self._connection.execute(f'DROP TABLE IF EXISTS "{data.key}"')
        rows = tuple(tuple(json.loads(row)) for (row,) in found)
        return Answer(columns, rows, asked=_printed(text, len(columns)), remark=said)


def _printed(text: str, count: int) -> Sequence[str]:
    """The expressions of a query that only prints them, one for each column; else nothing."""
    query, _ = parse(text)
    if not isinstance(query.body, Print) or len(query.body.items) != count:
        return ()
    items = (i.expression if isinstance(i, Named) else i for i in query.body.items)
    return [text[i.span.start : i.span.end] for i in items]


def asked(examples: Sequence[Example], engine: Engine) -> Iterator[tuple[Example, Answer | None]]:
    """Each example with its answer. An answer where a refusal is told of, or the other way round, is a mistake."""
    for example in examples:
        answer = engine.ask(example.query) if example.query else None
        if answer is not None and bool(answer.message) != example.refused:
            raise ValueError(f"{example.query}\n{answer.message or answer.rows}")
        yield example, answer
