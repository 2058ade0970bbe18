"""Headers, query parameters and URLs of a call, as expressions see them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from aforo.csharp.runtime.exceptions import KeyNotFoundException, given
from aforo.csharp.runtime.objects import Obj
from aforo.messages import Headers, Url, parse_url
from aforo.policy.exchange import Exchange
from aforo.policy.running import header_text
from aforo.policy.subject import Api


class Values(Obj):
    """Headers or query parameters: names without case to lists of texts."""

    __slots__ = ()

    def all(self, name: str) -> list[str]:
        raise NotImplementedError

    def joined(self, name: str) -> str | None:
        """All values with a comma between them, None where there are none."""
        found = self.all(name)
        return ",".join(found) if found else None

    def pairs(self) -> Iterator[tuple[str, list[str]]]:
        raise NotImplementedError

    # As a dictionary, for expressions that hold it as `IReadOnlyDictionary<string, string[]>`.

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return sum(1 for _ in self.pairs())

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs())

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def __getitem__(self, name: str) -> list[str]:
        found = self.all(name)
        if not found:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        return self.all(name) or default

    def values(self) -> list[list[str]]:
        return [values for _, values in self.pairs()]


class HeaderValues(Values):
    __slots__ = ("headers",)

    def __init__(self, headers: Headers) -> None:
        self.headers = headers

    def all(self, name: str) -> list[str]:
        return [header_text(v) for v in self.headers.get_all(name.lower().encode("utf-8", "replace"))]

    def joined(self, name: str) -> str | None:
        value = self.headers.fields.get(name.lower().encode("utf-8", "replace"))
        if isinstance(value, list):
            return ",".join([header_text(v) for v in value])
        return None if value is None else header_text(value)

    def pairs(self) -> Iterator[tuple[str, list[str]]]:
        for name in self.headers.names():
            yield name.decode("latin-1"), [header_text(v) for v in self.headers.get_all(name)]


class QueryValues(Values):
    __slots__ = ("parameters",)

    def __init__(self, values: dict[str, list[str]]) -> None:
        self.parameters = values

    def all(self, name: str) -> list[str]:
        if name in self.parameters:
            return self.parameters[name]
        wanted = name.lower()
        return [v for n, vs in self.parameters.items() if n.lower() == wanted for v in vs]

    def pairs(self) -> Iterator[tuple[str, list[str]]]:
        return iter(self.parameters.items())


def values_at(values: Values, name: str | None) -> list[str]:
    found = values.all(given(name, "key"))
    if not found:
        raise KeyNotFoundException
    return found


def values_has(values: Values, name: str | None) -> bool:
    return bool(values.all(given(name, "key")))


def values_get(values: Values, name: str | None) -> tuple[bool, list[str] | None]:
    found = values.all(given(name, "key"))
    return bool(found), found or None


def values_or(values: Values, name: str | None, default: str | None = None) -> str | None:
    """`GetValueOrDefault`: all values joined with a comma, else the default."""
    found = values.joined(name if name is not None else given(name, "key"))
    return default if found is None else found


def values_names(values: Values) -> list[str]:
    return [n for n, _ in values.pairs()]


def values_lists(values: Values) -> list[list[str]]:
    return [v for _, v in values.pairs()]


def values_count(values: Values) -> int:
    return len(values_names(values))


class UrlView(Obj):
    """`IUrl`."""

    __slots__ = ("url",)

    def __init__(self, url: Url) -> None:
        self.url = url

    def text(self, _spec: str | None = None) -> str:
        return str(self.url)


def original_url(x: Exchange) -> UrlView:
    return UrlView(x.request.url)


def request_url(x: Exchange) -> UrlView:
    """What the backend is going to be asked for (docs/decisions/0011): base URL, then the relative path and query."""
    base = x.backend_base_url or (x.api.service_url if x.api is not None and x.backend_id is None else "")
    client = x.request.url
    if base:
        try:
            known = _base(base)
        except ValueError:
            known = Url(client.scheme, client.host, client.port, "")
    else:
        known = Url(client.scheme, client.host, client.port, "")
    path = known.path.rstrip("/") + x.request.path
    return UrlView(Url(known.scheme, known.host, known.port, path or "/", x.request.query))


@lru_cache(maxsize=256)
def _base(text: str) -> Url:
    return parse_url(text)


def api_url(api: Api) -> UrlView | None:
    try:
        return UrlView(_base(api.service_url))
    except ValueError:
        return None


def url_host(view: UrlView) -> str:
    return view.url.host


def url_path(view: UrlView) -> str:
    return view.url.path


def url_port(view: UrlView) -> int:
    return view.url.port


def url_scheme(view: UrlView) -> str:
    return view.url.scheme


def url_query(view: UrlView) -> QueryValues:
    return QueryValues(view.url.query_values())


def url_query_string(view: UrlView) -> str:
    return f"?{view.url.query}" if view.url.query else ""


def url_text(view: UrlView) -> str:
    return view.text()
