"""Kusto's management commands as the reference shows them: the product's own answers, over a workspace in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from aforo.identity.access import Principal
from aforo.kql.symbols import Database
from aforo.logs.kusto_changes import Columns, change
from aforo.logs.kusto_commands import command_of
from aforo.logs.kusto_shows import Shows
from aforo.logs.question import SCHEMA_COLUMNS, Outcome, QueryAnswer, QueryRequest
from aforo.logs.reader import Caller, Contents, Reader, SavedFunction, Workspace

_LAW = Workspace("11111111-1111-1111-1111-111111111111", "law", "/subscriptions/s/law")
_ANN = Caller(Principal("22222222-2222-2222-2222-222222222222", "azure-cli", "ann"))


@dataclass
class Commands:
    """Keeps what commands declare, and answers for the query processes what the tables are."""

    database: Database
    root: Path = Path("nowhere")
    tables: dict[str, dict[str, str]] = field(init=False)
    functions: dict[str, SavedFunction] = field(default_factory=dict)
    mappings: dict[str, dict[str, tuple[str, Sequence[Mapping[str, Any]]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = {
            t.name: {c.name: c.type.value for c in t.columns} for t in self.database.tables.values()
        }
        self._shows = Shows(
            Reader(
                self,
                _nobody,
                lambda *_: True,
                lambda _: _LAW,
                lambda *_: None,
                tables=tuple(self.tables),
                contents=lambda _: Contents({}, tuple(self.functions.values()), self.mappings),
            ),
            lambda: [_LAW],
        )

    def ask(self, text: str) -> tuple[Sequence[tuple[str, str]], Sequence[Sequence[Any]]]:
        """Columns and rows of a command. Of one that goes on with a query only the first part is answered."""
        command = command_of(text)
        if command.show:
            return asyncio.run(self._shows.listing(_ANN, _LAW, command))
        return asyncio.run(change(self, _ANN, _LAW, command))

    async def query(self, request: QueryRequest) -> QueryAnswer:
        assert request.describe
        rows = [
            [table, "", True, column, kind, ""]
            for table, columns in self.tables.items()
            for column, kind in columns.items()
        ]
        text = orjson.dumps(rows)[1:-1]
        return QueryAnswer(outcome=Outcome.OK, columns=SCHEMA_COLUMNS, row_count=len(rows), rows=text)

    async def table(
        self, _caller: Caller, _workspace: Workspace, name: str, columns: Columns, _doc: str, _verb: str
    ) -> Columns:
        kept = self.tables.setdefault(name, {})
        kept |= {n: kind for n, kind in columns if n not in kept}
        return tuple(kept.items())

    async def drop_table(self, _caller: Caller, _w: Workspace, name: str, *, must_exist: bool) -> None:
        assert name in self.tables or not must_exist
        self.tables.pop(name, None)

    async def function(
        self, _caller: Caller, _w: Workspace, function: SavedFunction, _verb: str, *, if_new: bool
    ) -> None:
        if not (if_new and function.name in self.functions):
            self.functions[function.name] = function

    async def drop_function(self, _caller: Caller, _w: Workspace, name: str, *, must_exist: bool) -> None:
        assert name in self.functions or not must_exist
        self.functions.pop(name, None)

    async def mapping(
        self,
        _caller: Caller,
        _workspace: Workspace,
        table: str,
        name: str,
        mapping: Mapping[str, Any] | None,
        _verb: str,
    ) -> None:
        kept = self.mappings.setdefault(table, {})
        if mapping is None:
            kept.pop(name)
        else:
            kept[name] = (mapping["kind"], mapping["columns"])


async def _nobody(_request: object) -> Principal:
    raise NotImplementedError
