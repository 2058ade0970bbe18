"""The certificates of the snapshot in force, as policies find them."""

from __future__ import annotations

from collections.abc import Mapping

from aforo.policy.services import Certificate


class HeldCertificates:
    """The `Certificates` port. `known` is by id and by thumbprint, in lower case; it changes with the snapshot."""

    def __init__(self, known: Mapping[str, Certificate] | None = None) -> None:
        self.known: Mapping[str, Certificate] = known or {}

    def find(self, id_or_thumbprint: str) -> Certificate | None:
        # Thumbprints are copied from dialogs that put blanks, and an unseen mark, into them.
        wanted = "".join(c for c in id_or_thumbprint if c.isprintable() and not c.isspace())
        return self.known.get(wanted.lower())

    def all(self) -> list[Certificate]:
        return list({c.id: c for c in self.known.values()}.values())
