"""`proxy`: the way to the backend over an HTTP proxy."""

from __future__ import annotations

from aforo.csharp.runtime.exceptions import UriFormatException
from aforo.messages import parse_url
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.outgoing import basic
from aforo.policy.scopes import INBOUND
from aforo.policy.services import Proxy
from aforo.policy.spec import Attribute, Element


def through(url: str | None, username: str | None, password: str | None) -> Proxy:
    text = (url or "").strip().rstrip("/")
    try:
        parsed = parse_url(text)
    except ValueError:
        raise UriFormatException from None
    if parsed.scheme != "http":
        raise UriFormatException("Only proxies that are spoken to with http:// are supported.")
    return Proxy(text, basic(username, password).decode() if username is not None else "")


def write(use: Use, emit: Emitter) -> None:
    url, username, password = (emit.value(use, n) for n in ("url", "username", "password"))
    if url is None:
        return
    if url.const is not None:
        try:
            through(url.const, None, None)
        except UriFormatException:
            emit.report(say.bad_value(url.span, "url", "http://host:port of a proxy"))
            return
    emit.site(use, url, username, password)
    target = "x" if emit.message == "x.request" else emit.message
    name, word = (v.code if v is not None else emit.expr("None") for v in (username, password))
    emit.do(f"{target}.proxy = THROUGH(URL, NAME, WORD)", THROUGH=through, URL=url, NAME=name, WORD=word)


ELEMENT = Element(
    "proxy",
    "Sends the request over an HTTP proxy: with CONNECT for https, with the whole URL for http.",
    write,
    sections=INBOUND,
    attributes=(
        Attribute("url", "The proxy: http://host:port.", required=True),
        Attribute("username", "The name that the proxy asks for."),
        Attribute("password", "The password that the proxy asks for."),
    ),
)
