"""What policies get from this gateway: the adapters behind the ports of policy/services.py, in one object."""

from __future__ import annotations

from typing import cast

from aforo.egress.fetch import fetch
from aforo.errors import Refusal, Timeout
from aforo.gateway.call import Call
from aforo.gateway.upstream import Upstream
from aforo.messages import Headers
from aforo.policy.exchange import Body, Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.services import Cache, Counters, ForwardOptions, OutboundRequest, Tokens
from aforo.policy.subject import Deployment


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
