"""The issuer's HTTP face: Entra's forms for discovery and client credentials, Azure's for managed identity."""

import asyncio
import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from aforo.identity.access import Application, Principal
from aforo.identity.endpoints import routes
from aforo.identity.issue import Issuer
from aforo.identity.keys import hash_key
from aforo.identity.verify import FixedKeys, Verifier
from tests.support.asgi import Answer, run_call
from tests.support.principals import KnownPrincipals
from tests.unit.identity.test_tokens import KEY, TENANT

SERVICE = Principal(
    "0b1d0000-0000-0000-0000-000000000001",
    "c1100000-0000-0000-0000-000000000001",
    resource_id="/x/service/apim",
)
OTHER = Principal(
    "0b1d0000-0000-0000-0000-000000000002",
    "c1100000-0000-0000-0000-000000000002",
    resource_id="/x/identities/u",
)
APP = Application(
    Principal("0b1d0000-0000-0000-0000-000000000003", "app-1"), (hash_key("s3cret"), hash_key("second"))
)
ISSUER = Issuer(KEY, TENANT, "https://127.0.0.1:8443")
HEADER = "per-process-header"
WEB = Starlette(
    routes=routes(
        ISSUER,
        KnownPrincipals([APP], [SERVICE, OTHER]),
        identity_headers=[HEADER],
        origins=["http://127.0.0.1:8081"],
    )
)
RESOURCE = "https://cognitiveservices.azure.com"


def claims_of(token: str) -> dict[str, Any]:
    return asyncio.run(Verifier(FixedKeys(ISSUER.jwks()), issuers=ISSUER.issuers).verify(token))


def ask_token(form: dict[str, str], path: str = "oauth2/v2.0/token", **options: Any) -> Answer:
    headers = {"content-type": "application/x-www-form-urlencoded", **options.pop("headers", {})}
    return run_call(WEB, "POST", f"/{TENANT}/{path}", headers=headers, body=urlencode(form), **options)


FORM = {
    "grant_type": "client_credentials",
    "client_id": "app-1",
    "client_secret": "s3cret",
    "scope": "https://api.example/.default openid",
}


def test_discovery_leads_to_the_listener_that_was_asked() -> None:
    path = f"/{TENANT}/v2.0/.well-known/openid-configuration"
    here = run_call(WEB, "GET", path, headers={"host": "127.0.0.1:8081"}).json()
    assert here["issuer"] == f"https://127.0.0.1:8443/{TENANT}/v2.0"
    assert here["token_endpoint"] == f"http://127.0.0.1:8081/{TENANT}/oauth2/v2.0/token"
    # A Host that nobody configured is not repeated.
    evil = run_call(WEB, "GET", path, headers={"host": "evil.example"}).json()
    assert evil["jwks_uri"] == f"https://127.0.0.1:8443/{TENANT}/discovery/v2.0/keys"
    v1 = run_call(WEB, "GET", f"/{TENANT}/.well-known/openid-configuration").json()
    assert v1["issuer"] == f"https://127.0.0.1:8443/{TENANT}/"
    assert run_call(WEB, "GET", f"/{TENANT.upper()}/discovery/keys").json() == ISSUER.jwks()


def test_another_tenant_is_unknown() -> None:
    for method, path in (
        ("GET", "v2.0/.well-known/openid-configuration"),
        ("POST", "oauth2/v2.0/token"),
        ("GET", "discovery/v2.0/keys"),
    ):
        answer = run_call(WEB, method, f"/contoso/{path}")
        assert answer.status == 400
        assert "AADSTS90002: Tenant 'contoso' not found." in answer.json()["error_description"]


def test_client_credentials() -> None:
    answer = ask_token(FORM)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    claims = claims_of(body["access_token"])
    assert (claims["aud"], claims["azp"], claims["oid"]) == (
        "https://api.example",
        "app-1",
        APP.principal.object_id,
    )
    old = ask_token({**FORM, "resource": RESOURCE}, "oauth2/token").json()
    assert old["resource"] == RESOURCE
    assert claims_of(old["access_token"])["ver"] == "1.0"


