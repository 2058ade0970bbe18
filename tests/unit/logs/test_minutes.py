"""Sums per minute, in the order of frames."""

from __future__ import annotations

import pytest

from aforo.logs.minutes import Minutes, Run, category, metric_rows
from aforo.spool.records import BackendRoute, PassedOver
from tests.support.calls import RESOURCE, make_call

MINUTE_NS = 60_000_000_000


def add(minutes: Minutes, sequence: int, minute: int, spool: str = "s") -> None:
    call = make_call(ended_ns=minute * MINUTE_NS + 5, started_ns=minute * MINUTE_NS)
    minutes.add(spool, sequence, call, RESOURCE.lower(), ["w"])


def spans(runs: dict[str, list[Run]], spool: str = "s") -> list[tuple[int, int, int]]:
    return [(r.minute, r.first, r.last) for r in runs.get(spool, [])]


def test_a_run_closes_a_little_after_its_minute() -> None:
    minutes = Minutes()
    for sequence, minute in ((4, 10), (5, 10), (9, 11)):
        add(minutes, sequence, minute)
    assert minutes.counted("s", 9) == 3
    assert minutes.closed(11 * 60 + 1.9) == {}
    closed = minutes.closed(11 * 60 + 2)
    assert spans(closed) == [(10, 4, 5)]
    minutes.drop(closed)
    assert minutes.counted("s", 9) == 8
    closed = minutes.closed(0, everything=True)
    assert spans(closed) == [(11, 9, 9)]
    minutes.drop(closed)
    assert minutes.counted("s", 12) == 12


def test_a_late_call_counts_in_the_open_run() -> None:
    minutes = Minutes()
    for sequence, minute in ((1, 10), (2, 11), (3, 10), (4, 9)):
        add(minutes, sequence, minute)
    assert spans(minutes.closed(1e9)) == [(10, 1, 1), (11, 2, 4)]


def test_a_clock_that_was_set_back_opens_another_run_and_holds_nothing_up() -> None:
    minutes = Minutes()
    for sequence, minute in ((1, 5000), (2, 10), (3, 11)):
        add(minutes, sequence, minute)
    assert spans(minutes.closed(11 * 60 + 30.0)) == [(5000, 1, 1), (10, 2, 2)]


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (200, "SuccessfulRequests"),
        (301, "SuccessfulRequests"),
        (302, "OtherRequests"),
        (304, "SuccessfulRequests"),
        (307, "SuccessfulRequests"),
        (400, "FailedRequests"),
        (401, "UnauthorizedRequests"),
        (403, "UnauthorizedRequests"),
        (404, "OtherRequests"),
        (429, "UnauthorizedRequests"),
        (500, "FailedRequests"),
        (0, "FailedRequests"),
    ],
)
def test_classes_of_status(status: int, name: str) -> None:
    assert category(status) == name


def test_rows_name_the_resource_in_its_parts() -> None:
    minutes = Minutes()
    add(minutes, 1, 10)
    ((run,),) = minutes.closed(1e9).values()
    ((_, sums),) = run.sums.items()
    row = metric_rows(10, RESOURCE.lower(), sums)[0]
    assert row == {
        "TimeGenerated": 600 * 10**9,
        "Resource": "APIM-LAB",
        "ResourceGroup": "RG-LAB",
        "ResourceId": RESOURCE.upper(),
        "ResourceProvider": "MICROSOFT.APIMANAGEMENT",
        "SubscriptionId": "sub",
        "TimeGrain": "PT1M",
        "MetricName": "Requests",
        "Total": 1.0,
        "Count": 1.0,
        "Maximum": 1.0,
        "Minimum": 1.0,
        "Average": 1.0,
        "UnitName": "Count",
    }


def test_retries_and_backends_that_were_passed_over_are_counted_where_there_were_any() -> None:
    minutes = Minutes()
    route = BackendRoute(
        "pool", "", [], [PassedOver("a", "BreakerOpen", "r", 1), PassedOver("b", "ProbeFailed", "", 1)]
    )
    for sequence, (attempts, way) in enumerate(((1, None), (3, route), (2, None)), 1):
        call = make_call(attempts=attempts, route=way)
        minutes.add("s", sequence, call, RESOURCE.lower(), ["w"])
    ((run,),) = minutes.closed(1e12).values()
    ((_, sums),) = run.sums.items()
    rows = {r["MetricName"]: r for r in metric_rows(10, RESOURCE.lower(), sums)}
    retries, passed = rows["BackendRetries"], rows["BackendsPassedOver"]
    assert [retries[n] for n in ("Total", "Count", "Maximum", "Minimum")] == [3.0, 3.0, 2.0, 0.0]
    assert [passed[n] for n in ("Total", "Count", "Maximum", "Minimum")] == [2.0, 3.0, 2.0, 0.0]
