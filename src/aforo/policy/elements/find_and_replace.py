"""`find-and-replace`: a text for another one, in the body."""

from __future__ import annotations

from aforo.csharp.runtime.exceptions import ArgumentException
from aforo.csharp.runtime.limits import begin, room
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import RequestState, ResponseState
from aforo.policy.running import new_body
from aforo.policy.spec import Attribute, Element


def replace(message: RequestState | ResponseState, old: str | None, new: str | None) -> None:
    """Every place of it, as written; a body without it stays as it came."""
    if not old:
        raise ArgumentException("String cannot be of zero length.")
    begin()
    data = message.body.data or b""
    found, given = old.encode("utf-8", "surrogatepass"), (new or "").encode("utf-8", "replace")
    count = data.count(found)
    if count:
        room(len(data) + count * (len(given) - len(found)))
        new_body(message, data.replace(found, given))


def write(use: Use, emit: Emitter) -> None:
    old, new = emit.value(use, "from"), emit.value(use, "to")
    if old is None or new is None:
        return
    emit.site(use, old, new)
    message = emit.message_body()
    emit.do("F(MESSAGE, OLD, NEW)", F=replace, MESSAGE=message, OLD=old, NEW=new)


ELEMENT = Element(
    "find-and-replace",
    "Replaces a text in the body: of the request in inbound and backend, of the response in outbound and on-error.",
    write,
    attributes=(
        Attribute("from", "The text to look for, as it is.", required=True),
        Attribute("to", "What stands there instead; nothing when it is empty.", required=True),
    ),
)
