"""Principals and what they may do: role assignments in force. It knows no token and no request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from aforo.model.account_facts import RoleFacts
from aforo.model.roles import role_named


class Principal(msgspec.Struct, frozen=True):
    """Somebody a token can be about. `object_id` is what role assignments name; `client_id` the application."""

    object_id: str
    client_id: str
    name: str = ""
    roles: tuple[str, ...] = ()  # application roles: the `roles` claim
    resource_id: str = ""  # of a managed identity: the resource that has it (`xms_mirid`)


class Directory(Protocol):
    """Who exists: control implements it over its store."""

    def application(self, client_id: str) -> Application | None:
        """The registered application; None when there is none."""

    def managed_identity(
        self, *, client_id: str | None = None, object_id: str | None = None, resource_id: str | None = None
    ) -> Principal | None:
        """A user-assigned identity by one of its ids, or the system-assigned one when none is given."""


class Application(msgspec.Struct, frozen=True):
    """An application that may ask for tokens with a secret. Secrets are known by `keys.hash_key` only."""

    principal: Principal
    secret_hashes: tuple[bytes, ...] = ()


class RoleBook:
    """All assignments that matter to a service, ready to be asked."""

    def __init__(self, assignments: Iterable[RoleFacts] = ()) -> None:
        self._by_principal: dict[str, list[tuple[str, str]]] = {}
        for a in assignments:
            entry = (_role_id(a.role), _scope(a.scope))
            self._by_principal.setdefault(a.principal_id.lower(), []).append(entry)

    def has(self, principal_id: str, roles: Iterable[str], scope: str) -> bool:
        """Whether the principal holds one of the roles (names or ids) at this scope or above it."""
        held = self._by_principal.get(principal_id.lower())
        if not held:
            return False
        wanted = {_role_id(role) for role in roles}
        at = _scope(scope)
        return any(role in wanted and (at == s or at.startswith(s + "/")) for role, s in held)


def _role_id(role: str) -> str:
    # A definition is named by its name, by its id, or by a path that ends in its id.
    last = role.rpartition("/")[2].lower()
    known = role_named(last)
    return last if known is None else known.guid


def _scope(scope: str) -> str:
    return "/" + scope.strip("/").lower() if scope.strip("/") else ""
