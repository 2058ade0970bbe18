"""What policies get from this gateway: the adapters behind the ports of policy/services.py, in one object."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, cast

from aforo.egress.fetch import fetch
from aforo.errors import Refusal, Timeout, Unavailable
from aforo.gateway.call import Call
from aforo.gateway.signing_keys import FetchedSigningKeys
from aforo.gateway.upstream import Upstream
from aforo.gateway.vectors import MemoryVectors
from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.services import (
    Cache,
    Counters,
    ForwardOptions,
    OutboundRequest,
    SigningKeys,
    Tokens,
    VectorStore,
)
from aforo.policy.subject import Deployment

log = logging.getLogger("aforo.gateway")


class GatewayServices:
    """The `Services` port. One per process; `deployment` changes with the snapshot."""

    def __init__(
        self, deployment: Deployment, counters: Counters, cache: Cache, tokens: Tokens, upstream: Upstream
    ) -> None:
        self.deployment = deployment
        self.counters = counters
        self.cache = cache
        self.tokens = tokens
        self.upstream = upstream
        # None can be connected yet: `prefer-external` means this gateway's own memory.
        self.external_cache: Cache | None = None
        self.vectors: VectorStore = MemoryVectors()
        # Set by who composes the process; without, no issuer can be asked.
        self.signing_keys: SigningKeys = FetchedSigningKeys(_nowhere)
        self._beside: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside_ended)

    def _beside_ended(self, task: asyncio.Task[None]) -> None:
        self._beside.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, (Refusal, PolicyFailure)):
            log.warning("what a policy began beside its call failed: %s", error)
        elif error is not None:
            log.error("bug: what a policy began beside its call failed", exc_info=error)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def forward(self, exchange: Exchange, options: ForwardOptions) -> None:
        await self.upstream.forward(cast(Call, exchange), options)

    async def send(self, request: OutboundRequest) -> ResponseState:
        try:
            answer = await fetch(
                self.upstream.pool,
                request.method,
                request.url,
                Headers(request.headers),
                request.body,
                timeout_s=request.timeout_s,
            )
        except Timeout as error:
            raise PolicyFailure(LastError("send-request", "Timeout", str(error))) from error
        except Refusal as error:
            raise PolicyFailure(LastError("send-request", "BackendConnectionFailure", str(error))) from error
        return ResponseState(answer.status, answer.reason, answer.headers, Body(answer.body))


async def _nowhere(_url: str) -> bytes:
    raise Unavailable("this gateway asks no issuer")
