"""Who may do what on the control plane: role assignments at the scope or above it. It knows no token format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from aforo.errors import Denied
from aforo.identity.access import Principal
from aforo.model.graph import Graph
from aforo.model.ids import ResourceId
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT_TYPE
from aforo.model.roles import Role, role_named

# Whoever holds the bootstrap token: no assignment is needed, none can take it away; it is switched off at start.
ADMIN = Principal("00000000-0000-0000-0000-000000000000", "admin", "admin")

# The `Authorization` header (None when there is none) -> who that is; Denied when it is nobody.
Authenticate = Callable[[str | None], Awaitable[Principal]]


def bearer_or_admin(
    is_admin_token: Callable[[str], bool], verify: Callable[[str], Awaitable[Principal]] | None
) -> Authenticate:
    """Bearer tokens: the admin token, or what `verify` accepts (Denied when it does not)."""

    async def authenticate(header: str | None) -> Principal:
        scheme, _, token = (header or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Denied(
                "Authentication failed. The 'Authorization' header is missing.",
                code="AuthenticationFailed",
                authenticated=False,
            )
        if is_admin_token(token):
            return ADMIN
        if verify is None:
            raise Denied("The token is not accepted.", code="InvalidAuthenticationToken", authenticated=False)
        return await verify(token)

    return authenticate


def require(graph: Graph, principal: Principal, action: str, scope: str) -> None:
    """Denied (403) unless the principal may do `action` (`Microsoft.X/y/write`) at that scope."""
    if allowed(graph, principal, action, scope):
        return
    raise Denied(
        f"The client '{principal.name or principal.client_id}' with object id '{principal.object_id}' does not "
        f"have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid.",
        code="AuthorizationFailed",
        target=scope,
    )


def allowed(graph: Graph, principal: Principal, action: str, scope: str) -> bool:
    """Whether one of the principal's roles, at the scope or above, has the action."""
    return principal is ADMIN or any(role.allows(action) for role in _roles(graph, principal, scope))


def allowed_data(graph: Graph, principal: Principal, action: str, scope: str) -> bool:
    """The same for an action of a data plane (`Microsoft.Insights/Telemetry/Write`)."""
    return principal is ADMIN or any(role.allows_data(action) for role in _roles(graph, principal, scope))


def assigned(graph: Graph, principal: Principal) -> Iterator[tuple[str, Role]]:
    """All that was assigned to a principal: the id text of the scope, and the role."""
    wanted = principal.object_id.lower()
    for assignment in graph.of_type(ROLE_ASSIGNMENT_TYPE):
        if str(assignment.properties.get("principalId", "")).lower() == wanted:
            role = role_named(str(assignment.properties.get("roleDefinitionId")).rpartition("/")[2])
            if role is not None:
                yield assignment.id.parent, role


def covers(place: str, scope: str) -> bool:
    """Whether what is assigned at a place holds at a scope: there, or above it."""
    within, at = place.lower(), scope.lower().rstrip("/")
    return at == within or at.startswith(f"{within}/")


def _roles(graph: Graph, principal: Principal, scope: str) -> Iterator[Role]:
    """The principal's roles at the scope and above it."""
    return (role for place, role in assigned(graph, principal) if covers(place, scope))


def action_on(rid: ResourceId, verb: str) -> str:
    """`Microsoft.ApiManagement/service/apis/write`."""
    return f"{rid.type}/{verb}"
