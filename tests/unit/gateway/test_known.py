"""What a gateway remembers of calls: only what was let in, only under one configuration, never without bound."""

from __future__ import annotations

import hashlib
from types import MappingProxyType

import pytest

from aforo.gateway import known as room
from aforo.gateway.addresses import TrustedProxies
from aforo.gateway.keys import Refused
from aforo.gateway.known import Admission, Known, Target
from aforo.gateway.record import Recorder
from aforo.messages import Headers
from aforo.snapshot.routes import Router
from aforo.snapshot.runtime import ApiRuntime, KeyHolder, LogNames, OperationRuntime, Runtime
from aforo.snapshot.snapshot import ApiEntry, Bundle, LogPlan, SubscriptionEntry
from tests.support.gateway import KEY, ListSpool, gate, story
from tests.support.snapshots import DEPLOYMENT, api_subject, operation, subscription

NONE = LogNames(*(frozenset[bytes](),) * 4)
KEYS = [b"key-%d" % n for n in range(9)]


def known(scope: str = "api:one") -> Known:
    """Two APIs with a GET on everything; all of KEYS open `scope`."""
    router: Router[ApiRuntime, OperationRuntime] = Router()
    for name in ("one", "two"):
        entry = ApiEntry(api_subject(name, path=name), (), None, True, False, LogPlan())
        runtime = ApiRuntime(entry, None, b"api-key", "api-key", frozenset(), None, NONE)
        router.add(runtime, name, [("GET", "/*", OperationRuntime(operation("GET", "/*"), None, "chat"))])
    holder = KeyHolder(SubscriptionEntry(subscription("s"), scope, "active", ()), None)
    keys = MappingProxyType({hashlib.sha256(k).digest(): holder for k in KEYS})
    bundle = Bundle(1, DEPLOYMENT, "/s", {}, (), (), (), (), (), (), (), None)
    recorder = Recorder(ListSpool(), 1, TrustedProxies(()), metrics=False)
    return Known(Runtime(bundle, router, keys, {}, {}, None), recorder)


def target(of: Known, text: str) -> Target:
    found = of.target("GET", text)
    assert found is not None
    return found


def test_a_key_is_remembered_for_the_operation_that_it_opened_and_no_other() -> None:
    memory = known()
    one, two = target(memory, "/one/a"), target(memory, "/two/a")
    let_in = memory.admit(one, Headers.of([(b"api-key", KEYS[0])]))
    assert isinstance(let_in, Admission)
    assert isinstance(memory.admit(two, Headers.of([(b"api-key", KEYS[0])])), Refused)
    assert memory.admissions == {(one.operation, KEYS[0]): let_in}
    assert memory.admit(one, Headers.of([(b"api-key", KEYS[1])])) is let_in


@pytest.mark.parametrize(
    "headers",
    [
        [(b"api-key", b"guess")],
        [(b"api-key", b"")],
        [(b"api-key", KEYS[0]), (b"api-key", b"guess")],
        [(b"authorization", b"Bearer " + KEYS[0])],
        [],
    ],
)
def test_what_shows_no_key_in_its_own_header_leaves_nothing_behind(
    headers: list[tuple[bytes, bytes]],
) -> None:
    memory = known()
    memory.admit(target(memory, "/one/a"), Headers.of(headers))
    memory.admit(target(memory, "/one/a?api-key=key-1"), Headers.of(headers))
    assert not memory.admissions


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_REMEMBERED", 4)
    memory = known()
    for n, key in enumerate(KEYS):
        memory.admit(target(memory, f"/one/{n}"), Headers.of([(b"api-key", key)]))
    assert len(memory.targets) == len(memory.admissions) == 1
    target(memory, f"/one/{'a' * room.MAX_REMEMBERED_LENGTH}")
    assert memory.target("GET", "/three/a") is None
    assert memory.target("PUT", "/one/a") is None
    assert len(memory.targets) == 1


