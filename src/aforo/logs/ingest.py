"""Rows from outside into custom tables: checked, transformed, into the spool; answered when they are there.

All rows of a request are stored or none. A request that is sent again (same id, same body) is stored once as long as
this process lives. It knows no request and no resource: what streams and tables are is handed in.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from aforo.errors import Conflict, Invalid, Unavailable
from aforo.logs.cells import UnfitError, cell
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest, SourceRows
from aforo.logs.reader import Pool, Workspace
from aforo.spool.records import RowsRecord
from aforo.tables.standard import TIME

_PASSES_ON = ("", "source")
_TRANSFORM_S = 20.0
_REMEMBERED = 10_000
_REMEMBERED_S = 900.0

Columns = Sequence[tuple[str, str]]  # name, Kusto's type


@dataclass(frozen=True, slots=True)
class Mapped:
    """One column of an ingestion mapping: a JSON path, a place in a line, or a constant."""

    column: str
    path: str = ""
    ordinal: int | None = None
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A custom table of one workspace; `columns` in the order of their declaration."""

    workspace: Workspace
    table: str
    columns: tuple[tuple[str, str], ...]
    mappings: Mapping[str, tuple[Mapped, ...]] = field(default_factory=dict)

    @property
    def resource_id(self) -> str:
        return f"{self.workspace.resource_id}/tables/{self.table}"


