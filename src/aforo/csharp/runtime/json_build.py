"""JSON made and changed by expressions: constructors, content, adding, removing, merging."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import IntEnum
from typing import Any

from aforo.csharp.runtime.collections import HashSet
from aforo.csharp.runtime.collections import each as each_of
from aforo.csharp.runtime.dates import DateTime, DateTimeOffset
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    InvalidOperationException,
    JsonException,
)
from aforo.csharp.runtime.grids import Grid, rows
from aforo.csharp.runtime.guids import Guid
from aforo.csharp.runtime.json import (
    JArray,
    JContainer,
    JObject,
    JProperty,
    JToken,
    JValue,
    adopt,
    deep_clone,
    size,
    token_type,
)
from aforo.csharp.runtime.limits import count, nodes, room, work
from aforo.csharp.runtime.linq_more import Lookup
from aforo.csharp.runtime.objects import Anonymous, Obj, to_string
from aforo.csharp.runtime.queues import Queue, Stack, Tuple
from aforo.csharp.runtime.spans import TimeSpan

# Classes that are not ours and have public properties: (name, attribute) of each.
_SHAPES: dict[type, tuple[tuple[str, str], ...]] = {}


def shape(python: type, *properties: tuple[str, str]) -> None:
    """Says how objects of a class are written as JSON."""
    _SHAPES[python] = properties


def from_object(value: Any) -> JToken:
    """`JToken.FromObject`, and what content arguments become."""
    if isinstance(value, JToken):
        return value
    nodes(1)
    if isinstance(value, Anonymous):
        made = JObject()
        for name, each in zip(value.names, value.values, strict=True):
            made.put(name, from_object(each))
        return made
    if isinstance(value, (HashSet, Queue, Stack, Lookup)):
        return from_object(each_of(value))
    if isinstance(value, Grid):
        return from_object(rows(value))
    if isinstance(value, Tuple):
        made = JObject()
        for at, each in enumerate(value.values, 1):
            made.put(f"Item{at}", from_object(each))
        return made
    if isinstance(value, dict):
        made = JObject()
        for key, each in value.items():
            made.put(to_string(key), from_object(each))
        return made
    if isinstance(value, (list, tuple, set)):
        array = JArray()
        count(len(value))
        for each in value:
            token = from_object(each)
            token = token.value if isinstance(token, JProperty) else token
            array.items.append(adopt(token, array))
        return array
    if value is None or isinstance(
        value, (str, bool, int, float, Decimal, DateTime, DateTimeOffset, Guid, TimeSpan, bytearray)
    ):
        if isinstance(value, IntEnum):
            return JValue(int(value))
        return implicit_value(value)
    if isinstance(value, Obj):
        pair = getattr(value, "pair", None)
        if pair is not None:
            made = JObject()
            made.put("Key", from_object(pair[0]))
            made.put("Value", from_object(pair[1]))
            return made
        pairs = getattr(value, "pairs", None)
        if pairs is not None:
            return from_object(dict(pairs()))
        members = getattr(value, "json_members", None)
        return implicit_value(value.text()) if members is None else from_object(members())
    shape = _SHAPES.get(type(value))
    if shape is not None:
        return from_object({name: getattr(value, attr) for name, attr in shape})
    raise ArgumentException("Could not determine JSON object type for this type.")


def object_from(value: Any) -> JObject:
    token = from_object(value)
    if not isinstance(token, JObject):
        raise ArgumentException(f"Object serialized to {token_type(token).name}. JObject instance expected.")
    return token


def array_from(value: Any) -> JArray:
    token = from_object(value)
    if not isinstance(token, JArray):
        raise ArgumentException(f"Object serialized to {token_type(token).name}. JArray instance expected.")
    return token


def make_object(content: list[Any] | None = None) -> JObject:
    made = JObject()
    for each in _flat(content or ()):
        add_content(made, each)
    return made


def _flat(content: Iterable[Any]) -> Iterator[Any]:
    for each in content:
        work(1)
        if isinstance(each, (list, tuple)):
            yield from _flat(each)
        else:
            yield each


def add_content(target: JObject, each: Any) -> None:
    if each is None:
        return
    if isinstance(each, JProperty):
        if each.name in target.items:
            raise ArgumentException(
                f"Can not add property {each.name} to Newtonsoft.Json.Linq.JObject. Property with the same name already exists on object."
            )
        target.put(each.name, each.value)
        if each.owner is None:
            each.owner = target
            each.parent = target
    elif isinstance(each, JObject):
        for name in each.items:
            target.put(name, each.child(name))
    else:
        kind = each.net_name if isinstance(each, JToken) else "Newtonsoft.Json.Linq.JValue"
        raise ArgumentException(f"Can not add {kind} to Newtonsoft.Json.Linq.JObject.")


def copy_object(other: JObject) -> JObject:
    made = deep_clone(other)
    assert isinstance(made, JObject)
    return made


def copy_array(other: JArray) -> JArray:
    made = deep_clone(other)
    assert isinstance(made, JArray)
    return made


def make_property(name: str | None, content: Any) -> JProperty:
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: name")
    token = from_object(content)
    if isinstance(token, JProperty):
        raise JsonException("Can not add Newtonsoft.Json.Linq.JProperty to Newtonsoft.Json.Linq.JProperty.")
    return JProperty(name, deep_clone(token) if token.parent is not None else token)


def make_property_many(name: str | None, content: list[Any]) -> JProperty:
    return make_property(name, content)


def make_array(content: list[Any] | None = None) -> JArray:
    made = JArray()
    for each in content or ():
        append_token(made, each)
    return made


def make_array_of(content: Any) -> JArray:
    made = JArray()
    if isinstance(content, JArray):
        append_token(made, content)
    elif isinstance(content, (list, tuple, set)):
        for each in content:
            append_token(made, each)
    else:
        append_token(made, content)
    return made


def append_token(target: JArray, value: Any) -> None:
    nodes(1)
    if isinstance(value, (list, tuple)):
        for each in value:
            append_token(target, each)
        return
    count(len(target.items))
    target.items.append(adopt(from_object(value), target))


def make_value(value: Any) -> JValue:
    token = from_object(value)
    if not isinstance(token, JValue):
        raise ArgumentException("Could not determine JSON object type for this type.")
    return JValue(token.value) if token is value else token


def set_scalar(token: JValue, value: Any) -> None:
    token.value = make_value(value).value


def implicit_value(value: Any) -> JValue:
    """A string, number, bool, date or Guid where a JToken is wanted."""
    nodes(1)
    if isinstance(value, (str, bytearray)):
        # The tree shares the text; it counts all the same, for each place where it will be written.
        room(len(value))
    return JValue(str(value) if isinstance(value, str) else value)


# --- changing ---------------------------------------------------------------------------------------------------


def object_add(token: JObject, name: str | None, value: JToken | None) -> None:
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: propertyName")
    if name in token.items:
        raise ArgumentException(
            f"Can not add property {name} to Newtonsoft.Json.Linq.JObject. Property with the same name already exists on object."
        )
    token.put(name, value)


def container_add(token: JToken, content: Any) -> None:
    if isinstance(token, JObject):
        for each in _flat((content,)):
            add_content(token, each)
    elif isinstance(token, JArray):
        append_token(token, content)
    else:
        raise JsonException("Newtonsoft.Json.Linq.JProperty cannot have multiple values.")


def object_remove(token: JObject, name: str | None) -> bool:
    if name is None or name not in token.items:
        return False
    del token.items[name]
    return True


def array_insert(token: JArray, at: int, value: JToken | None) -> None:
    if not 0 <= at <= len(token.items):
        raise ArgumentOutOfRangeException("Index was out of range.\r\nParameter name: index")
    count(len(token.items))
    work(1 + (len(token.items) >> 8))
    token.items.insert(at, adopt(value, token))


def array_remove_at(token: JArray, at: int) -> None:
    token.child(at)
    del token.items[at]


def array_remove(token: JArray, value: JToken | None) -> bool:
    work(len(token.items))
    for i, each in enumerate(token.items):
        if each is value:
            del token.items[i]
            return True
    return False


def clear(token: JContainer) -> None:
    if isinstance(token, (JObject, JArray)):
        token.items.clear()


def remove_all(token: JContainer) -> None:
    clear(token)


def remove_self(token: JToken) -> None:
    above = token.parent
    if above is None:
        raise InvalidOperationException("The parent is missing.")
    work(size(above))
    if isinstance(token, JProperty) and isinstance(above, JObject):
        token.own = above.child(token.name)
        above.items.pop(token.name, None)
        token.owner = None
    elif isinstance(above, JArray):
        above.items = [t for t in above.items if t is not token]
    elif isinstance(above, JObject):
        raise JsonException("Can not remove the value of a property; remove the property.")
    token.parent = None


def replace_self(token: JToken, value: JToken | None) -> None:
    above = token.parent
    if above is None:
        raise InvalidOperationException("The parent is missing.")
    work(size(above))
    if isinstance(above, JArray):
        at = next(i for i, t in enumerate(above.items) if t is token)
        above.items[at] = adopt(value, above)
    elif isinstance(above, JObject):
        if isinstance(token, JProperty):
            if not isinstance(value, JProperty):
                raise ArgumentException("A property is replaced by a property.")
            above.items = {(value.name if k == token.name else k): (adopt(value.value, above) if k == token.name else v) for k, v in above.items.items()}  # fmt: skip
            return
        name = next(k for k, t in above.items.items() if t is token)
        above.put(name, value)


def set_value(token: JProperty, value: JToken | None) -> None:
    if token.owner is not None:
        token.owner.put(token.name, value)
    else:
        token.own = deep_clone(value) if value is not None and value.parent is not None else value