def test_what_a_target_says_is_shown_without_its_key() -> None:
    found = target(known(), "/one/a?api-version=2024-10-21&api-key=secret")
    assert found.shown == "/one/a?api-version=2024-10-21&api-key=*****"
    assert (found.path, found.query) == ("/one/a", "api-version=2024-10-21&api-key=secret")
    assert found.api_version == "2024-10-21"


def test_an_operation_that_is_written_out_for_a_path_of_the_gateways_own_gets_it() -> None:
    router: Router[ApiRuntime, OperationRuntime] = Router()
    entry = ApiEntry(api_subject("root", path=""), (), None, True, False, LogPlan())
    runtime = ApiRuntime(entry, None, b"api-key", "api-key", frozenset(), None, NONE)
    written = OperationRuntime(operation("GET", "/livez"), None, "")
    router.add(
        runtime,
        "",
        [
            ("GET", "/livez", written),
            ("GET", "/{name}", OperationRuntime(operation("GET", "/{name}"), None, "")),
            ("GET", "/*", OperationRuntime(operation("GET", "/*"), None, "")),
        ],
    )
    bundle = Bundle(1, DEPLOYMENT, "/s", {}, (), (), (), (), (), (), (), None)
    memory = Known(
        Runtime(bundle, router, {}, {}, {}, None),
        Recorder(ListSpool(), 1, TrustedProxies(()), metrics=False),
    )
    assert target(memory, "/livez?full=1").operation is written
    assert memory.target("GET", "/readyz") is None
    assert memory.target("HEAD", "/livez") is None
    assert target(memory, "/readyz/a").path == "/readyz/a"


@story
async def test_a_key_that_was_let_in_is_refused_from_the_swap_on() -> None:
    async with gate(required=True) as g:
        client = await g.connect()
        call = f"GET /echo/a HTTP/1.1\r\nHost: gate\r\napi-key: {KEY}\r\n\r\n".encode()
        for _ in range(2):
            await client.send(call)
            assert (await client.answer()).status == 200
        old = g.proxy.runtime
        revoked = Runtime(old.bundle, old.router, {}, {}, old.backends, None)
        g.proxy.swap(revoked, g.proxy.recorder)
        await client.send(call)
        assert (await client.answer()).status == 401
        g.proxy.swap(old, g.proxy.recorder)
        await client.send(call)
        assert (await client.answer()).status == 200
        await g.settled()


@story
async def test_a_wrong_key_beside_a_good_one_in_the_query_is_wrong_every_time() -> None:
    async with gate(required=True) as g:
        client = await g.connect()
        for header, status in ((KEY, 200), ("wrong", 401), (KEY, 200), ("wrong", 401)):
            line = f"GET /echo/a?api-key={KEY} HTTP/1.1\r\nHost: gate\r\napi-key: {header}\r\n\r\n"
            await client.send(line.encode())
            assert (await client.answer()).status == status
        await client.send(f"GET /echo/a?api-key={KEY} HTTP/1.1\r\nHost: gate\r\n\r\n".encode())
        assert (await client.answer()).status == 200
        await g.settled()
        assert all(KEY not in r.url for r in g.records)


@story
async def test_the_host_is_judged_on_every_request_of_a_connection() -> None:
    async with gate() as g:
        for second in (b"", b"Host: a b\r\n", b"Host: gate\r\nHost: gate\r\n"):
            client = await g.connect()
            head = b"POST /echo/a HTTP/1.1\r\n%bContent-Length: 1\r\n\r\nx"
            await client.send(head % b"Host: gate\r\n")
            assert (await client.answer()).status == 200
            await client.send(head % second)
            assert (await client.answer()).status == 400
        old = await g.connect()
        await old.send(b"POST /echo/a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx")
        assert (await old.answer()).status == 200
        await old.send(b"POST /echo/a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
        assert (await old.answer()).status == 400
        await g.settled()


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("api-version=2024-10-21", "2024-10-21"),
        ("x-api-version=1&api-version=2024-10-21&a=b", "2024-10-21"),
        ("a=api-version=1", ""),
        ("", ""),
    ],
)
def test_the_api_version_is_the_parameter_of_that_name(query: str, version: str) -> None:
    assert target(known(), f"/one/a?{query}").api_version == version
