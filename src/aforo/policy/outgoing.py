"""Requests that policies make themselves, in the making: how `send-request` and `send-one-way-request` write them."""

from __future__ import annotations

import ast
import base64
from typing import Final

from aforo.messages import HOP_BY_HOP, Headers
from aforo.policy import diagnostics as say
from aforo.policy.context.values import request_url
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Body, Exchange
from aforo.policy.pipeline import Effects
from aforo.policy.running import method_name, word
from aforo.policy.scopes import Section
from aforo.policy.services import Certificate, OutboundRequest, Proxy
from aforo.policy.spec import Attribute, Child, Text

MODES: Final = ("new", "copy")
LONGEST_S: Final = 86_400
_WORDS = frozenset(MODES)
_NOT_COPIED = HOP_BY_HOP | {b"host", b"content-length"}


def basic(username: str | None, password: str | None) -> bytes:
    """The value of `Authorization` (RFC 7617), in UTF-8."""
    return b"Basic " + base64.b64encode(f"{username or ''}:{password or ''}".encode())


class Draft:
    """A request in the making: what `set-header`, `set-body` and the policies for credentials change."""

    __slots__ = ("backend_id", "body", "certificate", "headers", "method", "proxy", "url")

    def __init__(self) -> None:
        self.method = "GET"
        self.url = ""
        self.headers = Headers()
        self.body = Body(b"")
        self.backend_id = ""
        self.certificate: Certificate | None = None
        self.proxy: Proxy | None = None

    def outbound(self, timeout_s: float) -> OutboundRequest:
        return OutboundRequest(
            self.method,
            self.url,
            tuple(self.headers),
            self.body.data or b"",
            timeout_s,
            self.backend_id,
            self.certificate,
            self.proxy,
        )


def draft(exchange: Exchange, mode: str, with_body: bool) -> Draft:
    """An empty request, or a copy of the call's as it stands."""
    made = Draft()
    if mode == "copy":
        request = exchange.request
        made.method = request.method
        made.headers = Headers.of(item for item in request.headers if item[0] not in _NOT_COPIED)
        if with_body:
            made.body = Body(request.body.data)
        if exchange.backend_id is not None:
            made.backend_id = exchange.backend_id
            made.url = f"{request.path}?{request.query}" if request.query else request.path
        else:
            made.url = str(request_url(exchange).url)
    return made


def address(made: Draft, text: str | None) -> None:
    """The URL; blanks and control characters in it are percent-encoded, as .NET's Uri has them."""
    url = (text or "").strip()
    made.url = "".join(c if c > " " and c != "\x7f" else f"%{ord(c):02X}" for c in url)
    made.backend_id = ""


def request(use: Use, emit: Emitter, *more: Value) -> tuple[str, ast.expr] | None:
    """Writes how the request is made: the local name of its draft, and the seconds; None after a mistake."""
    mode, timeout = emit.value(use, "mode"), emit.value(use, "timeout")
    url_use, method_use = use.child("set-url"), use.child("set-method")
    url = emit.text(url_use) if url_use is not None else None
    method = emit.text(method_use) if method_use is not None else None
    known = (mode.const or "").strip().lower() if mode is not None else ""
    if mode is None or timeout is None:
        return None
    if url_use is None and known == "new":
        emit.report(say.missing_child(use.span, use.name, "set-url"))
        return None
    inbound = emit.unit.section in (Section.INBOUND, Section.BACKEND)
    if known != "new" and inbound:
        # The copy has the body too, unless the policy gives one of its own.
        if use.child("set-body") is None:
            emit.span = use.span
            emit.await_effects(Effects(reads_request_body=True))
        else:
            inbound = False
    values = [v for v in (mode, timeout, url, method, *more) if v is not None]
    emit.site(use, *values)
    place = len(emit.unit.sites) - 1
    target = emit.local("request")
    chosen = emit.expr("M", M=known) if known else emit.expr("F(V, 'mode', W)", F=word, V=mode, W=_WORDS)
    emit.do(f"{target} = DRAFT(x, MODE, BODY)", DRAFT=draft, MODE=chosen, BODY=inbound)
    if url is not None:
        emit.do(f"ADDRESS({target}, URL)", ADDRESS=address, URL=url)
    if method is not None:
        emit.do(f"{target}.method = METHOD(VALUE)", METHOD=method_name, VALUE=method)
    inner = emit.block(target)
    rest = [c for n, cs in use.children.items() if n not in ("set-url", "set-method") for c in cs]
    for each in sorted(rest, key=lambda c: c.span.start):
        inner.unit.compile_use(each, inner)
    emit.body += inner.body
    emit.span = use.span
    emit.do(f"at = {place}")
    return target, emit.number(timeout, "timeout", 1, LONGEST_S)


COMMON: Final = (
    Attribute(
        "mode",
        "`new`: an empty request; `copy`: the call's own, with its body in inbound and backend.",
        default="new",
        values=MODES,
    ),
    Attribute("timeout", "Seconds until the answer must be there.", "seconds", default="60"),
)
CHILDREN: Final = (
    Child(
        "set-url",
        "Where it goes; a copy goes where the call goes without it.",
        text=Text("The URL.", required=True),
    ),
    Child(
        "set-method", "The method; GET without it.", text=Text("The method's name.", "name", required=True)
    ),
    Child("set-header", "A header.", many=True, same_as="set-header"),
    Child("set-body", "The body.", same_as="set-body"),
    Child("authentication-basic", "A name and a password.", same_as="authentication-basic"),
    Child("authentication-certificate", "A client certificate.", same_as="authentication-certificate"),
    Child("authentication-managed-identity", "A token.", same_as="authentication-managed-identity"),
    Child("proxy", "A proxy on the way.", same_as="proxy"),
)
