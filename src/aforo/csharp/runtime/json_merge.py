"""`Merge` of JSON trees, and its settings."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime.json import JArray, JObject, JToken, JValue, adopt
from aforo.csharp.runtime.json_around import deep_equals
from aforo.csharp.runtime.json_build import append_token, from_object
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.objects import Obj


class ArrayHandling(IntEnum):
    Concat = 0
    Union = 1
    Replace = 2
    Merge = 3


class NullHandling(IntEnum):
    Ignore = 0
    Merge = 1


class MergeSettings(Obj):
    __slots__ = ("arrays", "nulls")
    net_name = "Newtonsoft.Json.Linq.JsonMergeSettings"

    def __init__(self) -> None:
        self.arrays = ArrayHandling.Concat
        self.nulls = NullHandling.Ignore


def set_arrays(settings: MergeSettings, value: int) -> None:
    settings.arrays = ArrayHandling(value)


def set_nulls(settings: MergeSettings, value: int) -> None:
    settings.nulls = NullHandling(value)


_DEFAULT: Final = MergeSettings()


def merge(token: JToken, content: Any, settings: MergeSettings | None = None) -> None:
    """Objects are united, arrays are put one behind the other unless the settings say otherwise, values replaced."""
    how = settings or _DEFAULT
    other = from_object(content)
    if isinstance(token, JObject) and isinstance(other, JObject):
        work(len(other.items))
        for name in list(other.items):
            new, old = other.child(name), token.child(name)
            if isinstance(old, (JObject, JArray)) and type(old) is type(new):
                merge(old, new, how)
            elif how.nulls or not (isinstance(new, JValue) and new.value is None):
                token.put(name, new)
    elif isinstance(token, JArray) and isinstance(other, JArray):
        _merge_arrays(token, other, how)


def _merge_arrays(token: JArray, other: JArray, how: MergeSettings) -> None:
    if how.arrays is ArrayHandling.Merge:
        for at, each in enumerate(other.tokens()):
            if at >= len(token.items):
                append_token(token, each)
                continue
            old = token.child(at)
            if isinstance(old, (JObject, JArray)) and type(old) is type(each):
                merge(old, each, how)
            elif how.nulls or not (isinstance(each, JValue) and each.value is None):
                token.items[at] = adopt(each, token)
        return
    if how.arrays is ArrayHandling.Replace and token is not other:
        token.items.clear()
    for each in other.tokens():
        if how.arrays is not ArrayHandling.Union or not any(deep_equals(each, t) for t in token.tokens()):
            append_token(token, each)
