"""The one door for every change: validate, build, compile, persist, publish. A failure leaves the old state running.

REST, `aforo apply`, the portal and boot all end here. It knows no HTTP and no file format.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from aforo.control.build import BundleBuilder
from aforo.control.desired import Change, DesiredState, Mistake, Place, Wanted, refusal
from aforo.control.live import Live, without_own_address
from aforo.control.plan import Plan, Planner
from aforo.control.secrets import BodyCodec, Keys
from aforo.control.store import Revision, Row, Store, Tenancy
from aforo.errors import Conflict, Invalid, NotFound, Unavailable
from aforo.identity.keys import new_key
from aforo.model.catalog import canonical, kind_of, rank
from aforo.model.graph import Graph
from aforo.model.ids import BadId, ResourceId, parse_id
from aforo.model.kind import Action, Kind, Resource, SystemMint
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.secret import Secret
from aforo.snapshot.bundle_file import SEALING_PURPOSE
from aforo.snapshot.snapshot import Bundle
from aforo.source import Diagnostic, Source

log = logging.getLogger("aforo.control")

# Compiles every policy of a bundle; each mistake comes with the text in which it is.
Build = Callable[[Bundle], Iterable["Found"]]
Publish = Callable[[Bundle, Graph], None]


class Found(Protocol):
    """A diagnostic with the text that it speaks of (`snapshot.build.Problem` is one)."""

    @property
    def source(self) -> Source: ...

    @property
    def diagnostic(self) -> Diagnostic: ...


class Door:
    """The configuration of one installation. Thread-safe; `graph` is always a consistent whole."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        build: Build,
        publish: Publish,
        *,
        live: Live | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._codec = BodyCodec(keys.sealer("store"))
        self._build = build
        self._publish = publish
        self._clock = clock
        self._lock = threading.Lock()
        self.live = live or Live()
        self.tenancy: Tenancy = store.tenancy()
        self.mint = SystemMint(self.tenancy.tenant_id, self._now, new_key)
        self._builder = BundleBuilder(self.live, keys.sealer(SEALING_PURPOSE), self.tenancy.tenant_id)
        self.revision, rows = store.load()
        self.graph = self._read(rows)
        self.bundle = self._builder.build(self.graph, self.revision)

    @property
    def empty(self) -> bool:
        """Whether nothing was ever applied: then `aforo.yaml` is read, afterwards the store is the truth."""
        return len(self.graph) == 0

    def publish(self) -> tuple[Mistake, ...]:
        """Publish the state as it is, at start. What no longer compiles is told, and published all the same."""
        with self._lock:
            mistakes = self._findings(self.bundle, self.graph, {})
            self._publish(self.bundle, self.graph)
            return mistakes

    def apply(self, desired: DesiredState, dry_run: bool = False, caller: str = "apply") -> Change:
        """Make the state what is desired; Invalid carries every mistake with file, line and reason.

        What a former apply made and the files no longer name is deleted; what came in otherwise stays.
        """
        change = self.attempt(desired, dry_run, caller)
        if change.rejected:
            raise refusal(change.mistakes, desired.name or "the desired state")
        return change

    def attempt(self, desired: DesiredState, dry_run: bool = False, caller: str = "apply") -> Change:
        """`apply` with the mistakes as values."""

        def edit(planner: Planner) -> None:
            planner.mistakes.extend(desired.mistakes)
            for wanted in sorted(desired.resources, key=lambda w: rank(w.kind.type)):
                planner.put(wanted, "file")
            # With mistakes in the files nobody can tell what they meant to leave out.
            if any(m.is_error for m in planner.mistakes):
                return
            named = {wanted.id.key for wanted in desired.resources}
            gone = [r for r in self.graph if r.origin == "file" and r.id.key not in named]
            for resource in sorted(gone, key=lambda r: -rank(r.kind.type)):
                planner.remove(resource.id.key)

        return self._change(edit, dry_run, caller, f"apply {desired.name}".strip())[0]

    def put(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        if_match: str | None = None,
        must_be_new: bool = False,
        caller: str = "admin",
    ) -> tuple[Resource, bool]:
        """Create or replace one resource: (the resource, whether it is new)."""
        rid, kind = locate(path)
        wanted = [Wanted(rid, kind, body)]
        return self.put_all(
            wanted, if_match=if_match, must_be_new=must_be_new, caller=caller, summary=f"put {rid.text}"
        )

    def put_all(
        self,
        wanted: Sequence[Wanted],
        *,
        remove: Iterable[str] = (),
        if_match: str | None = None,
        must_be_new: bool = False,
        caller: str = "admin",
        summary: str = "put",
    ) -> tuple[Resource, bool]:
        """Create or replace several resources and delete others, in one change. The first one is answered and
        is whom the conditions are about."""
        first = wanted[0].id
        new = False

        def edit(planner: Planner) -> None:
            nonlocal new
            old = planner.base.get(first.key)
            new = old is None
            _match(first, old, if_match)
            if must_be_new and old is not None:
                raise Conflict("The resource exists already.", code="PreconditionFailed", target=first.text)
            for one in wanted:
                planner.put(without_own_address(one, self.live), "rest")
            for key in remove:
                planner.remove(key)

        change, graph = self._change(edit, False, caller, summary)
        if change.rejected:
            raise _as_refusal(change, summary)
        resource = graph.get(first.key)
        assert resource is not None
        return resource, new

    def delete(
        self, path: str, *, if_match: str | None = None, cascade: bool = False, caller: str = "admin"
    ) -> bool:
        """Delete a resource and all below it; False when there was none."""
        rid, _ = locate(path)
        existed = False

        def edit(planner: Planner) -> None:
            nonlocal existed
            old = planner.base.get(rid.key)
            if old is not None:
                existed = True
                _match(rid, old, if_match)
                planner.remove(rid.key, cascade=cascade)

        change, _ = self._change(edit, False, caller, f"delete {rid.text}")
        if change.rejected:
            raise _as_refusal(change, f"deleting {rid.name!r}")
        return existed

    def rotate(self, path: str, action: Action, which: str, caller: str = "admin") -> Resource:
        """Make one secret of a resource anew; the old one is out of force with the next bundle."""
        rid, _ = locate(path)

        def edit(planner: Planner) -> None:
            resource = planner.base.get(rid.key)
            if resource is None:
                raise NotFound(f"The resource {path!r} was not found.", target=path)
            properties = {**resource.properties, which: Secret(self.mint.key())}
            planner.put(
                Wanted(resource.id, resource.kind, {**resource.body, "properties": properties}), "rest"
            )

        change, graph = self._change(edit, False, caller, f"{action.name} {rid.text}")
        if change.rejected:
            raise _as_refusal(change, action.name)
        resource = graph.get(rid.key)
        assert resource is not None
        return resource

    def history(self, limit: int = 50) -> list[Revision]:
        """The newest changes, newest first."""
        return self._store.revisions(limit)

    def require(self, path: str) -> Resource:
        """The resource of that id; NotFound when there is none."""
        resource = self.graph.get(path)
        if resource is None:
            raise NotFound(f"The resource {path!r} was not found.", target=path)
        return resource

    def _change(
        self, edit: Callable[[Planner], None], dry_run: bool, caller: str, summary: str
    ) -> tuple[Change, Graph]:
        """Everything from the edit to the publication, one change at a time; (what it did, the graph after)."""
        with self._lock:
            planner = Planner(self.graph, self.mint)
            edit(planner)
            plan = planner.finish()
            revision = self.revision + 1
            mistakes = list(plan.mistakes)
            bundle: Bundle | None = None
            if not any(m.is_error for m in mistakes) and plan.changed:
                bundle = self._builder.build(plan.graph, revision)
                wanted = planner.wanted
                mistakes.extend(self._findings(bundle, plan.graph, wanted))
            if any(m.is_error for m in mistakes):
                return Change((), tuple(mistakes), self.revision), self.graph
            if dry_run or not plan.changed or bundle is None:
                return Change(tuple(plan.items), tuple(mistakes), self.revision), self.graph
            self._store.write(
                Revision(revision, int(self._clock() * 1e9), caller, summary), *self._rows(plan)
            )
            self.graph, self.revision, self.bundle = plan.graph, revision, bundle
            self._tell(bundle, plan.graph)
            return Change(tuple(plan.items), tuple(mistakes), revision), plan.graph

    def _tell(self, bundle: Bundle, graph: Graph) -> None:
        try:
            self._publish(bundle, graph)
        except OSError as error:
            # It is stored: the next change or start publishes it. Whoever waits for it must know that it waits.
            log.error("revision %d is stored but could not be published: %s", bundle.version, error)
            raise Unavailable(
                f"revision {bundle.version} is stored but not in force yet: {error.strerror}",
                code="PublishFailed",
            ) from error

    def _rows(self, plan: Plan) -> tuple[list[Row], list[str]]:
        puts = [
            Row(key, r.id.text, r.etag, r.origin, self._codec.encode(key, r.body))
            for key, r in plan.changed.items()
            if r is not None
        ]
        return puts, [key for key, r in plan.changed.items() if r is None]

    def _read(self, rows: list[Row]) -> Graph:
        draft = Graph().draft()
        parents: dict[str, ResourceId] = {}
        collecting = gc.isenabled()
        # Hundreds of thousands of new objects, none of them garbage: the collector would only walk them.
        gc.disable()
        try:
            for row in rows:
                rid = _stored_id(row.id, parents)
                kind = kind_of(rid.type)
                if kind is None:
                    raise Unavailable(
                        f"the store holds {row.id}, whose type this version does not know", code="StoreTooNew"
                    )
                body = self._codec.decode(row.id_key, row.body)
                draft.put(Resource(rid, kind, body, row.etag, row.origin))
        finally:
            if collecting:
                gc.enable()
        return draft.graph()

    def _findings(self, bundle: Bundle, graph: Graph, wanted: Mapping[str, Wanted]) -> tuple[Mistake, ...]:
        out: list[Mistake] = []
        holders: dict[str, Resource] | None = None
        for found in self._build(bundle):
            source, finding = found.source, found.diagnostic
            if holders is None:
                holders = _documents(graph)
            out.append(_finding(source, finding, holders.get(source.name.lower()), wanted))
        return tuple(out)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _match(rid: ResourceId, old: Resource | None, if_match: str | None) -> None:
    if if_match is None or if_match.strip() == "*":
        return
    if old is None:
        raise NotFound(f"The resource {rid.text!r} was not found.", target=rid.text)
    if if_match.strip().removeprefix("W/").strip('"') != old.etag:
        raise Conflict(
            "The resource was changed in the meantime: its ETag is not the one given.",
            code="PreconditionFailed",
            target=rid.text,
        )


