"""The order of a call's sections, and what a failure leads to: one way for the gateway and for trials.

It knows no socket; what differs between the two, and what happens between the sections, is the `Stage`'s.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from aforo.errors import Refusal
from aforo.policy import answers, owing, running
from aforo.policy.exchange import Exchange, FromCache, LastError, PolicyFailure, Returned
from aforo.policy.pipeline import Pipeline

X = TypeVar("X", bound=Exchange, contravariant=True)
R = TypeVar("R", covariant=True)


class Stage(Protocol[X, R]):
    """Where a call is played: the gateway, or a trial."""

    def prepare(self, call: X, pipeline: Pipeline) -> R | None:
        """Outbound is next and reads the answer's body: what it is to see of an event stream."""

    async def answered(self, call: X) -> None:
        """There is a backend's answer, and policies wait for it (`Exchange.owed`, `Exchange.meters`)."""

    async def cached(self, call: X) -> None:
        """A cache has answered instead of a backend."""

    def bug(self, call: X, /, error: Exception) -> None:
        """A section raised what is no failure of a policy's."""


async def run(call: X, pipeline: Pipeline, stage: Stage[X, R]) -> R | None:
    """Inbound, backend, outbound, or as far as they come, and on-error; gives what `prepare` gave."""
    prepared: R | None = None
    try:
        if pipeline.inbound is not None:
            await pipeline.inbound(call)
        call.section = "backend"
        if pipeline.plain_forward is not None:
            try:
                await call.services.forward(call, pipeline.plain_forward)
            except PolicyFailure as failure:
                if pipeline.plain_place is not None:
                    running.placed(failure, pipeline.plain_place, call)
                raise
        elif pipeline.backend is not None:
            await pipeline.backend(call)
        call.section = "outbound"
        if pipeline.effects.reads_response_body:
            prepared = stage.prepare(call, pipeline)
        if call.owed is not None or call.meters is not None:
            await stage.answered(call)
        if pipeline.outbound is not None:
            await pipeline.outbound(call)
    except FromCache as hit:
        await _after_cache(call, pipeline, stage, hit)
    except Returned:
        pass
    except Exception as error:  # noqa: BLE001 - an expression can raise anything; the client gets an answer
        await failed(call, pipeline, stage, error)
    return prepared


async def _after_cache(call: X, pipeline: Pipeline, stage: Stage[X, R], hit: FromCache) -> None:
    """Outbound from the policy on that had stored the answer; no backend is asked."""
    call.section = "outbound"
    await stage.cached(call)
    if pipeline.effects.reads_response_body:
        stage.prepare(call, pipeline)
    section = pipeline.resumed.get(hit.family, pipeline.outbound)
    if section is None:
        return
    try:
        await section(call)
    except Returned:
        pass
    except Exception as error:  # noqa: BLE001 - as in `run`
        await failed(call, pipeline, stage, error)


async def failed(call: X, pipeline: Pipeline, stage: Stage[X, R], error: Exception) -> None:
    """Jump to on-error: the built-in answer first, which the section may change."""
    failure = _failure(call, stage, error)
    last = _told(call, pipeline, failure)
    # The places that it came through hold it, and the call with all its bytes: nobody looks at them any more.
    error.__traceback__ = None
    call.last_error = last
    # What a refusal says is its answer.
    response = failure.response or (
        answers.answer(last.http_status, last.message)
        if isinstance(error, Refusal)
        else answers.built_in(last, call.call_id)
    )
    call.response = response
    for name, value in failure.headers:
        response.headers.set(name, value)
    owing.promised(call)
    if pipeline.on_error is None:
        return
    call.section = "on-error"
    try:
        await pipeline.on_error(call)
    except Returned:
        pass
    except Exception as second:  # noqa: BLE001 - as above; there is no on-error of on-error
        again = _failure(call, stage, second)
        again.error.section = "on-error"
        call.response = answers.built_in(_told(call, pipeline, again), call.call_id)


def _failure(call: X, stage: Stage[X, R], error: Exception) -> PolicyFailure:
    if isinstance(error, PolicyFailure):
        return error
    if isinstance(error, Refusal):
        return answers.refused(error)
    stage.bug(call, error)
    return PolicyFailure(LastError("gateway", "InternalError", answers.INTERNAL))


def _told(call: X, pipeline: Pipeline, failure: PolicyFailure) -> LastError:
    """Its error, fit to be shown, among those of the call."""
    error = failure.error
    running.cleaned(error, call, pipeline.secrets)
    error.elapsed_us = call.elapsed_us
    error.section = error.section or call.section
    call.errors.append(error)
    return error
