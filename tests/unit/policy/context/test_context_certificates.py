"""Certificates in the context: the service's own by id or thumbprint, the client's, and a token signed by one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.support.policy_case import Case, run

_DOCUMENT = """<policies><inbound><base/>
<set-variable name="signature" value="@{
    using (var rsa = context.Deployment.Certificates["signer"].GetRSAPrivateKey()) {
        return Convert.ToBase64String(rsa.SignData(Encoding.UTF8.GetBytes("a.b"), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }
}" />
<set-variable name="own" value="@(context.Deployment.Certificates.Count + "|" + context.Deployment.Certificates.ContainsKey("SIGNER") + context.Deployment.Certificates.First().Key + context.Deployment.Certificates.ContainsKey("other"))" />
<set-variable name="client" value="@(context.Request.Certificate.Subject + "|" + context.Request.Certificate.HasPrivateKey + context.Deployment.Certificates.Any(c => c.Value.Thumbprint == context.Request.Certificate.Thumbprint) + context.Request.Certificate.VerifyNoRevocation() + (context.Request.Certificate.NotAfter < DateTime.Now))" />
</inbound></policies>"""


def test_certificates_of_the_context(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain = made.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    parts = (
        ("policy api", _DOCUMENT),
        ("certificate signer", chain + private),
        ("client-certificate", chain),
        ("request", "GET http://gate/openai/x\n"),
    )
    shown = dict(
        line.removeprefix("variable ").split(": str = ", 1)
        for line in run(Case(tmp_path, parts)).splitlines()
        if line.startswith("variable ")
    )
    signature = base64.b64decode(shown["signature"].removesuffix(" (secret)"))
    key.public_key().verify(signature, b"a.b", padding.PKCS1v15(), hashes.SHA256())
    assert shown["own"] == "1|TruesignerFalse"
    assert shown["client"] == "CN=client.example|FalseTrueFalseFalse"
