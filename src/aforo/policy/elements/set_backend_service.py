"""`set-backend-service`: sends the call to another base URL, or to a backend resource."""

from __future__ import annotations

from aforo.csharp.runtime.exceptions import UriFormatException
from aforo.messages import parse_url
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Element


def base_url(text: str | None) -> str:
    """An absolute http or https URL, without a slash at its end."""
    try:
        parse_url((text or "").strip())
    except ValueError:
        raise UriFormatException from None
    return (text or "").strip().rstrip("/")


def write(use: Use, emit: Emitter) -> None:
    url, backend = emit.value(use, "base-url"), emit.value(use, "backend-id")
    given = [a for a in ("base-url", "backend-id") if a in use.attributes]
    if len(given) != 1:
        emit.report(say.one_of(use.span, use.name, ("base-url", "backend-id")))
        return
    if url is not None:
        if url.const is not None:
            try:
                parse_url(url.const.strip())
            except ValueError as error:
                shown = (
                    "an absolute http or https URL"
                    if url.secret
                    else f"an absolute http or https URL: {error}"
                )
                emit.report(say.bad_value(url.span, "base-url", shown))
                return
            emit.site(use, url)
            known = emit.constant(url.const.strip().rstrip("/"), use.span, secret=url.secret)
            emit.do("x.backend_base_url = URL", URL=known)
        else:
            emit.site(use, url)
            emit.do("x.backend_base_url = F(URL)", F=base_url, URL=url)
        emit.do("x.backend_id = None")
    elif backend is not None:
        emit.site(use, backend)
        emit.do("x.backend_id = ID", ID=backend)
        emit.do("x.backend_base_url = None")


ELEMENT = Element(
    "set-backend-service",
    "Sends the call to another base URL than the API's own, or to a backend resource.",
    write,
    sections=frozenset((Section.INBOUND, Section.BACKEND)),
    attributes=(
        Attribute("base-url", "The new base URL; the operation's path and the query follow it."),
        Attribute("backend-id", "The id of a backend or a pool of backends.", "name", backend=True),
    ),
    never=(
        ("sf-", "Service Fabric is not a part of this gateway"),
        ("dapr-", "Dapr is not a part of this gateway"),
    ),
)
