"""`rewrite-uri`: another path and query for the backend, relative to its base URL."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from aforo.messages import decode_component
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Element

_PARAMETER: Final = re.compile(r"\{\*?([^{}]+)\}")


def rewrite(exchange: Exchange, template: str | None, copy: bool) -> None:
    """Parameters of the operation's template are filled in; query parameters that it does not name are copied."""
    request = exchange.request
    matched = request.matched

    def fill(match: re.Match[str]) -> str:
        value = matched.get(match[1])
        return match[0] if value is None else quote(value, safe="/-._~!$&'()*+,;=:@%")

    text = _PARAMETER.sub(fill, (template or "").strip())
    path, _, query = text.partition("?")
    parts = [query] if query else []
    if copy and request.query:
        named = exchange.operation.url_template.partition("?")[2] if exchange.operation is not None else ""
        known = {decode_component(p.partition("=")[0]).lower() for p in named.split("&") if p}
        written = {decode_component(p.partition("=")[0]).lower() for p in query.split("&") if p}
        parts += [
            p
            for p in request.query.split("&")
            if p and decode_component(p.partition("=")[0]).lower() not in known | written
        ]
    request.path = path if path.startswith("/") else "/" + path
    request.query = "&".join(parts)


def write(use: Use, emit: Emitter) -> None:
    template = emit.value(use, "template")
    if template is None:
        return
    emit.site(use, template)
    copy = emit.flag(use, "copy-unmatched-params")
    emit.do("F(x, TEMPLATE, COPY)", F=rewrite, TEMPLATE=template, COPY=copy)


ELEMENT = Element(
    "rewrite-uri",
    "Changes the path and query that the backend gets; the path is relative to the backend's base URL.",
    write,
    sections=INBOUND,
    attributes=(
        Attribute(
            "template",
            "The new path and query; `{name}` stands for a parameter of the operation's template.",
            required=True,
        ),
        Attribute(
            "copy-unmatched-params",
            "Keep the query parameters that the operation's template does not name.",
            "bool",
            default="true",
        ),
    ),
)
