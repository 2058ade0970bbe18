"""The model accounts of a running system and their deployments, as its control plane tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aforo.cli.exits import Failure
from aforo.cli.running import Running

_PROVIDER = "providers/Microsoft.CognitiveServices/accounts"
_VERSION = "api-version=2024-10-01"


@dataclass(frozen=True, slots=True)
class Account:
    """`endpoint` is where it stands; `served` says that this is the local one. Deployments with their models."""

    name: str
    endpoint: str
    served: bool
    deployments: tuple[tuple[str, str], ...]


def accounts(system: Running) -> list[Account]:
    """All accounts, by name. Failure when control does not tell."""
    own = str(system.endpoints.get("account") or "").rstrip("/")
    found = _values(system, f"/subscriptions/{system['subscription_id']}/{_PROVIDER}")
    return sorted((_account(system, entry, own) for entry in found), key=lambda a: a.name)


def _account(system: Running, entry: dict[str, Any], own: str) -> Account:
    endpoint = str(entry.get("properties", {}).get("endpoint", "")).rstrip("/")
    deployments = tuple(
        (str(d.get("name")), str(d.get("properties", {}).get("model", {}).get("name", "")))
        for d in _values(system, f"{entry.get('id')}/deployments")
    )
    return Account(
        str(entry.get("name")), endpoint, bool(own) and endpoint == own, tuple(sorted(deployments))
    )


def _values(system: Running, path: str) -> list[dict[str, Any]]:
    answer = system.control("GET", f"{path}?{_VERSION}", timeout_s=10.0)
    body = answer.json() if answer.ok else None
    if not isinstance(body, dict) or not isinstance(body.get("value"), list):
        raise Failure(f"The control plane does not list the accounts: {answer.reason()}")
    return [entry for entry in body["value"] if isinstance(entry, dict)]
