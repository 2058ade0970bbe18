"""A gateway of this process on loopback, its scriptable backend, its raw clients: tests read like the wire.

`Gate` is the real Server, Proxy, Upstream and Pool over a Runtime built by hand; only the spool is a list.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Container, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvloop

from aforo.egress.policy import parse
from aforo.egress.pool import Pool
from aforo.errors import Unavailable
from aforo.gateway.addresses import TrustedProxies
from aforo.gateway.cache import MemoryCache
from aforo.gateway.counters import MemoryCounters
from aforo.gateway.proxy import Proxy
from aforo.gateway.record import Recorder
from aforo.gateway.server import Server
from aforo.gateway.services import GatewayServices
from aforo.gateway.upstream import Upstream
from aforo.policy.pipeline import Document, Pipeline
from aforo.policy.services import ForwardOptions
from aforo.snapshot.routes import Router
from aforo.snapshot.runtime import ApiRuntime, KeyHolder, LogNames, OperationRuntime, Runtime
from aforo.snapshot.snapshot import ApiEntry, BackendEntry, Bundle, LogPlan, MessageLog, SubscriptionEntry
from aforo.spool.records import KIND_BEGIN, AmendRecord, BeginRecord, CallRecord
from tests.support.scripted_backend import ScriptedBackend
from tests.support.snapshots import DEPLOYMENT, api_subject, operation, subscription
from tests.support.valkey_server import close_all

KEY = "canary-key-0123456789"
FORWARD = Pipeline(plain_forward=ForwardOptions())
WHOLE = MessageLog(("content-type",), None)
LOG_ALL = LogPlan(True, 100.0, True, True, WHOLE, WHOLE, WHOLE, WHOLE, True, True)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test as a coroutine on the loop that the gateway runs on; a hang is a failure."""

    async def whole(told: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.wait_for(told, 30)
        finally:
            await close_all()

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole(test(*args, **kwargs)))

    return run


async def until(condition: Callable[[], object]) -> None:
    """Wait for what happens by itself."""
    patience = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < patience, "it never came about"
        await asyncio.sleep(0.002)


