"""One call through a pipeline without a gateway: the order of sections, on-error, meters, and what was left to do.

It runs what the gateway runs (`gateway/proxy.py`), on whatever services it is given; `aforo policy try` and the golden
tests stand on it.
"""

from __future__ import annotations

from aforo.errors import Refusal
from aforo.llm.catalog import wire_of
from aforo.messages import is_event_stream
from aforo.policy import answers, owing, running, streams
from aforo.policy.exchange import Exchange, FromCache, PolicyFailure, ResponseState, Returned
from aforo.policy.pipeline import Pipeline
from aforo.policy.rehearsing.scripted import ScriptedServices
from aforo.policy.services import Usage


async def run(
    pipeline: Pipeline, exchange: Exchange, services: ScriptedServices, usage: Usage | None = None
) -> None:
    """The call, from inbound to the end. `usage` is what the model is said to have counted."""
    stream: _Stream | None = None
    try:
        for name in ("inbound", "backend", "outbound"):
            exchange.section = name
            section = getattr(pipeline, name)
            if name == "outbound":
                stream = _prepared(exchange, pipeline, usage)
            if name == "outbound" and (exchange.owed is not None or exchange.meters is not None):
                await _answered(exchange, usage)
            if section is not None:
                await section(exchange)
    except FromCache as hit:
        await _after_cache(pipeline, exchange, hit)
    except Returned:
        pass
    except (PolicyFailure, Refusal) as error:
        await _on_error(pipeline, exchange, error)
    await owing.closed(exchange)
    if stream is not None:
        stream.end()
    await owing.metered(exchange, _usage_of_stream(exchange, usage))
    for give_back in exchange.lent:
        give_back()
    while services.spawned:
        await services.spawned.pop(0)


def _prepared(exchange: Exchange, pipeline: Pipeline, usage: Usage | None) -> _Stream | None:
    """What gateway/released.py does about an event stream that outbound reads."""
    response = _view(exchange, pipeline)
    if response is None or pipeline.effects.holds_response:
        return None
    return _Stream(exchange, pipeline, response, usage)


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


async def _answered(exchange: Exchange, usage: Usage | None) -> None:
    response = exchange.response
    if usage is not None and response is not None and not is_event_stream(response.headers):
        owing.promised(exchange)
        await owing.metered(exchange, usage)
    await owing.answered(exchange, "")


def _usage_of_stream(exchange: Exchange, usage: Usage | None) -> Usage | None:
    """What is known at the end: nothing, but for a stream."""
    response = exchange.response
    if response is None or not 200 <= response.status < 300 or not is_event_stream(response.headers):
        return None
    return usage or owing.usage_of(exchange, "", response.body.data or b"", stream=True)


async def _after_cache(pipeline: Pipeline, exchange: Exchange, hit: FromCache) -> None:
    """Outbound from the policy on that had stored the answer, which has cost no tokens."""
    exchange.section = "outbound"
    await owing.metered(exchange, None)
    _view(exchange, pipeline)
    section = pipeline.resumed.get(hit.family, pipeline.outbound)
    if section is None:
        return
    try:
        await section(exchange)
    except Returned:
        pass
    except (PolicyFailure, Refusal) as error:
        await _on_error(pipeline, exchange, error)


async def _on_error(pipeline: Pipeline, exchange: Exchange, error: PolicyFailure | Refusal) -> None:
    failure = error if isinstance(error, PolicyFailure) else answers.refused(error)
    last = failure.error
    running.cleaned(last, exchange)
    last.section = last.section or exchange.section
    exchange.last_error = last
    exchange.errors.append(last)
    response = exchange.response = failure.response or answers.built_in(last, exchange.call_id)
    for name, value in failure.headers:
        response.headers.set(name, value)
    owing.promised(exchange)
    if pipeline.on_error is None:
        return
    exchange.section = "on-error"
    try:
        await pipeline.on_error(exchange)
    except Returned:
        return
    except (PolicyFailure, Refusal) as second:  # there is no on-error of on-error
        again = second if isinstance(second, PolicyFailure) else answers.refused(second)
        again.error.section = "on-error"
        exchange.errors.append(again.error)
        exchange.response = answers.built_in(again.error, exchange.call_id)
