"""Client certificates over real sockets: asked for where CAs are trusted, refused in the handshake otherwise."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aforo.app.certificates import Certificate
from aforo.messages import Headers
from aforo.model.catalog import kind_of
from aforo.model.check import check_body
from aforo.model.ids import parse_id
from aforo.policy.context.service import client_certificate
from aforo.policy.exchange import Body, Exchange, ResponseState, Returned
from aforo.policy.pipeline import Pipeline
from tests.support.certificates import certificate
from tests.support.gateway import Client, Gate, gate, story, until

REQUEST = b"GET /echo/x HTTP/1.1\r\nhost: gate\r\n\r\n"


@dataclass
class Ca:
    """A CA, and a way to have certificates of it."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = self._made(self.name, self.key, None, ca=True)

    def _made(
        self, name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, *, ca: bool
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        return self.cert.public_bytes(serialization.Encoding.PEM).decode()

    def client(self, name: str) -> ssl.SSLContext:
        """A client that shows a certificate of this CA."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._made(name, key, self.cert, ca=False)
        file = self.folder / f"{name}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + made.public_bytes(serialization.Encoding.PEM)
        )
        context = anybody()
        context.load_cert_chain(file)
        return context


def anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def tell(x: Exchange) -> None:
    """Answers with who showed a certificate, and whose it is."""
    shown = client_certificate(x)
    text = "nobody" if shown is None else f"{shown.cert.subject.rfc4514_string()} of {len(shown.chain)}"
    x.response = ResponseState(200, "OK", Headers(), Body(text.encode()))
    raise Returned


@asynccontextmanager
async def tls_gate(tmp_path: Path, *cas: Ca) -> AsyncIterator[tuple[Gate, Certificate, socket.socket]]:
    tls = Certificate(*certificate(tmp_path, "gate", ip="127.0.0.1"))
    tls.ask_clients([ca.pem for ca in cas])
    async with gate(Pipeline(inbound=tell)) as made:
        sock = socket.create_server(("127.0.0.1", 0))
        await made.server.listen(sock.dup(), tls.context)
        made.port = sock.getsockname()[1]
        try:
            yield made, tls, sock
        finally:
            sock.close()


async def asked(made: Gate, context: ssl.SSLContext) -> bytes:
    client = await made.connect(ssl=context)
    await client.send(REQUEST)
    return (await client.answer()).body


@story
async def test_a_certificate_of_a_trusted_ca_reaches_policies_with_its_chain(tmp_path: Path) -> None:
    ca = Ca(tmp_path, "trusted")
    async with tls_gate(tmp_path, ca) as (made, _, _):
        assert await asked(made, ca.client("ada")) == b"CN=ada of 1"
        assert await asked(made, anybody()) == b"nobody", "nobody has to show one"


@story
async def test_a_certificate_of_another_ca_is_refused_in_the_handshake(tmp_path: Path) -> None:
    ca, other = Ca(tmp_path, "trusted"), Ca(tmp_path, "other")
    async with tls_gate(tmp_path, ca) as (made, _, _):
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await asked(made, other.client("eve"))


@story
async def test_without_trusted_cas_nobody_is_asked(tmp_path: Path) -> None:
    ca = Ca(tmp_path, "trusted")
    async with tls_gate(tmp_path) as (made, _, _):
        assert await asked(made, ca.client("ada")) == b"nobody"


@story
async def test_other_cas_come_into_force_and_end_what_the_old_ones_let_in(tmp_path: Path) -> None:
    first, second = Ca(tmp_path, "first"), Ca(tmp_path, "second")
    async with tls_gate(tmp_path, first) as (made, tls, sock):
        kept: Client = await made.connect(ssl=first.client("ada"))
        await kept.send(REQUEST)
        assert (await kept.answer()).body == b"CN=ada of 1"
        plain: Client = await made.connect(ssl=anybody())
        await plain.send(REQUEST)
        await plain.answer()

        tls.ask_clients([second.pem])
        before = made.server.listeners[-1]
        await made.server.listen(sock.dup(), tls.context)
        made.server.replaced(before)
        assert await kept.rest() == b"", "its certificate counts no more"
        await plain.send(REQUEST)
        assert (await plain.answer()).body == b"nobody", "who showed none goes on"
        assert await asked(made, second.client("bob")) == b"CN=bob of 1"
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await asked(made, first.client("late"))
        await until(lambda: len(made.server.connections) <= 2)


def test_cas_of_a_service_are_certificates_without_keys(tmp_path: Path) -> None:
    ca = Ca(tmp_path, "trusted")
    der = ca.cert.public_bytes(serialization.Encoding.DER)
    key = ca.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    rid = parse_id("/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/apim")
    kind = kind_of(rid.type)
    assert kind is not None
    for data, good in (
        (der, True),
        (ca.pem.encode(), True),
        (ca.pem.encode() + key, False),
        (b"none", False),
    ):
        entry = {"encodedCertificate": base64.b64encode(data).decode(), "storeName": "Root"}
        body = {
            "location": "x",
            "sku": {"name": "Developer"},
            "properties": {"publisherEmail": "a@b.c", "publisherName": "p", "certificates": [entry]},
        }
        clean, problems = check_body(kind, rid, body)
        assert not problems
        from aforo.model.kind import Resource
        from aforo.model.kinds.service import _cas_are_readable, trusted_cas

        resource = Resource(rid, kind, clean, "")
        assert bool(trusted_cas(resource)) == good
        assert bool(list(_cas_are_readable(resource, None))) != good  # type: ignore[arg-type]
