"""Backends and pools of a bundle: what gateways must know of them, and the credentials as they travel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aforo.control.live import Live, resolve_text
from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.account import ACCOUNT_TYPE, DEPLOYMENT_TYPE, is_elsewhere
from aforo.model.kinds.backend import BACKEND_TYPE
from aforo.snapshot.snapshot import BackendEntry, BreakerRule, PoolMember, ProbePlan
from aforo.stamps import duration_s

Carry = Callable[[str, Any], str]  # a place and a credential -> how it travels
_ALIVE = ((200, 399),)


def backends_of(graph: Graph, service: Resource, live: Live, carry: Carry) -> tuple[BackendEntry, ...]:
    """The backends of a service, in the order of the graph."""
    found = graph.children(service.id.key, BACKEND_TYPE)
    return tuple(_backend(backend, graph, live, carry) for backend in found)


def _backend(backend: Resource, graph: Graph, live: Live, carry: Carry) -> BackendEntry:
    properties = backend.properties
    credentials = properties.get("credentials", {})

    def carried(place: str, value: Any) -> str:
        return carry(f"{backend.name}.{place}", value)

    def pairs(part: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        given = credentials.get(part, {})
        return tuple(
            (name, tuple(carried(f"{part}.{name}.{i}", v) for i, v in enumerate(values)))
            for name, values in given.items()
        )

    authorization = credentials.get("authorization")
    identity = credentials.get("managedIdentity")
    tls = properties.get("tls", {})
    pool = properties.get("pool", {})
    proxy = properties.get("proxy")
    probe = properties.get("healthProbe")
    rules = properties.get("circuitBreaker", {}).get("rules", ())
    return BackendEntry(
        id=backend.name,
        url=resolve_text(str(properties.get("url", "")), graph, live),
        headers=pairs("header"),
        query=pairs("query"),
        authorization=(
            (authorization["scheme"], carried("authorization", authorization["parameter"]))
            if authorization
            else None
        ),
        managed_identity=(identity["resource"], identity.get("clientId")) if identity else None,
        validate_chain=bool(tls.get("validateCertificateChain", True)),
        validate_name=bool(tls.get("validateCertificateName", True)),
        members=tuple(_member(m, graph) for m in pool.get("services", ())),
        breakers=tuple(_rule(rule, number) for number, rule in enumerate(rules, 1)),
        failure_status=_failure_status(pool),
        certificate=_certificate(credentials, graph),
        models=_models(backend, graph),
        proxy=(
            (
                str(proxy["url"]),
                str(proxy.get("username", "")),
                carried("proxy", proxy["password"]) if "password" in proxy else "",
            )
            if proxy
            else None
        ),
        probe=_probe(probe) if probe else None,
        affinity_cookie=str(pool.get("sessionAffinity", {}).get("sessionId", {}).get("name", "")),
    )


def _rule(rule: Mapping[str, Any], number: int) -> BreakerRule:
    condition = rule["failureCondition"]
    return BreakerRule(
        name=str(rule.get("name", f"rule {number}")),
        count=condition.get("count"),
        percentage=condition.get("percentage"),
        interval_s=duration_s(condition["interval"]),
        status_ranges=_ranges(condition),
        error_reasons=tuple(condition.get("errorReasons", ())),
        trip_s=duration_s(rule["tripDuration"]),
        accept_retry_after=bool(rule.get("acceptRetryAfter", False)),
        failure_status=_failure_status(rule),
    )


def _probe(probe: Mapping[str, Any]) -> ProbePlan:
    return ProbePlan(
        path=str(probe["path"]),
        interval_s=duration_s(probe["interval"]),
        timeout_s=duration_s(probe["timeout"]),
        unhealthy_threshold=int(probe["unhealthyThreshold"]),
        healthy_threshold=int(probe["healthyThreshold"]),
        status_ranges=_ranges(probe) or _ALIVE,
    )


def _ranges(of: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    ranges: Iterable[Mapping[str, int]] = of.get("statusCodeRanges", ())
    return tuple((each["min"], each["max"]) for each in ranges)


def _failure_status(of: Mapping[str, Any]) -> int:
    return int(of.get("failureResponse", {}).get("statusCode", 503))


def _member(member: Mapping[str, Any], graph: Graph) -> PoolMember:
    target = graph.get(str(member["id"]))
    name = target.name if target is not None else str(member["id"]).rpartition("/")[2]
    return PoolMember(name, int(member.get("weight", 1)), int(member.get("priority", 1)))


def _models(backend: Resource, graph: Graph) -> tuple[tuple[str, str], ...] | None:
    """What the server behind a backend is asked for by deployment; None where deployments are the server's own."""
    account = graph.get(str(backend.properties.get("resourceId", "")))
    if account is None or account.kind.type != ACCOUNT_TYPE or not is_elsewhere(account):
        return None
    if account.properties.get("wire") != "openai":
        return None
    return tuple(
        (d.name, str(d.properties.get("model", {}).get("name", d.name)))
        for d in graph.children(account.id.key, DEPLOYMENT_TYPE)
    )


def _certificate(credentials: Mapping[str, Any], graph: Graph) -> str:
    """Id or thumbprint of the certificate that a backend is shown, "" for none."""
    for rid in credentials.get("certificateIds", ()):
        target = graph.get(str(rid))
        return target.name if target is not None else str(rid).rpartition("/")[2]
    for thumbprint in credentials.get("certificate", ()):
        return "".join(str(thumbprint).split())
    return ""
