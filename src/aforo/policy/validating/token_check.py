"""What the two token policies do when they run: find the token, check it, remember who called. It fetches nothing itself.

The order of the checks is that of .NET's handler: signature, times, audience, issuer, claims. No message holds a token or
a key; claims are shown as the failure's text needs them, they are no secrets.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from aforo.csharp.runtime.exceptions import FormatException
from aforo.errors import Denied, Refusal
from aforo.identity import jwt
from aforo.policy.answers import answer
from aforo.policy.context.tokens import Jwt
from aforo.policy.context.values import QueryValues
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, Services
from aforo.policy.running import Site, header_text
from aforo.policy.services import Certificates, OpenIdKeys

ABSENT: Final = "JWT not present."
INVALID: Final = "Invalid JWT."
_REMEMBERED: Final = 1024
_SOURCES: Final = 64
_SHOWN: Final = 256
# The issuer of tokens of many tenants, as Entra writes it.
_TENANT: Final = "{tenantid}"
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Who called, as the record keeps it: its name for it, and the claims that say it, the best one first.
_CALLER: Final = (
    ("oid", ("oid",)),
    ("appid", ("appid", "azp", "client_id")),
    ("name", ("name", "preferred_username", "upn", "unique_name", "email")),
    ("tid", ("tid",)),
    ("sub", ("sub",)),
    ("iss", ("iss",)),
)

# ("secret", kid, base64) | ("certificate", kid, id) | ("numbers", kid, n, e); values may come from expressions.
KeySpec = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A required claim: `values` empty asks only for its presence."""

    name: str | None
    every: bool
    separator: str | None
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a token, expressions evaluated. Empty lists ask for nothing."""

    configs: tuple[str | None, ...] = ()
    keys: tuple[KeySpec, ...] = ()
    decryption: tuple[KeySpec, ...] = ()
    issuers: tuple[str | None, ...] = ()
    audiences: tuple[str | None, ...] = ()
    claims: tuple[Wanted, ...] = ()
    expires: bool = True
    signed: bool = True
    skew_s: int = 0
    applications: tuple[str | None, ...] = ()
    tenant_allowed: bool = True


# --- where the token is ----------------------------------------------------------------------------------------------


def from_header(x: Exchange, name: bytes, scheme: str | None) -> str | None:
    """The token of a header. A scheme is only asked for in `Authorization`, and left off wherever it stands."""
    raw = x.request.headers.get(name)
    if raw is None:
        return None
    word, space, rest = header_text(raw).strip().partition(" ")
    if name == b"authorization":
        if scheme and (not space or word.lower() != scheme.strip().lower()):
            return None
        return rest.strip() if space else word
    return rest.strip() if space and word.lower() == "bearer" else word


def from_query(x: Exchange, name: str | None) -> str | None:
    found = QueryValues(x.request.url.query_values()).all(name or "")
    return found[0] if found else None


def seconds(text: str | None) -> int:
    """`clock-skew`: seconds, or a TimeSpan (`00:05:00`)."""
    body = (text or "").strip()
    parts = body.split(":")
    if not all(p.isascii() and p.isdigit() and len(p) < 10 for p in parts) or len(parts) not in (1, 3):
        raise FormatException("The value of 'clock-skew' is neither a number of seconds nor a time span.")
    if len(parts) == 1:
        return int(body)
    hours, minutes, rest = (int(p) for p in parts)
    return hours * 3600 + minutes * 60 + rest


# --- the check -------------------------------------------------------------------------------------------------------


class TokenCheck:
    """One use of a policy. Signatures that were good, and keys that were read, are remembered; times and claims are
    looked at each time."""

    def __init__(self) -> None:
        # Tokens by their text, with the keys that signed them: only those that a known key has signed.
        self._signed: OrderedDict[str, tuple[jwt.Token, set[jwt.Key]]] = OrderedDict()
        self._sets: OrderedDict[str, tuple[OpenIdKeys, list[jwt.Key]]] = OrderedDict()
        self._made: OrderedDict[tuple[str, ...], jwt.Key] = OrderedDict()

    async def run(
        self,
        x: Exchange,
        site: Site,
        token: str | None,
        asked: Asked,
        code: int,
        message: str | None,
        output: str | None,
    ) -> None:
        """Goes on with a good token; PolicyFailure with the reason and the configured answer otherwise."""
        try:
            good = await self.validated(x.services, x.started_ns / 1e9, token, asked)
        except Denied as denied:
            raise failure(site, denied, code, message) from denied
        accept(x, good, output)

    async def validated(self, services: Services, now_s: float, token: str | None, asked: Asked) -> jwt.Token:
        """The token, all of it checked at that unix second. `Denied` with the reason as its code."""
        text = (token or "").strip()
        if not text:
            raise jwt.refused("TokenNotPresent", ABSENT)
        if jwt.is_encrypted(text) and asked.decryption:
            keys, _ = self._keys(asked.decryption, services.certificates, private=True)
            text = jwt.decrypt(text, keys)
        known = self._signed.get(text)
        found = jwt.read(text) if known is None else known[0]
        allowed = await self._signature(found, asked, services)
        _times(found.claims, now_s, asked)
        _audience(found.claims, asked.audiences)
        _issuer(found.claims, allowed if asked.tenant_allowed else [])
        _application(found.claims, asked.applications)
        _claims(found.claims, asked.claims)
        return found

    async def _signature(
        self, token: jwt.Token, asked: Asked, services: Services
    ) -> list[frozenset[str] | None]:
        """For each key that signed it, the issuers that it may speak for (None: any)."""
        named = frozenset(i for i in asked.issuers if i)
        if token.is_unsigned and not asked.signed:
            return [named if asked.issuers else None]
        if token.algorithm == "none" or token.text.endswith("."):
            raise jwt.refused("TokenSignatureInvalid", "The token has no signature. Access denied.")
        own, unusable = self._keys(asked.keys, services.certificates)
        sets, failed = await self._configured(asked.configs, services, token, own)
        failed = failed or unusable
        configured = frozenset(issuer for _, issuer in sets if issuer)
        # A key of one's own may speak for all issuers that are named somewhere; one of a configuration for that one's.
        mine = named | configured if asked.issuers or asked.configs else None
        candidates = [(key, mine) for key in own]
        candidates += [(key, named | {issuer}) for key, issuer in sets]
        meant = [c for c in candidates if c[0].match(token.header) != "other"]
        out = [issuers for key, issuers in meant or candidates if self._is_signed(token, key)]
        if out:
            return out
        if failed is not None:
            # Not the token's fault, as far as anybody knows.
            raise jwt.refused("JwtInvalid", f"{failed} Access denied.")
        if not meant:
            raise jwt.refused(
                "TokenSignatureKeyNotFound", "No signing key has the key id of the token. Access denied."
            )
        raise jwt.refused(
            "TokenSignatureInvalid", "The signature of the token is not that of a known key. Access denied."
        )

    async def _configured(
        self, urls: Sequence[str | None], services: Services, token: jwt.Token, own: Iterable[jwt.Key]
    ) -> tuple[list[tuple[jwt.Key, str]], str | None]:
        """The keys of OpenID configurations, each with its issuer, and what could not be read."""
        failed: str | None = None
        sets: list[tuple[jwt.Key, str]] = []
        port = services.signing_keys
        for renew in (False, True):
            sets = []
            failed = None
            for url in urls:
                if not url:
                    failed = "The URL of an OpenID configuration is empty."
                    continue
                try:
                    known = await (port.renewed(url) if renew else port.of(url))
                except Refusal as refusal:
                    failed = f"The OpenID configuration cannot be read: {refusal.message}."
                    continue
                issuer = known.issuer
                tenant = _text(token.claims.get("tid"))
                if _TENANT in issuer and _GUID.fullmatch(tenant):
                    issuer = issuer.replace(_TENANT, tenant)
                sets += [(key, issuer) for key in self._set(url, known)]
            # A name that nobody knows may be that of a new key.
            if not urls or any(k.match(token.header) != "other" for k in (*own, *(k for k, _ in sets))):
                break
        return sets, failed

    def _is_signed(self, token: jwt.Token, key: jwt.Key) -> bool:
        if not key.serves(token.algorithm):
            return False
        known = self._signed.get(token.text)
        if known is not None and key in known[1]:
            self._signed.move_to_end(token.text)
            return True
        if not token.signed_by(key):
            return False
        _keep(self._signed, token.text, (token, {key, *(known[1] if known is not None else ())}), _REMEMBERED)
        return True

    def _set(self, url: str, known: OpenIdKeys) -> list[jwt.Key]:
        found = self._sets.get(url)
        if found is None or found[0] is not known:
            found = (known, jwt.key_set(known.keys))
            _keep(self._sets, url, found, _SOURCES)
        return found[1]

    def _keys(
        self, specs: Sequence[KeySpec], certificates: Certificates, *, private: bool = False
    ) -> tuple[list[jwt.Key], str | None]:
        """The keys, and what is wrong with one that is none."""
        keys: list[jwt.Key] = []
        failed: str | None = None
        for spec in specs:
            try:
                keys.append(self._key(spec, certificates, private=private))
            except Denied as denied:
                failed = denied.message
        return keys, failed

    def _key(self, spec: KeySpec, certificates: Certificates, *, private: bool = False) -> jwt.Key:
        kind, kid, *rest = (part or "" for part in spec)
        if kind == "certificate":
            certificate = certificates.find(rest[0].strip())
            if certificate is None:
                raise jwt.refused("JwtInvalid", f"There is no certificate '{rest[0][:_SHOWN]}'.")
            rest = [certificate.key_pem if private else certificate.pem]
        known = (kind, kid, *rest)
        found = self._made.get(known)
        if found is None:
            try:
                found = made_key(kind, kid, rest, private=private)
            except ValueError as error:
                raise jwt.refused("JwtInvalid", "A key of the policy cannot be used for this.") from error
            _keep(self._made, known, found, _SOURCES)
        return found


def made_key(kind: str, kid: str, rest: Sequence[str], *, private: bool = False) -> jwt.Key:
    """ValueError when the texts are no key."""
    if kind == "secret":
        return jwt.secret_key(rest[0], kid)
    if kind == "numbers":
        return jwt.rsa_key(rest[0], rest[1], kid)
    return jwt.private_key(rest[0], kid) if private else jwt.certificate_key(rest[0], kid)


def _keep(known: OrderedDict[Any, Any], name: Any, value: Any, limit: int) -> None:
    known[name] = value
    if len(known) > limit:
        known.popitem(last=False)


def _times(claims: dict[str, Any], now: float, asked: Asked) -> None:
    expires, begins = _moment(claims, "exp"), _moment(claims, "nbf")
    if expires is None and asked.expires:
        raise jwt.refused("JwtInvalid", "The token does not say when it expires. Access denied.")
    if begins is not None and now < begins - asked.skew_s:
        raise jwt.refused("JwtInvalid", "The token is not valid yet. Access denied.")
    if expires is not None and now > expires + asked.skew_s:
        raise jwt.refused("TokenExpired", "The token has expired. Access denied.")


def _moment(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise jwt.refused("JwtInvalid", f"The token's {name} is not a time. Access denied.")
    return float(value)


def _audience(claims: dict[str, Any], audiences: tuple[str | None, ...]) -> None:
    if not audiences:
        return
    wanted = {a.rstrip("/") for a in audiences if a}
    found = texts(claims.get("aud"))
    if not wanted.intersection(a.rstrip("/") for a in found):
        shown = ", ".join(found)[:_SHOWN]
        raise jwt.refused(
            "TokenAudienceNotAllowed", f"The audience '{shown}' of the token is not allowed. Access denied."
        )


def _issuer(claims: dict[str, Any], allowed: list[frozenset[str] | None]) -> None:
    found = _text(claims.get("iss"))
    if not any(issuers is None or (found and found in issuers) for issuers in allowed):
        raise jwt.refused(
            "TokenIssuerNotAllowed",
            f"The issuer '{found[:_SHOWN]}' of the token is not allowed. Access denied.",
        )


def _application(claims: dict[str, Any], applications: tuple[str | None, ...]) -> None:
    if not applications:
        return
    name = "azp" if "azp" in claims and "appid" not in claims else "appid"
    found = _text(claims.get(name))
    if not found:
        raise _not_found([name])
    if found.lower() not in {a.strip().lower() for a in applications if a}:
        raise _not_allowed(name, found)


def _claims(claims: dict[str, Any], wanted: tuple[Wanted, ...]) -> None:
    missing = [w.name or "" for w in wanted if claims.get(w.name or "") is None]
    if missing:
        raise _not_found(missing)
    for each in wanted:
        if not each.values:
            continue
        found = texts(claims[each.name or ""])
        if each.separator:
            found = [part.strip() for text in found for part in text.split(each.separator)]
        has = [value in found for value in each.values]
        if not (all(has) if each.every else any(has)):
            raise _not_allowed(each.name or "", ", ".join(found))


def _not_found(names: list[str]) -> Denied:
    named = ", ".join(names)
    return jwt.refused(
        "TokenClaimNotFound", f"JWT token is missing the following claims: {named}. Access denied."
    )


def _not_allowed(name: str, value: str) -> Denied:
    return jwt.refused(
        "TokenClaimValueNotAllowed", f"Claim {name} value of {value[:_SHOWN]} is not allowed. Access denied."
    )


def texts(value: Any) -> list[str]:
    """A claim as the texts that are compared: each entry of a list, JSON for what is no text."""
    if value is None:
        return []
    return [
        v if isinstance(v, str) else orjson.dumps(v).decode()
        for v in (value if isinstance(value, list) else [value])
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


# --- what comes of it ------------------------------------------------------------------------------------------------


def accept(x: Exchange, token: jwt.Token, output: str | None) -> None:
    """The caller is known from here on; `output` is the variable that gets the token's claims.

    The variable holds header and claims, not the token's text: nothing in it opens a door, so it is no secret.
    """
    caller = {}
    for name, claims in _CALLER:
        found = next((v for v in (token.claims.get(c) for c in claims) if isinstance(v, str) and v), "")
        if found:
            caller[name] = found[:_SHOWN]
    x.caller = caller
    if output:
        x.variables[output] = Jwt(token.header, token.claims)
        if x.tainted is not None:
            x.tainted.discard(output)


def failure(site: Site, denied: Denied, code: int, message: str | None) -> PolicyFailure:
    """With its place: no secret that went into the policy is in these words, so they are not to be hidden."""
    told = message if message else ABSENT if denied.code == "TokenNotPresent" else INVALID
    error = LastError(
        site.source,
        denied.code,
        denied.message,
        scope=site.scope,
        section=site.section,
        path=site.path,
        policy_id=site.policy_id,
        http_status=code,
    )
    return PolicyFailure(error, answer(code, told))
