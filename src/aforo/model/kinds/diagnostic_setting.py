"""Diagnostic settings: which log categories of a resource go to which workspace, storage account and event hub."""

from __future__ import annotations

from collections.abc import Iterable

from aforo.model.declare import anything, flag, listing, record, reference, refused, text
from aforo.model.ids import parse_id
from aforo.model.kind import Kind, NameRule, Problem, Resource, View
from aforo.model.kinds.account import ACCOUNT_TYPE, LOGS_ELSEWHERE, is_elsewhere
from aforo.model.kinds.event_hub import RULE_TYPE
from aforo.model.kinds.service import SERVICE_TYPE
from aforo.model.kinds.storage_account import STORAGE_ACCOUNT_TYPE
from aforo.model.kinds.workspace import WORKSPACE_TYPE
from aforo.model.unknown import unknown

DIAGNOSTIC_SETTING_TYPE = "Microsoft.Insights/diagnosticSettings"
LOG_CATEGORIES: dict[str, tuple[str, ...]] = {
    SERVICE_TYPE.lower(): ("GatewayLogs", "GatewayLlmLogs"),
    ACCOUNT_TYPE.lower(): ("Audit", "RequestResponse", "Trace", "AzureOpenAIRequestUsage"),
}
METRIC_CATEGORY = "AllMetrics"
_GROUPS = ("allLogs", "audit")


def categories(setting: Resource) -> list[str]:
    """The enabled categories of a setting, groups spelled out, declared spelling."""
    offered = LOG_CATEGORIES.get(_scope_type(setting), ())
    found: list[str] = []
    for entry in setting.properties.get("logs", ()):
        if not entry.get("enabled", False):
            continue
        group = str(entry.get("categoryGroup", "")).lower()
        wanted = str(entry.get("category", "")).lower()
        for category in offered:
            in_group = group == "alllogs" or (group == "audit" and category == "Audit")
            if in_group or category.lower() == wanted:
                found.append(category)
    for entry in setting.properties.get("metrics", ()):
        if entry.get("enabled", False):
            found.append(METRIC_CATEGORY)
    return list(dict.fromkeys(found))


def _scope_type(setting: Resource) -> str:
    return parse_id(setting.id.parent).type_key


def _has_a_place(setting: Resource, _view: View) -> Iterable[Problem]:
    """Logs go somewhere; those of accounts to workspaces alone."""
    properties = setting.properties
    elsewhere = [name for name in _ELSEWHERE if properties.get(name)]
    if not properties.get("workspaceId") and not elsewhere:
        yield Problem(("properties",), f"'workspaceId' is needed, or one of {', '.join(_ELSEWHERE)}")
    if properties.get("eventHubName") and not properties.get("eventHubAuthorizationRuleId"):
        why = "an event hub needs 'eventHubAuthorizationRuleId', which says how to sign in"
        yield Problem(("properties", "eventHubName"), why)
    if elsewhere and _scope_type(setting) == ACCOUNT_TYPE.lower():
        yield Problem(("properties", elsewhere[0]), "the logs of an account go to a workspace alone")


def _known_categories(setting: Resource, view: View) -> Iterable[Problem]:
    scope = _scope_type(setting)
    bearer = view.get(setting.id.parent_key)
    if bearer is not None and scope == ACCOUNT_TYPE.lower() and is_elsewhere(bearer):
        yield Problem((), f"the account {bearer.name!r} stands elsewhere: {LOGS_ELSEWHERE}")
        return
    offered = LOG_CATEGORIES.get(scope)
    if offered is None:
        yield Problem((), f"a resource of type {scope} has no logs; services and accounts have")
        return
    destination = setting.properties.get("logAnalyticsDestinationType")
    if destination == "AzureDiagnostics" and scope == SERVICE_TYPE.lower():
        yield Problem(
            ("properties", "logAnalyticsDestinationType"),
            "'AzureDiagnostics' is not supported for a service: its logs go to tables of their own ('Dedicated')",
        )
    for index, entry in enumerate(setting.properties.get("logs", ())):
        place = ("properties", "logs", index)
        category, group = entry.get("category"), entry.get("categoryGroup")
        if (category is None) == (group is None):
            yield Problem(place, "either 'category' or 'categoryGroup' is needed, and not both")
        elif category is not None and category.lower() not in [c.lower() for c in offered]:
            yield unknown("category", category, list(offered), (*place, "category"))
        elif group is not None and group.lower() not in [g.lower() for g in _GROUPS]:
            yield unknown("categoryGroup", group, list(_GROUPS), (*place, "categoryGroup"))
    for index, entry in enumerate(setting.properties.get("metrics", ())):
        category = entry.get("category")
        if category is not None and category.lower() != METRIC_CATEGORY.lower():
            yield unknown(
                "category", category, [METRIC_CATEGORY], ("properties", "metrics", index, "category")
            )


_ELSEWHERE = ("storageAccountId", "eventHubAuthorizationRuleId")
_IDLE = "`Trace` and `AzureOpenAIRequestUsage` are kept and shown, not acted on: no such row is written."
_RETENTION = anything("retentionPolicy", doc="Azure ignores it since 2025; the workspace's retention counts.")

DIAGNOSTIC_SETTING = Kind(
    name="diagnostic setting",
    type=DIAGNOSTIC_SETTING_TYPE,
    parent="*",
    properties=(
        reference("workspaceId", WORKSPACE_TYPE),
        text(
            "logAnalyticsDestinationType",
            values=("Dedicated", "AzureDiagnostics"),
            doc="A service takes `Dedicated` alone; the logs of an account are in `AzureDiagnostics` always.",
        ),
        listing(
            "logs",
            record(
                "log",
                text("category", doc=_IDLE),
                text("categoryGroup"),
                flag("enabled", default=True),
                _RETENTION,
            ),
        ),
        listing(
            "metrics",
            record("metric", text("category"), text("timeGrain"), flag("enabled", default=True), _RETENTION),
        ),
        reference(
            "storageAccountId",
            STORAGE_ACCOUNT_TYPE,
            doc="Of a service: lines of JSON, an hour in a folder, or Delta tables (`format` of the storage account).",
        ),
        reference("eventHubAuthorizationRuleId", RULE_TYPE, doc="Of a service: batches of records."),
        text(
            "eventHubName",
            minimum=1,
            maximum=256,
            doc="Without it each category has a hub of its own: `insights-logs-gatewaylogs`, `insights-metrics-pt1m`.",
        ),
        refused("serviceBusRuleId", "service bus is not supported"),
        refused("marketplacePartnerId", "marketplace partners are not supported"),
    ),
    names=NameRule(maximum=260),
    rules=(_known_categories, _has_a_place),
    created_status=200,
)
