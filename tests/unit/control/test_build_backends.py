"""Backends from the file to what gateways get: breakers, probes, proxies, pools; and what is told of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from aforo.control.lab import lab_yaml
from aforo.errors import Invalid
from aforo.snapshot.snapshot import BackendEntry, BreakerRule, PoolMember, ProbePlan
from tests.support.control_door import Bench

EAST = """
      east:
        url: https://east.example/openai
        protocol: http
        circuitBreaker:
          rules:
            - name: throttled
              failureCondition:
                count: 3
                interval: PT1M30S
                statusCodeRanges: [{min: 429, max: 429}]
                errorReasons: [Timeout]
              tripDuration: P1D
              acceptRetryAfter: true
              failureResponse: {statusCode: 429}
            - failureCondition: {percentage: 50, interval: PT10S}
              tripDuration: PT0.5S
        proxy: {url: "http://proxy.example:3128", username: me, password: canary-word}
        healthProbe: {path: /health?deep=1, interval: PT5S}
"""
POOL = """
      regions:
        pool:
          services:
            - {id: /backends/east, priority: 1, weight: 0}
            - {id: /backends/west, priority: 2}
          failureResponse: {statusCode: 529}
          sessionAffinity: {sessionId: {source: cookie, name: SessionId}}
"""
WEST = "\n      west: {url: https://west.example, protocol: http%s}\n"


def text(*backends: str) -> str:
    return lab_yaml().replace("    loggers:\n", "    backends:" + "".join(backends) + "\n    loggers:\n", 1)


def built(tmp_path: Path, *backends: str) -> tuple[Bench, dict[str, BackendEntry]]:
    bench = Bench(tmp_path)
    assert bench.apply(text(*backends)).mistakes == ()
    return bench, {b.id: b for b in bench.published[-1][0].backends}


def test_what_a_gateway_gets(tmp_path: Path) -> None:
    bench, found = built(tmp_path, EAST, WEST % "", POOL)
    east, pool = found["east"], found["regions"]
    assert east.breakers == (
        BreakerRule("throttled", 3, None, 90.0, ((429, 429),), ("Timeout",), 86_400.0, True, 429),
        BreakerRule("rule 2", None, 50, 10.0, (), (), 0.5, False, 503),
    )
    assert east.probe == ProbePlan("/health?deep=1", 5.0, 2.0, 3, 1, ((200, 399),))
    assert east.proxy is not None
    assert east.proxy[:2] == ("http://proxy.example:3128", "me")
    # The word travels sealed, under the name of a hidden named value.
    assert east.proxy[2].startswith("{{aforo.credential.")
    assert "canary-word" not in repr(bench.published[-1][0])
    assert pool.members == (PoolMember("east", 0, 1), PoolMember("west", 1, 2))
    assert (pool.failure_status, pool.affinity_cookie) == (529, "SessionId")
    assert found["west"].breakers == ()
    assert found["west"].probe is None


RULE = ", circuitBreaker: {rules: [{name: r, failureCondition: {%s}, tripDuration: %s}]}"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (RULE % ("interval: PT1M", "PT1M"), "one of 'count' and 'percentage'"),
        (RULE % ("count: 1, percentage: 5, interval: PT1M", "PT1M"), "one of 'count' and 'percentage'"),
        (RULE % ("count: 1, interval: PT0S", "PT1M"), "'interval' must be longer"),
        (RULE % ("count: 1, interval: P1M", "PT1M"), "ISO 8601 duration"),
        (RULE % ("count: 1, interval: PT1M, statusCodeRanges: [{min: 500, max: 499}]", "PT1M"), "no status"),
        (
            ", circuitBreaker: {rules: ["
            + ", ".join(["{name: R, failureCondition: {count: 1, interval: PT1M}, tripDuration: PT1M}"] * 2)
            + "]}",
            "two rules with the name 'R'",
        ),
        (", healthProbe: {interval: PT0.5S}", "at most once a second"),
        (", healthProbe: {path: health}", "below the backend's URL"),
        (", proxy: {url: 'https://proxy.example'}", "spoken to with http://"),
        (", proxy: {url: 'http://proxy.example', password: w}", "'username'"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        Bench(tmp_path).apply(text(WEST % more))
    (detail,) = refused.value.details
    assert says in detail.message


def test_what_belongs_to_members_is_refused_of_a_pool(tmp_path: Path) -> None:
    pool = "\n      p: {pool: {services: [{id: /backends/west}]}, healthProbe: {path: /}, circuitBreaker: {rules: []}}\n"
    with pytest.raises(Invalid) as refused:
        Bench(tmp_path).apply(text(WEST % "", pool))
    said = " ".join(detail.message for detail in refused.value.details)
    assert "'circuitBreaker' belongs to the members" in said
    assert "'healthProbe' belongs to the members" in said
