"""A directory of principals that a test has made up: the `Directory` of the local issuer."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.identity.access import Application, Principal


class KnownPrincipals:
    """A directory of given principals: the first managed identity is the system-assigned one."""

    def __init__(
        self, applications: Iterable[Application] = (), identities: Iterable[Principal] = ()
    ) -> None:
        self._applications = {a.principal.client_id.lower(): a for a in applications}
        self._identities = tuple(identities)

    def application(self, client_id: str) -> Application | None:
        return self._applications.get(client_id.lower())

    def managed_identity(
        self, *, client_id: str | None = None, object_id: str | None = None, resource_id: str | None = None
    ) -> Principal | None:
        for identity in self._identities:
            if (
                _same(client_id, identity.client_id)
                and _same(object_id, identity.object_id)
                and _same(resource_id, identity.resource_id)
            ):
                return identity
        return None


def _same(asked: str | None, actual: str) -> bool:
    return asked is None or asked.lower() == actual.lower()
