"""`validate-jwt`: lets only calls with a good token go on."""

from __future__ import annotations

from typing import Any

from aforo.csharp.runtime.exceptions import FormatException
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Child, Element, Text
from aforo.policy.validating import token_syntax as syntax


def write(use: Use, emit: Emitter) -> None:
    from aforo.policy.validating.token_check import Asked, TokenCheck, seconds

    token = syntax.token_of(use, emit)
    configs = [v for c in use.children.get("openid-config", ()) if (v := emit.value(c, "url")) is not None]
    keys, key_values = syntax.keys_of(use, emit, "issuer-signing-keys")
    decryption, decryption_values = syntax.keys_of(use, emit, "decryption-keys")
    audiences = syntax.texts_of(use, emit, "audiences", "audience")
    issuers = syntax.texts_of(use, emit, "issuers", "issuer")
    claims, claim_values = syntax.claims_of(use, emit)
    skew = emit.value(use, "clock-skew")
    expires, signed = (emit.flag(use, n) for n in ("require-expiration-time", "require-signed-tokens"))
    if token is None or skew is None:
        return
    skew_s: Any
    if skew.const is None:
        skew_s = emit.expr("F(V)", F=seconds, V=skew)
    else:
        try:
            skew_s = seconds(skew.const)
        except FormatException:
            emit.report(
                say.bad_value(skew.span, "clock-skew", "a number of seconds or a time span (00:05:00)")
            )
            return
    asked = syntax.Made(
        Asked,
        {
            "configs": tuple(configs),
            "keys": keys,
            "decryption": decryption,
            "issuers": tuple(issuers),
            "audiences": tuple(audiences),
            "claims": claims,
            "expires": expires,
            "signed": signed,
            "skew_s": skew_s,
        },
    )
    values = syntax.flat(configs, key_values, decryption_values, audiences, issuers, claim_values, [skew])
    values += [
        v
        for n in ("require-expiration-time", "require-signed-tokens")
        if (v := emit.value(use, n)) is not None
    ]
    syntax.write_check(use, emit, TokenCheck(), token, asked, values)


ELEMENT = Element(
    "validate-jwt",
    "Lets a call go on only with a JSON web token that is signed by a known key, in time, and meant for this API. Who "
    "called stands in the gateway's log from there on (`CallerClaims`).",
    write,
    sections=INBOUND,
    attributes=(
        *syntax.ATTRIBUTES,
        Attribute(
            "require-expiration-time", "Whether the token has to say when it expires.", "bool", default="true"
        ),
        Attribute("require-scheme", "The scheme that has to stand in front of the token in `Authorization`."),
        Attribute(
            "require-signed-tokens",
            "Whether a token without a signature is refused; a signature that is there is always checked.",
            "bool",
            default="true",
        ),
        Attribute("clock-skew", "How far the issuer's clock may be off, in seconds.", default="0"),
    ),
    children=(
        Child(
            "openid-config",
            "An OpenID configuration that names issuer and keys; read once an hour, and when a key id is unknown.",
            many=True,
            attributes=(Attribute("url", "Its address.", required=True),),
        ),
        syntax.SIGNING_KEYS,
        syntax.DECRYPTION_KEYS,
        syntax.AUDIENCES,
        Child(
            "issuers",
            "The issuers that are allowed, beside those of the OpenID configurations.",
            children=(Child("issuer", "An issuer.", many=True, text=Text("The issuer.")),),
        ),
        syntax.REQUIRED_CLAIMS,
    ),
)
