"""The secrets of an installation: private, stable, the same for two who start at once."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from aforo.errors import Invalid
from aforo.identity.ca import ensure_tls
from aforo.identity.keys import Secrets, hash_key, new_key, same_secret
from aforo.identity.seal import Sealer, subkey


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    return Secrets(tmp_path_factory.mktemp("data") / "secrets").ensure()


def test_everything_is_private(secrets: Secrets) -> None:
    assert stat.S_IMODE(secrets.root.stat().st_mode) == 0o700
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in secrets.root.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"master-key", "admin-token", "signing-key.pem", "ca.pem", "ca-key.pem", "tls-cert.pem"} <= set(
        modes
    )


def test_second_start_finds_the_same(secrets: Secrets) -> None:
    before = {p.name: p.read_bytes() for p in secrets.root.iterdir()}
    again = Secrets(secrets.root).ensure()
    assert {p.name: p.read_bytes() for p in secrets.root.iterdir()} == before
    assert again.signing_key.kid == secrets.signing_key.kid
    assert again.is_admin_token(secrets.admin_token)
    assert not again.is_admin_token(secrets.admin_token + "x")
    assert not again.is_admin_token("")


def test_no_secret_in_a_representation(secrets: Secrets) -> None:
    assert secrets.admin_token not in repr(secrets)
    assert repr(secrets.sealer("store")) == "Sealer(...)"


def test_keys_are_hashed_plainly() -> None:
    assert hash_key("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(new_key()) == 32
    assert new_key() != new_key()
    assert same_secret("a", b"a")
    assert not same_secret("a", "ab")
    assert not same_secret("\udcff", "x")


def test_seal_opens_only_under_its_key_and_context() -> None:
    master = b"m" * 32
    sealer = Sealer(subkey(master, "store"))
    sealed = sealer.seal(b"secret", b"named-value/x")
    assert b"secret" not in sealed
    assert sealer.seal(b"secret", b"named-value/x") != sealed
    assert sealer.open(sealed, b"named-value/x") == b"secret"
    for other, text, context in (
        (Sealer(subkey(master, "snapshot")), sealed, b"named-value/x"),
        (sealer, sealed, b"named-value/y"),
        (sealer, sealed[:-1], b"named-value/x"),
        (sealer, sealed[:5], b"named-value/x"),
        (sealer, b"\x02" + sealed[1:], b"named-value/x"),
        (sealer, b"", b"named-value/x"),
    ):
        with pytest.raises(Invalid) as refusal:
            other.open(text, context)
        assert refusal.value.code == "SealBroken"
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(b"short")


def _leaf(directory: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / "tls-cert.pem").read_bytes())


def test_leaf_is_renewed_before_it_ends_and_for_new_names(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ensure_tls(tmp_path, now=now)
    first = _leaf(tmp_path)
    ensure_tls(tmp_path, now=now + timedelta(days=360))
    assert _leaf(tmp_path).serial_number == first.serial_number
    ensure_tls(tmp_path, now=now + timedelta(days=370))
    second = _leaf(tmp_path)
    assert second.serial_number != first.serial_number
    ensure_tls(tmp_path, ["gate.example", "10.1.2.3"], now=now + timedelta(days=370))
    third = _leaf(tmp_path)
    names = third.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "gate.example"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "::1", "10.1.2.3"} <= {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    # Fewer names asked than there are: nothing to do.
    ensure_tls(tmp_path, now=now + timedelta(days=370))
    assert _leaf(tmp_path).serial_number == third.serial_number


def test_leaf_is_made_anew_when_damaged_or_foreign(tmp_path: Path) -> None:
    ensure_tls(tmp_path)
    (tmp_path / "tls-key.pem").write_bytes(b"garbage")
    ensure_tls(tmp_path)
    assert b"PRIVATE KEY" in (tmp_path / "tls-key.pem").read_bytes()
    first = _leaf(tmp_path)
    (tmp_path / "ca.pem").unlink()
    (tmp_path / "ca-key.pem").unlink()
    ensure_tls(tmp_path)
    assert _leaf(tmp_path).serial_number != first.serial_number


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
def test_a_strict_client_accepts_the_leaf(secrets: Secrets, name: str) -> None:
    files = secrets.tls
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    a, b, c, d = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    s = server.wrap_bio(a, b, server_side=True)
    k = client.wrap_bio(c, d, server_hostname=name)
    done = set()
    for _ in range(10):
        for label, side in (("client", k), ("server", s)):
            try:
                side.do_handshake()
                done.add(label)
            except ssl.SSLWantReadError:
                pass
            a.write(d.read())
            c.write(b.read())
    assert done == {"client", "server"}
