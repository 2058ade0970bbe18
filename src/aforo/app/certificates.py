"""The certificate of the https listeners, taken up anew when its files change."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

from aforo.errors import Invalid
from aforo.identity.tls_files import TlsFiles


class Certificate:
    """The server certificate of all https listeners: the operator's, or the local CA's leaf.

    `reload` takes up changed files without dropping a call: handshakes from then on use them.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self.context = _context()
        self._stamp = self._load()

    def ask_clients(self, cas: Sequence[str]) -> None:
        """A new `context`, for listeners that are made from now on: clients may show certificates of those CAs (PEM),
        others are refused in the handshake. Without CAs nobody is asked."""
        context = _context()
        if cas:
            try:
                context.load_verify_locations(cadata="\n".join(cas))
            except ssl.SSLError as error:
                raise Invalid(f"the CAs of client certificates cannot be used: {error}") from error
            context.verify_mode = ssl.CERT_OPTIONAL
        before, self.context = self.context, context
        try:
            self._stamp = self._load()
        except Invalid:
            self.context = before
            raise

    def _load(self) -> tuple[float, float]:
        stamp = (self._chain.stat().st_mtime, self._key.stat().st_mtime)
        try:
            # Tried on another context first: a chain without its key would leave this one with neither.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._chain, self._key)
            self.context.load_cert_chain(self._chain, self._key)
        except (ssl.SSLError, OSError) as error:
            raise Invalid(f"{self._chain} and {self._key} are no certificate and its key: {error}") from error
        return stamp

    def reload(self) -> bool:
        """Whether the files had changed; a pair that does not load leaves the old one in force."""
        try:
            if (self._chain.stat().st_mtime, self._key.stat().st_mtime) == self._stamp:
                return False
            self._stamp = self._load()
        except (OSError, Invalid):
            return False
        return True


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def certificate(chain: str, key: str, local: TlsFiles) -> Certificate:
    """The operator's certificate when there is one, else the local one."""
    if chain and key:
        return Certificate(Path(chain), Path(key))
    return Certificate(local.certificate, local.key)
