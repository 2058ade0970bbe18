"""Tokens against keys, with real keys of each kind: who signed, who did not, and what no key may be taken for."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from aforo.errors import Denied
from aforo.identity import jwt
from tests.support.tokens import (
    SECRET,
    SECRET_BASE64,
    bare,
    claims,
    ec_key,
    forged,
    public,
    rsa_key,
    sealed,
    token,
)

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def signing(algorithm: str, name: str = "one") -> Any:
    if algorithm.startswith("HS"):
        return SECRET if name == "one" else SECRET[::-1]
    if algorithm.startswith("ES"):
        return ec_key(f"{name}-{algorithm}", CURVES[algorithm])
    return rsa_key(name)


def verifying(key: RSAKey | ECKey | bytes) -> jwt.Key:
    if isinstance(key, bytes):
        return jwt.secret_key(base64.b64encode(key).decode())
    (found,) = jwt.key_set([public(key)])
    return found


ALGORITHMS = [f"{family}{bits}" for family in ("HS", "RS", "PS", "ES") for bits in (256, 384, 512)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_accepts_its_key_and_no_other(algorithm: str) -> None:
    mine, other = signing(algorithm), signing(algorithm, "two")
    found = jwt.read(token(mine, algorithm))
    assert found.claims == claims()
    assert found.algorithm == algorithm
    assert found.signed_by(verifying(mine))
    assert not found.signed_by(verifying(other))
    head, body, signature = found.text.split(".")
    changed = base64.urlsafe_b64encode(b'{"sub":"root"}').rstrip(b"=").decode()
    assert not jwt.read(f"{head}.{changed}.{signature}").signed_by(verifying(mine))
    assert not jwt.read(f"{head}.{body}.").signed_by(verifying(mine))
    assert not jwt.read(f"{head}.{body}.{'A' * len(signature)}").signed_by(verifying(mine))


@pytest.mark.parametrize("family", ["HS", "RS", "PS", "ES"])
def test_a_key_serves_its_own_families_alone(family: str) -> None:
    served = {
        "oct": {"HS"},
        "RSA": {"RS", "PS"},
        "EC": {"ES"},
    }
    for key in (verifying(SECRET), verifying(rsa_key()), verifying(ec_key("one-ES256"))):
        assert key.serves(f"{family}256") == (family in served[key.kind])
        assert not key.serves("none")
        assert not key.serves(f"{family}1")


@pytest.mark.parametrize(
    "form",
    [
        lambda key: key.as_pem(private=False),
        lambda key: key.as_pem(private=False).strip(),
        lambda key: base64.urlsafe_b64decode(public(key)["n"] + "=="),
        lambda key: public(key)["n"].encode(),
    ],
)
def test_a_public_key_is_no_shared_secret(form: Callable[[RSAKey], bytes]) -> None:
    key = rsa_key()
    found = jwt.read(forged(form(key), claims(), kid=key.kid))
    assert not found.signed_by(verifying(key))


def test_a_shared_secret_in_a_public_set_is_no_key() -> None:
    assert jwt.key_set([{"kty": "oct", "k": SECRET_BASE64, "kid": "one"}]) == []


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS1", "EdDSA", None, 7])
def test_other_algorithms_are_signed_by_nobody(algorithm: Any) -> None:
    for signature in ("", "AAAA"):
        found = jwt.read(bare({"alg": algorithm}, claims(), signature))
        assert not any(found.signed_by(k) for k in (verifying(SECRET), verifying(rsa_key())))
    assert jwt.read(bare({"alg": algorithm}, claims())).is_unsigned == (algorithm == "none")
    assert not jwt.read(bare({"alg": algorithm}, claims(), "AAAA")).is_unsigned


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "...", "a.b.c", "e30", "e30.e30", "e30.e30.e30.e30", "e30.W10.", "W10.e30.", "e30.e30.!",
        "e30 .e30.", "é.e30.", "e3\n0.e30.", "+/+/.e30.", "e30.e30.\u0660", "x" * 20_000,
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Denied) as refused:
        jwt.read(text)
    assert refused.value.code == "JwtInvalid"
    assert not refused.value.authenticated


def test_critical_fields_that_are_not_known_are_refused_and_others_do_not_matter() -> None:
    with pytest.raises(Denied, match="critical"):
        jwt.read(bare({"alg": "HS256", "crit": ["b64"], "b64": False}, claims(), "AAAA"))
    found = jwt.read(token(SECRET, "HS256", nonce="of Entra's", jku="https://evil.example/keys"))
    assert found.signed_by(verifying(SECRET))


def test_a_long_token_with_many_groups_is_read() -> None:
    said = claims(groups=[f"{n:032x}" for n in range(250)])
    assert jwt.read(token(rsa_key(), "RS256", said)).signed_by(verifying(rsa_key()))


def test_keys_are_matched_by_kid_and_x5t() -> None:
    key = jwt.Key("oct", verifying(SECRET).value, "a", "print")
    for header, match in (
        ({"kid": "a"}, "named"), ({"kid": "print"}, "named"), ({"x5t": "print"}, "named"), ({"kid": "b"}, "other"),
        ({"kid": "b", "x5t": "print"}, "named"), ({}, "unnamed"), ({"kid": 5}, "unnamed"), ({"kid": "A"}, "other"),
        ({"kid": ""}, "other"),
    ):  # fmt: skip
        assert key.match(header) == match, header
    assert verifying(SECRET).match({"kid": "b"}) == "unnamed"


def test_weak_keys_and_what_is_none_are_no_keys() -> None:
    for encoded in ("", "c2hvcnQ=", "not base64!", base64.b64encode(b"x" * 15).decode()):
        with pytest.raises(ValueError, match=r".*"):
            jwt.secret_key(encoded)
    assert jwt.secret_key(" YSBzaGFyZWQgc2VjcmV0\n IHRoYXQgaXMgbG9uZyBlbm91Z2g ").serves("HS256")
    for n, e in (("AQAB", "AQAB"), ("", ""), ("!", "AQAB"), (public(rsa_key())["n"], "")):
        with pytest.raises(ValueError, match=r".*"):
            jwt.rsa_key(n, e)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weak = rsa_key("weak", 1024)
    assert jwt.key_set([public(weak), {"kty": "RSA"}, {"kty": "EC", "crv": "P-9"}, {}, {"x5c": []}]) == []
    assert jwt.key_set([{**public(rsa_key()), "use": "enc"}]) == []
    with pytest.raises(ValueError, match=r".*"):
        jwt.certificate_key("no certificate")


@pytest.mark.parametrize(("algorithm", "size"), [("dir", 32), ("A128KW", 16), ("A192KW", 24), ("A256KW", 32)])
def test_encrypted_tokens_are_opened_with_a_shared_secret(algorithm: str, size: int) -> None:
    secret = b"k" * size
    inner = token(SECRET, "HS256")
    box = sealed(secret, algorithm, "A128CBC-HS256", inner)
    assert jwt.is_encrypted(box)
    right, wrong = (jwt.secret_key(base64.b64encode(s).decode()) for s in (secret, b"z" * size))
    assert jwt.decrypt(box, [wrong, right]) == inner
    with pytest.raises(Denied, match="cannot be decrypted"):
        jwt.decrypt(box, [wrong])


@pytest.mark.parametrize("algorithm", ["RSA-OAEP", "RSA-OAEP-256"])
def test_encrypted_tokens_are_opened_with_a_private_key(algorithm: str) -> None:
    inner = token(SECRET, "HS256")
    box = sealed(rsa_key(), algorithm, "A256GCM", inner, kid="one")
    mine = jwt.private_key(rsa_key().as_pem(private=True).decode(), "one")
    other = jwt.private_key(rsa_key("two").as_pem(private=True).decode(), "two")
    assert jwt.decrypt(box, [other, mine]) == inner
    with pytest.raises(Denied, match="cannot be decrypted"):
        jwt.decrypt(box, [other, verifying(SECRET)])


def test_bare_claims_in_an_encrypted_token_are_unsigned() -> None:
    secret = b"k" * 32
    opened = jwt.decrypt(sealed(secret, "dir", "A256GCM", '{"sub":"x"}'), [verifying(secret)])
    assert jwt.read(opened).is_unsigned
    assert jwt.read(opened).claims == {"sub": "x"}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RSA1_5", "enc": "A256GCM"}, {"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 10**9},
        {"alg": "dir", "enc": "A256GCM", "zip": "DEF"}, {"alg": "dir", "enc": "none"}, {},
    ],
)  # fmt: skip
def test_ways_of_encryption_that_are_not_taken(header: dict[str, Any]) -> None:
    with pytest.raises(Denied, match="encrypted in a way"):
        jwt.decrypt(bare(header, {}) + "..", [verifying(b"k" * 32)])
