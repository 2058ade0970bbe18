"""The wires on which an identity's tokens are had: App Service's endpoint (ours too), IMDS, workload identity.

Which one it is stands in the environment, with the names that azure-identity uses. HTTP is an argument: the
caller's egress does it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from aforo.errors import Invalid, Unavailable, Upstream
from aforo.identity.managed import NoIdentity, Token, TokenSource
from aforo.messages import encode_query

IMDS_HOST = "http://169.254.169.254"
# Where a managed identity gets its tokens, on a virtual machine and from the local issuer.
IDENTITY_PATH = "/metadata/identity/oauth2/token"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status and whole body of an answer."""

    status: int
    body: bytes


# GET of a URL with these headers. `Upstream` or `Timeout` when there is no answer.
HttpGet = Callable[[str, tuple[tuple[bytes, bytes], ...]], Awaitable[HttpAnswer]]


def detect(environ: Mapping[str, str], get: HttpGet) -> TokenSource:
    """The source that this environment offers, by azure-identity's own variables and in its order."""
    workload = ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "AZURE_CLIENT_ID")
    if all(environ.get(name) for name in workload):
        return WorkloadIdentity(environ["AZURE_TENANT_ID"], environ["AZURE_CLIENT_ID"], environ[workload[0]])
    endpoint, header = environ.get("IDENTITY_ENDPOINT"), environ.get("IDENTITY_HEADER")
    if endpoint and header:
        return AppServiceIdentity(endpoint, header, get)
    host = environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST")
    if host:
        return ImdsIdentity(get, host)
    return NoIdentity()


class AppServiceIdentity:
    """App Service's identity endpoint, api-version 2019-08-01; the local issuer answers in the same form."""

    def __init__(self, endpoint: str, header: str, get: HttpGet) -> None:
        self._endpoint = endpoint
        self._header = header
        self._get = get

    async def token(self, resource: str, client_id: str | None) -> Token:
        query = _query("2019-08-01", resource, client_id)
        join = "&" if "?" in self._endpoint else "?"
        headers = ((b"x-identity-header", self._header.encode()), (b"metadata", b"true"))
        return _read_answer(await self._get(f"{self._endpoint}{join}{query}", headers), resource)


class ImdsIdentity:
    """The instance metadata service of a virtual machine, api-version 2018-02-01.

    Its address is link-local, so an operator chooses it explicitly (`AZURE_POD_IDENTITY_AUTHORITY_HOST`).
    """

    def __init__(self, get: HttpGet, host: str = IMDS_HOST) -> None:
        self._get = get
        self._host = host.rstrip("/")

    async def token(self, resource: str, client_id: str | None) -> Token:
        url = f"{self._host}/metadata/identity/oauth2/token?{_query('2018-02-01', resource, client_id)}"
        return _read_answer(await self._get(url, ((b"metadata", b"true"),)), resource)


class WorkloadIdentity:
    """A Kubernetes workload identity, through the `azure-identity` library (extra `aforo[azure]`)."""

    def __init__(self, tenant_id: str, client_id: str, token_file: str) -> None:
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._token_file = token_file
        self._credentials: dict[str, Any] = {}

    async def token(self, resource: str, client_id: str | None) -> Token:
        try:
            # Imported here: the library takes half a second to load and most gateways never need it.
            from azure.core.exceptions import AzureError
            from azure.identity import WorkloadIdentityCredential
        except ImportError as error:
            raise Unavailable(
                "workload identity needs the library azure-identity: install aforo[azure]"
            ) from error
        client = client_id or self._client_id
        if client not in self._credentials:
            self._credentials[client] = WorkloadIdentityCredential(
                tenant_id=self._tenant_id, client_id=client, token_file_path=self._token_file
            )
        scope = f"{resource.rstrip('/')}/.default"
        asked_at = time.time()
        try:
            got = await asyncio.to_thread(self._credentials[client].get_token, scope)
        except AzureError as error:
            raise Upstream(f"no token for {resource}: {error.message}") from error
        return Token(got.token, asked_at, float(got.expires_on))


def _query(version: str, resource: str, client_id: str | None) -> str:
    pairs = [("api-version", version), ("resource", resource)]
    if client_id:
        pairs.append(("client_id", client_id))
    return encode_query(pairs)


def _read_answer(answer: HttpAnswer, resource: str) -> Token:
    try:
        body = orjson.loads(answer.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Upstream(
            f"the identity endpoint answered {answer.status} with something that is no JSON object"
        )
    if answer.status == 200:
        return _read_token(body, resource)
    message = str(
        body.get("error_description") or body.get("message") or body.get("error") or "no reason given"
    )
    text = f"the identity endpoint refuses a token for {resource}: {message} ({answer.status})"
    if answer.status in (400, 401, 403):
        raise Invalid(text, code="IdentityRefused")
    raise Unavailable(text)


def _read_token(body: dict[str, Any], resource: str) -> Token:
    now = time.time()
    value = body.get("access_token")
    try:
        # IMDS gives `expires_in` for sure, App Service only `expires_on`; both may be texts.
        ends_at = float(body["expires_on"]) if "expires_on" in body else now + float(body["expires_in"])
    except (KeyError, TypeError, ValueError) as error:
        raise Upstream(f"the identity endpoint does not say when its token for {resource} ends") from error
    if not isinstance(value, str) or not value:
        raise Upstream(f"the identity endpoint gave no token for {resource}")
    return Token(value, now, ends_at)
