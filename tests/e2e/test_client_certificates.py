"""Client certificates in a running system: the service's CAs are in force as soon as they are applied."""

from __future__ import annotations

import base64
import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.test_caller_tokens import put, service
from tests.support.system import System, running_system
from tests.unit.gateway.test_client_certificates import Ca

POLICY = """<policies><inbound><base />
<validate-client-certificate validate-revocation="false"><identities><identity common-name="ada" /></identities></validate-client-certificate>
<return-response><set-status code="200" reason="OK" /><set-body>@(context.Request.Certificate.Subject)</set-body></return-response>
</inbound></policies>"""


def ask(system: System, context: ssl.SSLContext) -> tuple[int, bytes]:
    at = urlsplit(system["gateway_tls"])
    connection = http.client.HTTPSConnection(at.hostname or "", at.port, timeout=10, context=context)
    try:
        connection.request("GET", "/certified/")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def trust(system: System, *cas: Ca) -> None:
    path = f"{service(system)}?api-version=2024-05-01"
    body = system.admin("GET", path).json()
    certificates = [
        {"encodedCertificate": base64.b64encode(ca.pem.encode()).decode(), "storeName": "Root"} for ca in cas
    ]
    body = {k: v for k, v in body.items() if k in ("location", "sku", "identity", "tags", "properties")}
    body["properties"] = {**body["properties"], "certificates": certificates}
    reply = system.admin("PUT", path, body)
    assert reply.status in (200, 201), reply.body


def test_cas_of_the_service_decide_who_is_let_in(tmp_path: Path) -> None:
    ca, other = Ca(tmp_path, "trusted"), Ca(tmp_path, "other")
    with running_system(tmp_path) as system:
        api = f"{service(system)}/apis/certified"
        put(
            system,
            api,
            {"path": "certified", "displayName": "c", "protocols": ["https"], "subscriptionRequired": False},
        )
        put(system, f"{api}/operations/get", {"displayName": "Get", "method": "GET", "urlTemplate": "/"})
        put(system, f"{api}/policies/policy", {"format": "rawxml", "value": POLICY})
        ada = ca.client("ada")
        assert ask(system, ada)[0] == 401, "no CA is trusted yet"
        trust(system, ca)
        assert ask(system, ada) == (200, b"CN=ada")
        assert ask(system, ca.client("bob"))[0] == 401
        trust(system, other)
        try:
            status = ask(system, ada)[0]
        except (ssl.SSLError, ConnectionError, http.client.HTTPException):
            status = 0
        assert status == 0, "its CA is trusted no more"
