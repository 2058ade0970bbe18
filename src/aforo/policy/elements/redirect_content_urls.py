"""`redirect-content-urls`: links in the body lead over the gateway (outbound), or to the backend (inbound)."""

from __future__ import annotations

from aforo.csharp.runtime.limits import begin, room
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, RequestState, ResponseState
from aforo.policy.running import new_body
from aforo.policy.scopes import Section
from aforo.policy.spec import Element


def redirect(exchange: Exchange, message: RequestState | ResponseState, *, inbound: bool) -> None:
    """Headers are left alone. A body that names neither address stays as it came."""
    backend, gateway = _backend(exchange), _gateway(exchange)
    if not backend or not gateway:
        return
    old, new = (gateway, backend) if inbound else (backend, gateway)
    data = message.body.data or b""
    begin()
    # JSON may write a slash with a backslash before it.
    for before, after in ((old, new), (old.replace("/", "\\/"), new.replace("/", "\\/"))):
        count = data.count(before.encode())
        if count:
            room(len(data) + count * (len(after) - len(before)))
            data = data.replace(before.encode(), after.encode())
            new_body(message, data)


def _gateway(exchange: Exchange) -> str:
    url = exchange.request.url
    path = exchange.api.path.strip("/") if exchange.api is not None else ""
    return f"{url.scheme}://{url.authority}/{path}".rstrip("/")


def _backend(exchange: Exchange) -> str:
    """The base URL of the backend: the one that was called, else the one that is going to be."""
    if exchange.backend_base_url:
        return exchange.backend_base_url.rstrip("/")
    if exchange.backend_id is None:
        return exchange.api.service_url.rstrip("/") if exchange.api is not None else ""
    if exchange.backend_request is None:
        return ""
    called = exchange.backend_request[1].partition("?")[0]
    return called.removesuffix(exchange.request.path).rstrip("/")


def write(use: Use, emit: Emitter) -> None:
    emit.site(use)
    inbound = emit.unit.section is Section.INBOUND
    message = emit.message_body()
    emit.do("F(x, MESSAGE, inbound=INBOUND)", F=redirect, MESSAGE=message, INBOUND=inbound)


ELEMENT = Element(
    "redirect-content-urls",
    "Rewrites links in the body: outbound, those to the backend lead to the gateway; inbound, the other way round.",
    write,
    sections=frozenset((Section.INBOUND, Section.OUTBOUND)),
    once=True,
)
