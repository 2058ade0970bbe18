"""ARM over the resource graph: one generic machine for all kinds, driven by their declarations.

GET, HEAD, LIST, PUT, PATCH, DELETE with ETags and POST of declared actions; every write goes through the one
door. Long operations are answered with their final state at once. Beside it, desired state in and out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aforo.control import access, audit, effective_policy
from aforo.control.apply import Resolve, read_files
from aforo.control.commit import Door, locate
from aforo.control.debugging import GATEWAY_TYPE, MANAGED, Debugging
from aforo.control.desired import Wanted
from aforo.control.export import export_files
from aforo.control.imports import expand
from aforo.control.openapi import Fetch
from aforo.control.render import page, shown
from aforo.errors import Conflict, Denied, Invalid, NotFound, Refusal
from aforo.identity.access import Principal
from aforo.model.catalog import kind_of
from aforo.model.ids import BadId, ResourceId, parse_id
from aforo.model.kind import Action, Effect, Kind, Resource
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT_TYPE, ROLE_DEFINITION_TYPE
from aforo.model.roles import ROLES, Role, role_named
from aforo.model.secret import Secret
from aforo.rest import error_body, json_response, read_body, status_of

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_STATE_BYTES = 64 * 1024 * 1024
# Comes back when the processes that serve calls have what was published last.
InForce = Callable[[], Awaitable[object]]
_POLICY_XML = "application/vnd.ms-azure-apim.policy+xml"


def routes(
    door: Door,
    authenticate: access.Authenticate,
    *,
    sink: audit.Sink = audit.nowhere,
    fetch: Fetch | None = None,
    in_force: InForce | None = None,
    debugging: Debugging | None = None,
) -> list[Route]:
    """All routes of the resource API. `fetch` is the egress room's, for links in imports; a change is answered
    after `in_force`. Without `debugging` no call can be traced."""
    arm = _Arm(door, authenticate, sink, fetch, in_force, debugging)
    every = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]
    return [
        Route("/subscriptions", arm.serve, methods=["GET"]),
        Route("/subscriptions/{rest:path}", arm.serve, methods=every),
        # Extension clients put a full id behind a slash of their own.
        Route("//subscriptions/{rest:path}", arm.serve, methods=every),
        Route("/tenants", arm.serve, methods=["GET"]),
        Route("/aforo/v1/apply", arm.serve, methods=["POST"]),
        Route("/aforo/v1/export", arm.serve, methods=["GET"]),
        Route("/aforo/v1/revisions", arm.serve, methods=["GET"]),
    ]


@dataclass(slots=True)
class _Call:
    """One request under way, with what the audit row will need."""

    request: Request
    principal: Principal
    path: str
    query: dict[str, str]  # lower-case names
    action: str = ""
    scope: str = ""


class _Arm:
    def __init__(
        self,
        door: Door,
        authenticate: access.Authenticate,
        sink: audit.Sink,
        fetch: Fetch | None,
        in_force: InForce | None,
        debugging: Debugging | None,
    ) -> None:
        self.door = door
        self.authenticate = authenticate
        self.sink = sink
        self.fetch = fetch
        self.in_force = in_force
        self.debugging = debugging

    async def serve(self, request: Request) -> Response:
        """Authenticate, do it, keep an audit row of every write, answer refusals in ARM's shape."""
        path = "/" + unquote(request.scope["path"]).strip("/")
        query = {k.lower(): v for k, v in request.query_params.items()}
        call = _Call(request, Principal("", "", ""), path, query, scope=path)
        error = ""
        before = self.door.revision
        try:
            call.principal = await self.authenticate(request.headers.get("authorization"))
            response = await self.dispatch(call)
            if self.in_force is not None and self.door.revision != before and not _only_reads(request):
                await self.in_force()
        except Refusal as refusal:
            error = refusal.message
            status = 412 if refusal.code == "PreconditionFailed" else status_of(refusal)
            headers = {}
            if isinstance(refusal, Denied) and not refusal.authenticated:
                headers["WWW-Authenticate"] = 'Bearer realm="aforo"'
            response = json_response(error_body(refusal), status, headers)
            if request.method == "HEAD":
                response = Response(status_code=status, headers=headers)
        request_id = request.headers.get("x-ms-client-request-id", "")
        if request_id:
            response.headers["x-ms-client-request-id"] = request_id
        if not _only_reads(request):
            self.sink(
                audit.activity_row(
                    action=call.action or f"{request.method} {path}",
                    resource_id=call.scope,
                    principal=call.principal if call.principal.object_id else None,
                    caller_ip=request.client.host if request.client else "",
                    method=request.method,
                    url_path=path,
                    status=response.status_code,
                    client_request_id=request_id,
                    error=error,
                )
            )
        return response

    async def dispatch(self, call: _Call) -> Response:
        match call.path.lower():
            case "/subscriptions":
                return json_response({"value": [self.subscription()], "count": {"type": "Total", "value": 1}})
            case "/tenants":
                tenant = self.door.tenancy.tenant_id
                return json_response({"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant}]})
            case "/aforo/v1/apply":
                return await self.apply(call)
            case "/aforo/v1/export":
                return self.export(call)
            case "/aforo/v1/revisions":
                return self.revisions(call)
            case _:
                return await self.resource_path(call)

    async def resource_path(self, call: _Call) -> Response:
        """Tell a resource, a collection and an action apart by what the path can mean."""
        segments = call.path.split("/")
        ours = self.door.tenancy.subscription_id
        if segments[2].lower() != ours.lower():
            raise NotFound(
                f"The subscription '{segments[2]}' could not be found.", code="SubscriptionNotFound"
            )
        method = call.request.method
        if len(segments) == 3 and method == "GET":
            return json_response(self.subscription())
        if method == "POST":
            return await self.post(call)
        rid = _id_or_none(call.path)
        if rid is not None and rid.type.lower() == ROLE_DEFINITION_TYPE.lower():
            return self.role_definition(call, rid)
        if rid is not None and kind_of(rid.type) is not None:
            rid, kind = locate(call.path)
            match method:
                case "GET" | "HEAD":
                    return self.get(call, rid, kind)
                case "PUT":
                    return await self.put(call, rid, kind)
                case "PATCH":
                    return await self.patch(call, rid, kind)
                case _:
                    return await self.delete(call, rid, kind)
        inside = _id_or_none(f"{call.path}/x")
        if inside is not None and method == "GET":
            if inside.type.lower() == ROLE_DEFINITION_TYPE.lower():
                return self.role_definitions(call)
            listed = kind_of(inside.type)
            if listed is not None:
                return self.list(call, inside, listed)
        known = rid or inside
        if known is None:
            raise Invalid(
                f"{call.path} is not the id of a resource or of a collection", code="InvalidResourceId"
            )
        raise NotFound(f"There is no resource type {known.type!r} here.", code="InvalidResourceType")

    def get(self, call: _Call, rid: ResourceId, kind: Kind) -> Response:
        self.permit(call, rid, "read")
        resource = self.door.require(rid.text)
        headers = {"ETag": f'"{resource.etag}"'}
        if call.request.method == "HEAD":
            return Response(status_code=204 if kind.link else 200, headers=headers)
        if kind.singleton and _POLICY_XML in call.request.headers.get("accept", ""):
            text = str(resource.properties.get("value", ""))
            return Response(text, 200, headers, media_type=_POLICY_XML)
        return json_response(shown(resource, self.door.graph, self.door.live), 200, headers)

    def list(self, call: _Call, inside: ResourceId, kind: Kind) -> Response:
        self.permit(call, inside, "read", scope=inside.parent)
        graph = self.door.graph
        if kind.parent == "*" or kind.parent.lower() == parse_id(inside.parent).type_key:
            if parse_id(inside.parent).parent and graph.get(inside.parent) is None:
                raise NotFound(f"The resource {inside.parent!r} was not found.", target=inside.parent)
            found = [*graph.children(inside.parent_key, kind.type)]
            if kind.type == ROLE_ASSIGNMENT_TYPE:
                found = _assignments(graph.of_type(kind.type), inside.parent_key, call.query)
        else:
            # One level or more above its place: everything of that type below.
            found = [r for r in graph.of_type(kind.type) if r.id.key.startswith(f"{inside.parent_key}/")]
        url = f"{call.request.url.scheme}://{call.request.headers.get('host', '')}{call.path}"
        return json_response(page(found, call.query, url, graph, self.door.live))

    async def put(self, call: _Call, rid: ResourceId, kind: Kind) -> Response:
        self.permit(call, rid, "write")
        body = await _json_body(call.request, MAX_BODY_BYTES, optional=bool(kind.link))
        wanted, removed = await expand(Wanted(rid, kind, body), self.door.graph, self.fetch)
        imported = len(wanted) > 1 or bool(removed)
        resource, new = await asyncio.to_thread(
            self.door.put_all,
            wanted,
            remove=removed,
            if_match=call.request.headers.get("if-match"),
            must_be_new=call.request.headers.get("if-none-match") == "*",
            caller=_caller(call),
            summary=f"{'import' if imported else 'put'} {rid.text}",
        )
        return self.answer(resource, kind.created_status if new else 200)

    async def patch(self, call: _Call, rid: ResourceId, kind: Kind) -> Response:
        self.permit(call, rid, "write")
        body = await _json_body(call.request, MAX_BODY_BYTES)
        if kind.type == API_TYPE and {"format", "value"} & {str(k) for k in body.get("properties", {})}:
            raise Invalid("an API description is imported with PUT", code="ValidationError", target="format")
        current = self.door.require(rid.text)
        merged = _merged(current.body, body)
        # The state that was merged with is the state that is replaced, whatever the client asked for.
        match = call.request.headers.get("if-match") or "*"
        if_match = current.etag if match.strip() == "*" else match
        resource, _ = await asyncio.to_thread(
            self.door.put, rid.text, merged, if_match=if_match, caller=_caller(call)
        )
        return self.answer(resource, 200)

    async def delete(self, call: _Call, rid: ResourceId, kind: Kind) -> Response:
        self.permit(call, rid, "delete")
        existed = await asyncio.to_thread(
            self.door.delete,
            rid.text,
            if_match=call.request.headers.get("if-match"),
            cascade=call.query.get("deletesubscriptions", "").lower() == "true",
            caller=_caller(call),
        )
        # For an API the SDK takes 202 and 204 alone, for everything else 200 and 204.
        return Response(status_code=200 if existed and kind.type != API_TYPE else 204)

    async def post(self, call: _Call) -> Response:
        target, _, name = call.path.rpartition("/")
        rid = _id_or_none(target)
        if rid is not None and rid.type.lower() == GATEWAY_TYPE.lower():
            return await self.debug(call, rid, name)
        if rid is not None and effective_policy.offered(rid, name):
            return await self.effective_policy(call, rid)
        kind = kind_of(rid.type) if rid is not None else None
        if rid is None or kind is None:
            raise NotFound(f"There is nothing to post to at {call.path}.", code="InvalidResourceType")
        action = next((a for a in kind.actions if a.name.lower() == name.lower()), None)
        if action is None:
            offered = ", ".join(a.name for a in kind.actions) or "none"
            raise NotFound(
                f"A {kind.name} has no action {name!r} (it has: {offered}).",
                code="ActionNotFound",
                target=target,
            )
        self.permit(call, rid, f"{action.name}/action")
        resource = self.door.require(rid.text)
        why_not = action.unless(resource)
        if why_not:
            raise Conflict(why_not, code="ActionNotAvailable", target=target)
        if action.effect is Effect.SHOW:
            return json_response(_revealed(resource, action), 200, {"ETag": f'"{resource.etag}"'})
        which = action.fields[0][1]
        if action.selector:
            body = await _json_body(call.request, MAX_BODY_BYTES, optional=True)
            chosen = str(next((v for k, v in body.items() if k.lower() == action.selector.lower()), ""))
            named = next((p for shown_as, p in action.fields if shown_as.lower() == chosen.lower()), None)
            if named is None:
                names = " or ".join(f[0] for f in action.fields)
                raise Invalid(f"{action.selector!r} has to be {names}", target=action.selector)
            which = named
        resource = await asyncio.to_thread(self.door.rotate, rid.text, action, which, _caller(call))
        if action.status == 204:
            return Response(status_code=204)
        return json_response(_revealed(resource, action), action.status)

    async def effective_policy(self, call: _Call, rid: ResourceId) -> Response:
        """Who may read all that it is made of gets it; see `effective_policy.answer`."""
        self.permit(call, rid.child("policies", "policy"), "read")
        body = await _json_body(call.request, MAX_BODY_BYTES, optional=True)
        graph = self.door.graph
        told = await asyncio.to_thread(effective_policy.answer, graph, self.door.live, rid, body)
        for read in told.made_of:
            access.require(graph, call.principal, access.action_on(read, "read"), read.text)
        return json_response(told.body)

    async def debug(self, call: _Call, gateway: ResourceId, name: str) -> Response:
        """Actions of the managed gateway, which is no resource of its own here."""
        known = Debugging.known(name)
        if known is None or self.debugging is None or gateway.name.lower() != MANAGED:
            raise NotFound(
                f"The gateway {gateway.name!r} has no action {name!r} here.", code="ActionNotFound"
            )
        self.permit(call, gateway, f"{known}/action")
        self.door.require(gateway.parent)
        body = await _json_body(call.request, MAX_BODY_BYTES)
        return json_response(await self.debugging.answer(known, gateway, body, self.door.graph))

    async def apply(self, call: _Call) -> Response:
        """`{path, files, dryRun}` -> `{revision, changes, diagnostics}`; 400 with errors.

        `files` maps relative paths to texts, and `env:NAME` to values of the caller's environment.
        """
        self.permit_state(call, "write")
        body = await _json_body(call.request, MAX_STATE_BYTES)
        files = body.get("files")
        if not isinstance(files, Mapping) or not all(isinstance(t, str) for t in files.values()):
            raise Invalid("'files' has to be an object of relative path to text", target="files")
        resolve = Resolve(self.door.tenancy.subscription_id, self.door.mint.guid, self.fetch)
        desired = await read_files(str(body.get("path", "")), files, resolve)
        dry_run = body.get("dryRun") is True
        change = await asyncio.to_thread(self.door.attempt, desired, dry_run, _caller(call))
        return json_response(change.as_json(), 400 if change.rejected else 200)

    def export(self, call: _Call) -> Response:
        """`{files}`; `?secrets=true` writes them in clear, for those who may read them."""
        secrets = call.query.get("secrets", "").lower() == "true"
        self.permit_state(call, "exportSecrets/action" if secrets else "read")
        return json_response({"files": export_files(self.door.graph, secrets=secrets)})

    def revisions(self, call: _Call) -> Response:
        self.permit_state(call, "read")
        found = [
            {"revision": r.number, "at": r.at_ns, "caller": r.caller, "summary": r.summary}
            for r in self.door.history()
        ]
        return json_response({"current": self.door.revision, "value": found})

    def role_definitions(self, call: _Call) -> Response:
        wanted = call.query.get("$filter", "")
        name = wanted.partition("roleName eq '")[2].partition("'")[0].lower()
        return json_response({"value": [self.role(r) for r in ROLES if not name or r.name.lower() == name]})

    def role_definition(self, call: _Call, rid: ResourceId) -> Response:
        role = role_named(rid.name)
        if role is None or call.request.method not in ("GET", "HEAD"):
            raise NotFound(f"There is no role definition {rid.name!r}.", code="RoleDefinitionDoesNotExist")
        return json_response(self.role(role))

    def role(self, role: Role) -> dict[str, Any]:
        subscription = self.door.tenancy.subscription_id
        permission = {
            "actions": role.actions,
            "notActions": role.not_actions,
            "dataActions": role.data_actions,
            "notDataActions": (),
        }
        return {
            "id": f"/subscriptions/{subscription}/providers/{ROLE_DEFINITION_TYPE}/{role.guid}",
            "type": ROLE_DEFINITION_TYPE,
            "name": role.guid,
            "properties": {
                "roleName": role.name,
                "type": "BuiltInRole",
                "permissions": [permission],
                "assignableScopes": ["/"],
            },
        }

    def subscription(self) -> dict[str, Any]:
        tenancy = self.door.tenancy
        return {
            "id": f"/subscriptions/{tenancy.subscription_id}",
            "subscriptionId": tenancy.subscription_id,
            "tenantId": tenancy.tenant_id,
            "displayName": "Aforo",
            "state": "Enabled",
        }

    def permit(self, call: _Call, rid: ResourceId, verb: str, scope: str = "") -> None:
        call.action, call.scope = access.action_on(rid, verb), rid.text
        access.require(self.door.graph, call.principal, call.action, scope or rid.text)

    def permit_state(self, call: _Call, verb: str) -> None:
        call.scope = f"/subscriptions/{self.door.tenancy.subscription_id}"
        call.action = f"Aforo.State/desiredState/{verb}"
        access.require(self.door.graph, call.principal, call.action, call.scope)

    def answer(self, resource: Resource, status: int) -> Response:
        body = shown(resource, self.door.graph, self.door.live)
        return json_response(body, status, {"ETag": f'"{resource.etag}"'})


def _only_reads(request: Request) -> bool:
    return request.method in ("GET", "HEAD")


def _caller(call: _Call) -> str:
    return call.principal.name or call.principal.client_id


def _id_or_none(path: str) -> ResourceId | None:
    try:
        return parse_id(path)
    except BadId:
        return None


async def _json_body(request: Request, limit: int, *, optional: bool = False) -> dict[str, Any]:
    data = await read_body(request, limit)
    if data is None:
        raise Invalid(f"the request's body is larger than {limit // 2**20} MB", code="RequestBodyTooLarge")
    if not data.strip():
        if optional:
            return {}
        raise Invalid("The request needs a JSON body.", code="MissingRequestBody")
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The request's body is not JSON: {error}", code="InvalidRequestContent") from error
    if not isinstance(body, dict):
        raise Invalid("The request's body has to be a JSON object.", code="InvalidRequestContent")
    return body


def _merged(old: Any, new: Any) -> Any:
    """JSON merge patch (RFC 7396): objects merge, null removes, anything else replaces."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    out = dict(old)
    by_name = {str(k).lower(): k for k in old}
    for name, value in new.items():
        key = by_name.get(str(name).lower(), name)
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merged(out.get(key), value)
    return out


def _revealed(resource: Resource, action: Action) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for shown_as, name in action.fields:
        value = resource.properties.get(name)
        out[shown_as] = value.reveal() if isinstance(value, Secret) else value
    return out


def _assignments(found: Any, scope: str, query: Mapping[str, str]) -> list[Resource]:
    """Those at the scope and above; below it too unless `atScope()` was asked for."""
    only_here = "atscope()" in query.get("$filter", "").lower()
    return [
        r
        for r in found
        if r.id.parent_key == scope
        or scope.startswith(f"{r.id.parent_key}/")
        or (not only_here and r.id.parent_key.startswith(f"{scope}/"))
    ]
