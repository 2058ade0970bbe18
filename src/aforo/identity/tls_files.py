"""Where the files of this machine's TLS lie. It reads none: who only listens need not load what makes certificates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths in PEM: the CA's certificate, the leaf with the CA behind it, the leaf's key."""

    ca: Path
    certificate: Path
    key: Path

    @staticmethod
    def below(directory: Path) -> TlsFiles:
        return TlsFiles(directory / "ca.pem", directory / "tls-cert.pem", directory / "tls-key.pem")
