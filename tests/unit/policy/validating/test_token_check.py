"""What the token policies remember, and what they ask again: signatures, keys, times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aforo.errors import Denied
from aforo.identity import jwt
from aforo.messages import Headers, parse_url
from aforo.policy.exchange import Body, Exchange, RequestState
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.services import Certificate, OpenIdKeys
from aforo.policy.validating.token_check import Asked, TokenCheck, from_header, seconds
from tests.support.tokens import NOW, SECRET, SECRET_BASE64, claims, public, rsa_key, sealed, token

URL = "https://issuer.example/.well-known/openid-configuration"
MINE = Asked(keys=(("secret", None, SECRET_BASE64),))


def exchange(services: ScriptedServices, now: float = NOW, **headers: str) -> Exchange:
    fields = Headers.of((n.encode(), v.encode()) for n, v in headers.items())
    request = RequestState.of("GET", parse_url("http://gate/x?jwt=1"), fields, Body(b""), "10.0.0.1")
    return Exchange("0" * 32, request, services, started_ns=int(now * 1e9))


def ask(
    check: TokenCheck, asked: Asked, text: str, services: ScriptedServices | None = None, now: float = NOW
) -> Any:
    return asyncio.run(check.validated(services or ScriptedServices(), now, text, asked))


def reason(
    check: TokenCheck, asked: Asked, text: str, services: ScriptedServices | None = None, now: float = NOW
) -> str:
    with pytest.raises(Denied) as refused:
        ask(check, asked, text, services, now)
    return refused.value.code


def test_a_signature_is_checked_once_and_times_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    real = jwt.Token.signed_by
    monkeypatch.setattr(
        jwt.Token, "signed_by", lambda self, key: checked.append(self.text) or real(self, key)
    )
    check = TokenCheck()
    good = token(SECRET, "HS256")
    for _ in range(3):
        ask(check, MINE, good)
    assert checked == [good]
    assert reason(check, MINE, good, now=NOW + 3601) == "TokenExpired"
    assert reason(check, Asked(keys=MINE.keys, audiences=("else",)), good) == "TokenAudienceNotAllowed"


def test_a_key_that_the_issuer_has_withdrawn_counts_no_more() -> None:
    services = ScriptedServices()
    services.signing_keys.known[URL] = OpenIdKeys("https://issuer.example/", [public(rsa_key("one"))])
    check, asked = TokenCheck(), Asked(configs=(URL,))
    good = token(rsa_key("one"), "RS256")
    assert ask(check, asked, good, services).claims["sub"] == "someone"
    services.signing_keys.known[URL] = OpenIdKeys("https://issuer.example/", [public(rsa_key("two"))])
    assert reason(check, asked, good, services) == "TokenSignatureKeyNotFound"


class Rotating:
    """An issuer that has a new key since its configuration was read."""

    def __init__(self) -> None:
        self.renewals = 0

    def _keys(self, name: str) -> OpenIdKeys:
        return OpenIdKeys("https://issuer.example/", [public(rsa_key(name))])

    async def of(self, url: str) -> OpenIdKeys:
        return self._keys("one")

    async def renewed(self, url: str) -> OpenIdKeys:
        self.renewals += 1
        return self._keys("two")

    def authority(self, tenant: str) -> str:
        return ""


def test_an_unknown_key_id_has_the_keys_renewed_and_a_known_one_has_not() -> None:
    services = ScriptedServices()
    issuer = services.signing_keys = Rotating()  # type: ignore[assignment]
    check, asked = TokenCheck(), Asked(configs=(URL,))
    ask(check, asked, token(rsa_key("one"), "RS256"), services)
    assert issuer.renewals == 0
    ask(check, asked, token(rsa_key("two"), "RS256"), services)
    assert issuer.renewals == 1
    bad = token(rsa_key("one"), "RS256")
    assert reason(check, asked, bad[:-8] + "AAAAAAAA", services) == "TokenSignatureInvalid"
    assert issuer.renewals == 1, "a wrong signature is no reason to ask the issuer"


def test_the_key_of_one_issuer_does_not_speak_for_another() -> None:
    services = ScriptedServices()
    services.signing_keys.known["a"] = OpenIdKeys("https://a/", [public(rsa_key("one"))])
    services.signing_keys.known["b"] = OpenIdKeys("https://b/", [public(rsa_key("two"))])
    check, asked = TokenCheck(), Asked(configs=("a", "b"))
    ask(check, asked, token(rsa_key("one"), "RS256", claims(iss="https://a/")), services)
    assert (
        reason(check, asked, token(rsa_key("one"), "RS256", claims(iss="https://b/")), services)
        == "TokenIssuerNotAllowed"
    )
    both = Asked(configs=("a", "b"), issuers=("https://b/",))
    ask(check, both, token(rsa_key("one"), "RS256", claims(iss="https://b/")), services)


def test_a_configuration_without_an_issuer_opens_for_nobody() -> None:
    services = ScriptedServices()
    services.signing_keys.known[URL] = OpenIdKeys("", [public(rsa_key("one"))])
    good = token(rsa_key("one"), "RS256")
    assert reason(TokenCheck(), Asked(configs=(URL,)), good, services) == "TokenIssuerNotAllowed"


@pytest.mark.parametrize("empty", [("",), (None,)])
def test_an_expression_that_gave_nothing_allows_nothing(empty: tuple[str | None, ...]) -> None:
    for asked in (
        Asked(keys=MINE.keys, audiences=empty),
        Asked(keys=MINE.keys, issuers=empty),
        Asked(keys=MINE.keys, applications=empty),
    ):
        for said in (claims(), claims(aud="", iss="", appid="")):
            assert reason(TokenCheck(), asked, token(SECRET, "HS256", said))


def test_certificates_sign_and_decrypt(tmp_path: Any) -> None:
    from tests.support.certificates import certificate

    chain, key = certificate(tmp_path, "signer")
    from joserfc.jwk import ECKey

    services = ScriptedServices()
    services.certificates.known["mine"] = Certificate("mine", "AB", chain.read_text())
    box = rsa_key("box").as_pem(private=True).decode()
    services.certificates.known["box"] = Certificate("box", "CD", "", box)
    asked = Asked(keys=(("certificate", None, "mine"),), decryption=(("certificate", None, "box"),))
    signed = token(ECKey.import_key(key.read_bytes()), "ES256")
    check = TokenCheck()
    ask(check, asked, signed, services)
    ask(check, asked, sealed(rsa_key("box"), "RSA-OAEP", "A256GCM", signed), services)
    assert reason(check, Asked(keys=(("certificate", None, "none"),)), signed, services) == "JwtInvalid"


def test_where_a_header_has_its_token() -> None:
    for value, scheme, found in (
        ("Bearer abc", None, "abc"), ("bearer  abc ", "Bearer", "abc"), ("abc", None, "abc"), ("abc", "Bearer", None),
        ("Basic abc", "Bearer", None), ("DPoP abc", None, "abc"), ("Bearer", "Bearer", None),
    ):  # fmt: skip
        assert (
            from_header(exchange(ScriptedServices(), authorization=value), b"authorization", scheme) == found
        ), value
    other = {"x-jwt": "Bearer abc"}
    assert from_header(exchange(ScriptedServices(), **other), b"x-jwt", "Nonsense") == "abc"
    assert from_header(exchange(ScriptedServices()), b"authorization", None) is None


def test_a_skew_is_seconds_or_a_time_span() -> None:
    assert [seconds(t) for t in ("0", " 300 ", "00:05:00", "1:0:1")] == [0, 300, 300, 3601]
    for wrong in (None, "", "soon", "-1", "1:2", "1.5"):
        with pytest.raises(Exception, match="clock-skew"):
            seconds(wrong)


def test_a_key_that_is_none_leaves_the_others_in_force() -> None:
    broken = ("secret", None, "YOUR KEY HERE")
    gone = ("certificate", None, "gone")
    good = token(SECRET, "HS256")
    ask(TokenCheck(), Asked(keys=(broken, gone, *MINE.keys)), good)
    assert reason(TokenCheck(), Asked(keys=(broken,)), good) == "JwtInvalid"
