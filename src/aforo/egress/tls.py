"""TLS towards others: verified certificates, TLS 1.2 and newer. It knows no policy and no address."""

from __future__ import annotations

import os
import secrets
import ssl
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from aforo.errors import Upstream


class Identity(NamedTuple):
    """A client certificate: the chain, end certificate first, and its key, not encrypted. Both are PEM texts."""

    pem: str
    key_pem: str

    def __repr__(self) -> str:
        # A representation that ends in a log shows no key.
        return "Identity(...)"


@lru_cache(maxsize=64)
def client_context(
    ca_file: Path | None = None,
    *,
    validate_chain: bool = True,
    validate_name: bool = True,
    identity: Identity | None = None,
    protocol: str = "http/1.1",
) -> ssl.SSLContext:
    """A client context: the system's authorities and, when given, one more (the local CA).

    A backend may switch off the check of chain or name (`tls` of the backend resource), each by itself. `identity`
    is what the server is shown of us when it asks; Upstream when it cannot be used. `protocol` is what is offered
    (ALPN), "" for nothing.
    """
    context = ssl.create_default_context()
    if ca_file is not None and ca_file.exists():
        context.load_verify_locations(cafile=str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if protocol:
        context.set_alpn_protocols([protocol])
    if not (validate_name and validate_chain):
        context.check_hostname = False
    if not validate_chain:
        context.verify_mode = ssl.CERT_NONE
    if identity is not None:
        _show(context, identity)
    return context


def _show(context: ssl.SSLContext, identity: Identity) -> None:
    """Python takes a key from a file alone: for that moment it lies there encrypted, under a word nobody keeps."""
    # 4 MB that only those pay who show certificates.
    from cryptography.hazmat.primitives import serialization

    word = secrets.token_bytes(32).hex()
    try:
        key = serialization.load_pem_private_key(identity.key_pem.encode(), None)
        sealed = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(word.encode()),
        )
        import tempfile

        handle, path = tempfile.mkstemp(suffix=".pem")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(sealed + b"\n" + identity.pem.encode())
            context.load_cert_chain(path, password=word)
        finally:
            Path(path).unlink()
    except (ValueError, TypeError, ssl.SSLError) as error:
        raise Upstream(
            "the client certificate or its key cannot be used", code="CertificateNotUsed"
        ) from error
