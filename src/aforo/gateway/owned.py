"""Calls on what model services keep (stored answers, files, batches, jobs): they go to the backend that has it, for the
subscription that made it. For everybody else it does not exist.

Ids stay as the service gave them; whose they are is remembered here (owners.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote

import orjson

from aforo.gateway.call import Call
from aforo.gateway.model_errors import in_clients_form
from aforo.gateway.owners import Owner, Owners
from aforo.llm.digest import read_object
from aforo.llm.stateful import Stateful, is_kept, made_ids, named_in, taken_up_in, without
from aforo.llm.wire import objects
from aforo.messages import is_event_stream
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, Services
from aforo.policy.owing import MeteredUsage, owed
from aforo.policy.services import ForwardOptions, Usage

_BACKEND, _URL = "backend:", "url:"
# What of a thing came of it later: a batch's answers are files.
_GROW = ("batches", "fine_tuning/jobs", "fine-tunes", "uploads")


async def admit(call: Call, what: Stateful, owners: Owners) -> None:
    """Send the call where the things are that it names, and remember what it makes. PolicyFailure with 404 where one of
    them is not the caller's."""
    named = [unquote(i) for p in what.parameters if (i := call.known.match.parameters.get(p))]
    body = await _body(call, what)
    if body:
        named += _named_in(call, body)
    taken_up = taken_up_in(body) if what.collection == "responses" and body else []
    place = _place_of(call, named, taken_up, owners) if named or taken_up else ""
    if place:
        call.services = cast(Services, _Pinned(call.services, place))
    if what.asks_model:
        if is_kept(what.collection, read_object(body) if b'"store"' in body else {}):
            _remember_answer(call, what, owners)
    elif what.makes or what.lists or what.collection in _GROW:
        _remember_made(call, what, owners)


def _named_in(call: Call, body: bytes) -> list[str]:
    """What the request names in its body; PolicyFailure where another reader might find more in it."""
    content_type = call.request.headers.get(b"content-type") or b""
    try:
        return named_in(body, form=content_type.lower().startswith(b"multipart/"))
    except ValueError:
        message = "The body of this request has to be JSON, in UTF-8."
        error = LastError("forward-request", "BodyUnreadable", message, section="inbound", http_status=400)
        raise PolicyFailure(
            error, in_clients_form(call, 400, "invalid_body", "invalid_request_error", message)
        ) from None


async def _body(call: Call, what: Stateful) -> bytes:
    """What the request may name things in; b"" where it is a file, or there is none."""
    if call.method != "POST" or what.streams_in:
        return b""
    return await call.request.body.read()


def _place_of(call: Call, named: Sequence[str], taken_up: Sequence[str], owners: Owners) -> str:
    """Where all of these are, "" where any backend does. Of items `taken_up` those alone are known that models put out:
    the others are the service's to judge."""
    known = owners.find([*named, *taken_up])
    mine = call.admission.subscription_id
    for name in (*named, *(i for i in taken_up if i in known)):
        owner = known.get(name)
        if owner is None or owner.subscription != mine:
            # Whether it exists is nobody's business but its owner's.
            raise _missing(call, name)
    places = {owner.place for owner in known.values()}
    if len(places) > 1:
        message = "What this request names is kept in different places, and none of them has all of it."
        error = LastError("forward-request", "KeptElsewhere", message, section="inbound", http_status=400)
        response = in_clients_form(call, 400, "kept_elsewhere", "invalid_request_error", message)
        raise PolicyFailure(error, response)
    return places.pop() if places else ""


def _missing(call: Call, name: str) -> PolicyFailure:
    message = f"'{name[:128]}' was not found."
    error = LastError("forward-request", "NotOwned", message, section="inbound", http_status=404)
    return PolicyFailure(error, in_clients_form(call, 404, "not_found", "invalid_request_error", message))


class _Pinned:
    """The services of a call that must go to one backend, whatever its policies choose: only that one has the thing."""

    def __init__(self, services: Services, place: str) -> None:
        self._services = services
        self._place = place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)

    async def forward(self, exchange: Exchange, options: ForwardOptions) -> None:
        if self._place.startswith(_BACKEND):
            exchange.backend_id = self._place.removeprefix(_BACKEND)
        else:
            exchange.backend_id = None
            exchange.backend_base_url = self._place.removeprefix(_URL)
        await self._services.forward(exchange, options)


def _own(call: Exchange) -> Owner:
    """Whose a thing is that this call's answer speaks of, and where it is kept."""
    call = cast(Call, call)
    if call.backend_used:
        place = _BACKEND + call.backend_used
    else:
        place = _URL + (call.backend_base_url or (call.api.service_url if call.api is not None else ""))
    return Owner(call.admission.subscription_id, place)


def _remember_answer(call: Call, what: Stateful, owners: Owners) -> None:
    """A model's answer that is kept: its id is known with its tokens."""

    async def meter(x: Exchange, usage: Usage | None) -> None:
        if isinstance(usage, MeteredUsage) and usage.answer_id:
            owners.put((usage.answer_id, *usage.item_ids), _own(x), what.lives_s)

    if call.meters is None:
        call.meters = [meter]
    else:
        call.meters.append(meter)


def _remember_made(call: Call, what: Stateful, owners: Owners) -> None:
    """Things that are made, or asked for after they have made others; lists show nothing but the caller's own."""

    async def check(x: Exchange) -> None:
        response = x.response
        if response is None or not 200 <= response.status < 300 or is_event_stream(response.headers):
            return  # a stream is not held back for the ids in it
        answer = read_object(await response.body.read())
        if not what.lists:
            ids = made_ids(answer)
            if ids:
                owners.put(ids, _own(x), what.lives_s)
            return
        own = _own(x)
        entries = objects(answer.get("data"))
        known = owners.find([i for e in entries if isinstance(i := e.get("id"), str)])
        mine = frozenset(i for i, owner in known.items() if owner.subscription == own.subscription)
        if what.collection in _GROW:
            owners.put([i for e in entries if e.get("id") in mine for i in made_ids(e)], own, what.lives_s)
        response.body.replace(orjson.dumps(without(answer, mine)))

    owed(call).checks.append(check)
