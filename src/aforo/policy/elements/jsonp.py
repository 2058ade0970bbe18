"""`jsonp`: the response as a call of a function that the caller names, for pages of another origin."""

from __future__ import annotations

import re
from typing import Final

from aforo.csharp.runtime.limits import begin, room
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.running import new_body
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Element

# Dots too: callbacks are often members of something.
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*", re.ASCII)
_LONGEST: Final = 256


def asked(exchange: Exchange, parameter: str | None) -> list[str] | None:
    """The values of the parameter."""
    return exchange.request.url.query_values().get(parameter or "")


def wrap(exchange: Exchange, response: ResponseState, parameter: str | None) -> None:
    """Nothing happens where the caller names no function."""
    name = parameter or ""
    given = asked(exchange, parameter)
    if not given:
        return
    function = given[0]
    if len(function) > _LONGEST or not _NAME.fullmatch(function):
        message = f"Value of callback parameter {name} is not a valid JavaScript identifier."
        raise PolicyFailure(LastError("jsonp", "CallbackParameterInvalid", message, http_status=400))
    data = response.body.data or b"null"
    begin()
    room(len(data))
    # Line separators end a statement in old JavaScript, but not a JSON text.
    data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    new_body(response, b"%b(%b);" % (function.encode(), data))
    response.headers.set(b"content-type", b"application/javascript")


def write(use: Use, emit: Emitter) -> None:
    name = emit.value(use, "callback-parameter-name")
    if name is None:
        return
    emit.site(use, name)
    parameter = emit.local("parameter")
    emit.do(f"{parameter} = NAME", NAME=name)
    message = emit.message_body(lambda _: emit.expr(f"F(x, {parameter})", F=asked))
    emit.do(f"F(x, MESSAGE, {parameter})", F=wrap, MESSAGE=message)


ELEMENT = Element(
    "jsonp",
    "Wraps a JSON response into a call of the function that a query parameter names; without the parameter it stays as it is.",
    write,
    sections=frozenset((Section.OUTBOUND,)),
    once=True,
    attributes=(
        Attribute(
            "callback-parameter-name", "The query parameter that names the function.", "name", required=True
        ),
    ),
)
