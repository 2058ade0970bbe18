"""A change worked out against a graph: what is created, updated, deleted, and everything wrong with it.

Pure: it stores and publishes nothing. The same rules hold for one REST call and for a whole desired state.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aforo.control import fragment_texts, live, query_texts
from aforo.control.desired import ChangeItem, Mistake, Place, Wanted, differences
from aforo.model.catalog import canonical, kind_of, rank
from aforo.model.check import check_body
from aforo.model.graph import Draft, Graph, references_of
from aforo.model.ids import SUBSCRIPTION_TYPE, BadId, parse_id
from aforo.model.kind import Mint, Path, Problem, Property, Resource
from aforo.model.kinds.account import ACCOUNT_TYPE, is_elsewhere
from aforo.model.kinds.application import APPLICATION_TYPE
from aforo.model.kinds.group import SYSTEM_GROUPS
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT_TYPE
from aforo.model.kinds.service import MASTER, SERVICE_TYPE
from aforo.model.secret import MASK, Secret

# One data directory runs one gateway and one local account: a second one would never be served.
_SINGLE = {SERVICE_TYPE: "an API Management service", ACCOUNT_TYPE: "a local account"}


@dataclass(slots=True)
class Plan:
    """The outcome: the new graph, what changed, what is wrong."""

    graph: Graph
    changed: dict[str, Resource | None] = field(default_factory=dict)
    items: list[ChangeItem] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


class Planner:
    """Collects edits on one graph; `finish` checks the whole."""

    def __init__(self, graph: Graph, mint: Mint) -> None:
        self.base = graph
        self.draft: Draft = graph.draft()
        self.mint = mint
        self.mistakes: list[Mistake] = []
        self.wanted: dict[str, Wanted] = {}
        # What would exist but for its own mistakes: that it is missing needs no further word.
        self.failed: set[str] = set()

    def put(self, wanted: Wanted, origin: str) -> None:
        """Create or replace one resource, with its companions when it is new."""
        parent = self.draft.get(wanted.id.parent) if wanted.id.parent else None
        # An id is spelled as its parent's was, whatever case the caller likes.
        wanted = replace(wanted, id=canonical(wanted.id, wanted.kind, parent.id if parent else None))
        self.wanted[wanted.id.key] = wanted
        old = self.draft.get(wanted.id.key)
        if wanted.id.parent_key in self.failed:
            self.failed.add(wanted.id.key)
        body = _principals_resolved(wanted, self.draft)
        clean, problems = check_body(wanted.kind, wanted.id, body, may_lack_secrets=old is not None)
        if problems:
            self._say(wanted, problems)
            if old is None:
                self.failed.add(wanted.id.key)
            return
        if old is not None:
            clean = _carried(wanted.kind.envelope, clean, old.body)
            clean["properties"] = _carried(
                wanted.kind.properties, clean["properties"], old.body.get("properties", {})
            )
            if wanted.kind.nested_secrets:
                left = [
                    Problem(p, "there is no secret yet that this mask could stand for")
                    for p in _masks(clean, ())
                ]
                self._say(wanted, left)
        wanted.kind.fill(clean, old.body if old is not None else None, wanted.id, self.mint)
        if old is not None and old.body == clean:
            if origin == "file" and old.origin == "rest":
                self.draft.put(replace(old, origin=origin))
            return
        # What a file once wanted stays the file's, whoever edits it in between.
        kept = old.origin if old is not None and old.origin != "rest" else origin
        resource = Resource(
            old.id if old is not None else wanted.id, wanted.kind, clean, secrets.token_hex(8), kept
        )
        self.draft.put(resource)
        if old is None:
            for companion, content in wanted.kind.companions(resource):
                kind = kind_of(companion.type)
                assert kind is not None
                if self.draft.get(companion.key) is None:
                    self._companion(Wanted(companion, kind, content))

    def _companion(self, wanted: Wanted) -> None:
        body = {"properties": dict(wanted.body["properties"])}
        wanted.kind.fill(body, None, wanted.id, self.mint)
        self.draft.put(Resource(wanted.id, wanted.kind, body, secrets.token_hex(8), "system"))

    def remove(self, key: str, *, cascade: bool = False) -> None:
        """Delete a resource with all below it. `cascade` takes its subscriptions along (`deleteSubscriptions`)."""
        resource = self.draft.get(key)
        if resource is None:
            return
        if _built_in(resource):
            self.mistakes.append(
                Mistake("NotAllowed", f"{resource.name!r} is built in and stays", resource.id.text)
            )
            return
        doomed = [resource, *self.draft.descendants(resource.id.key)]
        for one in reversed(doomed):
            self.draft.remove(one.id.key)
        for one in doomed:
            for referrer in self.draft.referrers(one.id.key):
                how = {r.on_delete for r in references_of(referrer) if r.target == one.id.key}
                if "cascade" in how or (cascade and referrer.kind.name == "subscription"):
                    self.remove(referrer.id.key)
            self._disempower(one)

    def _disempower(self, gone: Resource) -> None:
        """Delete the role assignments of a principal that is deleted: the next one of its name would have them."""
        principal = _principal_of(gone)
        if principal is None:
            return
        for assignment in self._all(ROLE_ASSIGNMENT_TYPE):
            if str(assignment.properties.get("principalId", "")).lower() != principal.lower():
                continue
            if assignment.id.key not in self.wanted:
                self.draft.remove(assignment.id.key)
                continue
            self.mistakes.append(
                Mistake(
                    "StillReferenced",
                    f"{gone.kind.name} {gone.name!r} cannot be deleted: role assignment {assignment.name!r} uses it",
                    gone.id.text,
                    self._place_of(assignment),
                )
            )

    def finish(self) -> Plan:
        """Check everything that changed against everything there is."""
        for key, resource in list(self.draft.changed.items()):
            if resource is None:
                gone = self.base.get(key)
                if gone is not None:
                    self._check_gone(gone)
            else:
                self._check(resource)
        graph = self.draft.graph()
        plan = Plan(graph, dict(self.draft.changed), [], self.mistakes)
        for key, resource in self.draft.changed.items():
            before = self.base.get(key)
            if resource is None:
                if before is not None:
                    plan.items.append(ChangeItem("delete", before.id.text))
            elif before is None:
                plan.items.append(ChangeItem("create", resource.id.text))
            elif before.body != resource.body:
                detail = differences(before.body, resource.body)
                plan.items.append(ChangeItem("update", resource.id.text, detail))
        plan.items.sort(key=_order)
        return plan

    def _check(self, resource: Resource) -> None:
        wanted = self.wanted.get(resource.id.key) or Wanted(resource.id, resource.kind, resource.body)
        problems: list[Problem] = []
        problems.extend(self._place_problems(resource))
        for alias in resource.kind.aliases(resource):
            self._clash(wanted, resource, alias)
        for reference in references_of(resource):
            if reference.soft or reference.target in self.failed or not _is_ours(reference.target):
                continue
            if self.draft.get(reference.target) is None:
                target = reference.target.rpartition("/")
                family = target[0].rpartition("/")[2]
                problems.append(
                    Problem(
                        reference.path,
                        f"there is no {_readable(family)} {_cased(resource, reference.path, target[2])!r}",
                        self._siblings(reference.target),
                        code="ReferenceNotFound",
                    )
                )
        for rule in resource.kind.rules:
            problems.extend(rule(resource, self.draft))
        problems.extend(live.problems(resource, self.draft))
        if not problems:  # what hangs in the air already cannot be judged further
            problems.extend(query_texts.problems(resource, self.draft))
            problems.extend(fragment_texts.problems(resource, self.draft))
        self._say(wanted, problems)

    def _place_problems(self, resource: Resource) -> Iterable[Problem]:
        parent = parse_id(resource.id.parent)
        is_root = parent.type == SUBSCRIPTION_TYPE
        if not is_root and parent.key not in self.failed and self.draft.get(parent.key) is None:
            yield Problem((), f"its parent {parent.text} does not exist", code="ParentResourceNotFound")
        what = _SINGLE.get(resource.kind.type)
        if what is not None and not _described(resource):
            others = (r for r in self._all(resource.kind.type) if r.id != resource.id and not _described(r))
            other = next(iter(others), None)
            if other is not None:
                hint = "run a second system with its own --data for another one"
                yield Problem((), f"this system has {what} already: {other.name!r}", (hint,), code="Conflict")

    def _all(self, full_type: str) -> list[Resource]:
        seen = {r.id.key for r in self.base.of_type(full_type)}
        seen.update(k for k, r in self.draft.changed.items() if r is not None and r.kind.type == full_type)
        return [r for key in seen if (r := self.draft.get(key)) is not None]

    def _check_gone(self, gone: Resource) -> None:
        for token in (gone.id.key, *gone.kind.aliases(gone)):
            if token != gone.id.key and self.draft.bearer(gone.kind.type, token) is not None:
                continue  # another one answers to that name now
            for referrer in self.draft.referrers(token):
                self.mistakes.append(
                    Mistake(
                        "StillReferenced",
                        f"{gone.kind.name} {gone.name!r} cannot be deleted: {referrer.kind.name} "
                        f"{_named(referrer)!r} uses it",
                        gone.id.text,
                        self._place_of(referrer),
                    )
                )

    def _place_of(self, resource: Resource) -> Place | None:
        wanted = self.wanted.get(resource.id.key)
        return wanted.place(()) if wanted is not None else None

    def _siblings(self, target: str) -> tuple[str, ...]:
        try:
            missing = parse_id(target)
        except BadId:
            return ()
        names = sorted(r.name for r in self.draft.children(missing.parent_key, missing.type))
        return (f"there is: {', '.join(names[:12])}",) if names else ()

    def _say(self, wanted: Wanted, problems: Iterable[Problem]) -> None:
        for problem in problems:
            path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem.path)
            self.mistakes.append(
                Mistake(
                    problem.code,
                    problem.message,
                    f"{wanted.id.text}{path}",
                    wanted.place(problem.path),
                    tuple(h for h in problem.hints if h),
                )
            )

    def _clash(self, wanted: Wanted, resource: Resource, alias: str) -> None:
        """Tell that another resource bears the alias; of two that came together the later one is told."""
        keys = self.draft.bearers(resource.kind.type, alias)
        if len(keys) < 2 or keys[0] == resource.id.key:
            return
        other = self.draft.get(keys[0])
        assert other is not None
        what = "this key" if alias.startswith("key ") else alias.partition(" of /")[0]
        message = f"{resource.kind.name} {other.name!r} has {what} already"
        self.mistakes.append(Mistake("Conflict", message, wanted.id.text, wanted.place(())))


def _order(item: ChangeItem) -> tuple[int, str]:
    return rank(parse_id(item.id).type), item.id.lower()


def _carried(declared: tuple[Property, ...], new: dict[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """What a new body does not say but keeps: generated values and secrets."""
    out = {name: _unmasked(value, old.get(name)) for name, value in new.items()}
    for prop in declared:
        if prop.name in out or prop.name not in old:
            continue
        hidden = prop.secret or (prop.sealed_by and out.get(prop.sealed_by) is True)
        if prop.readonly or (hidden and isinstance(old[prop.name], Secret)):
            out[prop.name] = old[prop.name]
    return out


def _unmasked(new: Any, old: Any) -> Any:
    """A value in which every mask is the secret that stands at its place."""
    if new == MASK and isinstance(old, Secret):
        return old
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        return {name: _unmasked(value, old.get(name)) for name, value in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        return [_unmasked(v, old[i] if i < len(old) else None) for i, v in enumerate(new)]
    return new


def _masks(value: Any, path: Path) -> Iterable[Path]:
    """Where a mask is left that stands for nothing."""
    if value == MASK:
        yield path
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _masks(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _masks(inner, (*path, index))


def _principals_resolved(wanted: Wanted, draft: Draft) -> Mapping[str, Any]:
    """A role assignment's `${services.NAME.principalId}` as the GUID that it means."""
    properties = wanted.body.get("properties")
    given = properties.get("principalId") if isinstance(properties, Mapping) else None
    group = wanted.id.ancestor("Microsoft.Resources/resourceGroups")
    if not isinstance(given, str) or "${" not in given or group is None:
        return wanted.body
    for family, kind in (
        ("services", SERVICE_TYPE),
        ("accounts", ACCOUNT_TYPE),
        ("applications", APPLICATION_TYPE),
    ):
        prefix = f"${{{family}."
        if given.startswith(prefix) and given.endswith(".principalId}"):
            target = f"{group.key}/providers/{kind}/{given[len(prefix) : -len('.principalId}')]}".lower()
            resource = draft.get(target)
            if resource is None:
                return wanted.body
            principal = _principal_of(resource)
            if principal is not None:
                return {**wanted.body, "properties": {**wanted.body["properties"], "principalId": principal}}
    return wanted.body


