"""The JToken family of Newtonsoft.Json: trees over parsed JSON whose nodes are made when they are touched.

A JObject or JArray holds plain Python values until somebody asks for one; that value is then wrapped in its
place. Reading one field of a long prompt costs one node, and an untouched tree is written back as it came.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final

import orjson

from aforo.csharp.runtime import json_special
from aforo.csharp.runtime.dates import DateTime, DateTimeOffset, parse_date
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    CsException,
    InvalidOperationException,
)
from aforo.csharp.runtime.guids import Guid
from aforo.csharp.runtime.limits import LimitExceeded, count, made, nodes, room, work
from aforo.csharp.runtime.objects import Obj, TypeInfo, to_string
from aforo.csharp.runtime.spans import TimeSpan


class JTokenType(IntEnum):
    Nothing = 0  # `None` in C#
    Object = 1
    Array = 2
    Constructor = 3
    Property = 4
    Comment = 5
    Integer = 6
    Float = 7
    String = 8
    Boolean = 9
    Null = 10
    Undefined = 11
    Date = 12
    Raw = 13
    Bytes = 14
    Guid = 15
    Uri = 16
    TimeSpan = 17


class Formatting(IntEnum):
    Plain = 0  # `None` in C#
    Indented = 1


_MISSING: Final = object()
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,7})?(?:Z|[+-]\d{2}:\d{2})?\Z")


class JToken(Obj):
    __slots__ = ("parent",)
    net_name = "Newtonsoft.Json.Linq.JToken"
    parent: JContainer | None

    def text(self, _spec: str | None = None) -> str:
        return write(self, indented=True)

    def elements(self) -> list[JToken]:
        return children(self)


class JContainer(JToken):
    __slots__ = ()


class JObject(JContainer):
    __slots__ = ("items",)
    net_name = "Newtonsoft.Json.Linq.JObject"

    def __init__(self, items: dict[str, Any] | None = None) -> None:
        self.items: dict[str, Any] = {} if items is None else items
        self.parent = None

    def child(self, name: str) -> JToken | None:
        value = self.items.get(name, _MISSING)
        if isinstance(value, JToken):
            return value
        if value is _MISSING:
            return None
        token = wrap(value)
        token.parent = self
        self.items[name] = token
        return token

    def pairs(self) -> Iterator[tuple[str, JToken | None]]:
        for name in list(self.items):
            yield name, self.child(name)

    def put(self, name: str, value: JToken | None) -> None:
        count(len(self.items))
        nodes(1)
        room(len(name))
        self.items[name] = adopt(value, self)


class JArray(JContainer):
    __slots__ = ("items",)
    net_name = "Newtonsoft.Json.Linq.JArray"

    def __init__(self, items: list[Any] | None = None) -> None:
        self.items: list[Any] = [] if items is None else items
        self.parent = None

    def child(self, at: int) -> JToken:
        if not 0 <= at < len(self.items):
            raise ArgumentOutOfRangeException(
                "Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: index"
            )
        value = self.items[at]
        if isinstance(value, JToken):
            return value
        token = wrap(value)
        token.parent = self
        self.items[at] = token
        return token

    def tokens(self) -> list[JToken]:
        work(len(self.items))
        return [self.child(i) for i in range(len(self.items))]


class JProperty(JContainer):
    """A property on its own, or a view of one in an object: then `owner` holds the value."""

    __slots__ = ("name", "own", "owner")
    net_name = "Newtonsoft.Json.Linq.JProperty"

    def __init__(self, name: str, own: JToken | None, owner: JObject | None = None) -> None:
        self.name = name
        self.own = own
        self.owner = owner
        self.parent = owner

    @property
    def value(self) -> JToken:
        if self.owner is not None:
            found = self.owner.child(self.name)
            if found is not None:
                return found
        return self.own if self.own is not None else JValue(None)


class JValue(JToken):
    __slots__ = ("value",)
    net_name = "Newtonsoft.Json.Linq.JValue"

    def __init__(self, value: Any) -> None:
        self.value = value
        self.parent = None

    def text(self, spec: str | None = None) -> str:
        if spec:
            from aforo.csharp.runtime.objects import format_value

            return format_value(self.value, spec)
        return to_string(self.value)


class JRaw(JValue):
    """JSON that is written as it is."""

    __slots__ = ()
    net_name = "Newtonsoft.Json.Linq.JRaw"


class JConstructor(JArray):
    """`new Date(1)`: a name and arguments; JavaScript, which Newtonsoft writes too."""

    __slots__ = ("name",)
    net_name = "Newtonsoft.Json.Linq.JConstructor"

    def __init__(self, name: str, items: list[Any] | None = None) -> None:
        super().__init__(items)
        self.name = name


def wrap(value: Any) -> JToken:
    """A node for a plain value; text in ISO form becomes a date, as Newtonsoft's reader has it."""
    if isinstance(value, dict):
        return JObject(value)
    if isinstance(value, list):
        return JArray(value)
    if (
        type(value) is str
        and len(value) >= 19
        and value[4] == "-"
        and value[10] == "T"
        and _DATE.match(value)
    ):
        try:
            parsed = parse_date(value)
        except CsException:
            return JValue(value)
        return JValue(DateTime(parsed.ticks, 1 if value.endswith("Z") else parsed.kind))
    return JValue(value)


