"""Which tokens each API behind the control plane's origin accepts: those that were asked for with its name.

Azure serves them at different hosts with different audiences; here they share one origin, so that a token for
logs must not change resources only because it arrives at the same port.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.requests import Request

from aforo.control.access import Authenticate, bearer_or_admin
from aforo.identity.access import Principal
from aforo.identity.issue import Issuer
from aforo.identity.verify import FixedKeys, Verifier

RESOURCES = ("https://management.azure.com", "https://management.core.windows.net")
LOGS = ("https://api.loganalytics.io", "https://api.loganalytics.azure.com")
KUSTO = ("https://kusto.kusto.windows.net",)
INGESTION = ("https://monitor.azure.com",)


class Audiences:
    """Authentication per API. The admin token and tokens for `own` (URLs of the origin) are good for all of them:
    local clients ask for `<endpoint>/.default`."""

    def __init__(self, issuer: Issuer, is_admin_token: Callable[[str], bool], own: Sequence[str]) -> None:
        self._issuer = issuer
        self._is_admin_token = is_admin_token
        self._own = own
        self.resources = self._for(RESOURCES)
        self._logs = self._for(LOGS)
        # Azure answers `.../query` below a resource also at the management host.
        self._resource_logs = self._for((*LOGS, *RESOURCES))
        self._kusto = self._for(KUSTO)
        self._editing = self._for((*LOGS, *KUSTO, *RESOURCES))
        self._ingestion = self._for(INGESTION)

    async def logs(self, request: Request) -> Principal:
        """Who asks the Log Analytics API; Denied when it is nobody."""
        of_resource = request.url.path.lower().startswith("/subscriptions/")
        authenticate = self._resource_logs if of_resource else self._logs
        return await authenticate(request.headers.get("authorization"))

    async def graph(self, request: Request) -> Principal:
        """Who asks the resource graph, at the management host; Denied when it is nobody."""
        return await self.resources(request.headers.get("authorization"))

    async def editing(self, request: Request) -> Principal:
        """Who writes a query for either of the query APIs; Denied when it is nobody."""
        return await self._editing(request.headers.get("authorization"))

    async def kusto(self, request: Request) -> Principal:
        """Who asks the Kusto API; Denied when it is nobody."""
        return await self._kusto(request.headers.get("authorization"))

    async def ingestion(self, request: Request) -> Principal:
        """Who sends rows to a data collection rule; Denied when it is nobody."""
        return await self._ingestion(request.headers.get("authorization"))

    def _for(self, audiences: Sequence[str]) -> Authenticate:
        verifier = Verifier(
            FixedKeys(self._issuer.jwks()),
            audiences=(*audiences, *self._own),
            issuers=self._issuer.issuers,
        )

        async def verify(token: str) -> Principal:
            claims = await verifier.verify(token)
            client_id = str(claims.get("appid") or claims.get("azp") or "")
            object_id = str(claims.get("oid") or claims.get("sub") or "")
            name = str(claims.get("name") or claims.get("app_displayname") or client_id)
            return Principal(object_id, client_id, name, tuple(claims.get("roles", ())))

        return bearer_or_admin(self._is_admin_token, verify)