def test_client_credentials_in_a_basic_header() -> None:
    basic = base64.b64encode(b"app-1:second").decode()
    form = {"grant_type": "client_credentials", "scope": "x/.default"}
    assert ask_token(form, headers={"authorization": f"Basic {basic}"}).status == 200
    assert ask_token(form, headers={"authorization": "Basic !!"}).status == 400


@pytest.mark.parametrize(
    ("change", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000215),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"scope": ""}, 400, "invalid_request", 900144),
        ({"scope": "user.read"}, 400, "invalid_scope", 1002012),
        ({"scope": "/.default"}, 400, "invalid_scope", 1002012),
    ],
)
def test_errors_are_entras(change: dict[str, str], status: int, error: str, number: int) -> None:
    answer = ask_token({**FORM, **change})
    body = answer.json()
    assert (answer.status, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert "s3cret" not in answer.body.decode()


def test_forms_that_are_none() -> None:
    for body in (b"\xff\xfe", b"a=1&" * 100, b"x" * 70_000):
        answer = run_call(WEB, "POST", f"/{TENANT}/oauth2/v2.0/token", body=body)
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def identity(query: str = f"api-version=2019-08-01&resource={RESOURCE}", **options: Any) -> Answer:
    headers = {"x-identity-header": HEADER, "metadata": "true", **options.pop("headers", {})}
    return run_call(WEB, "GET", f"/metadata/identity/oauth2/token?{query}", headers=headers, **options)


def test_managed_identity_in_app_service_form() -> None:
    body = identity().json()
    assert set(body) == {"access_token", "expires_on", "resource", "token_type", "client_id"}
    claims = claims_of(body["access_token"])
    assert claims["exp"] - claims["iat"] == 86_400
    assert (claims["oid"], claims["appid"], claims["aud"]) == (SERVICE.object_id, SERVICE.client_id, RESOURCE)
    assert claims["xms_mirid"] == SERVICE.resource_id
    assert str(claims["exp"]) == body["expires_on"]


def test_managed_identity_in_imds_form() -> None:
    body = identity(f"api-version=2018-02-01&resource={RESOURCE}").json()
    assert (body["expires_in"], body["token_type"]) == ("86400", "Bearer")
    chosen = identity(f"api-version=2018-02-01&resource=x&client_id={OTHER.client_id}").json()
    assert claims_of(chosen["access_token"])["oid"] == OTHER.object_id


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"x-identity-header": "guess"}},
        {"headers": {"x-identity-header": ""}},
        {"client": ("10.0.0.7", 1)},
        {"client": ("::ffff:10.0.0.7", 1)},
        {"client": ("testclient", 1)},
        {"headers": {"x-forwarded-for": "127.0.0.1"}},
        {"headers": {"via": "1.1 proxy"}},
    ],
)
def test_managed_identity_is_only_for_our_processes(options: dict[str, Any]) -> None:
    for version in ("2019-08-01", "2018-02-01"):
        answer = identity(f"api-version={version}&resource={RESOURCE}", **options)
        assert answer.status == 401
        assert b"access_token" not in answer.body


def test_loopback_has_many_spellings() -> None:
    for host in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"):
        assert identity(client=(host, 1)).status == 200


def test_managed_identity_errors() -> None:
    app_service = identity("api-version=2019-08-01&resource=x&client_id=nobody")
    assert (app_service.status, app_service.json()["statusCode"]) == (400, 400)
    imds = identity("api-version=2018-02-01&resource=x&client_id=nobody")
    assert imds.json() == {"error": "invalid_request", "error_description": "Identity not found"}
    assert (
        identity("api-version=2018-02-01&resource=x", headers={"metadata": ""}).json()["error"]
        == "bad_request_102"
    )
    assert identity("resource=x").json()["error"] == "bad_request_104"
    assert identity("api-version=2019-08-01").status == 400
