"""Certificates and their keys out of PFX and PEM files."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aforo.errors import Invalid
from aforo.model.pfx import MAX_BYTES, read_certificate
from tests.support.certificates import certificate, pfx


def test_a_pfx_with_its_password(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "partner")
    read = read_certificate(pfx(chain, key, "open sesame"), "open sesame")
    assert read.subject == "CN=partner"
    assert read.pem == chain.read_text()
    assert read.key_pem == key.read_text()
    assert len(read.thumbprint) == 40
    assert read.thumbprint == read.thumbprint.upper()
    assert read.key_pem not in repr(read)


def test_a_pfx_without_a_password(tmp_path: Path) -> None:
    read = read_certificate(pfx(*certificate(tmp_path, "open"), ""), None)
    assert read.subject == "CN=open"
    assert read.key_pem


def test_pem_with_key_before_or_behind(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "partner")
    for data in (chain.read_bytes() + key.read_bytes(), key.read_bytes() + chain.read_bytes()):
        read = read_certificate(data, None)
        assert (read.pem, read.key_pem) == (chain.read_text(), key.read_text())
    assert read_certificate(chain.read_bytes(), None).key_pem == ""


def test_an_encrypted_pem_key(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "partner")
    clear = serialization.load_pem_private_key(key.read_bytes(), None)
    sealed = clear.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    assert read_certificate(chain.read_bytes() + sealed, "word").key_pem == key.read_text()
    with pytest.raises(Invalid):
        read_certificate(chain.read_bytes() + sealed, None)


def test_the_end_certificate_is_the_one_of_the_key(tmp_path: Path) -> None:
    ca, _ = certificate(tmp_path, "ca")
    chain, key = certificate(tmp_path, "partner")
    read = read_certificate(ca.read_bytes() + chain.read_bytes() + key.read_bytes(), None)
    assert read.subject == "CN=partner"
    assert read.pem == chain.read_text() + ca.read_text()


def test_what_is_no_certificate(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "partner")
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    wrong: list[tuple[bytes, str | None]] = [
        (b"", None),
        (b"canary", "canary"),
        (pfx(chain, key, "one"), "another"),
        (pfx(chain, key, "one"), None),
        (chain.read_bytes() + other, None),
        (key.read_bytes(), None),
        (b"-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n", None),
        (b"0" * (MAX_BYTES + 1), None),
    ]
    for data, password in wrong:
        with pytest.raises(Invalid) as caught:
            read_certificate(data, password)
        assert "canary" not in caught.value.message
