"""What is around a JSON token and how tokens compare; raw JSON and constructors."""

from __future__ import annotations

from typing import Any

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    InvalidOperationException,
)
from aforo.csharp.runtime.json import (
    JArray,
    JConstructor,
    JContainer,
    JObject,
    JProperty,
    JRaw,
    JToken,
    JValue,
    adopt,
    children,
    deep_clone,
    descendants,
    get_value,
    properties,
    token_type,
    write_plain,
)
from aforo.csharp.runtime.json_build import from_object
from aforo.csharp.runtime.limits import count, nodes, room, work
from aforo.csharp.runtime.objects import TypeInfo, hash_code, to_string
from aforo.csharp.runtime.ordering import compare_values

# --- around a token ---------------------------------------------------------------------------------------------------


def _beside(token: JToken, step: int) -> JToken | None:
    above = token.parent
    if above is None:
        return None
    if isinstance(above, JObject):
        if not isinstance(token, JProperty):
            return None
        names = list(above.items)
        work(len(names))
        at = names.index(token.name) + step
        return JProperty(names[at], None, above) if 0 <= at < len(names) else None
    siblings = children(above)
    at = next((i for i, t in enumerate(siblings) if t is token), -1) + step
    return siblings[at] if 0 <= at < len(siblings) else None


def next_token(token: JToken) -> JToken | None:
    return _beside(token, 1)


def previous_token(token: JToken) -> JToken | None:
    return _beside(token, -1)


def _siblings(token: JToken, step: int) -> list[JToken]:
    out: list[JToken] = []
    above = token.parent
    if above is None:
        return out
    all_of_them = children(above)
    at = next((i for i, t in enumerate(all_of_them) if t is token or _same_property(t, token)), None)
    if at is None:
        return out
    return all_of_them[at + 1 :] if step > 0 else all_of_them[:at]


def _same_property(left: JToken, right: JToken) -> bool:
    return isinstance(left, JProperty) and isinstance(right, JProperty) and left.name == right.name


def after_self(token: JToken) -> list[JToken]:
    return _siblings(token, 1)


def before_self(token: JToken) -> list[JToken]:
    return _siblings(token, -1)


def ancestors(token: JToken) -> list[JToken]:
    """Containers above it; the value of a property has the property above it."""
    out: list[JToken] = []
    now = token
    while now.parent is not None:
        above = now.parent
        work(1 + (len(above.items) if isinstance(above, JObject) else 0))
        if isinstance(above, JObject) and not isinstance(now, JProperty):
            name = next(k for k, t in above.items.items() if t is now)
            out.append(JProperty(name, None, above))
        out.append(above)
        now = above
    return out


def ancestors_and_self(token: JToken) -> list[JToken]:
    return [token, *ancestors(token)]


def descendants_and_self(token: JContainer) -> list[JToken]:
    return [token, *descendants(token)]


def _list_place(token: JToken) -> tuple[JContainer, int]:
    above = token.parent
    if above is None:
        raise InvalidOperationException("The parent is missing.")
    if isinstance(above, JArray):
        work(len(above.items))
        return above, next(i for i, t in enumerate(above.items) if t is token)
    if isinstance(above, JObject) and isinstance(token, JProperty):
        return above, list(above.items).index(token.name)
    raise ArgumentException("Newtonsoft.Json.Linq.JProperty cannot have multiple values.")


def add_after(token: JToken, content: Any) -> None:
    above, at = _list_place(token)
    insert(above, at + 1, content)


def add_before(token: JToken, content: Any) -> None:
    above, at = _list_place(token)
    insert(above, at, content)


def insert(container: JContainer, at: int, content: Any) -> None:
    """Content at a place of an array or object."""
    items = list(content) if isinstance(content, (list, tuple)) else [content]
    nodes(len(items))
    if isinstance(container, JArray):
        count(len(container.items) + len(items))
        work(1 + (len(container.items) >> 8))
        container.items[at:at] = [adopt(from_object(each), container) for each in items]
        return
    if not isinstance(container, JObject):
        raise ArgumentException(f"Can not add content to {container.net_name}.")
    before = dict(container.items)
    work(len(before))
    made = JObject()
    for each in items:
        if not isinstance(each, JProperty):
            kind = each.net_name if isinstance(each, JToken) else "Newtonsoft.Json.Linq.JValue"
            raise ArgumentException(f"Can not add {kind} to Newtonsoft.Json.Linq.JObject.")
        if each.name in before or each.name in made.items:
            raise ArgumentException(
                f"Can not add property {each.name} to Newtonsoft.Json.Linq.JObject. Property with the same name already exists on object."
            )
        made.items[each.name] = adopt(each.value, container)
        if each.owner is None:
            each.owner = each.parent = container
    names = list(before)
    container.items.clear()
    container.items.update({n: before[n] for n in names[:at]})
    container.items.update(made.items)
    container.items.update({n: before[n] for n in names[at:]})


