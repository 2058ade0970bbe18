"""Probes on real sockets: a backend that is ill is taken out before a call meets it, and let in again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aforo.app.held_backends import held_backends, say
from aforo.app.watched_backends import WatchedBackends
from aforo.gateway.metrics import NoMetrics
from aforo.gateway.probes import Probes
from aforo.gateway.retry_after import retry_after_s
from aforo.messages import Headers
from aforo.snapshot.snapshot import ProbePlan
from aforo.stamps import duration_s
from tests.support.gateway import NoTokens, story, until
from tests.support.regions import answer, policy, regions

POST = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 2\r\n\r\nhi"
QUICK = ProbePlan("/health?deep=1", 0.01, 0.2, 2, 2, ((200, 299),))
ONCE = policy(backend="<forward-request />")


class Counted(NoMetrics):
    """Metrics in a list."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []

    def emit(self, namespace: str, name: str, value: float, dimensions: dict[str, str]) -> None:  # type: ignore[override]
        self.told.append({"name": name, **dimensions})


@story
async def test_an_ill_backend_is_taken_out_and_let_in_again(tmp_path: Path) -> None:
    async with regions(ONCE, rules=(), probe=QUICK) as r:
        g = r.gate
        metrics = Counted()
        watched = WatchedBackends(tmp_path, 3, g.upstream, b"k" * 32)
        watched.probe_with(NoTokens(), metrics)

        async def asked(times: int) -> None:
            heard = len(r.east.heard) + times
            while len(r.east.heard) < heard:
                watched.sweep(g.proxy.runtime)
                await asyncio.sleep(0.005)

        r.east.always = (answer(503),)
        await asked(1)
        assert r.east.heard[0].line == "GET /v1/health?deep=1 HTTP/1.1"
        # One bad answer is not enough.
        assert (await g.call(POST)).status == 503
        await asked(4)
        await until(lambda: len(g.upstream.guards.held(0)) == 1)
        assert (await g.call(POST)).body == b"west"
        await g.settled()
        route = g.records[-1].route
        assert route is not None
        assert [(p.backend, p.why) for p in route.passed_over] == [("east", "ProbeFailed")]
        watched.sweep(g.proxy.runtime)
        (held,) = held_backends(tmp_path)
        assert (held.worker, held.backend, held.why, held.until) == (3, "east", "ProbeFailed", 0.0)
        r.east.always = (answer(200, b"east"),)
        await asked(5)
        await until(lambda: not g.upstream.guards.held(0))
        assert (await g.call(POST)).body == b"east"
        changes = [t for t in metrics.told if t["name"] == "Backend Health Changes"]
        assert [(t["Backend ID"], t["Healthy"]) for t in changes] == [("east", "false"), ("east", "true")]
        watched.sweep(g.proxy.runtime)
        assert held_backends(tmp_path) == []
        await watched.close()
        assert not (tmp_path / "backends-3").exists()


@story
async def test_a_backend_that_says_nothing_in_time_is_ill() -> None:
    slow = ProbePlan("/", 0.01, 0.05, 1, 1, ((200, 399),))
    async with regions(ONCE, rules=(), probe=slow) as r:
        r.east.always = (asyncio.Event(),)
        probes = Probes(r.gate.upstream, NoTokens(), NoMetrics())
        probes.sweep(r.gate.proxy.runtime)
        await until(lambda: r.gate.upstream.guards.held(0))
        await probes.close()
        assert (await r.gate.call(POST)).body == b"west"


@story
async def test_without_plans_nobody_is_asked() -> None:
    async with regions(ONCE) as r:
        probes = Probes(r.gate.upstream, NoTokens(), NoMetrics())
        for _ in range(3):
            probes.sweep(r.gate.proxy.runtime)
            await asyncio.sleep(0)
        await probes.close()
        assert (r.east.accepted, r.west.accepted) == (0, 0)


def test_what_dead_gateways_said_counts_no_more(tmp_path: Path) -> None:
    say(tmp_path, 0, [])
    (tmp_path / "backends-1").write_text('{"pid":4194304999,"held":[]}')
    (tmp_path / "backends-2").write_text("no json")
    other = '{"pid":4194303,"held":[{"worker":4,"backend":"b","why":"w","rule":"","until":0}]}'
    (tmp_path / "backends-4").write_text(other)
    assert held_backends(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after": b" 0 "}, 0.0),
        ({b"retry-after-ms": b"1500", b"retry-after": b"2"}, 1.5),
        ({b"x-ms-retry-after-ms": b"250"}, 0.25),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"-3"}, None),
        ({b"retry-after": b"9" * 5000}, None),
        ({b"retry-after-ms": b"1.5", b"retry-after": b"3"}, 3.0),
        ({}, None),
    ],
)
def test_when_a_backend_may_be_asked_again(fields: dict[bytes, bytes], seconds: float | None) -> None:
    assert retry_after_s(Headers.of(list(fields.items()))) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1M30S", 90.0),
        ("P1D", 86_400.0),
        ("P1W", 604_800.0),
        ("P1DT1H", 90_000.0),
        ("PT0.5S", 0.5),
        ("PT0S", 0.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "P1M", "P1Y", "1m", "PT1H1H", "-PT1S", "PT1S ", "PT1M\n"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no ISO 8601 duration"):
        duration_s(text)
