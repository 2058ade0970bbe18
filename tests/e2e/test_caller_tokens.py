"""Tokens of callers: the local issuer's own open an API in a running system, others do not, and the log says who called."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.support.system import Reply, System, call, eventually

TOKEN_POLICY = """<policies><inbound><base />{check}
<return-response><set-status code="200" reason="OK" /><set-body>@(((Jwt)context.Variables["jwt"]).Claims["oid"][0])</set-body></return-response>
</inbound></policies>"""


def group(system: System) -> str:
    return f"/subscriptions/{system['subscription_id']}/resourceGroups/{system['resource_group']}"


def service(system: System) -> str:
    return f"{group(system)}/providers/Microsoft.ApiManagement/service/{system['service']}"


def put(system: System, path: str, properties: dict[str, object]) -> Reply:
    reply = system.admin("PUT", f"{path}?api-version=2024-05-01", {"properties": properties})
    assert reply.status in (200, 201), reply.body
    return reply


@pytest.fixture(scope="module")
def application(lab: System) -> tuple[str, str]:
    """(client id, secret) of an application that asks the local issuer for tokens."""
    path = f"{group(lab)}/providers/Aforo.Identity/applications/caller"
    made = put(lab, path, {"clientSecret": "a secret of the test"})
    return str(made.json()["properties"]["appId"]), "a secret of the test"


def token(system: System, application: tuple[str, str], audience: str, version: int) -> str:
    name, secret = application
    form = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
    form |= {"scope": f"{audience}/.default"} if version == 2 else {"resource": audience}
    path = "/oauth2/v2.0/token" if version == 2 else "/oauth2/token"
    reply = call(
        "POST",
        f"{system['control']}/{system['tenant_id']}{path}",
        body=urlencode(form).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert reply.status == 200, reply.body
    return str(reply.json()["access_token"])


def guarded(system: System, name: str, check: str) -> str:
    """An API behind that check, by its URL."""
    api = f"{service(system)}/apis/{name}"
    put(
        system,
        api,
        {"path": name, "displayName": name, "protocols": ["http", "https"], "subscriptionRequired": False},
    )
    put(system, f"{api}/operations/get", {"displayName": "Get", "method": "GET", "urlTemplate": "/"})
    text = TOKEN_POLICY.format(check=check)
    put(system, f"{api}/policies/policy", {"format": "rawxml", "value": text})
    return f"{system.gateway}/{name}/"


def get(url: str, bearer: str | None) -> Reply:
    return call("GET", url, headers={"Authorization": f"Bearer {bearer}"} if bearer else {})


@pytest.mark.parametrize("version", [1, 2])
def test_a_token_of_the_local_issuer_passes_validate_azure_ad_token(
    lab: System, application: tuple[str, str], version: int
) -> None:
    url = guarded(
        lab,
        f"entra{version}",
        f'<validate-azure-ad-token tenant-id="{lab["tenant_id"]}" output-token-variable-name="jwt">'
        f"<client-application-ids><application-id>{application[0]}</application-id></client-application-ids>"
        "<audiences><audience>api://guarded</audience></audiences></validate-azure-ad-token>",
    )
    passed = get(url, token(lab, application, "api://guarded", version))
    assert passed.status == 200, passed.body
    assert len(passed.body) == 36
    assert get(url, token(lab, application, "api://other", version)).status == 401
    missing = get(url, None)
    assert (missing.status, missing.json()["message"]) == (401, "JWT not present.")

    def seen() -> dict[str, object] | None:
        rows = lab.query(
            f"ApiManagementGatewayLogs | where ApiId == 'entra{version}' and ResponseCode == 200 | project CallerClaims"
        )
        return rows[0] if rows else None

    claims = eventually("the call is in the log", seen)["CallerClaims"]
    claims = json.loads(claims) if isinstance(claims, str) else claims
    assert isinstance(claims, dict)
    assert claims["appid"] == application[0]
    assert claims["oid"] == passed.body.decode()
    assert claims["tid"] == lab["tenant_id"]


@pytest.mark.parametrize("listener", ["control", "control_tls"])
def test_validate_jwt_reads_the_configuration_of_the_local_issuer(
    lab: System, application: tuple[str, str], listener: str
) -> None:
    url = guarded(
        lab,
        f"jwt-{listener.replace('_', '-')}",
        '<validate-jwt header-name="Authorization" require-scheme="Bearer" output-token-variable-name="jwt">'
        f'<openid-config url="{lab[listener]}/{lab["tenant_id"]}/v2.0/.well-known/openid-configuration" />'
        "<audiences><audience>api://guarded</audience></audiences></validate-jwt>",
    )
    good = token(lab, application, "api://guarded", 2)
    assert get(url, good).status == 200
    assert get(url, f"{good[:-20]}{'A' * 20}").status == 401
    assert get(url, token(lab, application, "api://guarded", 1)).status == 401, "version 1 has another issuer"


def test_a_policy_reaches_nothing_else_of_the_control_plane(
    lab: System, application: tuple[str, str]
) -> None:
    url = guarded(
        lab,
        "nosy",
        '<validate-jwt header-name="Authorization" output-token-variable-name="jwt">'
        f'<openid-config url="{lab["control"]}/livez" /></validate-jwt>',
    )
    assert get(url, token(lab, application, "api://guarded", 2)).status == 401

    def seen() -> dict[str, object] | None:
        rows = lab.query("ApiManagementGatewayLogs | where ApiId == 'nosy' | project LastErrorMessage")
        return rows[0] if rows else None

    assert "control plane" in str(eventually("the call is in the log", seen)["LastErrorMessage"])
