"""Tokens to values: explicit casts, `Value<T>`, `ToObject<T>`, JsonConvert. Through Convert, as Newtonsoft does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aforo.csharp.runtime.collections import Dictionary, HashSet, List
from aforo.csharp.runtime.converting import change_type
from aforo.csharp.runtime.enums import NetType, boxed, known
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    InvalidCastException,
    JsonException,
)
from aforo.csharp.runtime.json import (
    JArray,
    JObject,
    JProperty,
    JToken,
    JValue,
    at_key,
    children,
    token_type,
    write_plain,
)
from aforo.csharp.runtime.json_build import from_object
from aforo.csharp.runtime.json_parse import parse_token
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.objects import TypeInfo, to_string


def _scalar(token: JToken | None, target: str) -> Any:
    """The value of a JValue for an explicit cast; what cannot be converted is an ArgumentException."""
    if token is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    if isinstance(token, JProperty):
        token = token.value
    if not isinstance(token, JValue):
        raise ArgumentException(f"Can not convert {token_type(token).name} to {target}.")
    return token.value


def to_text(token: JToken | None) -> str | None:
    """`(string)token`"""
    if token is None:
        return None
    value = _scalar(token, "String")
    if isinstance(value, bytearray):
        import base64

        return base64.b64encode(value).decode()
    return None if value is None else to_string(value)


def cast_token(token: JToken | None, name: str, run: Callable[[Any], Any]) -> Any:
    """`(int)token` and its kin: through Convert, as Newtonsoft does it."""
    value = _scalar(token, name)
    if value is None:
        raise ArgumentException(f"Can not convert Null to {name}.")
    return run(value)


def cast_token_nullable(token: JToken | None, name: str, run: Callable[[Any], Any]) -> Any:
    if token is None or (isinstance(token, JValue) and token.value is None):
        return None
    return cast_token(token, name, run)


def convert(token: JToken | None, info: TypeInfo) -> Any:
    """`Value<T>()`: the token itself when T is a token type, else its value changed to T."""
    if token is None:
        return info.default
    if isinstance(info.python, type) and issubclass(info.python, JToken):
        if isinstance(token, info.python):
            return token
        if isinstance(token, JProperty) and isinstance(token.value, info.python):
            return token.value
        raise InvalidCastException(f"Cannot cast {token.net_name} to {info.python.net_name}.")
    if isinstance(token, JProperty):
        token = token.value
    if info.python is object:
        return token.value if isinstance(token, JValue) else token
    if not isinstance(token, JValue):
        raise InvalidCastException(f"Cannot cast {token.net_name} to Newtonsoft.Json.Linq.JToken.")
    return change_type(token.value, info)


def value_at(token: JToken, info: TypeInfo, key: Any) -> Any:
    return convert(at_key(token, key), info)


def value_of(token: JToken, info: TypeInfo) -> Any:
    return convert(token, info)


def to_object(token: JToken | None, info: TypeInfo) -> Any:
    """`ToObject<T>()`: tokens, scalars, arrays, lists and dictionaries of them."""
    if token is None:
        return info.default
    work(1)
    if isinstance(token, JProperty):
        token = token.value
    if info.element is not None and isinstance(token, JValue) and token.value is None:
        return None
    if info.element is not None:
        if isinstance(token, JArray) and info.name in (
            "[]",
            "List",
            "IList",
            "IEnumerable",
            "ICollection",
            "IReadOnlyList",
            "HashSet",
        ):
            elements = [to_object(t, info.element) for t in token.tokens()]
            if info.name == "HashSet":
                return HashSet(elements)
            return List(elements) if info.name not in ("[]", "IEnumerable") else elements
        if isinstance(token, JObject) and info.name in ("Dictionary", "IDictionary", "IReadOnlyDictionary"):
            made = Dictionary()
            for name in token.items:
                made[name] = to_object(token.child(name), info.element)
            return made
        raise JsonException(
            f"Cannot deserialize the current JSON {token_type(token).name.lower()} into this type."
        )
    return convert(token, info)


def serialize(value: Any, formatting: int = 0) -> str:
    return write_plain(from_object(value), indented=bool(formatting))


def deserialize(info: TypeInfo, text: str | None) -> Any:
    return to_object(parse_token(text), info)


def deserialize_object(text: str | None) -> Any:
    token = parse_token(text)
    return token.value if isinstance(token, JValue) else token


def to_object_of(token: JToken, kind: NetType) -> Any:
    """`ToObject(typeof(T))`"""
    info = known(kind)
    return boxed(to_object(token, info), info)


def deserialize_of(text: str | None, kind: NetType) -> Any:
    return to_object_of(parse_token(text), kind)


def values_of(token: JToken, info: TypeInfo) -> list[Any]:
    inner = [c.value if isinstance(c, JProperty) else c for c in children(token)]
    return [convert(c, info) for c in inner]
