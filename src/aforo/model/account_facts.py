"""What a local model account must know, as data: control publishes it, the account reads it. No secret in clear.

One file (`DIR/snapshots/account.json`), replaced atomically with each change; the account looks at the file at
each call, so that a revoked key or role is out of force at once, and goes on with the last good one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from aforo.private_files import write_private


class DeploymentFacts(msgspec.Struct, frozen=True):
    """A model deployment. `id` is what callers name; answers carry `model`.

    `tokens_per_minute` None means no limit; with one, requests are limited to 6 per 1,000 tokens as on Azure.
    `script` is for the scripted engine (`account/engines/scripted.py`), None means its defaults.
    """

    id: str
    model: str
    model_version: str = ""
    created_at: int = 0  # unix seconds
    tokens_per_minute: int | None = None
    script: dict[str, Any] | None = None

    @property
    def embeds(self) -> bool:
        """Whether it is an embeddings model (the others complete and chat)."""
        return "embedding" in self.model.lower()


class RoleFacts(msgspec.Struct, frozen=True):
    """A role assignment at the account or above it; `role` is the definition's name or id."""

    principal_id: str
    role: str
    scope: str


class AccountFacts(msgspec.Struct, frozen=True):
    """Everything an account must know. `version` counts up with each published change.

    `key_hashes` are SHA-256 digests of the two keys, empty when key authentication is disabled.
    `workspaces` are the diagnostic settings, resolved: category (`RequestResponse`, `Audit`, `AllMetrics`) to
    workspace ids. `issuers` are all that count as the local issuer; `jwks` is its key set as a JSON object.
    """

    version: int
    resource_id: str
    location: str
    tenant_id: str
    issuers: tuple[str, ...]
    jwks: dict[str, Any]
    deployments: tuple[DeploymentFacts, ...] = ()
    key_hashes: tuple[bytes, ...] = ()
    roles: tuple[RoleFacts, ...] = ()
    workspaces: dict[str, list[str]] = {}
    audiences: tuple[str, ...] = ("https://cognitiveservices.azure.com",)

    @property
    def exists(self) -> bool:
        """Whether any account is served here: without one these are the facts of none."""
        return bool(self.resource_id)

    @property
    def name(self) -> str:
        """The account's name, the last part of its id."""
        return self.resource_id.rpartition("/")[2]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AccountFacts)


def save(facts: AccountFacts, path: Path) -> None:
    """Replace the file atomically (mode 0600, durable): readers see the old facts or the new ones."""
    write_private(path, _encoder.encode(facts))


def load(path: Path) -> AccountFacts:
    """The facts of that file. FileNotFoundError, or msgspec.ValidationError when it holds something else."""
    return _decoder.decode(path.read_bytes())
