"""Two regions behind one pool: the second one answers in the same call, breakers hold the first one out, and the record
says why."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter
from collections.abc import Mapping
from itertools import product

import msgspec
import pytest

from aforo.gateway import backends
from aforo.gateway.metrics import NoMetrics
from aforo.gateway.outbound import send
from aforo.policy.exchange import PolicyFailure
from aforo.policy.pipeline import Pipeline
from aforo.policy.services import OutboundRequest
from aforo.snapshot.snapshot import BreakerRule
from aforo.spool.records import BackendRoute
from tests.support.gateway import Gate, NoTokens, story, until
from tests.support.regions import FORWARD, THROTTLED, TWICE, answer, policy, regions
from tests.support.scripted_backend import CLOSE

POST = b"POST /echo/a HTTP/1.1\r\nHost: gate\r\nContent-Length: 2\r\n\r\nhi"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ONCE = policy(backend="<forward-request />")
ONE = policy('<set-backend-service backend-id="east" />', "<forward-request />")
AT_THE_THIRD = BreakerRule("third", 3, None, 60.0, (), ("Timeout", "BackendConnectionFailure"), 30.0, False)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def ways(route: BackendRoute | None) -> list[tuple[str, int, str]]:
    assert route is not None
    return [(a.backend, a.status, a.reason) for a in route.attempts]


async def last_way(g: Gate) -> BackendRoute:
    await g.settled()
    route = g.records[-1].route
    assert route is not None
    return route


@story
async def test_a_throttled_region_is_left_for_the_next_one_in_the_same_call() -> None:
    async with regions() as r:
        r.east.plays(answer(429, b"slow", b"retry-after: 7"))
        got = await r.gate.call(POST)
        assert (got.status, got.body) == (200, b"west")
        assert r.west.heard[0].body == b"hi"
        route = await last_way(r.gate)
        record = r.gate.records[0]
        assert (record.backend_id, record.backend_status, record.attempts) == ("west", 200, 2)
        assert (route.asked, ways(route)) == ("pool", [("east", 429, ""), ("west", 200, "")])
        (passed,) = route.passed_over
        assert (passed.backend, passed.why, passed.rule) == ("east", "BreakerOpen", "throttled")
        assert 6_000 < passed.left_ms <= 7_000  # what the backend said, not the rule's 30 s
        # From now on nobody asks the first one.
        assert (await r.gate.call(POST)).body == b"west"
        assert len(r.east.heard) == 1
        assert ways(await last_way(r.gate)) == [("west", 200, "")]


@story
async def test_without_any_rule_a_retry_goes_to_who_has_not_been_tried() -> None:
    async with regions(rules=()) as r:
        r.east.plays(answer(500))
        assert (await r.gate.call(POST)).body == b"west"
        # And the next call begins where it should.
        assert (await r.gate.call(POST)).body == b"east"
        assert r.gate.records[1].route is None
        # All have been tried: the round begins anew.
        r.east.plays(answer(500))
        r.west.plays(answer(503))
        assert (await r.gate.call(POST)).body == b"east"
        assert ways(await last_way(r.gate)) == [("east", 500, ""), ("west", 503, ""), ("east", 200, "")]


@story
async def test_a_dead_region_costs_no_call() -> None:
    async with regions() as r:
        await r.east.stop()
        assert (await r.gate.call(POST)).body == b"west"
        route = await last_way(r.gate)
        assert ways(route) == [("east", 0, "BackendConnectionFailure"), ("west", 200, "")]
        (error,) = r.gate.records[0].errors
        assert error.recovered


@story
async def test_both_regions_down_say_when_to_come_back() -> None:
    async with regions(failure_status=529) as r:
        r.east.plays(answer(429, b"", b"retry-after: 20"))
        r.west.plays(answer(429, b"", b"retry-after-ms: 4100"))
        first = await r.gate.call(POST)
        # Nobody is left for the third attempt, nor for any attempt of the second call.
        second = await r.gate.call(POST)
        for got in (first, second):
            assert (got.status, got.values("retry-after")) == (529, ["5"])
            assert b"east" not in got.raw
        await r.gate.settled()
        record = r.gate.records[1]
        assert (record.backend_id, record.attempts, record.errors[-1].reason) == ("pool", 0, "PoolExhausted")
        assert [p.backend for p in (await last_way(r.gate)).passed_over] == ["east", "west"]
        assert (len(r.east.heard), len(r.west.heard)) == (1, 1)


@story
async def test_a_single_backend_that_is_taken_out_answers_503() -> None:
    async with regions(ONE) as r:
        r.east.plays(answer(500))
        assert (await r.gate.call(POST)).status == 500
        got = await r.gate.call(POST)
        assert got.body == b'{ "statusCode": 503, "message": "Service unavailable" }'
        assert (got.status, got.values("retry-after")) == (503, ["30"])
        route = await last_way(r.gate)
        assert (route.asked, route.attempts, route.passed_over[0].rule) == ("east", [], "throttled")


@story
async def test_a_single_backend_with_a_failure_response_of_its_own() -> None:
    rule = BreakerRule("r", 1, None, 60.0, (), (), 0.2, False, failure_status=429)
    async with regions(ONE, rules=(rule,)) as r:
        r.east.plays(answer(502))
        assert [(await r.gate.call(POST)).status for _ in range(2)] == [502, 429]
        await asyncio.sleep(0.25)
        # All traffic resumes at once.
        assert (await r.gate.call(POST)).body == b"east"


@story
async def test_no_answer_counts_by_its_reason() -> None:
    async with regions(ONE, rules=(AT_THE_THIRD,)) as r:
        for steps in (
            (answer(500, b"", b"connection: close"),),
            (CLOSE,),
            (b"SSH\r\n", CLOSE),
            (b"HTTP/1.1 200", CLOSE),
        ):
            r.east.plays(*steps)
            assert (await r.gate.call(POST)).status == 500
        # The answered 500 is none of the named reasons.
        assert (await r.gate.call(POST)).status == 503


@pytest.mark.parametrize("read", [False, True])
@story
async def test_an_answer_that_breaks_off_counts_for_the_breaker(read: bool) -> None:
    outbound = (
        '<set-header name="x"><value>@(context.Response.Body.As<string>())</value></set-header>'
        if read
        else ""
    )
    broken = answer(200, b"123456789")[:-3]
    one = policy('<set-backend-service backend-id="east" />', "<forward-request />", outbound)
    async with regions(one) as r:
        r.east.plays(broken, CLOSE)
        client = await r.gate.connect()
        await client.send(POST)
        await client.rest() if not read else await client.answer()
        await r.gate.settled()
        assert (await r.gate.call(POST)).status == 503


FRAGMENT = policy(
    backend=TWICE.replace(FORWARD, '<include-fragment fragment-id="forward" />'),
    fragments={"forward": f"<fragment>{FORWARD}</fragment>"},
)


@pytest.mark.parametrize("pipeline", [None, FRAGMENT])
@pytest.mark.parametrize("head", [STREAM, answer(200, b"123456789")[:-9]])
@story
async def test_a_region_that_ends_behind_its_head_is_left_too(head: bytes, pipeline: Pipeline | None) -> None:
    async with regions(pipeline) as r:
        first = asyncio.Event()
        r.east.plays(head, first, CLOSE)
        client = await r.gate.connect()
        await client.send(POST)
        await asyncio.sleep(0.05)  # its head is here, and nothing of it has gone on
        first.set()
        assert (await client.answer()).body == b"west"
        route = await last_way(r.gate)
        assert ways(route) == [("east", 0, "BackendConnectionFailure"), ("west", 200, "")]
        assert (await r.gate.call(POST)).body == b"west"


def idle(inside: str, condition: str = "@(context.Response.StatusCode &gt;= 500)") -> Pipeline:
    """Two attempts; a body that does not go on for 7 s ends one."""
    forward = '<forward-request buffer-request-body="true" idle-timeout="7" />'
    return policy(backend=f'<retry condition="{condition}" count="1" interval="0">{forward}{inside}</retry>')


def gives_up(g: Gate) -> None:
    """The time of the answer that is on its way has passed."""
    (waiting,) = g.upstream.arriving
    assert waiting.idle_s == 7.0
    waiting.idle_s = -1.0
    for _ in range(2):
        g.upstream.sweep_arriving()


READS = "@(context.Response.StatusCode &gt;= 500 || context.Response.Body.As&lt;string&gt;(true) == &quot;busy&quot;)"
BEGUN = answer(200, b"123456789")[:-4]


@pytest.mark.parametrize(
    ("pipeline", "begun"),
    [
        (idle(""), STREAM),
        (idle(""), answer(200, b"123456789")[:-9]),
        # Where a policy within `retry` has read the answer, nothing of it has gone on either.
        (idle('<set-variable name="said" value="@(context.Response.Body.As&lt;string&gt;(true))" />'), BEGUN),
        (idle("", READS), BEGUN),
    ],
)
@story
async def test_a_region_that_stalls_behind_its_head_is_left_too(pipeline: Pipeline, begun: bytes) -> None:
    async with regions(pipeline, rules=(THROTTLED, AT_THE_THIRD)) as r:
        r.east.plays(begun, asyncio.Event())
        client = await r.gate.connect()
        await client.send(POST)
        await until(lambda: r.gate.upstream.arriving)
        await asyncio.sleep(0.05)
        assert r.west.heard == []
        gives_up(r.gate)
        assert (await client.answer()).body == b"west"
        (attempt, other) = (await last_way(r.gate)).attempts
        assert (attempt.backend, attempt.reason, other.backend, other.status) == (
            "east",
            "Timeout",
            "west",
            200,
        )
        (error,) = r.gate.records[0].errors
        assert (error.reason, error.recovered) == ("Timeout", True)
        assert "sent nothing more of its answer" in error.message
        await until(lambda: r.east.open == 0)


@story
async def test_a_condition_that_cannot_read_the_answer_is_asked_of_the_failure() -> None:
    """As many attempts as there may be, then the failure of the last one; what is read whole is judged by what it says."""
    async with regions(idle("", READS), rules=()) as r:
        r.east.plays(BEGUN, CLOSE)
        assert (await r.gate.call(POST)).body == b"west"
        r.east.plays(answer(200, b"busy"))
        assert (await r.gate.call(POST)).body == b"west"
        for region in (r.east, r.west):
            region.plays(BEGUN, CLOSE)
        got = await r.gate.call(POST)
        assert (got.status, b"1234" in got.body) == (500, False)
        await r.gate.settled()
        record = r.gate.records[-1]
        failed = ("forward-request", "BackendConnectionFailure", False)
        assert [(e.source, e.reason, e.recovered) for e in record.errors] == [failed, failed]
        assert [name for name, _, _ in ways(record.route)] == ["east", "west"]
        assert (await r.gate.call(POST)).body == b"east"


@story
async def test_an_answer_whose_head_comes_alone_goes_on_with_its_first_byte() -> None:
    async with regions() as r:
        begins = asyncio.Event()
        r.east.plays(STREAM, begins, chunk(b"data: 1\n\n") + b"0\r\n\r\n")
        client = await r.gate.connect()
        await client.send(POST)
        await asyncio.sleep(0.05)
        begins.set()
        got = await client.answer()
        assert (got.status, got.body) == (200, b"data: 1\n\n")


@story
async def test_a_client_that_leaves_before_the_first_byte_takes_the_backend_s_connection_with_it() -> None:
    async with regions() as r:
        r.east.plays(STREAM, asyncio.Event())
        client = await r.gate.connect()
        await client.send(POST)
        await asyncio.sleep(0.05)
        client.leave()
        await r.gate.settled()
        assert (r.gate.records[0].aborted, r.gate.records[0].attempts) == ("client", 1)
        await asyncio.sleep(0.02)
        assert r.east.open == 0
        assert r.west.heard == []


@story
async def test_a_stream_that_is_cut_in_the_middle_is_never_begun_again() -> None:
    async with regions() as r:
        r.east.plays(STREAM + chunk(b"data: 1\n\n"), CLOSE)
        got = await r.gate.call(POST)
        assert got.body.startswith(b'data: 1\n\ndata: {"error":{"code":"BackendConnectionFailure",')
        assert r.west.heard == []
        await r.gate.settled()
        record = r.gate.records[0]
        assert (record.aborted, record.backend_id, record.attempts) == ("backend", "east", 1)
        assert record.errors[-1].reason == "BackendConnectionFailure"
        # The next call knows.
        assert (await r.gate.call(POST)).body == b"west"


@story
async def test_weights_are_shares_and_0_takes_calls_only_when_nobody_else_can() -> None:
    async with regions(ONCE, priorities=(1, 1), weights=(3, 1)) as r:
        got = [(await r.gate.call(POST)).body for _ in range(8)]
        assert (got.count(b"east"), got.count(b"west")) == (6, 2)
    async with regions(ONCE, priorities=(1, 2), weights=(0, 1)) as r:
        assert {(await r.gate.call(POST)).body for _ in range(4)} == {b"west"}
        r.west.plays(answer(429))
        await r.gate.call(POST)
        assert (await r.gate.call(POST)).body == b"east"


@story
async def test_breakers_outlive_a_configuration_and_are_reset_with_their_rules() -> None:
    async with regions(ONCE) as r:
        g = r.gate
        r.east.plays(answer(429))
        await g.call(POST)
        runtime = g.proxy.runtime
        for version, rule, expected in (
            (2, THROTTLED, b"west"),
            (3, msgspec.structs.replace(THROTTLED, count=2), b"east"),
        ):
            entries = {
                name: msgspec.structs.replace(e, breakers=(rule,) if e.breakers else ())
                for name, e in runtime.backends.items()
            }
            bundle = msgspec.structs.replace(runtime.bundle, version=version)
            g.proxy.swap(dataclasses.replace(runtime, bundle=bundle, backends=entries), g.proxy.recorder)
            assert (await g.call(POST)).body == expected


def cookie_of(values: list[str]) -> str:
    (value,) = values
    pair, _, rest = value.partition("; ")
    assert rest == "Path=/; HttpOnly; SameSite=Lax"
    return pair


def with_cookie(cookie: str) -> bytes:
    return POST.replace(b"Host", b"Cookie: a=b; %b\r\nHost" % cookie.encode())


@story
async def test_a_session_stays_with_its_member_as_long_as_it_can_be_called() -> None:
    async with regions(priorities=(1, 1), cookie="SessionId") as r:
        got = [await r.gate.call(POST) for _ in range(2)]
        assert {g.body for g in got} == {b"east", b"west"}
        of_west = next(cookie_of(g.values("set-cookie")) for g in got if g.body == b"west")
        assert of_west.startswith("SessionId=")
        assert "west" not in of_west
        for _ in range(4):
            kept = await r.gate.call(with_cookie(of_west))
            assert (kept.body, kept.values("set-cookie")) == (b"west", [])
        assert (await last_way(r.gate)).affinity == "kept"
        r.west.plays(answer(429, b"", b"retry-after: 9"))
        moved = await r.gate.call(with_cookie(of_west))
        assert moved.body == b"east"
        of_east = cookie_of(moved.values("set-cookie"))
        assert of_east != of_west
        assert (await last_way(r.gate)).affinity == "moved"
        # Whatever else stands there names nobody.
        for text in (
            "SessionId=east",
            "SessionId=",
            "SessionId=" + "A" * 4000,
            "SessionId",
            of_west[:-1] + "!",
        ):
            odd = await r.gate.call(with_cookie(text))
            assert (odd.status, cookie_of(odd.values("set-cookie"))) == (200, of_east)


@story
async def test_a_base_url_has_its_retries_in_the_record() -> None:
    async with regions(policy("")) as r:
        r.gate.backend.plays(answer(503))
        assert (await r.gate.call(POST)).status == 200
        route = await last_way(r.gate)
        assert (route.asked, ways(route)) == ("", [("", 503, ""), ("", 200, "")])


class Told(NoMetrics):
    """What was measured."""

    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, str]]] = []

    def emit(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        self.all.append((f"{namespace}/{name}", dict(dimensions)))


@story
async def test_a_trip_is_told_to_the_metrics_with_its_cause() -> None:
    told = Told()
    async with regions() as r:
        r.gate.proxy._services.metrics = told
        r.east.plays(answer(429))
        await r.west.stop()
        await r.gate.call(POST)
        name = "Aforo/Backend Breaker Trips"
        assert told.all == [
            (name, {"Backend ID": "east", "Rule": "throttled", "Cause": "429"}),
            (name, {"Backend ID": "west", "Rule": "throttled", "Cause": "BackendConnectionFailure"}),
        ]


@story
async def test_what_a_policy_asks_itself_counts_for_the_breaker_too() -> None:
    told = Told()
    async with regions() as r:
        g = r.gate
        known = g.upstream.backends(g.proxy.runtime)
        request = OutboundRequest("GET", "/ask", (), b"", 5.0, backend_id="pool")
        r.east.plays(answer(429))
        statuses = [(await send(g.pool, request, known, NoTokens(), told)).status for _ in range(2)]
        assert statuses == [429, 200]
        await r.west.stop()
        for reason in ("BackendConnectionFailure", "BackendConnectionFailure"):
            with pytest.raises(PolicyFailure) as failed:
                await send(g.pool, request, known, NoTokens(), told)
            assert failed.value.error.reason == reason
        assert [h.backend_id for h in g.upstream.guards.held(time.perf_counter())] == ["east", "west"]
        assert [(d["Backend ID"], d["Cause"]) for _, d in told.all] == [
            ("east", "429"),
            ("west", "BackendConnectionFailure"),
        ]


@story
async def test_names_that_callers_spell_are_found_in_any_case_and_not_all_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "MAX_URLS", 4)
    spelled = '<set-backend-service backend-id="@(context.Request.Headers.GetValueOrDefault(&quot;region&quot;))" />'
    async with regions(policy(spelled, FORWARD), rules=(), priorities=(1, 1)) as r:

        async def at(name: str) -> bytes:
            return (await r.gate.call(POST.replace(b"Host", b"region: %b\r\nHost" % name.encode()))).body

        names = ["".join(letters) for letters in product(*zip("east", "EAST", strict=True))]
        assert {await at(name) for name in names} == {b"east"}
        pools = ["".join(letters) for letters in product(*zip("pool", "POOL", strict=True))]
        # All spellings are one pool, whose members take turns.
        assert Counter([await at(name) for name in pools]) == {b"east": 8, b"west": 8}
        known = r.gate.upstream.backends(r.gate.proxy.runtime)
        assert len(known._named) <= 6
        assert len(known.plain) <= 4
        assert (await r.gate.call(POST.replace(b"Host", b"region: north\r\nHost"))).status == 500
