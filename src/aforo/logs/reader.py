"""Who may ask what: names become workspaces, rights become tables, a question goes to the pool and leaves its
audit row. Both query APIs stand on it; it knows neither's shapes. Everything about identity, resources and the
spool is injected.
"""

from __future__ import annotations

import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request

from aforo.errors import Denied, NotFound, Refusal
from aforo.identity.access import Principal
from aforo.logs.audit import TABLE as AUDIT_TABLE
from aforo.logs.audit import Asked, audit_row
from aforo.logs.external_files import FilesOutside
from aforo.logs.question import (
    US_PER_S,
    OtherWorkspace,
    Outcome,
    QueryAnswer,
    QueryRequest,
    SourceRows,
    TimeRange,
)
from aforo.rest import status_of
from aforo.tables.catalog import TABLES
from aforo.tables.custom import own_columns
from aforo.tables.schema import Table

# HTTP status of each way in which a query ends. MEMORY is not a 5xx: clients repeat those by themselves, and
# this query would fail again.
STATUS = {
    Outcome.OK: 200,
    Outcome.INVALID: 400,
    Outcome.RUNTIME: 400,
    Outcome.TIMEOUT: 504,
    Outcome.MEMORY: 400,
    Outcome.CANCELLED: 499,
    Outcome.FAILED: 500,
    Outcome.FILES: 500,  # only between the reader and its pool
}
# A parameter of a saved function: name, type (a scalar's, or columns in parentheses), default.
_PARAMETER = re.compile(
    r"\s*(?P<name>\w+|\['[^']*'\])\s*:\s*(?P<kind>\w+|\([^)]*\))\s*"
    r"(?:=\s*(?P<default>\"[^\"]*\"|'[^']*'|\w+\([^)]*\)|[^,]*))?(?:,|$)"
)
# A place that a query names, in quotes: the text between them.
_OTHER = re.compile(r"""\b(?:workspace|database)\s*\(\s*[hH]?@?["']([^"'\n]+)["']\s*\)""")
# As many workspaces as one query of Log Analytics may name.
_MOST_OTHERS = 100
# How many queries that ran out of time are remembered, and how long.
_REMEMBERED = 1_000
_REMEMBERED_S = 120.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """A Log Analytics workspace: its id is the GUID under which its tables lie."""

    id: str
    name: str
    resource_id: str
    region: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a query looks: workspaces, and resources to which its rows are narrowed (none: all rows).

    `target` is the ARM id that the request named.
    """

    workspaces: tuple[Workspace, ...]
    target: str
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """One request of somebody: who, under which ids, with which program."""

    principal: Principal
    client_request_id: str | None = None
    client_app: str = ""
    address: str = ""
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Pool(Protocol):
    """Who answers: `query.QueryPool`. `root` is the folder of the tables."""

    @property
    def root(self) -> Path: ...

    async def query(self, request: QueryRequest) -> QueryAnswer:
        """The answer; cancelling ends the query. May refuse with `Limited` or `Unavailable`."""


@dataclass(frozen=True, slots=True)
class SavedFunction:
    """A function that queries of a workspace may call. `text` is KQL: `(n:long) { T | take n }`."""

    name: str
    parameters: str
    body: str
    doc: str = ""
    folder: str = ""

    @property
    def arguments(self) -> list[tuple[str, str, str]]:
        """Name, type (`(*)` and the like for tables) and default of each parameter."""
        out = []
        for part in _PARAMETER.finditer(self.parameters):
            out.append((part["name"], part["kind"].strip(), (part["default"] or "").strip()))
        return out

    @property
    def text(self) -> str:
        """As KQL writes it."""
        return f"({self.parameters}) {{ {self.body}\n}}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a workspace declares beside the tables that all have."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    functions: tuple[SavedFunction, ...] = ()
    # Per table its ingestion mappings: name to (kind, columns).
    mappings: Mapping[str, Mapping[str, tuple[str, Sequence[Mapping[str, Any]]]]] = field(
        default_factory=dict
    )
    # Files outside that its queries may read (`model.external_files`).
    external: tuple[str, ...] = ()


Authenticate = Callable[[Request], Awaitable[Principal]]
# Some rows of a table: alternatives, each of column name to value (`question.QueryRequest.admitted`).
Rows = Sequence[Mapping[str, str]]
MayRead = Callable[[Principal, Workspace, str], bool]
ResolveWorkspace = Callable[[str], Workspace | None]
ResolveResource = Callable[[str], Sequence[Workspace]]
Sink = Callable[[str, str, dict[str, Any]], None]


_NOTHING = Contents()


@dataclass(slots=True)
class Reader:
    """The way of every query to the pool.

    `authenticate(request)` gives the principal or raises `Denied(authenticated=False)`. `may_read(principal,
    workspace, table)` decides per table; a table that one may not read does not exist for him.
    `resolve_workspace(text)` takes a GUID, a name or an ARM id. `resolve_resource(arm_id)` gives the
    workspaces that hold the logs of a resource. `sink(workspace_id, table, row)` takes one audit row per
    query. `tables` are the names of the declared tables. `clock` gives unix seconds.

    `some_rows(principal, workspace, table)` are the rows that a principal may read of a table that he may not
    read as a whole. `may_read_content(principal, workspace, table)` decides about the columns with what people
    wrote and models answered, by the action `content_action`. `contents(workspace)` is what it declares itself.
    `files` fetches what queries read from outside.
    """

    pool: Pool
    authenticate: Authenticate
    may_read: MayRead
    resolve_workspace: ResolveWorkspace
    sink: Sink
    tables: Collection[str] = tuple(TABLES)
    resolve_resource: ResolveResource = lambda _arm_id: ()
    tenant_id: str = ""
    clock: Callable[[], float] = time.time
    some_rows: Callable[[Principal, Workspace, str], Rows] = lambda _principal, _workspace, _table: ()
    may_read_content: MayRead = lambda _principal, _workspace, _table: True
    content_action: str = ""
    contents: Callable[[Workspace], Contents] = lambda _workspace: _NOTHING
    files: FilesOutside = field(default_factory=FilesOutside)
    _hopeless: OrderedDict[tuple[str, str, str], tuple[float, QueryAnswer]] = field(
        init=False, default_factory=OrderedDict
    )

    async def caller(self, request: Request) -> Caller:
        """Who sent this request; raises what `authenticate` raises."""
        return Caller(
            await self.authenticate(request),
            request.headers.get("x-ms-client-request-id"),
            request.headers.get("x-ms-app") or request.headers.get("user-agent", ""),
            request.client.host if request.client is not None else "",
        )

    @property
    def now_us(self) -> int:
        return round(self.clock() * US_PER_S)

    async def ask(self, caller: Caller, scope: Scope, request: QueryRequest) -> QueryAnswer:
        """The answer to a question of the caller. What he may not read is not there; the audit row is written
        however it ends, also when the client leaves.
        """
        began = self.clock()
        answer: QueryAnswer | None = None
        status = STATUS[Outcome.CANCELLED]  # unless something comes of it: the client left
        try:
            answer = await self._answered(caller, request)
            status = STATUS[answer.outcome]
        except Refusal as refusal:
            status = status_of(refusal)
            raise
        else:
            return answer
        finally:
            row = Asked(
                principal=caller.principal,
                correlation_id=caller.correlation_id,
                client_app=caller.client_app,
                target=scope.target,
                workspaces=tuple(w.resource_id for w in scope.workspaces),
                resources=scope.resources,
                text=request.text,
                timespan=request.timespan,
                began=began,
                ended=self.clock(),
                status=status,
            )
            # Whose rows are read from elsewhere sees that too.
            for id_ in dict.fromkeys([*(w.id for w in scope.workspaces), *(o.id for o in request.others)]):
                self.sink(id_, AUDIT_TABLE, audit_row(row, answer, self.tenant_id, id_))

    def request(
        self,
        caller: Caller,
        scope: Scope,
        text: str,
        *,
        timespan: TimeRange | None,
        timeout_s: float,
        **more: Any,
    ) -> QueryRequest:
        """The question to the pool, with the rights of the caller in it."""
        readable = self._readable(caller.principal, scope.workspaces)
        others = self.named_in(text, caller.principal, scope.workspaces)
        contents = [self.contents(w) for w in reversed(scope.workspaces)]
        names = {n for listed in readable.values() for n in listed}
        custom = {n: t for c in contents for n, t in c.tables.items() if n in names}
        asked: dict[str, Any] = {
            "workspace_ids": tuple(w.id for w in scope.workspaces),
            "text": text,
            "now_us": self.now_us,
            "timespan": timespan,
            "readable": readable,
            "resource_scopes": scope.resources,
            "timeout_s": timeout_s,
            "custom": {
                n: tuple((c.name, c.type.value, c.doc) for c in own_columns(t)) for n, t in custom.items()
            },
            "functions": {f.name: f.text for c in contents for f in c.functions},
            "names": _names_of(scope.workspaces),
            "withheld": self._withheld(caller.principal, scope.workspaces, names),
            "withheld_action": self.content_action,
            "admitted": self._admitted(caller.principal, scope.workspaces, readable),
            "external": tuple(
                (w.name, c.external) for w, c in zip(scope.workspaces, reversed(contents), strict=True)
            ),
        }
        for workspace, called in others:
            self._add(caller.principal, workspace, called, asked)
        return QueryRequest(**(asked | more))

    def named_in(
        self, text: str, principal: Principal, workspaces: Sequence[Workspace]
    ) -> list[tuple[Workspace, tuple[str, ...]]]:
        """The further workspaces that the text names, or a saved function that it may call, each with what it is called
        there. One of which the caller may read nothing is no workspace to him."""
        texts = [text, *(f.text for w in workspaces for f in self.contents(w).functions)]
        literals = {name for t in texts if "workspace" in t or "database" in t for name in _OTHER.findall(t)}
        own = _names_of(workspaces)
        called: dict[str, tuple[Workspace, list[str]]] = {}
        for name in sorted(literals)[:_MOST_OTHERS]:
            found = self.resolve_workspace(name)
            if found is not None and found.id not in own and self.may_read_some(principal, found):
                called.setdefault(found.id, (found, []))[1].append(name)
        return [(workspace, tuple(names)) for workspace, names in called.values()]

    def _add(
        self, principal: Principal, workspace: Workspace, called: tuple[str, ...], asked: dict[str, Any]
    ) -> None:
        """Put another workspace into a question, its tables as `id/table`."""
        contents = self.contents(workspace)
        readable = self._readable(principal, (workspace,))
        names = readable[workspace.id]
        functions = {f.name: f.text for f in contents.functions}
        other = OtherWorkspace(
            workspace.id,
            (workspace.name, *_names_of((workspace,))[1:], *called),
            functions,
            contents.external,
        )
        asked["readable"] |= readable
        asked["others"] = (*asked.get("others", ()), other)
        for name, table in contents.tables.items():
            if name in names:
                columns = tuple((c.name, c.type.value, c.doc) for c in own_columns(table))
                asked["custom"][other.key(name)] = columns
        for field_, found in (
            ("withheld", self._withheld(principal, (workspace,), names)),
            ("admitted", self._admitted(principal, (workspace,), readable)),
        ):
            asked[field_] |= {other.key(n): rows for n, rows in found.items()}

    async def over_rows(self, text: str, rows: SourceRows) -> QueryAnswer:
        """The answer to a query over rows that the caller was shown (`source`). No table is read, nothing audited."""
        # Small rows, and whoever has a token may ask: nobody is to hold a process for long with it.
        request = QueryRequest(workspace_ids=(), text=text, now_us=self.now_us, timeout_s=10.0, source=rows)
        return await self.pool.query(request)

    async def describe(self, caller: Caller, scope: Scope) -> QueryAnswer:
        """The schema of the tables that the caller may read (`question.SCHEMA_COLUMNS`)."""
        request = self.request(caller, scope, "", timespan=None, timeout_s=30.0, describe=True)
        return await self.pool.query(request)

    def workspace(self, text: str) -> Workspace:
        found = self.resolve_workspace(text)
        if found is None:
            raise NotFound(
                f"There is no workspace {text!r}: a workspace is named by its id (a GUID), its name or its ARM id.",
                code="WorkspaceNotFoundError",
            )
        return found

    def scope(
        self, first: Workspace | str, workspaces: Sequence[str] = (), resources: Sequence[str] = ()
    ) -> Scope:
        """Where to look: a workspace, or the ARM id of a resource; with further ones beside it."""
        if isinstance(first, str):
            found, narrow = self._of_resource(first)
            target = "/" + first.strip("/")
        else:
            found, narrow, target = [first], (), first.resource_id
        out = {w.id: w for w in (*found, *(self.workspace(text) for text in workspaces))}
        for text in resources:
            found, more = self._of_resource(text)
            out = {w.id: w for w in found} | out
            narrow += more
        return Scope(tuple(out.values()), target, narrow)

    def _of_resource(self, resource: str) -> tuple[list[Workspace], tuple[str, ...]]:
        """The workspaces that hold a resource's logs, and the filter on its rows (none for a workspace itself)."""
        resource = "/" + resource.strip("/")
        if (workspace := self.resolve_workspace(resource)) is not None:
            return [workspace], ()
        found = list(self.resolve_resource(resource))
        if not found:
            raise NotFound(
                f"No workspace holds logs of {resource}: no diagnostic setting sends any to one.",
                code="ResourceNotFoundError",
            )
        return found, (resource.lower(),)

    def readable(self, principal: Principal, workspace: Workspace) -> frozenset[str]:
        """The tables of which the principal may read something; `Denied` when there is none."""
        return frozenset(self._readable(principal, (workspace,))[workspace.id])

    def may_read_some(self, principal: Principal, workspace: Workspace) -> bool:
        """Whether the principal may read any row there."""
        return any(self._sees(principal, workspace, name) for name in self._tables_of(workspace))

    def _sees(self, principal: Principal, workspace: Workspace, table: str) -> bool:
        if self.may_read(principal, workspace, table):
            return True
        return len(self.some_rows(principal, workspace, table)) > 0

    def _tables_of(self, workspace: Workspace) -> set[str]:
        stored = _stored_tables(self.pool.root / workspace.id)
        return {*self.tables, *self.contents(workspace).tables, *stored}

    def _withheld(
        self, principal: Principal, workspaces: Sequence[Workspace], names: Collection[str]
    ) -> dict[str, tuple[str, ...]]:
        """Per table the columns that the principal may not read in all of the workspaces."""
        return {
            name: TABLES[name].content
            for name in names
            if name in TABLES
            and TABLES[name].content
            and not all(self.may_read_content(principal, w, name) for w in workspaces)
        }

    def _admitted(
        self, principal: Principal, workspaces: Sequence[Workspace], readable: Mapping[str, Sequence[str]]
    ) -> dict[str, tuple[dict[str, str], ...]]:
        """Per table of which not all rows may be read: the rows that may, in each workspace."""
        out: dict[str, tuple[dict[str, str], ...]] = {}
        for name in {n for listed in readable.values() for n in listed}:
            having = [w for w in workspaces if name in readable[w.id]]
            whole = {w.id for w in having if self.may_read(principal, w, name)}
            if len(whole) == len(having):
                continue
            out[name] = tuple(
                {"TenantId": w.id, **rows}
                for w in having
                for rows in (({},) if w.id in whole else self.some_rows(principal, w, name))
            )
        return out

    def _readable(self, principal: Principal, workspaces: Sequence[Workspace]) -> dict[str, tuple[str, ...]]:
        """The tables that the principal may read, per workspace; `Denied` when in one of them there is none."""
        out = {}
        for workspace in workspaces:
            names = self._tables_of(workspace)
            out[workspace.id] = tuple(sorted(n for n in names if self._sees(principal, workspace, n)))
            if not out[workspace.id]:
                who = principal.name or principal.object_id
                raise Denied(
                    f"{who} may not read the logs of workspace {workspace.name}.",
                    code="InsufficientAccessError",
                )
        return out

    async def _answered(self, caller: Caller, request: QueryRequest) -> QueryAnswer:
        """The pool's answer; the known one when this very request is a repetition of one that ran out of time.

        azure-core repeats a POST that met a 504, with the same request id: a monster would run four times.
        """
        if not caller.client_request_id:
            return await self.files.answered(self.pool.query, request)
        key = (caller.client_request_id, caller.principal.object_id, request.text)
        known = self._hopeless.get(key)
        if known is not None and self.clock() - known[0] < _REMEMBERED_S:
            return known[1]
        answer = await self.files.answered(self.pool.query, request)
        if answer.outcome is Outcome.TIMEOUT:
            self._hopeless[key] = (self.clock(), answer)
            while len(self._hopeless) > _REMEMBERED:
                self._hopeless.popitem(last=False)
        return answer


def _names_of(workspaces: Sequence[Workspace]) -> tuple[str, ...]:
    """What a query may call the place that it asks; nothing when it asks several."""
    if len(workspaces) != 1:
        return ()
    only = workspaces[0]
    return (only.name, only.id, only.resource_id)


def _stored_tables(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return []