def _principal_of(resource: Resource) -> str | None:
    """The object id that an application, or the identity of a service or an account, has in role assignments."""
    if resource.kind.type == APPLICATION_TYPE:
        principal = resource.properties.get("principalId")
    else:
        principal = (resource.body.get("identity") or {}).get("principalId")
    return str(principal) if principal else None


def _built_in(resource: Resource) -> bool:
    return (resource.kind.name == "group" and resource.name.lower() in SYSTEM_GROUPS) or (
        resource.kind.name == "subscription" and resource.name.lower() == MASTER
    )


def _described(resource: Resource) -> bool:
    """Whether nothing here serves it: of accounts that stand elsewhere there may be any number."""
    return resource.kind.type == ACCOUNT_TYPE and is_elsewhere(resource)


def _is_ours(target: str) -> bool:
    """Role definitions are built in, so no resource of the graph stands for them."""
    return "/roledefinitions/" not in target


def _named(resource: Resource) -> str:
    parent = parse_id(resource.id.parent)
    return f"{parent.name}/{resource.name}" if resource.kind.singleton else resource.name


def _readable(collection: str) -> str:
    kind = kind_of(f"{SERVICE_TYPE}/{collection}")
    return kind.name if kind is not None else collection.removesuffix("s")


def _cased(resource: Resource, path: tuple[str | int, ...], fallback: str) -> str:
    """The referred name as it was written."""
    value: Any = resource.body
    for step in path:
        value = value[step]
    return value.rpartition("/")[2] if path and isinstance(value, str) else (resource.name or fallback)
