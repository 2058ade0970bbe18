"""Cognitive Services accounts and their model deployments: the one that this installation serves, and those with an
`endpoint`, which stand elsewhere and are described here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import LOCATION, TAGS, anything, flag, record, refused, text, whole
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId
from aforo.model.kind import Action, Effect, Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.secret import Secret

ACCOUNT_TYPE = "Microsoft.CognitiveServices/accounts"
DEPLOYMENT_TYPE = f"{ACCOUNT_TYPE}/deployments"
_KEYS = (("key1", "key1"), ("key2", "key2"))
# Their kind imports this one.
_DIAGNOSTIC_SETTING_TYPE = "Microsoft.Insights/diagnosticSettings"


def is_elsewhere(account: Resource) -> bool:
    """Whether it stands elsewhere: described here, and not served."""
    return "endpoint" in account.properties


def served(accounts: Iterable[Resource]) -> Resource | None:
    """The one of these accounts that this installation serves."""
    return next((a for a in accounts if not is_elsewhere(a)), None)


def _fill(body: dict[str, Any], old: Mapping[str, Any] | None, rid: ResourceId, mint: Mint) -> None:
    properties = body["properties"]
    if "endpoint" in properties:
        # The keys that it had while it was served here open nothing there.
        had = old.get("properties", {}) if old is not None else {}
        for name, _ in _KEYS:
            if name in properties and properties[name] == had.get(name):
                del properties[name]
        return
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


_NOT_OURS: tuple[tuple[str, str], ...] = (
    ("key1", "the keys of an account that stands elsewhere are its own"),
    ("key2", "the keys of an account that stands elsewhere are its own"),
    ("disableLocalAuth", "whether an account that stands elsewhere takes keys is decided there"),
)


def _elsewhere(account: Resource, view: View) -> Iterable[Problem]:
    """An account that stands elsewhere has nothing that only its server could give."""
    properties = account.properties
    if not is_elsewhere(account):
        if "wire" in properties:
            hint = "say where it stands with 'endpoint'"
            yield Problem(("properties", "wire"), "the local account speaks Azure's wire", (hint,))
        return
    for name, why in _NOT_OURS:
        if name in properties:
            hint = "its credential belongs to the backend that leads to it" if name.startswith("key") else ""
            yield Problem(("properties", name), why, (hint,) if hint else ())
    if account.body.get("identity", {}).get("type", "None") != "None":
        yield Problem(("identity",), "the identity of an account that stands elsewhere is not given out here")
    for setting in view.children(account.id.key, _DIAGNOSTIC_SETTING_TYPE):
        yield Problem(
            (), f"it stands elsewhere, and has the diagnostic setting {setting.name!r}: {LOGS_ELSEWHERE}"
        )


LOGS_ELSEWHERE = (
    "its logs are written where it stands; what the gateway sends there is in ApiManagementGatewayLogs"
)


def _no_keys(account: Resource) -> str:
    return f"{account.name!r} stands elsewhere: its keys are not known here" if is_elsewhere(account) else ""


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
        text(
            "endpoint",
            maximum=2000,
            pattern=r"^https?://[^\s/?#@{}]+[^\s?#@{}]*$",
            doc="An http or https URL: where the account stands, when it is not the local one.",
        ),
        text(
            "wire",
            values=("azure", "openai"),
            doc="With `endpoint`: `openai` names the model in the body; `azure`, which is what absence means, in the path.",
        ),
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
        Action("listKeys", Effect.SHOW, _KEYS, unless=_no_keys),
        Action("regenerateKey", Effect.ROTATE, _KEYS, selector="keyName", unless=_no_keys),
    ),
    rules=(_elsewhere,),
)


def _fill_deployment(
    body: dict[str, Any], old: Mapping[str, Any] | None, _rid: ResourceId, mint: Mint
) -> None:
    if old is None:
        body["properties"]["createdAt"] = mint.now()


def _script_is_ours(deployment: Resource, view: View) -> Iterable[Problem]:
    account = view.get(deployment.id.parent_key)
    if "script" in deployment.properties and account is not None and is_elsewhere(account):
        why = f"the account {account.name!r} stands elsewhere: no engine of this system answers for it"
        yield Problem(("properties", "script"), why)


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
    rules=(_script_is_ours,),
    fill=_fill_deployment,
)
