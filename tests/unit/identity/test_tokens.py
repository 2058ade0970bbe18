"""Issued tokens verify; anything else does not, and the refusal says which rule it broke."""

import asyncio
import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from aforo.errors import Denied
from aforo.identity.access import Principal, RoleBook
from aforo.identity.issue import Issuer
from aforo.identity.verify import FixedKeys, Verifier, read_jwks
from aforo.model.account_facts import RoleFacts

TENANT = "11111111-1111-1111-1111-111111111111"
WHO = Principal(object_id="22222222-0000-0000-0000-000000000000", client_id="app-1", roles=("Reader.All",))
AUDIENCE = "https://cognitiveservices.azure.com"
NOW = 1_800_000_000.0


def make_key() -> RSAKey:
    key = RSAKey.generate_key(2048, auto_kid=False)
    return RSAKey.import_key(
        key.as_pem(private=True), {"kid": key.thumbprint(), "use": "sig", "alg": "RS256"}
    )


KEY, OTHER_KEY = make_key(), make_key()
ISSUER = Issuer(KEY, TENANT, "https://127.0.0.1:8443", clock=lambda: NOW)


def verifier(**options: Any) -> Verifier:
    settings: dict[str, Any] = {"audiences": [AUDIENCE], "issuers": ISSUER.issuers, "clock": lambda: NOW}
    return Verifier(FixedKeys(ISSUER.jwks()), **{**settings, **options})


def reason(check: Verifier, token: str) -> str:
    with pytest.raises(Denied) as refusal:
        asyncio.run(check.verify(token))
    assert not refusal.value.authenticated
    assert token == "" or token not in refusal.value.message
    return refusal.value.code


def signed(claims: dict[str, Any], key: Any = KEY, **header: Any) -> str:
    head = {"alg": "RS256", "kid": KEY.kid, **header}
    return jws.serialize_compact(head, json.dumps(claims), key, [head["alg"]])


GOOD = {"aud": AUDIENCE, "iss": ISSUER.issuers[0], "exp": NOW + 60, "nbf": NOW - 60}


@pytest.mark.parametrize(("version", "app_claim"), [(1, "appid"), (2, "azp")])
def test_an_issued_token_has_entras_claims(version: int, app_claim: str) -> None:
    token, ends = ISSUER.token(WHO, AUDIENCE, version=version, lifetime_s=86_400)
    claims = asyncio.run(verifier().verify(token))
    assert ends == NOW + 86_400
    expected = {
        "aud": AUDIENCE, "iss": ISSUER.issuers[version - 1], "exp": ends, "nbf": NOW, "iat": NOW, "tid": TENANT,
        "oid": WHO.object_id, "sub": WHO.object_id, "ver": f"{version}.0", "roles": ["Reader.All"], app_claim: "app-1",
    }  # fmt: skip
    assert expected.items() <= claims.items()
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header["alg"] == "RS256"
    assert header["kid"] == ISSUER.jwks()["keys"][0]["kid"]


def test_public_documents_hold_no_private_number() -> None:
    (key,) = ISSUER.jwks()["keys"]
    assert set(key) == {"kty", "n", "e", "use", "alg", "kid", "x5t"}


def test_audience_matches_with_and_without_slash() -> None:
    for audience in (AUDIENCE, AUDIENCE + "/"):
        token, _ = ISSUER.token(WHO, audience)
        assert asyncio.run(verifier().verify(token))["aud"] == audience


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "https://management.azure.com"}, "TokenAudienceNotAllowed"),
        ({"aud": None}, "TokenAudienceNotAllowed"),
        ({"iss": "https://evil.example/"}, "TokenIssuerNotAllowed"),
        ({"exp": NOW - 301}, "TokenExpired"),
        ({"exp": None}, "TokenExpired"),
        ({"exp": "soon"}, "TokenExpired"),
        ({"exp": True}, "TokenExpired"),
        ({"nbf": NOW + 301}, "TokenNotYetValid"),
        ({"nbf": "x"}, "JwtInvalid"),
    ],
)
def test_each_rule_is_kept(change: dict[str, Any], code: str) -> None:
    assert reason(verifier(), signed({**GOOD, **change})) == code


