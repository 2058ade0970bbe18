"""What a Liquid template sees: a body from JSON or XML, and the part of the context that templates may read.

It knows no template engine: what it gives is mappings, lists, texts, numbers and truth values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from aforo.csharp.runtime.dates import DateTime
from aforo.csharp.runtime.formatting import number_text
from aforo.csharp.runtime.json import JValue, wrap
from aforo.csharp.runtime.json_parse import parse_bytes
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.objects import Obj, to_string
from aforo.csharp.runtime.xml_model import XCData, XElement, XText
from aforo.csharp.runtime.xml_read import read_element
from aforo.messages import Headers
from aforo.policy.context.values import HeaderValues, UrlView, original_url, request_url
from aforo.policy.exchange import Exchange, RequestState, ResponseState

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_LARGEST: Final = 2**63


class Real(float):
    """A number with a fraction, written as .NET writes it: 1, not 1.0."""

    def __str__(self) -> str:
        return number_text(float(self), None)


class Date(str):
    """A date of a JSON body: its text, and what the filter `Date` formats."""

    __slots__ = ("date",)
    date: DateTime


class Object(dict[str, Any]):
    """A JSON object, as text: its pairs, as .NET writes them."""

    __slots__ = ()

    def __str__(self) -> str:
        return "".join(f"[{name}, {shown(value)}]" for name, value in self.items())


def shown(value: Any) -> str:
    """A value as the text that a template puts out: elements one behind the other, as DotLiquid has it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(map(shown, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


class Members(Mapping[str, Any]):
    """Names to values or to what computes them; a name in another case is found too."""

    __slots__ = ("_folded", "_items")

    def __init__(self, items: dict[str, Any]) -> None:
        self._items = items
        self._folded: dict[str, str] | None = None

    def __getitem__(self, key: str) -> Any:
        value = self._items.get(key, self)
        if value is self:
            if not isinstance(key, str):
                raise KeyError(key)
            if self._folded is None:
                self._folded = {name.lower(): name for name in reversed(self._items)}
            value = self._items[self._folded[key.lower()]]
        return value() if callable(value) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __str__(self) -> str:
        return ""


class Element(Members):
    """An XML element that holds elements. A loop over it is a loop over it alone."""

    __slots__ = ("_text",)

    def __init__(self, items: dict[str, Any], text: str) -> None:
        super().__init__(items)
        self._text = text

    def __str__(self) -> str:
        return self._text


def body_of(message: RequestState | ResponseState | None, *, nil: bool, dates: bool) -> Any:
    """The body by its Content-Type: JSON, XML, else its text; None for none. CsException where it is neither.

    Authors set the new Content-Type before `set-body` as often as after it: what begins as the other of the two is that.

    `nil`: elements with xsi:nil are null, else the empty text. `dates`: texts in ISO form are dates.
    """
    data = message.body.data if message is not None else None
    if message is None or not data or not data.strip():
        return None
    media = (message.headers.get(b"content-type") or b"").split(b";")[0].strip().lower()
    start = data.lstrip()[:1]
    told = media.endswith((b"json", b"xml"))
    if (told or not media) and start in (b"{", b"["):
        return _json(parse_bytes(bytes(data)), dates)
    if (told or not media) and start == b"<":
        root = read_element(bytes(data))
        return Members({root.name.local: _xml(root, nil)})
    if media.endswith(b"json"):
        return _json(parse_bytes(bytes(data)), dates)
    if media.endswith(b"xml"):
        read_element(bytes(data))  # says what is wrong with it
    return data.decode("utf-8", "replace")


def _json(value: Any, dates: bool) -> Any:
    work(1)
    if isinstance(value, dict):
        return Object((name, _json(each, dates)) for name, each in value.items())
    if isinstance(value, list):
        return [_json(each, dates) for each in value]
    if isinstance(value, str):
        return _date(value) if dates else value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else Real(value)
    if isinstance(value, float):
        return Real(value)
    return to_string(value)


def _date(text: str) -> str:
    token = wrap(text)
    if not isinstance(token, JValue) or not isinstance(token.value, DateTime):
        return text
    made = Date(to_string(token.value))
    made.date = token.value
    return made


def _xml(element: XElement, nil: bool) -> Any:
    work(1)
    children = [n for n in element.nodes if isinstance(n, XElement)]
    text = "".join(n.value for n in element.nodes if isinstance(n, (XText, XCData)))
    if not children:
        missing = any(
            a.name.local == "nil" and a.name.space == _XSI and a.value.strip() in ("true", "1")
            for a in element.attributes
        )
        if missing:
            return None if nil else ""
        return text
    out: dict[str, Any] = {}
    for child in children:
        name, value = child.name.local, _xml(child, nil)
        known = out.get(name, out)
        if known is out:
            out[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            out[name] = [known, value]
    return Element(out, text)


def context_of(exchange: Exchange) -> Members:
    """`context`, as far as templates have it."""
    return Members(
        {
            "Request": lambda: _request(exchange),
            "Response": lambda: _response(exchange),
            "Variables": lambda: _variables(exchange),
        }
    )


def _request(exchange: Exchange) -> Members:
    request = exchange.request
    return Members(
        {
            "Method": request.method,
            "OriginalMethod": request.original_method,
            "Url": lambda: _url(request_url(exchange)),
            "OriginalUrl": lambda: _url(original_url(exchange)),
            "IpAddress": request.ip,
            "HasBody": bool(request.body.data),
            "MatchedParameters": lambda: Members(dict(request.matched)),
            "Headers": lambda: _headers(request.headers),
        }
    )


def _response(exchange: Exchange) -> Members | None:
    response = exchange.response
    if response is None:
        return None
    return Members(
        {
            "StatusCode": response.status,
            "Method": exchange.request.method,
            "Headers": lambda: _headers(response.headers),
        }
    )


def _headers(headers: Headers) -> Members:
    return Members({name: ",".join(values) for name, values in HeaderValues(headers).pairs()})


def _url(view: UrlView) -> Members:
    url = view.url
    return Members(
        {
            "Scheme": url.scheme,
            "Host": url.host,
            "Port": url.port,
            "Path": url.path,
            "QueryString": f"?{url.query}" if url.query else "",
            "Query": lambda: Members({n: ",".join(v) for n, v in url.query_values().items()}),
        }
    )


def _variables(exchange: Exchange) -> Members:
    def read(value: Any) -> Callable[[], Any]:
        return lambda: (
            value if isinstance(value, (str, int, bool)) and not isinstance(value, Obj) else to_string(value)
        )

    return Members({name: read(value) for name, value in exchange.variables.items()})
