"""What is published to the other processes, as files: the bundle for gateways, the facts for the local account.

It writes only what changed and knows nothing of how a change came about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from aforo.control.build import unix
from aforo.control.build_deliveries import deliveries_of, fingerprint
from aforo.control.build_log import workspaces_of
from aforo.identity.seal import Sealer
from aforo.model import account_facts, deliveries_file, retention_file
from aforo.model.account_facts import AccountFacts, DeploymentFacts, RoleFacts
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.account import ACCOUNT_TYPE, DEPLOYMENT_TYPE, served
from aforo.model.kinds.log_table import LOG_TABLE_TYPE
from aforo.model.kinds.role_assignment import ROLE_ASSIGNMENT_TYPE
from aforo.model.kinds.workspace import WORKSPACE_TYPE
from aforo.model.retention_file import Retention
from aforo.model.secret import Secret
from aforo.private_files import private_directory
from aforo.snapshot import bundle_file
from aforo.snapshot.snapshot import Bundle

ACCOUNT_FILE = "account.json"
RETENTION_FILE = "retention.json"


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """What an account must know of the local issuer."""

    tenant_id: str
    issuers: tuple[str, ...]
    jwks: Mapping[str, Any]


class FilePublisher:
    """Publishes into one folder (`Layout.snapshots`). `key` signs bundles, `sealer` is for credentials of destinations."""

    def __init__(self, folder: Path, key: bytes, issuer: IssuerFacts, sealer: Sealer | None = None) -> None:
        self._sealer = sealer
        self._deliveries: Any = None
        self._folder = private_directory(folder)
        self._key = key
        self._issuer = issuer
        self._account: AccountFacts | None = None
        self._retention: dict[str, Retention] | None = None

    @property
    def bundle_path(self) -> Path:
        return self._folder / bundle_file.CURRENT

    @property
    def account_path(self) -> Path:
        return self._folder / ACCOUNT_FILE

    def __call__(self, bundle: Bundle, graph: Graph) -> None:
        """Publish one revision. OSError when the disk does not take it."""
        # The account first: a gateway that has the new bundle must find a role that came with it in force.
        facts = facts_of_account(graph, bundle.version, self._issuer)
        if not _same(facts, self._account):
            account_facts.save(facts, self.account_path)
            self._account = facts
        rules = retention_of(graph)
        if rules != self._retention:
            retention_file.save(rules, self._folder / RETENTION_FILE)
            self._retention = rules
        delivered = fingerprint(graph)
        if self._sealer is not None and delivered != self._deliveries:
            deliveries_file.save(deliveries_of(graph, self._sealer), self._folder / deliveries_file.FILE)
            self._deliveries = delivered
        bundle_file.save(bundle, self.bundle_path, self._key)


def facts_of_account(graph: Graph, version: int, issuer: IssuerFacts) -> AccountFacts:
    """The facts of the local account; without one in the graph, of none (`AccountFacts.exists`)."""
    account = served(graph.of_type(ACCOUNT_TYPE))
    if account is None:
        return AccountFacts(version, "", "", issuer.tenant_id, issuer.issuers, dict(issuer.jwks))
    properties = account.properties
    keys = () if properties.get("disableLocalAuth") else (properties.get("key1"), properties.get("key2"))
    return AccountFacts(
        version=version,
        resource_id=account.id.text,
        location=str(account.body.get("location", "")),
        tenant_id=issuer.tenant_id,
        issuers=issuer.issuers,
        jwks=dict(issuer.jwks),
        deployments=tuple(_deployment(r) for r in graph.children(account.id.key, DEPLOYMENT_TYPE)),
        key_hashes=tuple(key.digest for key in keys if isinstance(key, Secret)),
        roles=tuple(roles_at(graph, account.id.key)),
        workspaces=workspaces_of(account, graph),
    )


def retention_of(graph: Graph) -> dict[str, Retention]:
    """How long each workspace keeps its rows, by workspace id."""
    return {
        str(r.properties["customerId"]): Retention(
            int(r.properties.get("retentionInDays", 0)),
            {
                t.name: days
                for t in graph.children(r.id.key, LOG_TABLE_TYPE)
                if (days := int(t.properties.get("retentionInDays", -1))) > 0
            },
        )
        for r in graph.of_type(WORKSPACE_TYPE)
    }


def roles_at(graph: Graph, key: str) -> list[RoleFacts]:
    """The role assignments at a resource and at everything that contains it."""
    key = key.lower()
    return [
        RoleFacts(
            str(r.properties.get("principalId")),
            str(r.properties.get("roleDefinitionId")).rpartition("/")[2],
            r.id.parent,
        )
        for r in graph.of_type(ROLE_ASSIGNMENT_TYPE)
        if key == r.id.parent_key or key.startswith(f"{r.id.parent_key}/")
    ]


def _deployment(deployment: Resource) -> DeploymentFacts:
    model = deployment.properties.get("model", {})
    # A unit of capacity is 1,000 tokens per minute, as on Azure.
    capacity = deployment.body.get("sku", {}).get("capacity")
    return DeploymentFacts(
        id=deployment.name,
        model=str(model.get("name", deployment.name)),
        model_version=str(model.get("version", "")),
        created_at=unix(deployment.properties.get("createdAt")) or 0,
        tokens_per_minute=int(capacity) * 1000 if capacity else None,
        script=deployment.properties.get("script"),
    )


def _same(new: AccountFacts, old: AccountFacts | None) -> bool:
    return old is not None and msgspec.structs.replace(new, version=old.version) == old