def locate(path: str) -> tuple[ResourceId, Kind]:
    """The id with its kind; NotFound for a type that does not exist here, Invalid for no id."""
    try:
        rid = parse_id(path)
    except BadId as bad:
        raise Invalid(str(bad), code="InvalidResourceId", target=path) from bad
    kind = kind_of(rid.type)
    if kind is None:
        raise NotFound(
            f"There is no resource type {rid.type!r} here.", code="InvalidResourceType", target=path
        )
    return canonical(rid, kind), kind


def _stored_id(text: str, parents: dict[str, ResourceId]) -> ResourceId:
    """The id of a stored resource; siblings share the parse of their parent."""
    container, segment, name = text.rsplit("/", 2)
    parent = parents.get(container)
    if parent is None:
        try:
            parent = parents[container] = parse_id(container)
        except BadId:  # the segment belongs to a provider: an extension, or the first of its kind
            return parse_id(text)
    if parent.type.startswith("Microsoft.Resources/"):
        return parse_id(text)
    return parent.child(segment, name)


def _documents(graph: Graph) -> dict[str, Resource]:
    """Whose text the compiler means (`snapshot.build` names documents): `apis/<id>/policy.xml`, `schemas/<id>`; lower case."""
    found: dict[str, Resource] = {}
    for resource in graph:
        if resource.id.type_key.endswith("/policies"):
            _, _, place = resource.id.parent_key.partition(f"{SERVICE_TYPE}/".lower())
            # Below the service stands its name, which no document carries.
            _, _, inner = place.partition("/")
            found[f"{inner}/policy.xml" if inner else "policy.xml"] = resource
        elif resource.id.type_key.endswith("/schemas"):
            _, _, place = resource.id.key.partition(f"{SERVICE_TYPE}/".lower())
            found[place.partition("/")[2]] = resource
    return found


def _finding(
    source: Source, finding: Diagnostic, resource: Resource | None, wanted: Mapping[str, Wanted]
) -> Mistake:
    line, column = source.position(finding.span.start)
    one = wanted.get(resource.id.key) if resource is not None else None
    target = resource.id.text if resource is not None else source.name
    message = finding.message
    if one is not None and one.text is not None:
        place = one.text.place(line, column, finding.span.end - finding.span.start)
        if one.text.indent is None:
            message = f"in line {line}, column {column} of the text: {message}"
    else:
        place = Place(Source(target, source.text), finding.span)
    return Mistake(finding.code, message, target, place, finding.hints, finding.severity)


def _as_refusal(change: Change, what: str) -> Invalid | Conflict:
    """REST's view: a conflict with what exists is 409, everything else 400."""
    codes = {m.code for m in change.mistakes if m.is_error}
    invalid = refusal(change.mistakes, what)
    if codes <= {"Conflict", "StillReferenced"}:
        return Conflict(invalid.message, code=invalid.code, target=invalid.target, details=invalid.details)
    return invalid
