"""What gateways must know of money: prices of the configuration, which models its deployments are, budgets."""

from __future__ import annotations

from aforo.llm.prices import Price, price_of
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.account import ACCOUNT_TYPE, DEPLOYMENT_TYPE
from aforo.model.kinds.backend import BACKEND_TYPE
from aforo.snapshot.snapshot import Budget

_NANO = 10**9
_NAMING_LENGTH = 4


def prices_of(service: Resource) -> tuple[Price, ...]:
    """The service's own prices."""
    return tuple(price_of(row) for row in service.properties.get("modelPrices", ()))


def deployments_of(graph: Graph, service: Resource) -> dict[str, str]:
    """The model, with its version, by `backend/deployment` for backends that name their account, and by the deployment
    alone where all accounts mean the same by it."""
    models: dict[str, dict[str, str]] = {}
    by_name: dict[str, set[str]] = {}
    for deployment in graph.of_type(DEPLOYMENT_TYPE):
        model = deployment.properties.get("model", {})
        name, version = str(model.get("name", "")), str(model.get("version", ""))
        # `2` of text-embedding-ada-002 is no part of any name; `0125`, `2024-08-06`, `turbo-2024-04-09` are.
        known = f"{name}-{version}" if len(version) >= _NAMING_LENGTH else name
        models.setdefault(deployment.id.parent_key, {})[deployment.name.lower()] = known
        by_name.setdefault(deployment.name.lower(), set()).add(known)
    out = {name: next(iter(meant)) for name, meant in by_name.items() if len(meant) == 1}
    for backend in graph.children(service.id.key, BACKEND_TYPE):
        account = graph.get(str(backend.properties.get("resourceId", "")))
        if account is not None and account.kind.type == ACCOUNT_TYPE:
            for name, known in models.get(account.id.key, {}).items():
                out[f"{backend.name.lower()}/{name}"] = known
    return out


def budgets_of(resource: Resource, kind: str) -> tuple[Budget, ...]:
    """The budgets of a product or subscription."""
    return tuple(
        Budget(
            f"{kind} {resource.name}",
            str(each["period"]).lower(),
            round(float(each["amount"]) * _NANO),
            str(each.get("currency", "USD")),
            int(each.get("warnAtPercent", 80)),
            each.get("onExceeded", "refuse") == "refuse",
        )
        for each in resource.properties.get("budgets", ())
    )
