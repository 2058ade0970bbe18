"""One question, answered: compile it, open a version of the tables it names, run it, write its rows as JSON.

It knows no process and no pipe; the same code answers inside a query process and for the command line.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import duckdb
import orjson

from aforo.kql.compile import Compiled, CompileResult, compile_query
from aforo.kql.masking import masked
from aforo.kql.sql.duckdb.prepare import define, define_macros, settle
from aforo.kql.symbols import Database, TableSymbol
from aforo.kql.ticks import MAX_DATETIME, TICKS_PER_US, UNIX_EPOCH
from aforo.logs.content import without_content
from aforo.logs.external_files import outside
from aforo.logs.external_rows import lay_down, missing
from aforo.logs.failures import failed
from aforo.logs.flags import FlagBook
from aforo.logs.given import exact_rows, source_sql, source_symbol
from aforo.logs.metadata import AskedTable, asked_table, merged, schema_rows
from aforo.logs.question import (
    SCHEMA_COLUMNS,
    Mistake,
    Outcome,
    QueryAnswer,
    QueryRequest,
    ResultColumn,
    SourceRows,
    Statistics,
)
from aforo.logs.sandbox import name, open_sandbox, seal
from aforo.logs.versions import StoredFile, TableVersion, TableVersions
from aforo.logs.watchdog import Watchdog
from aforo.source import Diagnostic, Source
from aforo.tables.catalog import TABLES
from aforo.tables.custom import custom_table
from aforo.tables.schema import Table

_FIRST_ROWS = 100
_ROWS_AT_ONCE = 10_000
_BYTES_AT_ONCE = 4_000_000
_LONGEST_TOKEN = 80
_MOST_ASKED = 1_000
# Columns that the data tells: what is more than this nobody can look at.
_MOST_DISCOVERED = 10_000

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class _Tables:
    """The tables of one question at this moment, in all its workspaces. Only `opened` ones have their versions."""

    seen: Mapping[str, AskedTable]
    versions: Mapping[str, tuple[TableVersion, ...]]
    opened: frozenset[str]


class Evaluator:
    """Answers questions one after the other over the tables of `versions`.

    `memory_bytes` and `threads` are DuckDB's. `cancel` may be called from another thread.
    """

    def __init__(
        self,
        versions: TableVersions,
        *,
        memory_bytes: int,
        threads: int,
        declared: Mapping[str, Table] = TABLES,
    ) -> None:
        self._versions = versions
        self._memory_bytes = memory_bytes
        self._threads = threads
        self._declared = declared
        self._spare: duckdb.DuckDBPyConnection | None = None
        self._retired: duckdb.DuckDBPyConnection | None = None
        # The macros of the last query, which the next one likely wants too; they are made while nobody waits.
        self._likely: frozenset[str] = frozenset()
        self._defined: frozenset[str] = frozenset()
        self._asked: dict[tuple[str, tuple[tuple[str, str], ...]], AskedTable] = {}
        self._flags = FlagBook()
        self._watchdog = Watchdog()
        weakref.finalize(self, self._watchdog.stop)

    def warm(self) -> None:
        """Make the database of the next query, so that it does not wait for it, and do away with the last one's."""
        if self._retired is not None:
            self._retired.close()  # 3 ms after a large scan
            self._retired = None
        if self._spare is None:
            self._spare = open_sandbox(self._memory_bytes, self._threads)
            settle(self._spare)
            define_macros(self._spare, self._likely)
            self._defined = self._likely

    def rehearse(self) -> None:
        """Import what the first query would otherwise wait for (the SQL generator, 150 ms), and leave what is there by
        now out of the garbage collector's rounds: a compilation makes thousands of small objects."""
        compile_query(Source("query", "print 1"), Database("logs", {}), now=0)
        gc.collect()
        gc.freeze()

    def cancel(self, number: int) -> None:
        """Nobody waits for this question any more; it may not have begun yet."""
        self._watchdog.end(number, Outcome.CANCELLED)

    def answer(self, request: QueryRequest, number: int = 1) -> QueryAnswer:
        """The answer; never raises. `number` is what `cancel` calls it."""
        try:
            self._watchdog.begin(number, request.timeout_s)
            self._watchdog.go_on()
            return self._described(request) if request.describe else self._answered(request)
        except Exception as error:  # noqa: BLE001 - every failure becomes an answer
            return failed(error, self._watchdog.ended)
        finally:
            self._watchdog.over()
            self._close()

    def _close(self) -> None:
        if (running := self._watchdog.release()) is not None:
            if self._retired is not None:
                self._retired.close()
            self._retired = running

    def _begin(self) -> duckdb.DuckDBPyConnection:
        self.warm()
        connection, self._spare = self._spare, None
        assert connection is not None
        self._watchdog.hold(connection)
        self._watchdog.go_on()
        return connection

    def _define(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        self._likely = define(connection, sql, self._defined, self._watchdog.go_on)

    # -- one query -----------------------------------------------------------------------------------

    def _answered(self, request: QueryRequest) -> QueryAnswer:
        try:
            return self._evaluated(request)
        except (duckdb.IOException, duckdb.PermissionException):
            # A file of the version was cleaned up between the look at the log and the read; a sealed database
            # may not even look whether it is there. The newest version has the rows elsewhere.
            self._versions.forget()
            self._close()
            return self._evaluated(request)

    def _evaluated(self, request: QueryRequest) -> QueryAnswer:
        if request.source is not None:
            return self._over_source(request, request.source)
        began, cpu = time.perf_counter(), time.process_time()
        source = Source("query", request.text)
        discovered: dict[str, Rows] = {}
        while True:
            tables, result = self._compiled(source, request, discovered)
            known = result.compiled if result.discovery is None else result.discovery.compiled
            if known is not None and (wanted := missing(known.external, request.files)):
                return QueryAnswer(outcome=Outcome.FILES, wanted=wanted)
            if result.discovery is None:
                break
            discovered[result.discovery.key] = self._discovered(tables, result.discovery.compiled, request)
        connection = read = None
        if result.compiled is not None:
            connection = self._begin()
            files = _files(tables, result.compiled)
            read = [file for listed in files.values() for file in listed]
            seal(connection, read)
            doubted = self._doubted(connection, tables, result.compiled, files)
            if any(doubted.values()):
                result = _compile(source, request, tables, doubted, discovered)
        mistakes = _mistakes(source, result.diagnostics)
        compiled = result.compiled
        if compiled is None or connection is None or read is None:
            return QueryAnswer(outcome=Outcome.INVALID, mistakes=mistakes)
        compiled_s = time.perf_counter() - began
        sql = compiled.json_sql
        self._define(connection, sql)
        lay_down(connection, compiled.external, request.files, self._watchdog.go_on)
        count, rows, cut = self._fetch(connection, _laid_out(sql, tables, files, request), request)
        used = [v for table in compiled.tables for v in tables.versions.get(table, ())]
        return QueryAnswer(
            outcome=Outcome.OK,
            columns=tuple(ResultColumn(c.name, c.type.value) for c in compiled.columns),
            row_count=count,
            rows=rows,
            cut=cut,
            render=None if compiled.render is None else dict(compiled.render),
            mistakes=mistakes,
            tables=tuple(compiled.tables),
            statistics=Statistics(
                compile_s=compiled_s,
                execution_s=time.perf_counter() - began - compiled_s,
                cpu_s=time.process_time() - cpu,
                peak_bytes=_peak_bytes(),
                files=(len(read), sum(len(v.files) for v in used)),
                rows=(sum(f.rows for f in read), sum(f.rows for v in used for f in v.files)),
                size_bytes=sum(f.size_bytes for f in read),
            ),
        )

    def _discovered(self, tables: _Tables, compiled: Compiled, request: QueryRequest) -> Rows:
        """The rows that the compiler must know first, from a database of its own. The values that tables promise are
        not checked: what comes of a wrong one is a missing column, and the query itself reads the true ones."""
        connection = self._begin()
        files = _files(tables, compiled)
        seal(connection, [file for listed in files.values() for file in listed])
        self._define(connection, compiled.sql)
        lay_down(connection, compiled.external, request.files, self._watchdog.go_on)
        rows = connection.execute(_laid_out(compiled.sql, tables, files, request)).fetchmany(_MOST_DISCOVERED)
        self._close()
        return rows

    def _compiled(
        self, source: Source, request: QueryRequest, discovered: Mapping[str, Rows]
    ) -> tuple[_Tables, CompileResult]:
        """Compiled against the newest version of the tables that it reads.

        To look at a table costs a millisecond, so those that the text does not spell out (`union App*`, `search`)
        are looked at only when the compiler turns out to want them.
        """
        names = self._names(request)
        opened = frozenset(n for n in names if n.rpartition("/")[2] in request.text)
        while True:
            tables = self._open(request, names, opened)
            result = _compile(source, request, tables, {}, discovered)
            # A mistake may be one only because a table's own columns were not looked at.
            known = result.discovery.compiled if result.discovery is not None else result.compiled
            wanted = names if known is None else known.tables
            if opened.issuperset(wanted):
                return tables, result
            opened = frozenset(names)

    def _names(self, request: QueryRequest) -> list[str]:
        """All tables that the question may see, declared and stored, in any of its workspaces."""
        stored = (n for w in request.workspace_ids for n in self._versions.names(w))
        names = {*self._declared, *request.custom, *stored}
        if request.readable is not None:
            names &= {n for w in request.workspace_ids for n in request.readable.get(w, ())}
            names |= {o.key(n) for o in request.others for n in request.readable.get(o.id, ())}
        return sorted(names)

    def _open(self, request: QueryRequest, names: Iterable[str], opened: frozenset[str]) -> _Tables:
        seen, versions = {}, {}
        for key in names:
            other, _, table = key.rpartition("/")
            columns: tuple[tuple[str, str], ...] = ()
            if key in opened:
                versions[key] = tuple(
                    version
                    for w in ((other,) if other else request.workspace_ids)
                    if request.readable is None or table in request.readable.get(w, ())
                    if (version := self._versions.latest(w, table)) is not None
                )
                for version in versions[key]:
                    columns = merged(columns, version.columns)
            own = request.custom.get(key)
            if own is None:
                seen[key] = self._asked_table(table, columns)
            else:
                seen[key] = asked_table(table, custom_table(table, own), columns, custom=True)
        return _Tables(seen, versions, opened)

    def _asked_table(self, table: str, columns: tuple[tuple[str, str], ...]) -> AskedTable:
        """Remembered: a table seldom grows, and to look at a hundred columns anew takes as long as many a query."""
        key = (table, columns)
        if key not in self._asked:
            if len(self._asked) >= _MOST_ASKED:
                self._asked.clear()
            self._asked[key] = asked_table(table, self._declared.get(table), columns)
        return self._asked[key]

    def _doubted(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: _Tables,
        compiled: Compiled,
        files: Mapping[str, Sequence[StoredFile]],
    ) -> dict[str, frozenset[str]]:
        """Per table the flags that stand against the promoted values that the query was compiled to read."""
        out = {}
        for table, listed in files.items():
            asked = tables.seen[table]
            out[table] = self._flags.doubted(connection, asked, listed, asked.flags_of(compiled.sql))
        return out

    def _over_source(self, request: QueryRequest, given: SourceRows) -> QueryAnswer:
        """The answer to a query over rows that came with it: no table is looked at."""
        source = Source("query", request.text)
        database = Database("logs", {given.name: source_symbol(given.name, given.columns)})
        result = compile_query(source, database, now=_ticks(request.now_us), parameters=request.parameters)
        mistakes = _mistakes(source, result.diagnostics)
        compiled = result.compiled
        if compiled is None:
            return QueryAnswer(outcome=Outcome.INVALID, mistakes=mistakes)
        connection = self._begin()
        seal(connection, ())
        sql = compiled.sql if given.exact else compiled.json_sql
        self._define(connection, sql)
        laid_out = f"WITH {name(given.name)} AS MATERIALIZED ({source_sql(given.columns)}) {sql}"
        text = given.rows.decode()
        if given.exact:
            found = connection.execute(laid_out, (text,)).fetchmany(request.row_limit + 1)
            count, cut = min(len(found), request.row_limit), "rows" if len(found) > request.row_limit else ""
            rows = exact_rows(found[:count], [c.type for c in compiled.columns])
        else:
            count, rows, cut = self._fetch(connection, laid_out, request, (text,))
        columns = tuple(ResultColumn(c.name, c.type.value) for c in compiled.columns)
        return QueryAnswer(
            outcome=Outcome.OK, columns=columns, row_count=count, rows=rows, cut=cut, mistakes=mistakes
        )

    def _fetch(
        self,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        request: QueryRequest,
        parameters: tuple[str, ...] = (),
    ) -> tuple[int, bytes, str]:
        """(number of rows, their JSON, which limit cut them off). `sql` gives one text per row.

        The rows stream, and a limit ends them here: a LIMIT in SQL would make the engine hold them all, so as
        to keep their order.
        """
        cursor = connection.execute(sql, parameters)
        out = bytearray()
        count, at_once = 0, _FIRST_ROWS
        while chunk := cursor.fetchmany(at_once):
            self._watchdog.go_on()
            if count + len(chunk) > request.row_limit:
                out += _joined(chunk[: request.row_limit - count])
                return request.row_limit, _finished(out), "rows"
            texts = _joined(chunk)
            if len(out) + len(texts) > request.byte_limit + 1:
                for (row,) in chunk:
                    text = row.encode()
                    if len(out) + len(text) > request.byte_limit:
                        break
                    out += text + b","
                    count += 1
                return count, _finished(out), "bytes"
            out += texts
            count += len(chunk)
            # As many rows as make a few megabytes: a row may be a number or a whole conversation.
            at_once = max(10, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE * len(chunk) // len(texts)))
        return count, _finished(out), ""

    # -- the schema ----------------------------------------------------------------------------------

    def _described(self, request: QueryRequest) -> QueryAnswer:
        names = self._names(request)
        tables = self._open(request, names, frozenset(names))
        rows = schema_rows(tuple(tables.seen.values()))
        return QueryAnswer(
            outcome=Outcome.OK, columns=SCHEMA_COLUMNS, row_count=len(rows), rows=orjson.dumps(rows)[1:-1]
        )


def _laid_out(
    sql: str, tables: _Tables, files: Mapping[str, Sequence[StoredFile]], request: QueryRequest
) -> str:
    """The query with its tables in front, as common table expressions: bound once, with the query."""
    parts = ", ".join(
        f"{name(table)} AS NOT MATERIALIZED ({_rows_sql(tables, table, listed, sql, request)})"
        for table, listed in files.items()
    )
    return f"WITH {parts} {sql}" if parts else sql


def _rows_sql(
    tables: _Tables, table: str, files: Sequence[StoredFile], sql: str, request: QueryRequest
) -> str:
    admitted = request.admitted.get(table)
    return tables.seen[table].rows_sql(files, sql, request.resource_scopes, admitted)


def _compile(
    source: Source,
    request: QueryRequest,
    tables: _Tables,
    doubted: Mapping[str, frozenset[str]],
    discovered: Mapping[str, Rows],
) -> CompileResult:
    """Compiled with promoted values taken at their word, but for those whose flags are `doubted`."""
    span = request.timespan

    def compiled(withheld: Mapping[str, Sequence[str]]) -> CompileResult:
        seen = {n: t.without(withheld[n]) if n in withheld else t for n, t in tables.seen.items()}
        return compile_query(
            source,
            _database(request, {n: t.trusting(doubted.get(n, ())) for n, t in seen.items()}),
            now=_ticks(request.now_us),
            timespan=None if span is None else (_ticks(span.start_us), _ticks(span.end_us)),
            parameters=request.parameters,
            discovered=discovered,
        )

    result = compiled({})
    return result if not request.withheld else without_content(source, request, result, compiled)


def _database(request: QueryRequest, tables: Mapping[str, TableSymbol]) -> Database:
    """What the query may name: the tables of the place that is asked, and of the other ones under their names."""
    others: dict[str, Database] = {}
    for other in request.others:
        ahead = other.key("")
        own = {
            k.removeprefix(ahead): replace(t, place=other.id)
            for k, t in tables.items()
            if k.startswith(ahead)
        }
        leave = outside([(other.names[0], other.external)])
        place = Database(other.names[0], own, other.functions, other.names[1:], place=other.id, outside=leave)
        others |= {n.lower(): place for n in other.names}
    if others:
        tables = {k: t for k, t in tables.items() if "/" not in k}
    name_ = request.names[0] if request.names else "logs"
    leave = outside(request.external)
    return Database(name_, tables, request.functions, request.names[1:], others, outside=leave)


def _files(tables: _Tables, compiled: Compiled) -> dict[str, list[StoredFile]]:
    """Per table that the query reads, the files in which rows of its time range may be."""
    out = {}
    for table in compiled.tables:
        bounds = compiled.time_range.get(table) or (None, None)
        start_us, end_us = (None if b is None else _micros(b) for b in bounds)
        out[table] = [f for v in tables.versions[table] for f in v.between(start_us, end_us)]
    return out


def _joined(rows: Sequence[tuple[str]]) -> bytes:
    """Rows as JSON with a comma behind each."""
    return "".join([f"{row}," for (row,) in rows]).encode()


def _finished(out: bytearray) -> bytes:
    del out[-1:]
    return bytes(out)


def _mistakes(source: Source, diagnostics: Iterable[Diagnostic]) -> tuple[Mistake, ...]:
    out = []
    text = masked(source.text)
    for d in diagnostics:
        line, column = source.position(d.span.start)
        out.append(
            Mistake(
                code=d.code,
                severity=d.severity.value,
                message=d.message,
                start=d.span.start,
                end=d.span.end,
                line=line,
                column=column,
                token=text[d.span.start : min(d.span.end, d.span.start + _LONGEST_TOKEN)],
                hints=d.hints,
            )
        )
    return tuple(out)


@overload
def _ticks(unix_us: int) -> int: ...
@overload
def _ticks(unix_us: None) -> None: ...
def _ticks(unix_us: int | None) -> int | None:
    """Kusto's ticks (100 ns since the year 1) of unix microseconds, within the range of its datetime."""
    if unix_us is None:
        return None
    return min(max(unix_us * TICKS_PER_US + UNIX_EPOCH, 0), MAX_DATETIME)


def _micros(ticks: int) -> int:
    return (ticks - UNIX_EPOCH) // TICKS_PER_US


def _peak_bytes() -> int:
    """The greatest resident size of this process so far (Linux counts in KB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