def test_skew_is_allowed_and_lists_of_audiences() -> None:
    claims = asyncio.run(verifier().verify(signed({**GOOD, "exp": NOW - 299, "aud": ["x", AUDIENCE + "/"]})))
    assert claims["exp"] == NOW - 299


def test_required_claims() -> None:
    check = verifier(required={"oid": (), "roles": ["Writer", "Reader"]})
    assert reason(check, signed(GOOD)) == "TokenClaimNotFound"
    assert reason(check, signed({**GOOD, "oid": "x", "roles": ["Other"]})) == "TokenClaimValueNotAllowed"
    asyncio.run(check.verify(signed({**GOOD, "oid": "x", "roles": ["Other", "Reader"]})))


def test_forgeries() -> None:
    token = signed(GOOD)
    head, payload, signature = token.split(".")
    other = base64.urlsafe_b64encode(json.dumps({**GOOD, "oid": "admin"}).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    # The classic confusion: the public key used as a shared secret.
    hs256 = (
        base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": KEY.kid}).encode()).rstrip(b"=").decode()
    )
    mac = hmac.digest(KEY.as_pem(private=False), f"{hs256}.{payload}".encode(), "sha256")
    confused = f"{hs256}.{payload}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert reason(verifier(), f"{head}.{other}.{signature}") == "TokenSignatureInvalid"
    assert reason(verifier(), f"{none}.{payload}.") == "TokenSignatureInvalid"
    assert reason(verifier(), confused) == "TokenSignatureInvalid"
    assert reason(verifier(), signed(GOOD, OTHER_KEY)) == "TokenSignatureInvalid"
    assert reason(verifier(), signed(GOOD, OTHER_KEY, kid=OTHER_KEY.kid)) == "TokenSignatureKeyNotFound"
    assert reason(verifier(), signed([1], KEY)) == "JwtInvalid"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "x", "a.b", "a.b.c", "....", "ü.ü.ü", "\udcff", "e30.e30.e30", "x" * 20_000]
)
def test_garbage_is_refused(text: str) -> None:
    assert reason(verifier(), text) in {"TokenNotPresent", "JwtInvalid", "TokenSignatureInvalid"}


def test_a_remembered_token_still_expires() -> None:
    now = [NOW]
    check = verifier(clock=lambda: now[0])
    token = signed(GOOD)
    asyncio.run(check.verify(token))
    now[0] = NOW + 60 + 301
    assert reason(check, token) == "TokenExpired"


def test_jwks_leaves_out_what_cannot_sign() -> None:
    (key,) = ISSUER.jwks()["keys"]
    assert (
        read_jwks({"keys": [{**key, "use": "enc"}, {"kty": "oct", "k": "AA"}, key, "x"]})[0].kid == key["kid"]
    )
    for broken in ({}, {"keys": 1}, {"keys": [{"kty": "RSA", "n": "!"}]}):
        with pytest.raises(ValueError, match="key"):
            read_jwks(broken)


def test_roles_hold_at_their_scope_and_below() -> None:
    account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a"
    book = RoleBook(
        [
            RoleFacts("P1", "Cognitive Services User", account),
            RoleFacts("p2", "/providers/Microsoft.Authorization/roleDefinitions/5e0bd9bd-7b93-4f28-af87-19fc36ad61bd", "/subscriptions/s"),
            RoleFacts("p3", "Reader", account),
            RoleFacts("p4", "cognitive services user", account + "b"),
            RoleFacts("p5", "a97b65f3-24c7-4388-baec-2e87135dc908", "/"),
        ]
    )  # fmt: skip
    wanted = ("Cognitive Services User", "Cognitive Services OpenAI User")
    allowed = {p for p in ("p1", "p2", "p3", "p4", "p5", "p6") if book.has(p, wanted, account.upper())}
    assert allowed == {"p1", "p2", "p5"}
    assert not book.has("p1", wanted, account.rpartition("/")[0])
