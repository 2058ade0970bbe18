"""`validate-client-certificate`: lets only calls go on whose connection showed a certificate that fits.

Only certificates of trusted CAs get that far: the TLS layer refuses others, and those out of their time, in the handshake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aforo.csharp.runtime import certificates as net
from aforo.csharp.runtime.certificates import X509Certificate
from aforo.policy import diagnostics as say
from aforo.policy.answers import answer
from aforo.policy.context.service import client_certificate
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Child, Element
from aforo.policy.validating import token_syntax as syntax

_NAME = "validate-client-certificate"
_MOST = 10
_ISSUER = ("issuer-subject", "issuer-thumbprint")
# Names of attributes that are written in several ways.
_SAME = {"ST": "S", "EMAIL": "E", "EMAILADDRESS": "E", "SURNAME": "SN", "GIVENNAME": "G"}
_PART = re.compile(r'\s*([^=,+]+?)\s*=\s*("(?:[^"]|"")*"|[^,+]*)')

Identity = Mapping[str, str | None]


def validate(x: Exchange, begun: bool, ended: bool, identities: tuple[Identity, ...], ignore: bool) -> None:
    """401 with ClientCertificateNotPresent, ClientCertificateInvalid or ClientCertificateNotAllowed."""
    shown = client_certificate(x)
    wrong = _wrong(x, shown, begun, ended, identities)
    if wrong is None or ignore:
        return
    error = LastError(_NAME, wrong[0], wrong[1], http_status=401)
    raise PolicyFailure(error, answer(401, "Invalid client certificate"))


def _wrong(
    x: Exchange, shown: X509Certificate | None, begun: bool, ended: bool, identities: tuple[Identity, ...]
) -> tuple[str, str] | None:
    if shown is None:
        return "ClientCertificateNotPresent", "The client showed no certificate. Access denied."
    now = x.started_ns / 1e9
    first: datetime = shown.cert.not_valid_before_utc
    last: datetime = shown.cert.not_valid_after_utc
    if begun and now < first.timestamp():
        return "ClientCertificateInvalid", "The client certificate is not valid yet. Access denied."
    if ended and now > last.timestamp():
        return "ClientCertificateInvalid", "The client certificate has expired. Access denied."
    if identities and not any(_is(x, shown, each) for each in identities):
        return (
            "ClientCertificateNotAllowed",
            "The client certificate is none of those that are allowed. Access denied.",
        )
    return None


def _is(x: Exchange, shown: X509Certificate, identity: Identity) -> bool:
    """Whether all that is said of an identity is so of the certificate."""
    return all(_CHECKS[name](x, shown, (value or "").strip()) for name, value in identity.items())


def _hex(text: str) -> str:
    return "".join(text.split()).replace(":", "").upper()


def _common_name(shown: X509Certificate) -> list[str]:
    return [str(a.value) for a in shown.cert.subject if a.oid.dotted_string == "2.5.4.3"]


def _dns_names(shown: X509Certificate) -> list[str]:
    from cryptography import x509

    try:
        names = shown.cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [n.lower() for n in names.get_values_for_type(x509.DNSName)]


def _distinguished(text: str) -> list[tuple[str, str]]:
    """A distinguished name without its order: .NET writes it from the end, others from the start."""
    out = []
    for name, value in _PART.findall(text):
        plain = value.strip()
        if plain.startswith('"'):
            plain = plain[1:-1].replace('""', '"')
        upper = name.upper()
        out.append((_SAME.get(upper, upper), plain.casefold()))
    return sorted(out)


def _issued_by(x: Exchange, shown: X509Certificate, certificate_id: str) -> bool:
    from cryptography.exceptions import InvalidSignature

    held = x.services.certificates.find(certificate_id)
    if held is None:
        return False
    try:
        shown.cert.verify_directly_issued_by(net.from_pem(held.pem).cert)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _issuer_thumbprint(_x: Exchange, shown: X509Certificate, wanted: str) -> bool:
    issuer = shown.chain[0] if shown.chain else None
    return issuer is not None and net.thumbprint(X509Certificate(issuer)) == _hex(wanted)


_CHECKS: dict[str, Any] = {
    "thumbprint": lambda _x, c, v: net.thumbprint(c) == _hex(v),
    "serial-number": lambda _x, c, v: net.serial(c).lstrip("0") == _hex(v).lstrip("0"),
    "common-name": lambda _x, c, v: v.lower() in (n.lower() for n in _common_name(c)),
    "subject": lambda _x, c, v: bool(v) and _distinguished(net.subject(c)) == _distinguished(v),
    "dns-name": lambda _x, c, v: v.lower() in _dns_names(c),
    "issuer-subject": lambda _x, c, v: bool(v) and _distinguished(net.issuer(c)) == _distinguished(v),
    "issuer-thumbprint": _issuer_thumbprint,
    "issuer-certificate-id": _issued_by,
}


def write(use: Use, emit: Emitter) -> None:
    words = {name: emit.value(use, name) for name in (a.name for a in use.spec.attributes)}
    said = {name: v is not None and (v.const or "").strip().lower() == "true" for name, v in words.items()}
    trust = words["validate-trust"]
    if trust is not None and not said["validate-trust"]:
        emit.report(
            say.unsupported(trust.span, "letting certificates of unknown CAs in (the TLS layer refuses them)")
        )
    if said["validate-revocation"]:
        at = words["validate-revocation"]
        emit.report(say.no_revocation(at.span if at is not None else use.span))
    for name in ("validate-not-before", "validate-not-after"):
        value = words[name]
        if value is not None and not said[name]:
            emit.report(say.handshake_decides(value.span, name))
    group = use.child("identities")
    items = group.children.get("identity", ()) if group is not None else ()
    if len(items) > _MOST:
        emit.report(say.too_large(items[_MOST].span, f"more than {_MOST} identities"))
    identities: list[syntax.Made] = []
    values: list[Value] = []
    for each in items:
        given = {name: v for name in _CHECKS if (v := emit.value(each, name)) is not None}
        if not given:
            emit.report(say.missing_attribute(each.span, "identity", "thumbprint"))
        if "issuer-certificate-id" in given and not given.keys().isdisjoint(_ISSUER):
            emit.report(say.one_of(each.span, "identity", ("issuer-certificate-id", *_ISSUER)))
        # As keyword arguments cannot have dashes, each identity is made of pairs.
        pairs = tuple((name, value) for name, value in given.items())
        identities.append(syntax.Made(_identity, {"pairs": pairs}))
        values += given.values()
    emit.site(use, *values)
    emit.do(
        "VALIDATE(x, BEGUN, ENDED, IDENTITIES, IGNORE)",
        VALIDATE=validate,
        BEGUN=said["validate-not-before"],
        ENDED=said["validate-not-after"],
        IDENTITIES=syntax.built(tuple(identities), emit),
        IGNORE=said["ignore-error"],
    )


def _identity(pairs: tuple[tuple[str, str | None], ...]) -> Identity:
    return dict(pairs)


def _flag(name: str, doc: str, default: str = "true") -> Attribute:
    return Attribute(name, doc, "bool", default=default, expressions=False)


ELEMENT = Element(
    _NAME,
    "Lets a call go on only when its connection showed a client certificate that fits. The TLS listener takes "
    "certificates of the CAs that the service trusts (`certificates` of the service) and no others.",
    write,
    sections=INBOUND,
    attributes=(
        _flag(
            "validate-revocation",
            "Whether revocation is looked up; no lists are read, so true is only warned about.",
        ),
        _flag("validate-trust", "Whether the chain has to lead to a trusted CA; it always has to."),
        _flag("validate-not-before", "Whether its time has to have begun."),
        _flag("validate-not-after", "Whether its time may not have ended."),
        _flag("ignore-error", "Go on all the same when it does not fit.", "false"),
    ),
    children=(
        Child(
            "identities",
            "The certificates that are allowed: one of them has to fit; without any, all do.",
            children=(
                Child(
                    "identity",
                    "A certificate by what is said of it, all of it.",
                    many=True,
                    attributes=(
                        Attribute("thumbprint", "Its SHA-1 thumbprint."),
                        Attribute("serial-number", "Its serial number, hexadecimal."),
                        Attribute("common-name", "The common name in its subject."),
                        Attribute("subject", "Its subject (`CN=name, O=org`), in any order."),
                        Attribute("dns-name", "A DNS name among its alternative names."),
                        Attribute("issuer-subject", "The subject of its issuer, in any order."),
                        Attribute("issuer-thumbprint", "The thumbprint of its issuer."),
                        Attribute(
                            "issuer-certificate-id",
                            "A certificate of the service that has to have issued it.",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
