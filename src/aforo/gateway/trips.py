"""What is told when a backend's circuit breaker opens, whoever's request it was: the log, and `AppMetrics`."""

from __future__ import annotations

import logging

from aforo.gateway.breakers import Guard
from aforo.gateway.metrics import NAMESPACE
from aforo.policy.services import Metrics

log = logging.getLogger("aforo.gateway")


def tell(guard: Guard, cause: str, metrics: Metrics) -> None:
    """`cause` is a status or a reason."""
    breaker = guard.breaker
    rule = breaker.tripped if breaker is not None else None
    if breaker is None or rule is None:
        return
    for_s = breaker.open_until - breaker.tripped_at
    log.warning(
        "backend %r is taken out for %.1f s by its rule %r (%s)", guard.backend_id, for_s, rule.name, cause
    )
    dimensions = {"Backend ID": guard.backend_id, "Rule": rule.name, "Cause": cause}
    metrics.emit(NAMESPACE, "Backend Breaker Trips", 1.0, dimensions)
