"""The local issuer's HTTP face: discovery, keys, client credentials, managed identity. Control mounts these routes.

Answers and errors have the form of Entra, of App Service's identity endpoint and of IMDS. It knows
who exists through a `Directory` and nothing of the planes.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aforo.identity.access import Application, Directory
from aforo.identity.identity_sources import IDENTITY_PATH
from aforo.identity.issue import MANAGED_IDENTITY_LIFETIME_S, TOKEN_LIFETIME_S, Issuer
from aforo.identity.keys import hash_key, same_secret

_MAX_FORM_BYTES = 64 * 1024
# A token never belongs into a cache on the way.
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# What a proxy in front adds: behind one, "the peer is loopback" means nothing (IMDS refuses them too).
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def routes(
    issuer: Issuer,
    directory: Directory,
    *,
    identity_headers: Collection[str] = (),
    origins: Collection[str] = (),
) -> list[Route]:
    """All endpoints of the issuer.

    `identity_headers` are the values of `X-IDENTITY-HEADER` of the processes that run now (one per gateway);
    the managed-identity endpoint answers nobody else. `origins` (`http://127.0.0.1:8081`) are the listeners
    under which the documents may give their links; another `Host` gets links below the issuer's base URL.
    """
    face = _Face(issuer, directory, frozenset(identity_headers), frozenset(o.rstrip("/") for o in origins))
    get, post = ["GET"], ["POST"]
    return [
        Route(IDENTITY_PATH, face.managed_identity, methods=get),
        Route("/{tenant}/.well-known/openid-configuration", face.configuration_v1, methods=get),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", face.configuration_v2, methods=get),
        Route("/{tenant}/discovery/keys", face.keys, methods=get),
        Route("/{tenant}/discovery/v2.0/keys", face.keys, methods=get),
        Route("/{tenant}/oauth2/token", face.token_v1, methods=post),
        Route("/{tenant}/oauth2/v2.0/token", face.token_v2, methods=post),
    ]


class _Face:
    def __init__(
        self,
        issuer: Issuer,
        directory: Directory,
        identity_headers: frozenset[str],
        origins: frozenset[str],
    ) -> None:
        self._issuer = issuer
        self._directory = directory
        self._headers = identity_headers
        self._origins = origins

    async def configuration_v1(self, request: Request) -> Response:
        return self._configuration(request, 1)

    async def configuration_v2(self, request: Request) -> Response:
        return self._configuration(request, 2)

    def _configuration(self, request: Request, version: int) -> Response:
        if not self._knows(request):
            return self._unknown_tenant(request)
        origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
        known = origin if origin in self._origins else ""
        return _json(self._issuer.configuration(version=version, origin=known))

    async def keys(self, request: Request) -> Response:
        return _json(self._issuer.jwks()) if self._knows(request) else self._unknown_tenant(request)

    async def token_v1(self, request: Request) -> Response:
        return await self._client_credentials(request, 1)

    async def token_v2(self, request: Request) -> Response:
        return await self._client_credentials(request, 2)

    async def _client_credentials(self, request: Request, version: int) -> Response:
        if not self._knows(request):
            return self._unknown_tenant(request)
        form = await _form(request)
        if form is None:
            return _entra_error(400, "invalid_request", 9000411, "The request is not a valid form.")
        for name in ("grant_type", "scope" if version == 2 else "resource"):
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                return _entra_error(400, "invalid_request", 900144, text)
        if form["grant_type"] != "client_credentials":
            text = f"The app requested an unsupported grant type '{_safe(form['grant_type'])}'."
            return _entra_error(400, "unsupported_grant_type", 70003, text)
        client_id, secret = _client(request, form)
        application = self._directory.application(client_id)
        if application is None:
            text = f"Application with identifier '{_safe(client_id)}' was not found in the directory."
            return _entra_error(400, "unauthorized_client", 700016, text)
        if not _has_secret(application, secret):
            text = f"Invalid client secret provided for app '{_safe(client_id)}'."
            return _entra_error(401, "invalid_client", 7000215, text)
        audience = form["resource"] if version == 1 else _audience(form["scope"])
        if audience is None:
            text = (
                f"The provided value for scope {_safe(form['scope'])} is not valid. Client credential flows "
                "must have a scope value with /.default suffixed to the resource identifier."
            )
            return _entra_error(400, "invalid_scope", 1002012, text)
        token, ends = self._issuer.token(application.principal, audience, version=version)
        body: dict[str, object] = {"token_type": "Bearer", "access_token": token}
        if version == 1:
            body |= {
                "expires_in": str(TOKEN_LIFETIME_S),
                "ext_expires_in": str(TOKEN_LIFETIME_S),
                "expires_on": str(ends),
                "not_before": str(ends - TOKEN_LIFETIME_S),
                "resource": audience,
            }
        else:
            body |= {"expires_in": TOKEN_LIFETIME_S, "ext_expires_in": TOKEN_LIFETIME_S}
        return _json(body, headers=_NO_STORE)

    async def managed_identity(self, request: Request) -> Response:
        """App Service's form (api-version 2019-08-01) and IMDS's (2018-02-01), told apart by the version."""
        version = request.query_params.get("api-version", "")
        app_service = version.startswith("2019-")
        if not _from_loopback(request) or not self._header_is_known(request):
            text = "The identity endpoint answers only processes of this machine that carry its header."
            return _identity_error(401, "unknown_source", text, app_service=app_service)
        if not app_service and request.headers.get("metadata", "").lower() != "true":
            text = "Required metadata header not specified"
            return _identity_error(400, "bad_request_102", text, app_service=False)
        if not version:
            text = "Required query variable 'api-version' is missing"
            return _identity_error(400, "bad_request_104", text, app_service=False)
        resource = request.query_params.get("resource", "")
        if not resource:
            text = "Required audience parameter 'resource' not specified"
            return _identity_error(400, "invalid_request", text, app_service=app_service)
        principal = self._directory.managed_identity(
            client_id=request.query_params.get("client_id"),
            object_id=request.query_params.get("object_id") or request.query_params.get("principal_id"),
            resource_id=request.query_params.get("mi_res_id") or request.query_params.get("msi_res_id"),
        )
        if principal is None:
            return _identity_error(400, "invalid_request", "Identity not found", app_service=app_service)
        token, ends = self._issuer.token(principal, resource, lifetime_s=MANAGED_IDENTITY_LIFETIME_S)
        body = {
            "access_token": token,
            "expires_on": str(ends),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": principal.client_id,
        }
        if not app_service:
            seconds = str(MANAGED_IDENTITY_LIFETIME_S)
            not_before = str(ends - MANAGED_IDENTITY_LIFETIME_S)
            body |= {"expires_in": seconds, "ext_expires_in": seconds, "not_before": not_before}
        return _json(body, headers=_NO_STORE)

    def _knows(self, request: Request) -> bool:
        return str(request.path_params["tenant"]).lower() == self._issuer.tenant_id.lower()

    @staticmethod
    def _unknown_tenant(request: Request) -> Response:
        text = f"Tenant '{_safe(request.path_params['tenant'])}' not found."
        return _entra_error(400, "invalid_tenant", 90002, text)

    def _header_is_known(self, request: Request) -> bool:
        presented = request.headers.get("x-identity-header", "")
        # Every known value is compared, so that time tells nothing about which one was nearly right.
        matches = [same_secret(presented, known) for known in self._headers]
        return bool(presented) and any(matches)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _from_loopback(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


async def _form(request: Request) -> dict[str, str] | None:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_FORM_BYTES:
            return None
    try:
        fields = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return "", ""
        return unquote(name), unquote(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _has_secret(application: Application, secret: str) -> bool:
    digest = hash_key(secret)
    matches = [same_secret(digest, known) for known in application.secret_hashes]
    return bool(secret) and any(matches)


def _audience(scope: str) -> str | None:
    """The resource of `{resource}/.default`; the other scopes a client adds (openid, profile) do not count."""
    for item in scope.split():
        if item.endswith("/.default") and len(item) > len("/.default"):
            return item.removesuffix("/.default")
    return None


def _safe(text: str) -> str:
    """A caller's text as it may stand in a message: short, one line, printable."""
    return "".join(c if c.isprintable() else "?" for c in text[:120])


def _entra_error(status: int, error: str, number: int, text: str) -> Response:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    message = f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    body = {
        "error": error,
        "error_description": message,
        "error_codes": [number],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return _json(body, status, _NO_STORE)


def _identity_error(status: int, code: str, text: str, *, app_service: bool) -> Response:
    if app_service:
        return _json({"statusCode": status, "message": text, "correlationId": str(uuid.uuid4())}, status)
    return _json({"error": code, "error_description": text}, status)
