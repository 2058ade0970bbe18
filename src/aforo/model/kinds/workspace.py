"""Log Analytics workspaces: where the records of a system are kept and asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.model.declare import LOCATION, TAGS, anything, listing, record, refused, text, whole
from aforo.model.external_files import entry_problem
from aforo.model.ids import RESOURCE_GROUP_TYPE, ResourceId
from aforo.model.kind import Action, Effect, Kind, Mint, NameRule, Problem, Resource, View
from aforo.model.secret import Secret

WORKSPACE_TYPE = "Microsoft.OperationalInsights/workspaces"
_KEYS = (("primarySharedKey", "primarySharedKey"), ("secondarySharedKey", "secondarySharedKey"))


def _fill(body: dict[str, Any], _old: Mapping[str, Any] | None, rid: ResourceId, mint: Mint) -> None:
    properties = body["properties"]
    properties["customerId"] = mint.guid("workspace", rid.key)
    for name, _ in _KEYS:
        if name not in properties:
            properties[name] = Secret(mint.key())


def _files_are_addresses(workspace: Resource, _view: View) -> Iterable[Problem]:
    for index, entry in enumerate(workspace.properties.get("externalData", ())):
        if problem := entry_problem(str(entry)):
            yield Problem(("properties", "externalData", index), problem)


WORKSPACE = Kind(
    name="workspace",
    type=WORKSPACE_TYPE,
    parent=RESOURCE_GROUP_TYPE,
    envelope=(LOCATION, TAGS),
    properties=(
        record("sku", text("name", required=True)),
        whole("retentionInDays", 1, 4383, default=30),
        text("customerId", readonly=True),
        text("provisioningState", readonly=True),
        text("primarySharedKey", secret=True),
        text("secondarySharedKey", secret=True),
        text("publicNetworkAccessForIngestion", values=("Enabled",)),
        text("publicNetworkAccessForQuery", values=("Enabled",)),
        anything("features"),
        listing(
            "externalData",
            text("url", minimum=1, maximum=2000),
            maximum=100,
            doc="Files outside that queries may read with `externaldata`: each the address of one file, or of all below it "
            "when it ends in `/`. None without it; http only where it is spelled out.",
        ),
        anything("workspaceCapping", readonly=True),
        refused("defaultDataCollectionRuleResourceId", "a rule is named by whoever sends to it"),
    ),
    names=NameRule(r"^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$", 63, "4 to 63 letters, digits and -"),
    rules=(_files_are_addresses,),
    fill=_fill,
    actions=(
        Action("sharedKeys", Effect.SHOW, _KEYS),
        Action("listKeys", Effect.SHOW, _KEYS),
        Action("regenerateSharedKey", Effect.ROTATE, _KEYS, selector="keyName"),
    ),
)
