"""One call through a pipeline without a gateway: the order of sections, on-error, meters, and what was left to do.

It runs what the gateway runs (`policy/sections.py`), on whatever services it is given; `aforo policy try` and the golden
tests stand on it.
"""

from __future__ import annotations

from aforo.llm.catalog import wire_of
from aforo.messages import is_event_stream
from aforo.policy import owing, sections, streams
from aforo.policy.exchange import Exchange, ResponseState
from aforo.policy.pipeline import Pipeline
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.services import Usage


async def run(
    pipeline: Pipeline, exchange: Exchange, services: ScriptedServices, usage: Usage | None = None
) -> None:
    """The call, from inbound to the end. `usage` is what the model is said to have counted."""
    stream = await sections.run(exchange, pipeline, _Trial(usage))
    await owing.closed(exchange)
    if stream is not None:
        stream.end()
    await owing.metered(exchange, _usage_of_stream(exchange, usage))
    for give_back in exchange.lent:
        give_back()
    while services.spawned:
        await services.spawned.pop(0)


class _Trial:
    """The `sections.Stage` of a trial."""

    def __init__(self, usage: Usage | None) -> None:
        self._usage = usage
        self._from_cache = False

    def prepare(self, call: Exchange, pipeline: Pipeline) -> _Stream | None:
        """What gateway/released.py does about an event stream that outbound reads."""
        response = _view(call, pipeline)
        if response is None or pipeline.effects.holds_response or self._from_cache:
            return None
        return _Stream(call, pipeline, response, self._usage)

    async def answered(self, call: Exchange) -> None:
        response = call.response
        if self._usage is not None and response is not None and not is_event_stream(response.headers):
            owing.promised(call)
            await owing.metered(call, self._usage)
        await owing.answered(call, "")

    async def cached(self, call: Exchange) -> None:
        """It has cost no tokens."""
        self._from_cache = True
        await owing.metered(call, None)

    def bug(self, _call: Exchange, error: Exception) -> None:
        raise error


def _view(exchange: Exchange, pipeline: Pipeline) -> ResponseState | None:
    """The event stream that outbound may read, as it will be seen."""
    response, effects = exchange.response, pipeline.effects
    if response is None or not effects.reads_response_body or effects.writes_response_body:
        return None
    if not 200 <= response.status < 300 or not is_event_stream(response.headers):
        return None
    path = exchange.operation.url_template if exchange.operation is not None else exchange.request.path
    wire = wire_of(exchange.request.original_method, path)
    response.body.view = streams.view(wire, exchange.request.body.data or b"")
    return response


class _Stream:
    """An event stream on its way: whole as soon as somebody reads it, and gone from then on."""

    def __init__(
        self, exchange: Exchange, pipeline: Pipeline, response: ResponseState, usage: Usage | None
    ) -> None:
        self._exchange = exchange
        self._pipeline = pipeline
        self._response = response
        self._usage = usage
        self._data = response.body.data or b""
        self._sent: ResponseState | None = None
        response.body.data, response.body.load = None, self._load

    async def _load(self) -> bytes:
        exchange, response = self._exchange, self._response
        self._sent = streams.leaves(exchange, response, self._pipeline.cors)
        usage = self._usage or owing.usage_of(exchange, "", self._data, stream=True)
        await owing.metered(exchange, usage)
        return self._data

    def end(self) -> None:
        """What the client has got is the answer, whatever policies have made of it since."""
        exchange, response, sent = self._exchange, self._response, self._sent
        response.body.data = self._data
        for keeper in exchange.caching.keepers if exchange.caching is not None else ():
            if keeper.response is response:
                keeper.keep(self._data)
        if sent is not None:
            streams.too_late(exchange, response)
            exchange.response = response
            response.status, response.reason, response.headers = sent.status, sent.reason, sent.headers


def _usage_of_stream(exchange: Exchange, usage: Usage | None) -> Usage | None:
    """What is known at the end: nothing, but for a stream."""
    response = exchange.response
    if response is None or not 200 <= response.status < 300 or not is_event_stream(response.headers):
        return None
    return usage or owing.usage_of(exchange, "", response.body.data or b"", stream=True)
