"""The way of one call through the backends: who is called now, who was passed over and why, what each attempt came to.

A call to a backend that nothing stands before, and that answers well, never comes here.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from math import ceil

from aforo.egress.http1 import WireError
from aforo.gateway import trips
from aforo.gateway.arrival import Arrival, broken
from aforo.gateway.backends import Backend, Backends
from aforo.gateway.breakers import Guard, Held
from aforo.gateway.call import Call
from aforo.gateway.pools import BackendPool
from aforo.gateway.retry_after import retry_after_s
from aforo.gateway.tried import Route
from aforo.policy import answers
from aforo.policy.exchange import LastError, PolicyFailure, ResponseState
from aforo.spool.records import Attempt, BackendRoute, PassedOver

_NOBODY: tuple[str, ...] = ()


def choose(call: Call, backends: Backends, backend_id: str) -> Backend:
    """The backend of that name, for a pool a member that may be called now and that the call has not tried, as long as
    there is one. PolicyFailure when none may; Upstream when there is none of that name."""
    found = backends.named(backend_id)
    if isinstance(found, BackendPool):
        return _member(call, backends, found)
    guard = found.guard
    held = guard.held(time.perf_counter()) if guard is not None else None
    if held is not None:
        _passed_over(call, [held])
        if not call.attempts:
            call.backend_used = held.backend_id
        message = f"backend {held.backend_id!r} is taken out ({held.why})"
        raise _unavailable(held.why, message, held.status, held.left_s)
    return found


def _member(call: Call, backends: Backends, pool: BackendPool) -> Backend:
    now = time.perf_counter()
    route = call.route
    tried = {attempt.backend for attempt in route.tried} if route is not None else _NOBODY
    wanted = pool.of_session(call.headers) if pool.cookie_name else None
    member = pool.next(now, tried, wanted)
    held = pool.held(now, member)
    if held:
        _passed_over(call, held)
    if member is None:
        if not call.attempts:
            call.backend_used = pool.entry.id
        message = f"no member of the backend pool {pool.entry.id!r} can be called now"
        soonest = min((each.left_s for each in held), default=1.0)
        raise _unavailable("PoolExhausted", message, pool.entry.failure_status, soonest)
    if pool.cookie_name:
        route = of(call)
        route.affinity = "kept" if member is wanted else "new" if wanted is None else "moved"
        secure = call.client.scheme == "https"
        route.cookie = b"" if member is wanted else pool.set_cookie(member, secure=secure)
    return backends.single(member.entry)


def _unavailable(code: str, message: str, status: int, left_s: float) -> PolicyFailure:
    """What the client gets names no backend, whatever the status is."""
    error = LastError("forward-request", code, message, section="backend", http_status=status)
    text = answers.reason_of(status) or answers.UNAVAILABLE
    response = answers.answer(status, answers.UNAVAILABLE if status == 503 else text)
    return PolicyFailure(error, response, ((b"retry-after", b"%d" % max(1, ceil(left_s))),))


def again(call: Call) -> None:
    """Another attempt begins: nobody wants the rest of the last answer."""
    arrival = call.arrival
    if arrival is not None:
        failure = arrival.connection.failure
        _note(call, arrival.connection.status, broken(failure).reason if failure else "", arrival.sent_at)
        arrival.release()
        arrival.response = None  # they hold each other
        call.arrival = None
        call.response = None
    else:
        _note(call, 0, "", time.perf_counter())


def answered(call: Call, guard: Guard | None, response: ResponseState, arrival: Arrival) -> None:
    """The head of an answer is here that tells of a failure, or somebody watches."""
    status = arrival.connection.status
    now = time.perf_counter()
    if status >= 400:
        _note(call, status, "", arrival.sent_at)
    if guard is not None:
        of(call).guard = guard
        response.body.load = _watched(call, arrival.decoded)
        told = retry_after_s(arrival.connection.headers) if status >= 400 else None
        if guard.saw(arrival.sent_at, now, status, "", told):
            trips.tell(guard, str(status), call.services.metrics)
    route = call.route
    if route is not None and route.cookie and status < 500 and status != 429:
        response.headers.append(b"set-cookie", route.cookie)


def missed(call: Call, guard: Guard | None, error: LastError, began: float) -> None:
    """An attempt has got no answer."""
    _note(call, 0, error.reason, began)
    if guard is not None and guard.saw(began, time.perf_counter(), 0, error.reason):
        trips.tell(guard, error.reason, call.services.metrics)


def broke(call: Call, failure: WireError) -> None:
    """The answer broke off behind its head."""
    _broke(call, broken(failure).reason)


def _broke(call: Call, reason: str) -> None:
    route = call.route
    if route is None or route.guard is None:
        return
    guard, route.guard = route.guard, None  # once
    began = call.arrival.sent_at if call.arrival is not None else time.perf_counter()
    if guard.broke(began, time.perf_counter(), reason):
        trips.tell(guard, reason, call.services.metrics)


def _watched(call: Call, load: Callable[[], Awaitable[bytes]]) -> Callable[[], Awaitable[bytes]]:
    """A body that a policy reads: where it does not come whole, the breaker hears of it too."""

    async def watched() -> bytes:
        try:
            return await load()
        except PolicyFailure as failure:
            if call.arrival is not None and call.arrival.connection.failure is not None:
                _broke(call, failure.error.reason)
            raise

    return watched


def of(call: Call) -> Route:
    """What is known of the call's way; made when there is something to know."""
    route = call.route
    if route is None:
        route = call.route = Route()
    return route


def record(call: Call) -> BackendRoute | None:
    """For the record: None where one attempt without anything odd is all there was."""
    route = call.route
    if route is None:
        return None
    if call.attempts < 2 and not route.passed and not route.affinity:
        return None
    if len(route.tried) < call.attempts:
        arrival = call.arrival
        status = arrival.connection.status if arrival is not None else 0
        left = not status and call.aborted == "client"
        reason = "ClientConnectionFailure" if left else ""
        _note(call, status, reason, arrival.sent_at if arrival is not None else time.perf_counter())
    return BackendRoute(call.backend_id or "", route.affinity, list(route.tried), list(route.passed))


def _note(call: Call, status: int, reason: str, began: float) -> None:
    """What an attempt came to, if that is not known already."""
    route = of(call)
    if len(route.tried) < call.attempts:
        took_us = int((time.perf_counter() - began) * 1e6)
        route.tried.append(Attempt(call.backend_used, status, reason, took_us))


def _passed_over(call: Call, held: list[Held]) -> None:
    passed = of(call).passed
    known = {each.backend for each in passed}
    for each in held:
        if each.backend_id not in known:
            left_ms = int(each.left_s * 1000)
            passed.append(PassedOver(each.backend_id, each.why, each.rule, left_ms))