def add_first(container: JContainer, content: Any) -> None:
    insert(container, 0, content)


def replace_all(container: JContainer, content: Any) -> None:
    if isinstance(container, (JObject, JArray)):
        container.items.clear()
    insert(container, 0, content)


# --- places and equality -----------------------------------------------------------------------------------------------


def root(token: JToken) -> JToken:
    now = token
    while now.parent is not None:
        work(1)
        now = now.parent
    return now


def path(token: JToken) -> str:
    parts: list[str] = []
    now: JToken = token
    while now.parent is not None:
        above = now.parent
        work(len(above.items) if isinstance(above, (JObject, JArray)) else 1)
        if isinstance(above, JArray):
            parts.append(f"[{next(i for i, t in enumerate(above.items) if t is now)}]")
        elif isinstance(above, JObject):
            name = (
                now.name
                if isinstance(now, JProperty)
                else next(k for k, t in above.items.items() if t is now)
            )
            parts.append(f".{name}" if name.isidentifier() else f"['{name}']")
        now = above
    return "".join(reversed(parts)).removeprefix(".")


def deep_equals(left: JToken | None, right: JToken | None) -> bool:
    if left is None or right is None:
        return left is right
    return bool(_comparable(left) == _comparable(right))


def _comparable(token: Any) -> Any:
    nodes(1)
    if isinstance(token, JObject):
        return {k: _comparable(token.child(k)) for k in token.items}
    if isinstance(token, JArray):
        return [_comparable(t) for t in token.tokens()]
    if isinstance(token, JProperty):
        return ("property", token.name, _comparable(token.value))
    return (token_type(token), token.value)


# --- objects and arrays -------------------------------------------------------------------------------------------------


def property_values(token: JObject) -> list[JToken]:
    return [p.value for p in properties(token)]


def property_with(token: JObject, name: str | None, comparison: int) -> JProperty | None:
    if name is None:
        return None
    found = next((k for k in token.items if k == name), None)
    if found is None and comparison in (1, 3, 5):
        work(len(token.items))
        found = next((k for k in token.items if k.upper() == name.upper()), None)
    return JProperty(found, None, token) if found is not None else None


def try_get_with(token: JObject, name: str | None, comparison: int) -> tuple[bool, JToken | None]:
    found = get_value(token, name, comparison)
    return found is not None, found


def index_of(token: JArray, value: JToken | None) -> int:
    work(len(token.items))
    return next((i for i, t in enumerate(token.items) if t is value), -1)


def contains(token: JArray, value: JToken | None) -> bool:
    return index_of(token, value) >= 0


def values(token: JToken) -> list[JToken]:
    return [c.value if isinstance(c, JProperty) else c for c in children(token)]


def values_at(token: JToken, key: Any) -> list[JToken]:
    """`Values("name")` of the extension methods: that child of each element."""
    from aforo.csharp.runtime.json import at_key

    found = [at_key(c, key) for c in values(token) if isinstance(c, (JObject, JArray))]
    return [f for f in found if f is not None]


def values_as(token: JToken, info: TypeInfo, key: Any) -> list[Any]:
    from aforo.csharp.runtime.json_convert import convert

    return [convert(t, info) for t in values_at(token, key)]


# --- values -------------------------------------------------------------------------------------------------------------


def make_text(value: str | None) -> JValue:
    return JValue(value)


def make_null() -> JValue:
    return JValue(None)


def compare_to(value: JValue, other: JValue | None) -> int:
    if other is None:
        return 1
    left, right = value.value, other.value
    if left is None or right is None:
        return int(left is not None) - int(right is not None)
    if isinstance(left, str) != isinstance(right, str):
        left, right = to_string(left), to_string(right)
    return compare_values(left, right)


def value_equals(value: JValue, other: Any) -> bool:
    return isinstance(other, JValue) and token_type(value) == token_type(other) and value.value == other.value


def value_hash(value: JValue) -> int:
    return 0 if value.value is None else hash_code(value.value)


def json_text(value: Any) -> str:
    """`JsonConvert.ToString(value)`: one scalar as JSON."""
    return write_plain(from_object(value), indented=False)


def make_raw(text: Any) -> JRaw:
    nodes(1)
    written = "" if text is None else to_string(text)
    room(len(written))
    return JRaw(written)


def copy_raw(other: JRaw | None) -> JRaw:
    if other is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: other")
    return JRaw(other.value)


def make_constructor(name: str | None, content: list[Any]) -> JConstructor:
    if not name:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: name")
    nodes(1 + len(content))
    made = JConstructor(name)
    for each in content:
        token = from_object(each)
        made.items.append(adopt(deep_clone(token) if token.parent is not None else token, made))
    return made


def set_constructor_name(token: JConstructor, name: str) -> None:
    token.name = name
