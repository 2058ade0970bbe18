"""The wires on which an identity's tokens are had: App Service's endpoint (ours too), IMDS, workload identity.

Which one it is stands in the environment, with the names that azure-identity uses. HTTP is an argument: the
caller's egress does it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from aforo.errors import Invalid, Unavailable, Upstream
from aforo.identity.managed import NoIdentity, Token, TokenSource
from aforo.messages import encode_query

IMDS_HOST = "http://169.254.169.254"
# Entra of the public cloud; `AZURE_AUTHORITY_HOST` names another.
AUTHORITY_HOST = "https://login.microsoftonline.com"
# Where a managed identity gets its tokens, on a virtual machine and from the local issuer.
IDENTITY_PATH = "/metadata/identity/oauth2/token"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status and whole body of an answer."""

    status: int
    body: bytes


class Http(Protocol):
    """Sends a request. `Upstream` or `Timeout` when there is no answer."""

    async def __call__(
        self, method: str, url: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes = b""
    ) -> HttpAnswer: ...


def detect(environ: Mapping[str, str], http: Http) -> TokenSource:
    """The source that this environment offers, by azure-identity's own variables and in its order."""
    workload = ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "AZURE_CLIENT_ID")
    if all(environ.get(name) for name in workload):
        authority = environ.get("AZURE_AUTHORITY_HOST") or AUTHORITY_HOST
        return WorkloadIdentity(
            http,
            authority if "://" in authority else f"https://{authority}",
            environ["AZURE_TENANT_ID"],
            environ["AZURE_CLIENT_ID"],
            Path(environ[workload[0]]),
        )
    endpoint, header = environ.get("IDENTITY_ENDPOINT"), environ.get("IDENTITY_HEADER")
    if endpoint and header:
        return AppServiceIdentity(endpoint, header, http)
    host = environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST")
    if host:
        return ImdsIdentity(http, host)
    return NoIdentity()


class AppServiceIdentity:
    """App Service's identity endpoint, api-version 2019-08-01; the local issuer answers in the same form."""

    def __init__(self, endpoint: str, header: str, http: Http) -> None:
        self._endpoint = endpoint
        self._header = header
        self._http = http

    async def token(self, resource: str, client_id: str | None) -> Token:
        query = _query("2019-08-01", resource, client_id)
        join = "&" if "?" in self._endpoint else "?"
        headers = ((b"x-identity-header", self._header.encode()), (b"metadata", b"true"))
        return _read_answer(await self._http("GET", f"{self._endpoint}{join}{query}", headers), resource)


class ImdsIdentity:
    """The instance metadata service of a virtual machine, api-version 2018-02-01.

    Its address is link-local, so an operator chooses it explicitly (`AZURE_POD_IDENTITY_AUTHORITY_HOST`).
    """

    def __init__(self, http: Http, host: str = IMDS_HOST) -> None:
        self._http = http
        self._host = host.rstrip("/")

    async def token(self, resource: str, client_id: str | None) -> Token:
        url = f"{self._host}/metadata/identity/oauth2/token?{_query('2018-02-01', resource, client_id)}"
        return _read_answer(await self._http("GET", url, ((b"metadata", b"true"),)), resource)


class WorkloadIdentity:
    """A Kubernetes workload identity: the pod's own token, shown to Entra as the client's assertion (RFC 7523 2.2)."""

    def __init__(self, http: Http, authority: str, tenant_id: str, client_id: str, token_file: Path) -> None:
        self._http = http
        self._url = f"{authority.rstrip('/')}/{tenant_id}/oauth2/v2.0/token"
        self._client_id = client_id
        self._token_file = token_file

    async def token(self, resource: str, client_id: str | None) -> Token:
        try:
            # Read each time: Kubernetes puts a new one there before the old one ends.
            assertion = self._token_file.read_text().strip()
        except OSError as error:
            raise Unavailable(
                f"the token of the workload ({self._token_file}) cannot be read: {error.strerror}"
            ) from error
        form = encode_query(
            [
                ("grant_type", "client_credentials"),
                ("client_id", client_id or self._client_id),
                ("scope", f"{resource.rstrip('/')}/.default"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", assertion),
            ]
        )
        headers = ((b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/json"))
        return _read_answer(await self._http("POST", self._url, headers, form.encode()), resource)


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
