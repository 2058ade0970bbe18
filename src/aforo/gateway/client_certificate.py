"""The certificate that a client showed in its handshake, with the chain that leads to a trusted CA. It judges nothing."""

from __future__ import annotations

import ssl
from typing import Any

_DER = 2  # `_ssl.ENCODING_DER`


def shown(tls: ssl.SSLObject | ssl.SSLSocket) -> str | None:
    """The chain as PEM, the client's own certificate first; None when it showed none."""
    own = tls.getpeercert(binary_form=True)
    if not own:
        return None
    chain = _verified(tls)
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in (chain or [own]))


def _verified(tls: Any) -> list[bytes]:
    """The chain that was verified: Python has a name for it from 3.13 on, and had it without one before."""
    ask = getattr(tls, "get_verified_chain", None)
    if ask is None:
        ask = getattr(getattr(tls, "_sslobj", None), "get_verified_chain", None)
    found = ask() if ask is not None else None
    return [c if isinstance(c, bytes) else c.public_bytes(_DER) for c in found or ()]
