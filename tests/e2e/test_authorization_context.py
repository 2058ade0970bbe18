"""A connection of the credential manager in a running system: a token of the local issuer, for the service behind."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.test_caller_tokens import get, group, put, service
from tests.support.system import System, running_system

POLICY = """<policies><inbound><base />
<get-authorization-context provider-id="entra" authorization-id="{name}" context-variable-name="auth" />
<return-response><set-status code="200" reason="OK" />
<set-body>@(((Authorization)context.Variables["auth"]).AccessToken.AsJwt().Claims["aud"][0])</set-body></return-response>
</inbound><on-error><base /><set-header name="x-why"><value>@(context.LastError.Message)</value></set-header></on-error></policies>"""


def guarded(system: System, name: str) -> str:
    api = f"{service(system)}/apis/{name}"
    put(
        system,
        api,
        {"path": name, "displayName": name, "protocols": ["http", "https"], "subscriptionRequired": False},
    )
    put(system, f"{api}/operations/get", {"displayName": "Get", "method": "GET", "urlTemplate": "/"})
    put(system, f"{api}/policies/policy", {"format": "rawxml", "value": POLICY.format(name=name)})
    return f"{system.gateway}/{name}/"


def test_client_credentials_of_a_connection(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        put(
            system,
            f"{group(system)}/providers/Aforo.Identity/applications/worker",
            {"appId": "worker-app", "clientSecret": "a secret of the test"},
        )
        provider = f"{service(system)}/authorizationProviders/entra"
        grant = {"tenantId": system["tenant_id"], "resourceUri": "https://behind.example"}
        put(
            system,
            provider,
            {"identityProvider": "aad", "oauth2": {"grantTypes": {"clientCredentials": grant}}},
        )
        identity = system.admin("GET", f"{service(system)}?api-version=2024-05-01").json()["identity"]
        for name in ("open", "closed"):
            made = put(system, f"{provider}/authorizations/{name}", {
                "authorizationType": "OAuth2", "oauth2grantType": "ClientCredentials",
                "parameters": {"clientId": "worker-app", "clientSecret": "a secret of the test"},
            })  # fmt: skip
            assert b"a secret of the test" not in made.body
        policy = f"{provider}/authorizations/open/accessPolicies/service"
        put(system, policy, {"tenantId": system["tenant_id"], "objectId": identity["principalId"]})

        passed = get(guarded(system, "open"), None)
        assert (passed.status, passed.body) == (200, b"https://behind.example"), passed
        refused = get(guarded(system, "closed"), None)
        assert refused.status == 500
        assert "No access policy" in refused.headers["x-why"]
