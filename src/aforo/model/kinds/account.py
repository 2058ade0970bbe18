"""Cognitive Services accounts (the local model account is one) and their model deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aforo.model.declare import LOCATION, TAGS, anything, flag, record, refused, text, whole
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId
from aforo.model.kind import Action, Effect, Kind, Mint, NameRule
from aforo.model.secret import Secret

ACCOUNT_TYPE = "Microsoft.CognitiveServices/accounts"
DEPLOYMENT_TYPE = f"{ACCOUNT_TYPE}/deployments"
_KEYS = (("key1", "key1"), ("key2", "key2"))


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, mint: Mint) -> None:
    properties = body["properties"]
    properties.setdefault("customSubDomainName", rid.name.lower())
    for name, _ in _KEYS:
        if name not in properties:
            properties[name] = Secret(mint.key())
    identity = body.get("identity")
    if identity and identity.get("type") == "SystemAssigned":
        body["identity"] = {
            **identity,
            "principalId": mint.guid("identity", rid.key),
            "tenantId": mint.tenant_id,
        }


ACCOUNT = Kind(
    name="account",
    type=ACCOUNT_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    envelope=(
        LOCATION,
        TAGS,
        text("kind", values=("OpenAI", "AIServices"), default="OpenAI"),
        record("sku", text("name", required=True), text("tier"), whole("capacity", 0)),
        record(
            "identity",
            text("type", required=True, values=("None", "SystemAssigned")),
            text("principalId", readonly=True),
            text("tenantId", readonly=True),
        ),
    ),
    properties=(
        text("customSubDomainName", pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{1,63}$"),
        text("publicNetworkAccess", values=("Enabled",)),
        flag("disableLocalAuth", doc="Keys are refused; only tokens are accepted."),
        text("endpoint", readonly=True),
        anything("endpoints", readonly=True),
        anything("capabilities", readonly=True),
        text("provisioningState", readonly=True),
        text("dateCreated", readonly=True),
        text("key1", secret=True, minimum=1),
        text("key2", secret=True, minimum=1),
        refused("networkAcls", "network isolation is the machine's and the cluster's business here"),
        refused("encryption", "customer-managed keys are not supported"),
        refused("userOwnedStorage", "an account keeps nothing outside its data directory"),
    ),
    names=NameRule(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", 64, "letters, digits, - . and _"),
    fill=_fill,
    actions=(
        Action("listKeys", Effect.SHOW, _KEYS),
        Action("regenerateKey", Effect.ROTATE, _KEYS, selector="keyName"),
    ),
)


def _fill_deployment(
    body: dict[str, Any], old: Mapping[str, Any] | None, _rid: ResourceId, mint: Mint
) -> None:
    if old is None:
        body["properties"]["createdAt"] = mint.now()


DEPLOYMENT = Kind(
    name="deployment",
    type=DEPLOYMENT_TYPE,
    parent=ACCOUNT_TYPE,
    envelope=(record("sku", text("name", required=True), whole("capacity", 0)), TAGS),
    properties=(
        record(
            "model",
            text("format", default="OpenAI"),
            text("name", required=True, minimum=1),
            text("version"),
            required=True,
        ),
        record("scaleSettings", text("scaleType"), whole("capacity", 0)),
        text(
            "versionUpgradeOption",
            values=("OnceNewDefaultVersionAvailable", "OnceCurrentVersionExpired", "NoAutoUpgrade"),
        ),
        anything("script", doc="For the scripted engine: latencies, errors and streams to play."),
        text("createdAt", readonly=True),
        anything("capabilities", readonly=True),
        text("provisioningState", readonly=True),
        refused("raiPolicyName", "the local account has no content filter"),
    ),
    names=NameRule(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", 64, "letters, digits, - . and _"),
    fill=_fill_deployment,
)