class ListSpool:
    """A spool that keeps records in a list; `broken` makes it refuse, `full` says that there is no room."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []
        self.amends: list[AmendRecord] = []
        self.begins: list[CallRecord] = []
        self.asides: list[ListedAside] = []
        self.full = self.broken = False
        self.on_append: Callable[[CallRecord], None] = lambda record: None

    def append_amend(self, record: AmendRecord) -> int:
        self.amends.append(record)
        return len(self.amends)

    def append_begin(self, record: BeginRecord) -> int:
        if self.broken:
            raise Unavailable("the disk is full")
        self.begins.append(record.call)
        return len(self.begins)

    def append_call(self, record: CallRecord) -> int:
        if self.broken:
            raise Unavailable("the disk is full")
        self.records.append(record)
        self.on_append(record)
        return len(self.records)

    def append_parts(self, kind: int, parts: list[bytes]) -> int:
        data = b"".join(parts)
        if kind == KIND_BEGIN:
            return self.append_begin(msgspec.msgpack.decode(data, type=BeginRecord))
        return self.append_call(msgspec.msgpack.decode(data, type=CallRecord))

    def begin_aside(self, kind: int, parts: list[bytes]) -> ListedAside:
        self.asides.append(ListedAside(kind, parts))
        return self.asides[-1]

    def publish(self, aside: ListedAside) -> int:
        return self.append_parts(aside.kind, aside.parts)

    def has_room(self) -> bool:
        return not self.full


class ListedAside:
    """A large frame under way: a part of it a step, as long as `held` lets it."""

    def __init__(self, kind: int, parts: list[bytes]) -> None:
        self.kind = kind
        self.parts = parts
        self.steps = 0
        self.held = False

    def step(self) -> bool:
        self.steps += 1
        return self.steps > len(self.parts) and not self.held


@dataclass
class Answered:
    """One answer off the wire, de-chunked; `raw` is all of it without its `date`."""

    status: int
    head: str
    body: bytes
    raw: bytes

    def values(self, name: str) -> list[str]:
        return [v.strip() for n, _, v in (x.partition(":") for x in self.head.split("\r\n")[1:]) if n == name]


class Client:
    """A raw connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, head_only: bool = False) -> Answered:
        """The next answer. IncompleteReadError when the connection ends before it does."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        raw = [head]
        text = head.decode("latin-1").removesuffix("\r\n\r\n")
        answered = Answered(int(text.split(" ")[1]), text, b"", b"")
        body = b""
        if head_only or answered.status in (204, 304) or answered.status < 200:
            pass
        elif answered.values("transfer-encoding"):
            size = 1
            while size:
                line = await self.reader.readuntil(b"\r\n")
                size = int(line, 16)
                data = await self.reader.readexactly(size + 2)
                body += data[:-2]
                raw += [line, data]
        elif length := answered.values("content-length"):
            body = await self.reader.readexactly(int(length[0]))
            raw.append(body)
        else:
            body = await self.reader.read()
            raw.append(body)
        answered.body = body
        answered.raw = without_date(b"".join(raw))
        return answered

    async def rest(self) -> bytes:
        """Everything until the gateway closes; what a reset took is gone."""
        out = b""
        try:
            while data := await self.reader.read(1 << 16):
                out += data
        except ConnectionError:
            pass
        return without_date(out)

    def leave(self) -> None:
        self.writer.transport.abort()


def without_date(data: bytes) -> bytes:
    return re.sub(rb"\r\ndate: [^\r]*", b"", data)


class Fixed:
    """A document that is a pipeline made by hand; it traces nothing."""

    secrets: tuple[str, ...] = ()

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def bind(self, base: Pipeline) -> Pipeline:
        return self.pipeline

    def traced(self) -> Fixed:
        return self


@dataclass
class Gate:
    """The parts of a running gateway."""

    backend: ScriptedBackend
    spool: ListSpool
    pool: Pool
    upstream: Upstream
    proxy: Proxy
    server: Server
    port: int
    clients: list[Client] = field(default_factory=list)

    @property
    def records(self) -> list[CallRecord]:
        return self.spool.records

    async def connect(self, **options: Any) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, **options))
        self.clients.append(client)
        return client

    async def call(self, data: bytes, *, head_only: bool = False) -> Answered:
        """One request on a connection of its own."""
        client = await self.connect()
        await client.send(data)
        return await client.answer(head_only=head_only)

    async def transcript(self, data: bytes) -> bytes:
        """What a client that sends this gets until the gateway closes."""
        client = await self.connect()
        await client.send(data)
        return await client.rest()

    async def settled(self) -> None:
        """No call is in flight any more."""
        await until(lambda: self.proxy.in_flight == 0)


class NoTokens:
    """The gateway of the tests has no identity."""

    def cached(self, resource: str, client_id: str | None) -> str | None:
        return None

    async def fetch(self, resource: str, client_id: str | None) -> str:
        raise Unavailable("no identity")


@asynccontextmanager
async def gate(
    pipeline: Pipeline = FORWARD,
    *,
    path: str = "echo",
    log: LogPlan = LOG_ALL,
    required: bool = False,
    bearer: bool = False,
    key_header: str = "api-key",
    key_query: str = "api-key",
    max_body_bytes: int = 0,
    trusted: tuple[str, ...] = (),
    keys: Container[bytes] = (),
    backends: Callable[[int], dict[str, BackendEntry]] = lambda port: {},
    service_url: str | None = None,
    protocols: tuple[str, ...] = ("http", "https"),
    document: Document | None = None,
    secrets: tuple[str, ...] = (),
) -> AsyncIterator[Gate]:
    """A gateway with one API at `path`: every method at `/*`, and the chat wire at POST `/chat/completions`. With
    `document` that is the API's policy, in the place of a pipeline made by hand."""
    backend = ScriptedBackend()
    await backend.start()
    subject = api_subject(
        path=path,
        key_header=key_header,
        key_query=key_query,
        service_url=service_url or f"http://127.0.0.1:{backend.port}/base",
        protocols=protocols,
    )
    operations = [operation(m, "/*") for m in METHODS]
    chat = operation("POST", "/chat/completions")
    entry = ApiEntry(subject, (*operations, chat), None, required, bearer, log, max_body_bytes)
    names = [frozenset(n.encode() for n in m.headers) for m in
             (log.frontend_request, log.frontend_response, log.backend_request, log.backend_response)]  # fmt: skip
    api = ApiRuntime(
        entry,
        document or Fixed(pipeline),
        key_header.encode(),
        key_query,
        frozenset(),
        None,
        LogNames(*names),
    )
    router: Router[ApiRuntime, OperationRuntime] = Router()
    wires = [(o, "") for o in operations] + [(chat, "chat")]
    router.add(
        api,
        path,
        [(o.subject.method, o.subject.url_template, OperationRuntime(o, None, w)) for o, w in wires],
    )
    holder = SubscriptionEntry(subscription("sub"), "apis", "active", ())
    bundle = Bundle(
        1,
        DEPLOYMENT,
        "/service",
        {"AllMetrics": []},
        (entry,),
        (),
        (),
        (),
        (),
        (),
        (),
        None,
        trusted,
        log=log,
    )
    runtime = Runtime(
        bundle,
        router,
        {hashlib.sha256(KEY.encode()).digest(): KeyHolder(holder, None)},
        {},
        backends(backend.port),
        None,
        secrets=secrets,
    )
    spool = ListSpool()
    pool = Pool(parse(("127.0.0.0/8",)))
    upstream = Upstream(pool)
    services = GatewayServices(DEPLOYMENT, MemoryCounters(), MemoryCache(), NoTokens(), upstream)
    recorder = Recorder(spool, 1, TrustedProxies(trusted), metrics=False, keys=keys, secrets=secrets)
    proxy = Proxy(runtime, services, recorder)
    server = Server(proxy)
    sock = socket.create_server(("127.0.0.1", 0))
    await server.listen(sock)
    made = Gate(backend, spool, pool, upstream, proxy, server, sock.getsockname()[1])
    try:
        yield made
    finally:
        for client in made.clients:
            client.leave()
        await server.drain(0)
        await services.shared.close()
        pool.close()
        await backend.stop()
        await until(lambda: not server.connections)
