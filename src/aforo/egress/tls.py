"""TLS towards others: verified certificates, TLS 1.2 and newer. It knows no policy and no address."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=64)
def client_context(
    ca_file: Path | None = None, *, validate_chain: bool = True, validate_name: bool = True
) -> ssl.SSLContext:
    """A client context: the system's authorities and, when given, one more (the local CA).

    A backend may switch off the check of chain or name (`tls` of the backend resource), each by itself.
    """
    context = ssl.create_default_context()
    if ca_file is not None and ca_file.exists():
        context.load_verify_locations(cafile=str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not (validate_name and validate_chain):
        context.check_hostname = False
    if not validate_chain:
        context.verify_mode = ssl.CERT_NONE
    return context