@dataclass(frozen=True, slots=True)
class Flow:
    """Where the rows of a stream go, and what is done with them on the way (KQL over `source`)."""

    targets: tuple[Target, ...]
    transform: str = "source"


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of a data collection rule."""

    rule_id: str  # ARM id
    columns: tuple[tuple[str, str], ...]
    flows: tuple[Flow, ...]


Append = Callable[[RowsRecord], object]


class Ingestion:
    """Takes rows in. `append` writes one record into the spool (Unavailable when it cannot); `clock` is unix seconds."""

    def __init__(self, pool: Pool, append: Append, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._append = append
        self._clock = clock
        self._once = _Once(clock)

    async def take_stream(self, stream: Stream, given: Sequence[Mapping[str, Any]], identity: str) -> int:
        """How many rows of a stream came in. `identity` is the same for a request that is sent again."""

        async def work() -> int:
            now_us = round(self._clock() * 1e6)
            rows = [typed_row(row, stream.columns, n) for n, row in enumerate(given, 1)]
            records = [r for flow in stream.flows for r in await self._through(flow, stream, rows, now_us)]
            self._store(records)
            return len(rows)

        return await self._once.run(identity, work)

    async def take_rows(self, target: Target, rows: Sequence[dict[str, Any]], identity: str) -> int:
        """How many rows of a table came in; values are as `cells` makes them."""

        async def work() -> int:
            self._store([self._record((target,), rows, round(self._clock() * 1e6))])
            return len(rows)

        return await self._once.run(identity, work)

    async def _through(
        self, flow: Flow, stream: Stream, rows: Sequence[dict[str, Any]], now_us: int
    ) -> list[RowsRecord]:
        if flow.transform.strip() not in _PASSES_ON and rows:
            request = QueryRequest(
                workspace_ids=(),
                text=flow.transform,
                now_us=now_us,
                timeout_s=_TRANSFORM_S,
                source=SourceRows(stream.columns, _source(rows, stream.columns), exact=True),
            )
            rows = _result(await self._pool.query(request))
        return [self._record((target,), rows, now_us) for target in flow.targets] if rows else []

    def _record(
        self, targets: Sequence[Target], rows: Sequence[Mapping[str, Any]], now_us: int
    ) -> RowsRecord:
        """The rows as the spool holds them; when they came in is their time, unless they say another."""
        types = dict(targets[0].columns)
        out = []
        for row in rows:
            values = {
                n: v * 1000 if types[n] == "datetime" else v
                for n, v in row.items()
                if v is not None and n in types
            }
            time_us = row.get(TIME.name)
            out.append({**values, TIME.name: (now_us if time_us is None else time_us) * 1000})
        first = targets[0]
        return RowsRecord([t.workspace.id for t in targets], first.table, out, list(first.columns))

    def _store(self, records: Sequence[RowsRecord]) -> None:
        for record in records:
            if record.rows:
                self._append(record)


def typed_row(row: Mapping[str, Any], columns: Columns, number: int) -> dict[str, Any]:
    """The row with the values of the declared columns; `Invalid` names what is not of its type."""
    out = {}
    for name, kind in columns:
        value = row.get(name)
        try:
            out[name] = cell(value, kind)
        except UnfitError:
            raise unfit(number, name, kind, value) from None
    return out


def unfit(number: int, name: str, kind: str, value: Any) -> Invalid:
    """The refusal of a value."""
    shown = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return Invalid(
        f"Row {number}, column {name!r}: {shown[:80]!r} is no {kind}. No row of this request was stored.",
        code="InvalidRecord",
        target=name,
    )


def identity_of(request_id: str | None, *parts: str | bytes) -> str:
    """What is equal for a request and its repetitions; "" for one that has no id. Kusto's managed client counts its
    tries at the end of the id."""
    if not request_id:
        return ""
    head, _, last = request_id.rpartition(";")
    digest = hashlib.sha256((head if head and last.isdigit() else request_id).encode())
    for part in parts:
        digest.update(b"\0" + (part if isinstance(part, bytes) else part.encode()))
    return digest.hexdigest()


def _source(rows: Sequence[Mapping[str, Any]], columns: Columns) -> bytes:
    """Rows as `question.SourceRows` has them."""
    out = []
    for row in rows:
        cells = [row.get(name) for name, _ in columns]
        out.append(
            [
                orjson.dumps(v).decode() if kind == "dynamic" and v is not None else v
                for v, (_, kind) in zip(cells, columns, strict=True)
            ]
        )
    return orjson.dumps(out)


def _result(answer: QueryAnswer) -> list[dict[str, Any]]:
    """The rows that a transformation gave."""
    match answer.outcome:
        case Outcome.OK if not answer.cut:
            pass
        case Outcome.INVALID:
            why = "; ".join(m.message for m in answer.errors)
            raise Conflict(
                f"The transformation of the rule does not compile: {why}", code="InvalidTransformQuery"
            )
        case Outcome.RUNTIME:
            raise Invalid(f"The transformation of the rule: {answer.message}", code="TransformationFailed")
        case _:
            raise Unavailable(
                f"The transformation of the rule did not come to its end: {answer.message or 'too many rows'}",
                retry_after_s=5.0,
            )
    names = [(c.name, c.type) for c in answer.columns]
    rows = orjson.loads(b"[" + answer.rows + b"]")
    return [{n: _back(v, kind) for v, (n, kind) in zip(row, names, strict=True)} for row in rows]


def _back(value: Any, kind: str) -> Any:
    """A cell of an exact answer as `cells` makes one."""
    if value is None:
        return None
    match kind:
        case "dynamic":
            return orjson.loads(value)
        case "real" | "decimal":  # NaN and infinities are texts, and so are decimals
            return float(value)
        case _:
            return value


class _Once:
    """Does what has an identity once: who comes with the same one meanwhile or later gets the same result."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._done: OrderedDict[str, tuple[float, asyncio.Future[int]]] = OrderedDict()

    async def run(self, identity: str, work: Callable[[], Awaitable[int]]) -> int:
        if not identity:
            return await work()
        known = self._done.get(identity)
        if known is not None and self._clock() - known[0] < _REMEMBERED_S:
            return await asyncio.shield(known[1])
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._done[identity] = (self._clock(), future)
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        try:
            result = await work()
        except BaseException as error:
            self._done.pop(identity, None)
            future.set_exception(
                error if isinstance(error, Exception) else Unavailable("The request was given up.")
            )
            future.exception()  # nobody may be waiting for it
            raise
        future.set_result(result)
        return result
