"""A gateway before two scripted regions behind one pool: what failover, breakers and sessions are tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aforo.policy.compile import CompileContext, compile_document
from aforo.policy.pipeline import EMPTY, Pipeline
from aforo.policy.scopes import Scope
from aforo.snapshot.snapshot import BackendEntry, BreakerRule, PoolMember, ProbePlan
from aforo.source import Source
from tests.support.gateway import Gate, gate
from tests.support.scripted_backend import ScriptedBackend

THROTTLED = BreakerRule(
    "throttled", 1, None, 60.0, ((429, 429), (500, 599)), (), 30.0, accept_retry_after=True
)
FORWARD = '<forward-request buffer-request-body="true" timeout="5" />'
TWICE = (
    '<retry condition="@(context.Response.StatusCode == 429 || context.Response.StatusCode &gt;= 500)" count="2" '
    f'interval="0" first-fast-retry="true">{FORWARD}</retry>'
)


def answer(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d x" % status, b"content-length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


def policy(
    inbound: str = '<set-backend-service backend-id="pool" />',
    backend: str = TWICE,
    outbound: str = "",
    fragments: Mapping[str, str] | None = None,
) -> Pipeline:
    text = f"<policies><inbound>{inbound}</inbound><backend>{backend}</backend><outbound>{outbound}</outbound></policies>"
    result = compile_document(
        Source("policy.xml", text), Scope.GLOBAL, CompileContext({}, fragments=fragments or {})
    )
    assert result.document is not None, result.diagnostics
    return result.document.bind(EMPTY)


@dataclass
class Regions:
    """`east` comes first in the pool; `gate` is the gateway."""

    gate: Gate
    east: ScriptedBackend
    west: ScriptedBackend


@asynccontextmanager
async def regions(
    pipeline: Pipeline | None = None,
    *,
    rules: tuple[BreakerRule, ...] = (THROTTLED,),
    priorities: tuple[int, int] = (1, 2),
    weights: tuple[int, int] = (1, 1),
    failure_status: int = 503,
    cookie: str = "",
    probe: ProbePlan | None = None,
    **options: Any,
) -> AsyncIterator[Regions]:
    east, west = ScriptedBackend(), ScriptedBackend()
    for region, name in ((east, b"east"), (west, b"west")):
        region.always = (answer(200, name),)
        await region.start()

    def entries(_port: int) -> dict[str, BackendEntry]:
        members = tuple(
            PoolMember(name, weight, priority)
            for name, weight, priority in zip(("east", "west"), weights, priorities, strict=True)
        )
        single = [
            BackendEntry(name, f"http://127.0.0.1:{region.port}/v1", breakers=rules, probe=probe)
            for name, region in (("east", east), ("west", west))
        ]
        pool = BackendEntry(
            "pool", "", members=members, failure_status=failure_status, affinity_cookie=cookie
        )
        return {e.id: e for e in (*single, pool)}

    try:
        async with gate(pipeline or policy(), backends=entries, **options) as g:
            yield Regions(g, east, west)
    finally:
        await east.stop()
        await west.stop()