def adopt(token: JToken | None, parent: JContainer) -> JToken:
    """A token as a child of `parent`; one that has a parent already is copied."""
    if token is None:
        token = JValue(None)
    if isinstance(token, JProperty):
        raise ArgumentException("Can not add Newtonsoft.Json.Linq.JProperty to Newtonsoft.Json.Linq.JArray.")
    if token.parent is not None or token is parent:
        token = deep_clone(token)
    token.parent = parent
    return token


# --- text -----------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """What orjson is given for a value that it does not know."""
    work(1)
    if isinstance(value, JConstructor):
        inner = ",".join(write_plain(t, indented=False) for t in value.tokens())
        return orjson.Fragment(f"new {value.name}({inner})")
    if isinstance(value, (JObject, JArray)):
        return value.items
    if isinstance(value, JRaw):
        return orjson.Fragment(value.value or "null")
    if isinstance(value, JValue):
        return value.value
    if isinstance(value, JProperty):
        return {value.name: value.value}
    if isinstance(value, DateTime):
        return value.text("yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
    if isinstance(value, DateTimeOffset):
        return value.text("yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
    if isinstance(value, Obj):
        return value.text()
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}" if "." in f"{value:f}" else f"{value:f}.0")
    if isinstance(value, bytearray):
        return b64encode(value).decode()
    if isinstance(value, float):
        return float(value)
    raise TypeError


def write(token: JToken, *, indented: bool) -> str:
    """JSON text; indented as Newtonsoft does it, with two spaces and CRLF."""
    if isinstance(token, JValue) and isinstance(token.value, str) and indented:
        return token.value
    if isinstance(token, JProperty):
        return f'"{token.name}": {write(token.value, indented=indented)}'
    return write_plain(token, indented=indented)


def write_plain(value: Any, *, indented: bool, again: bool = False) -> str:
    options = orjson.OPT_INDENT_2 if indented else 0
    try:
        text = orjson.dumps(value, default=_plain, option=options).decode()
    except (TypeError, orjson.JSONEncodeError) as error:
        if "recursion" in str(error).lower():
            raise LimitExceeded("an expression wrote JSON that is nested too deeply") from None
        from json import dumps

        try:
            text = dumps(
                value, default=_plain_or_text, ensure_ascii=False, indent=2 if indented else None,
                separators=None if indented else (",", ":"),
            )  # fmt: skip
        except RecursionError:
            raise LimitExceeded("an expression wrote JSON that is nested too deeply") from None
    if not again and json_special.differs(text, value, _plain):
        return write_plain(json_special.named(value, _plain), indented=indented, again=True)
    return made(json_special.escaped(text.replace("\n", "\r\n") if indented else text))


def _plain_or_text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return _plain(value)


def token_text(token: JToken) -> str:
    return token.text()


def token_text_formatted(token: JToken, formatting: int, _converters: list[Any] | None = None) -> str:
    if isinstance(token, JValue) and isinstance(token.value, str):
        return write_plain(token.value, indented=False)
    return write(token, indented=bool(formatting))


def deep_clone(token: JToken) -> JToken:
    """A copy; each of its nodes, names and texts is charged before it is made."""
    if isinstance(token, (JObject, JArray)):
        copied = _clone_raw(token.items)
        if isinstance(token, JConstructor):
            return JConstructor(token.name, copied)
        return JObject(copied) if isinstance(token, JObject) else JArray(copied)
    if isinstance(token, JProperty):
        return JProperty(token.name, deep_clone(token.value))
    assert isinstance(token, JValue)
    _clone_raw(token.value)
    return type(token)(token.value)


def _clone_raw(value: Any) -> Any:
    if isinstance(value, JToken):
        # Values go back to their plain form; they are wrapped again when touched.
        return deep_clone(value)
    if isinstance(value, dict):
        nodes(1)
        work(len(value))
        room(sum(map(len, value)) + len(value) * 16)
        return {k: _clone_raw(v) for k, v in value.items()}
    if isinstance(value, list):
        nodes(1)
        work(len(value))
        room(len(value) * 16)
        return [_clone_raw(v) for v in value]
    if isinstance(value, (str, bytearray)):
        # The copy shares the text, but it counts: what is written out must not be more than what was counted.
        room(len(value))
    return value


# --- reading ---------------------------------------------------------------------------------------------------


def token_type(token: JToken) -> JTokenType:
    if isinstance(token, JObject):
        return JTokenType.Object
    if isinstance(token, JArray):
        return JTokenType.Constructor if isinstance(token, JConstructor) else JTokenType.Array
    if isinstance(token, JProperty):
        return JTokenType.Property
    assert isinstance(token, JValue)
    value = token.value
    if isinstance(token, JRaw):
        return JTokenType.Raw
    if value is None:
        return JTokenType.Null
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return JTokenType.Undefined


_KINDS: Final[tuple[tuple[Any, JTokenType], ...]] = (
    (bool, JTokenType.Boolean),
    (str, JTokenType.String),
    (int, JTokenType.Integer),
    ((float, Decimal), JTokenType.Float),
    ((DateTime, DateTimeOffset), JTokenType.Date),
    (Guid, JTokenType.Guid),
    (TimeSpan, JTokenType.TimeSpan),
    (bytearray, JTokenType.Bytes),
)


def at_key(token: JToken, key: Any) -> JToken | None:
    """`token["name"]`, `token[0]` on a JToken whose kind is not known before."""
    if isinstance(token, JObject):
        if not isinstance(key, str):
            raise ArgumentException(
                f"Accessed JObject values with invalid key value: {to_string(key)}. Object property name expected."
            )
        return token.child(key)
    if isinstance(token, JArray):
        if not isinstance(key, int):
            raise ArgumentException(
                f'Accessed JArray values with invalid key value: "{to_string(key)}". Int32 array index expected.'
            )
        return token.child(key)
    if isinstance(token, JProperty):
        raise InvalidOperationException("Cannot access child value on Newtonsoft.Json.Linq.JProperty.")
    raise InvalidOperationException("Cannot access child value on Newtonsoft.Json.Linq.JValue.")


def object_at(token: JObject, name: str | None) -> JToken | None:
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: propertyName")
    return token.child(name)


def set_at(token: JToken, key: Any, value: JToken | None) -> None:
    if isinstance(token, JObject) and isinstance(key, str):
        token.put(key, value)
    elif isinstance(token, JArray) and isinstance(key, int):
        token.child(key)
        token.items[key] = adopt(value, token)
    else:
        at_key(token, key)


def get_value(token: JObject, name: str | None, comparison: int = 4) -> JToken | None:
    if name is None:
        return None
    found = token.child(name)
    if found is None and comparison in (1, 3, 5):
        work(len(token.items))
        real = next((k for k in token.items if k.upper() == name.upper()), None)
        return token.child(real) if real is not None else None
    return found


def try_get_value(token: JObject, name: str | None) -> tuple[bool, JToken | None]:
    found = None if name is None else token.child(name)
    return found is not None, found


def contains_key(token: JObject, name: str | None) -> bool:
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: propertyName")
    return name in token.items


def object_property(token: JObject, name: str | None) -> JProperty | None:
    return JProperty(name, None, token) if name is not None and name in token.items else None


def properties(token: JObject) -> list[JProperty]:
    nodes(len(token.items))
    return [JProperty(name, None, token) for name in token.items]


def children(token: JToken) -> list[JToken]:
    if isinstance(token, JObject):
        return list(properties(token))
    if isinstance(token, JArray):
        return token.tokens()
    if isinstance(token, JProperty):
        return [token.value]
    return []


def children_of(token: JToken, info: TypeInfo) -> list[Any]:
    return [c for c in children(token) if isinstance(c, info.python)]


def descendants(token: JContainer) -> list[JToken]:
    out: list[JToken] = []
    stack: list[JToken] = list(reversed(children(token)))
    while stack:
        now = stack.pop()
        out.append(now)
        count(len(out))
        stack.extend(reversed(children(now)))
    return out


def size(token: JToken) -> int:
    return len(children(token)) if not isinstance(token, (JObject, JArray)) else len(token.items)


def has_values(token: JToken) -> bool:
    return size(token) > 0


def first(token: JToken) -> JToken | None:
    return next(iter(children(token)), None)


def last(token: JToken) -> JToken | None:
    inner = children(token)
    return inner[-1] if inner else None


def parent(token: JToken) -> JToken | None:
    """The container; what an object holds has its property above it."""
    above = token.parent
    if isinstance(above, JObject) and not isinstance(token, JProperty):
        work(len(above.items))
        name = next((k for k, t in above.items.items() if t is token), None)
        return above if name is None else JProperty(name, None, above)
    return above


def property_name(token: JProperty) -> str:
    return token.name


def property_value(token: JProperty) -> JToken:
    return token.value


def scalar_value(token: JValue) -> Any:
    from aforo.csharp.runtime.numbers import Int64

    value = token.value
    return Int64(value) if type(value) is int else value
