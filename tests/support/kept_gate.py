"""A gateway built from a bundle, before two scripted backends: for what a configuration does before policies run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aforo.llm.prices import Price
from aforo.policy.subject import Product
from aforo.snapshot.build import Builder
from aforo.snapshot.snapshot import (
    ApiEntry,
    BackendEntry,
    Budget,
    Bundle,
    LogPlan,
    PoolMember,
    ProductEntry,
    SubscriptionEntry,
)
from tests.support.gateway import LOG_ALL, Answered, Gate, gate
from tests.support.scripted_backend import ScriptedBackend
from tests.support.snapshots import DEPLOYMENT, api_subject, operation, subscription

POOL = (
    '<policies><inbound><set-backend-service backend-id="pool"/></inbound>'
    "<backend><forward-request/></backend><outbound/><on-error/></policies>"
)
OPERATIONS = (
    ("POST", "/responses"),
    ("GET", "/responses/{response-id}"),
    ("POST", "/chat/completions"),
    ("GET", "/chat/completions/{completion-id}"),
    ("POST", "/files"),
    ("GET", "/files"),
    ("GET", "/files/{file-id}"),
    ("POST", "/batches"),
    ("GET", "/batches/{batch-id}"),
    ("GET", "/models"),
    ("POST", "/audio/transcriptions"),
    ("POST", "/images/generations"),
)
# A house's model: a prompt's token costs a cent, an answer's two.
PRICE = Price("m", input=10_000.0, output=20_000.0)


@asynccontextmanager
async def kept_gate(
    *,
    log: LogPlan = LOG_ALL,
    budgets: tuple[Budget, ...] = (),
    own_budgets: tuple[Budget, ...] = (),
    owned: bool = True,
    policy: str = POOL,
) -> AsyncIterator[tuple[Gate, ScriptedBackend]]:
    """The gateway, whose backend is `east` of the pool, and `west`, the other one. Keys: `ada`, `bob`."""
    west = ScriptedBackend()
    await west.start()
    try:
        async with gate() as g:
            bundle = _bundle(g.backend.port, west.port, log, budgets, own_budgets, policy, owned=owned)
            built = Builder(lambda sealed: sealed).build(bundle)
            assert built.runtime is not None, built.problems
            g.proxy.swap(built.runtime, g.proxy.recorder)
            yield g, west
    finally:
        await west.stop()


def _bundle(
    east: int,
    west: int,
    log: LogPlan,
    budgets: tuple[Budget, ...],
    own_budgets: tuple[Budget, ...],
    policy: str,
    *,
    owned: bool,
) -> Bundle:
    operations = tuple(operation(m, t) for m, t in OPERATIONS)
    entry = ApiEntry(api_subject(path="v1"), operations, policy, True, False, log, owned=owned)
    keys = {name: hashlib.sha256(name.encode()).digest() for name in ("ada", "bob")}
    subscriptions = tuple(
        SubscriptionEntry(subscription(n), "product:starter", "active", (d,), budgets=own_budgets)
        for n, d in keys.items()
    )
    backends = (
        BackendEntry("east", f"http://127.0.0.1:{east}"),
        BackendEntry("west", f"http://127.0.0.1:{west}"),
        BackendEntry("pool", "", members=(PoolMember("east"), PoolMember("west"))),
    )
    return Bundle(
        2,
        DEPLOYMENT,
        "/service",
        {},
        (entry,),
        (
            ProductEntry(
                Product("starter", "Starter", "Published", True, False, None, ()), ("api",), None, budgets
            ),
        ),
        subscriptions,
        (),
        (),
        (),
        backends,
        None,
        log=log,
        prices=(PRICE,),
    )


def request(method: str, path: str, body: Any = None, *, key: str = "ada", headers: str = "") -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} /v1{path} HTTP/1.1\r\nhost: gate\r\napi-key: {key}\r\n{headers}"
    if body is not None:
        head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


def plain(body: Any, status: str = "200 OK") -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


def said(prompt: int, completion: int) -> bytes:
    """A model's answer that used so many tokens."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return plain({"id": "c", "model": "m", "choices": [{"message": {"content": "x"}}], "usage": usage})


def error_of(answer: Answered) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)["error"]
    return found
