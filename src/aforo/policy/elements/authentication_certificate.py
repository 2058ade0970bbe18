"""`authentication-certificate`: the client certificate that the backend is shown."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    CryptographicException,
    InvalidCastException,
)
from aforo.errors import Invalid
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure
from aforo.policy.scopes import INBOUND
from aforo.policy.services import Certificate
from aforo.policy.spec import Attribute, Element

_NAME = "authentication-certificate"
_WAYS = ("thumbprint", "certificate-id", "body")


def held(exchange: Exchange, name: str | None) -> Certificate:
    """A certificate of the service, by its id or thumbprint, with its key."""
    wanted = "".join((name or "").split())
    found = exchange.services.certificates.find(wanted) if wanted else None
    if found is None or not found.key_pem:
        what = "with a private key " if found is not None else ""
        message = f"There is no certificate {what}'{wanted}' in this service."
        raise PolicyFailure(LastError(_NAME, "CertificateNotFound", message))
    return found


def given(data: Any, password: str | None) -> Certificate:
    """The certificate in bytes (PFX or PEM) that an expression gave."""
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: body")
    if isinstance(data, str):
        raise InvalidCastException("The body of a certificate must be byte[].")
    try:
        found = _read(bytes(data), password)
    except (Invalid, TypeError, ValueError):
        raise CryptographicException("The certificate cannot be read with this password.") from None
    if not found.key_pem:
        raise CryptographicException("The certificate has no private key.")
    return Certificate("", found.thumbprint, found.pem, found.key_pem)


@lru_cache(maxsize=32)
def _read(data: bytes, password: str | None) -> Any:
    """A PFX file opened: that takes milliseconds, and every call gives the same one."""
    # 4 MB that only those gateways hold that read certificates.
    from aforo.model.pfx import read_certificate

    return read_certificate(data, password)


def write(use: Use, emit: Emitter) -> None:
    if sum(n in use.attributes for n in _WAYS) != 1:
        emit.report(say.one_of(use.span, use.name, _WAYS))
        return
    target = "x" if emit.message == "x.request" else emit.message
    if "body" not in use.attributes:
        name = emit.value(use, "thumbprint") or emit.value(use, "certificate-id")
        if name is not None:
            emit.site(use, name)
            emit.do(f"{target}.certificate = HELD(x, NAME)", HELD=held, NAME=name)
        return
    declared = next(a for a in use.spec.attributes if a.name == "body")
    body = emit.compile(use.attributes["body"], declared, "body", "object")
    password = emit.value(use, "password")
    if body is None:
        return
    emit.site(use, body, password)
    word = emit.expr("P", P=password) if password is not None else emit.expr("None")
    emit.do(f"{target}.certificate = GIVEN(BODY, WORD)", GIVEN=given, BODY=body, WORD=word)


ELEMENT = Element(
    _NAME,
    "Shows the backend a client certificate: one that the service holds, or one that an expression gives.",
    write,
    sections=INBOUND,
    attributes=(
        Attribute("thumbprint", "The certificate's thumbprint (SHA-1, hexadecimal).", "name"),
        Attribute("certificate-id", "The id of a certificate of the service.", "name"),
        Attribute("body", "An expression that gives the certificate and its key as byte[]: PFX or PEM."),
        Attribute("password", "The password of that `body`."),
    ),
)
