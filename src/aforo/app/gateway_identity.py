"""Where a gateway's own tokens come from, and the keys by which it knows those of others: our own issuer, the cloud that it
runs in, and providers outside. Each is reached through a pool that leads nowhere else.
"""

from __future__ import annotations

import os
from pathlib import Path

from aforo.app.identity_places import identity_places
from aforo.app.spec import Spec
from aforo.egress.fetch import fetch
from aforo.egress.policy import EgressPolicy
from aforo.egress.pool import Pool
from aforo.errors import Upstream
from aforo.gateway.signing_keys import ENTRA, FetchedSigningKeys
from aforo.identity.identity_sources import IDENTITY_PATH, AppServiceIdentity, HttpAnswer, detect
from aforo.identity.managed import NoIdentity, TokenSource
from aforo.messages import Headers, parse_url
from aforo.snapshot.snapshot import Bundle

_ISSUER_DOCUMENTS = frozenset(
    f"{path}{version}{name}"
    for path, name in (("", ".well-known/openid-configuration"), ("discovery/", "keys"))
    for version in ("", "v2.0/")
)
_ISSUER_TOKENS = frozenset(("oauth2/token", "oauth2/v2.0/token"))


class GatewayIdentity:
    """Of one gateway process. `pool` is that of its backends, `ca` the authority of this system."""

    def __init__(self, spec: Spec, pool: Pool, ca: Path) -> None:
        self._spec = spec
        self._pool = pool
        self._environment = Pool(EgressPolicy(), ca)
        # The issuer's documents, and nothing else of control, may be asked for by an address in a policy.
        issuer = frozenset({(spec.local_host, p) for p in (spec.control_port, spec.control_tls_port)})
        self._own = Pool(EgressPolicy(allowed_ports=issuer), ca)
        self._tenant = ""
        self.keys = FetchedSigningKeys(self._document, entra=os.environ.get("AZURE_AUTHORITY_HOST") or ENTRA)

    def sweep(self) -> None:
        """To be called about once a second."""
        self._environment.sweep()
        self._own.sweep()

    async def close(self) -> None:
        await self.keys.close()
        self._own.close()
        self._environment.close()

    def source(self, bundle: Bundle) -> tuple[TokenSource, Path]:
        """Where this gateway's tokens come from, and the file that keeps them.

        With a local account: our own issuer. Without one: what the environment offers (App Service, a virtual
        machine, a workload identity), by azure-identity's variables.
        """
        spec = self._spec
        source: TokenSource = (
            NoIdentity() if bundle.local_identity else detect(os.environ, self._ask_identity)
        )
        if isinstance(source, NoIdentity):
            allowed = EgressPolicy(allowed_ports=frozenset({(spec.local_host, spec.control_port)}))
            endpoint = spec.url("http", spec.control_port) + IDENTITY_PATH
            source, name = AppServiceIdentity(endpoint, spec.identity_header, self._ask_identity), "tokens"
        else:
            # The cloud's identity service is mostly link-local; the environment of this process names it.
            allowed, name = EgressPolicy(identity=identity_places(os.environ)), "tokens-environment"
        # Such tokens are fetched from there alone, and nothing else may be reached through this pool.
        self._environment.policy = allowed
        # Sealed beside the snapshot, so that a gateway whose control plane is away goes on after a restart.
        return source, self._spec.layout.snapshots / f"{name}-{spec.index}.sealed"

    def use_tenant(self, tenant_id: str) -> None:
        """The local issuer answers for its own tenant; for all others Entra, or what AZURE_AUTHORITY_HOST names."""
        self._tenant = tenant_id.lower()
        own = self._spec.url("http", self._spec.control_port)
        self.keys.tenants = {self._tenant: own} if self._tenant else {}

    async def _document(self, url: str) -> bytes:
        pool = self._own if self._is_own_issuer(url, _ISSUER_DOCUMENTS) else self._pool
        headers = Headers.of(((b"accept", b"application/json"),))
        answer = await fetch(
            pool, "GET", url, headers, timeout_s=10.0, max_bytes=1 << 20, follow_redirects=pool is self._pool
        )
        if answer.status != 200:
            raise Upstream(f"the issuer answered {answer.status}")
        return answer.body

    async def provider_token(self, url: str, form: bytes) -> tuple[int, bytes]:
        """A token of a credential provider, our own issuer among them."""
        pool = self._own if self._is_own_issuer(url, _ISSUER_TOKENS) else self._pool
        headers = Headers.of(
            ((b"accept", b"application/json"), (b"content-type", b"application/x-www-form-urlencoded"))
        )
        answer = await fetch(pool, "POST", url, headers, form, timeout_s=10.0, max_bytes=1 << 20)
        return answer.status, answer.body

    def _is_own_issuer(self, url: str, documents: frozenset[str]) -> bool:
        try:
            parts = parse_url(url)
        except ValueError:
            return False
        spec = self._spec
        inside, _, document = parts.path.removeprefix("/").partition("/")
        return (
            parts.host in (spec.local_host, "localhost")
            and parts.port in (spec.control_port, spec.control_tls_port)
            and bool(self._tenant)
            and inside.lower() == self._tenant
            and document in documents
        )

    async def _ask_identity(
        self, method: str, url: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes = b""
    ) -> HttpAnswer:
        pool = self._environment
        answer = await fetch(pool, method, url, Headers.of(headers), body, timeout_s=10.0, max_bytes=1 << 20)
        return HttpAnswer(answer.status, answer.body)
