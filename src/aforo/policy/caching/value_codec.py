"""Values of expressions as bytes and back, with their .NET types: what the value cache holds. It knows no cache.

One byte of version, one of flags, then MessagePack: null, bool, int, double, string and arrays as they are, every
other type as an extension of its own. Whatever else the bytes are, they read as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from aforo.csharp.runtime.collections import Dictionary, HashSet, List
from aforo.csharp.runtime.dates import DateTime, DateTimeOffset
from aforo.csharp.runtime.exceptions import CsException, InvalidCastException
from aforo.csharp.runtime.guids import Guid
from aforo.csharp.runtime.json import JArray, JContainer, JObject, JProperty, JToken, JValue, wrap
from aforo.csharp.runtime.numbers import BOXES, RANGES, check_decimal
from aforo.csharp.runtime.objects import Char, net_type_name
from aforo.csharp.runtime.spans import TimeSpan
from aforo.csharp.runtime.strings import IGNORE_CASE
from aforo.messages import Headers
from aforo.policy.exchange import Body, ResponseState

VERSION: Final = 1
_SECRET: Final = 1
# A value that takes more is not kept.
MAX_BYTES: Final = 4 * 1024 * 1024

_CHAR, _WIDE, _DECIMAL, _DATE, _OFFSET, _SPAN, _GUID, _BYTES, _LIST, _DICTIONARY, _SET = range(1, 12)
_OBJECT, _ARRAY, _VALUE, _PROPERTY, _RESPONSE, _BIG = range(20, 26)
_BOX_CODES: Final = {kind: 40 + at for at, kind in enumerate(BOXES.values())}

Ext = msgspec.msgpack.Ext
_Tree = TypeVar("_Tree", JObject, JArray)


class Kept(NamedTuple):
    """A value out of the cache. `secret`: what was put in had a secret in it."""

    value: Any
    secret: bool


def encode(value: Any, *, secret: bool) -> bytes | None:
    """The value as bytes, None when it is too large. InvalidCastException for a type that is not kept."""
    try:
        data = _pack(_plain(value))
    except RecursionError:
        raise InvalidCastException("The value is nested too deeply to be stored in the cache.") from None
    if len(data) > MAX_BYTES:
        return None
    return bytes((VERSION, _SECRET if secret else 0)) + data


def decode(data: bytes | None) -> Kept | None:
    """What `encode` was given. None for nothing, for another version, and for bytes that are nothing of ours."""
    if data is None or len(data) < 3 or data[0] != VERSION or data[1] & ~_SECRET:
        return None
    try:
        return Kept(_checked(_DECODER.decode(data[2:])), bool(data[1] & _SECRET))
    except (
        msgspec.MsgspecError,
        ValueError,
        TypeError,
        KeyError,
        ArithmeticError,
        RecursionError,
        CsException,
    ):
        return None


def _pack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def _plain(value: Any) -> Any:
    """The value in what MessagePack knows."""
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is str:
        return _text(value)
    if kind is int:
        return value if -(2**63) <= value < 2**64 else Ext(_BIG, str(value).encode())
    if kind is list:
        return [_plain(v) for v in value]
    write = _WRITERS.get(kind)
    if write is not None:
        return write(value)
    raise InvalidCastException(f"A value of type '{net_type_name(value)}' cannot be stored in the cache.")


def _text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair: .NET's strings can hold it.
        return Ext(_WIDE, value.encode("utf-8", "surrogatepass"))
    return value


def _decimal(value: Decimal) -> Ext:
    return Ext(_DECIMAL, str(value).encode())


def _dictionary(value: Dictionary) -> Ext:
    pairs = [[_plain(k), _plain(v)] for k, v in value.items()]
    return Ext(_DICTIONARY, _pack([value.fold is not None, pairs]))


def _set(value: HashSet) -> Ext:
    return Ext(_SET, _pack([value.fold is not None, [_plain(v) for v in value]]))


def _map(value: dict[str, Any]) -> dict[Any, Any]:
    """A dictionary of the context (text to text)."""
    return {_key(k): _plain(v) for k, v in value.items()}


def _key(name: Any) -> str:
    if type(name) is not str or (not name.isascii() and _text(name) is not name):
        raise InvalidCastException("A dictionary with such a key cannot be stored in the cache.")
    return name


# A tree keeps plain values where nobody has touched it, and nodes elsewhere (csharp.runtime.json).


def _tree(value: Any) -> Any:
    if isinstance(value, (JObject, JArray)):
        value = value.items
    if type(value) is dict:
        names = [n if n.isascii() else _text(n) for n in value]
        if all(type(n) is str for n in names):
            return {n: _tree(v) for n, v in value.items()}
        return Ext(
            _DICTIONARY, _pack([False, [[n, _tree(v)] for n, v in zip(names, value.values(), strict=True)]])
        )
    if type(value) is list:
        return [_tree(v) for v in value]
    if isinstance(value, JValue):
        inner = value.value
        again = wrap(inner) if type(inner) in _BARE else None
        # A text that would be read as a date again, and what JSON has no word for, stay nodes.
        return (
            _plain(inner) if isinstance(again, JValue) and type(again.value) is type(inner) else _value(value)
        )
    return _plain(value)


_BARE: Final = (type(None), bool, int, float, str)


def _object(value: JObject) -> Ext:
    return Ext(_OBJECT, _pack(_tree(value)))


def _array(value: JArray) -> Ext:
    return Ext(_ARRAY, _pack(_tree(value)))


def _value(value: JValue) -> Ext:
    return Ext(_VALUE, _pack(_plain(value.value)))


def _property(value: JProperty) -> Ext:
    return Ext(_PROPERTY, _pack([_text(value.name), _node(value.value)]))


def _node(value: JToken) -> Any:
    return _plain(value)


def _response(value: ResponseState) -> Ext:
    data = value.body.data
    if data is None:
        raise InvalidCastException("A response that is still arriving cannot be stored in the cache.")
    return Ext(_RESPONSE, _pack([value.status, _text(value.reason or ""), list(value.headers), data]))


def _boxed(code: int) -> Callable[[Any], Ext]:
    return lambda value: Ext(code, _pack(float(value) if isinstance(value, float) else int(value)))


_WRITERS: Final[dict[type, Callable[[Any], Any]]] = {
    Char: lambda v: Ext(_CHAR, str(v).encode("utf-8", "surrogatepass")),
    Decimal: _decimal,
    DateTime: lambda v: Ext(_DATE, _pack([v.ticks, int(v.kind)])),
    DateTimeOffset: lambda v: Ext(_OFFSET, _pack([v.ticks, v.offset])),
    TimeSpan: lambda v: Ext(_SPAN, _pack(v.ticks)),
    Guid: lambda v: Ext(_GUID, v.value.to_bytes(16)),
    bytearray: lambda v: Ext(_BYTES, bytes(v)),
    bytes: lambda v: Ext(_BYTES, v),
    List: lambda v: Ext(_LIST, _pack([_plain(x) for x in v])),
    Dictionary: _dictionary,
    HashSet: _set,
    dict: _map,
    JObject: _object,
    JArray: _array,
    JValue: _value,
    JProperty: _property,
    ResponseState: _response,
    **{kind: _boxed(code) for kind, code in _BOX_CODES.items()},
}


# --- reading ------------------------------------------------------------------------------------------------------


def _checked(value: Any) -> Any:
    """Of what MessagePack itself knows, only what we write stands outside of an extension."""
    if type(value) is bytes or isinstance(value, Ext):
        raise ValueError
    return value


def _read(code: int, data: memoryview) -> Any:
    read = _READERS.get(code)
    if read is None:
        raise ValueError
    return read(bytes(data))


def _unpack(data: bytes) -> Any:
    return _DECODER.decode(data)


def _wide(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _read_char(data: bytes) -> Char:
    text = _wide(data)
    if len(text) != 1:
        raise ValueError
    return Char(text)


def _read_decimal(data: bytes) -> Decimal:
    value = Decimal(data.decode("ascii"))
    if check_decimal(value) != value:
        raise ValueError
    return value


def _read_date(data: bytes) -> DateTime:
    ticks, kind = _integers(data, 2)
    if kind not in (0, 1, 2):
        raise ValueError
    return DateTime(ticks, kind)


def _integers(data: bytes, count: int) -> list[int]:
    found = _unpack(data)
    if type(found) is not list or len(found) != count or any(type(x) is not int for x in found):
        raise ValueError
    return found


def _read_span(data: bytes) -> TimeSpan:
    ticks = _unpack(data)
    if type(ticks) is not int:
        raise ValueError
    return TimeSpan(ticks)


def _read_guid(data: bytes) -> Guid:
    if len(data) != 16:
        raise ValueError
    return Guid(int.from_bytes(data))


def _sequence(data: bytes) -> list[Any]:
    found = _unpack(data)
    if type(found) is not list:
        raise ValueError
    return found


def _read_list(data: bytes) -> List:
    return List(_sequence(data))


def _folding(data: bytes) -> tuple[bool, list[Any]]:
    folds, items = _sequence(data)
    if type(folds) is not bool or type(items) is not list:
        raise ValueError
    return folds, items


def _read_dictionary(data: bytes) -> Dictionary:
    folds, pairs = _folding(data)
    made = Dictionary(IGNORE_CASE.fold if folds else None)
    for key, value in pairs:
        made[made.key(key)] = value
    return made


def _read_set(data: bytes) -> HashSet:
    folds, items = _folding(data)
    made = HashSet((), IGNORE_CASE.fold if folds else None)
    for each in items:
        made[each] = None
    return made


def _read_object(data: bytes) -> JObject:
    items = _branch(_unpack(data))
    if type(items) is not dict:
        raise ValueError
    return _owning(JObject(items), items.values())


def _read_array(data: bytes) -> JArray:
    items = _branch(_unpack(data))
    if type(items) is not list:
        raise ValueError
    return _owning(JArray(items), items)


def _owning(made: _Tree, children: Iterable[Any]) -> _Tree:
    for child in children:
        if isinstance(child, JToken):
            child.parent = made
    return made


def _branch(value: Any) -> Any:
    """Plain containers whose nodes know their parents; a container with a node in it becomes a node itself."""
    if isinstance(value, Dictionary):
        value = dict(value)
    if type(value) is dict:
        for name in list(value):
            if type(name) is not str:
                raise ValueError
            value[name] = _noded(_branch(value[name]))
        return value
    if type(value) is list:
        return [_noded(_branch(v)) for v in value]
    if isinstance(value, (JContainer, ResponseState, Ext)):
        raise ValueError
    return value


def _noded(value: Any) -> Any:
    if type(value) is dict and any(isinstance(v, JToken) for v in value.values()):
        return _owning(JObject(value), value.values())
    if type(value) is list and any(isinstance(v, JToken) for v in value):
        return _owning(JArray(value), value)
    return value


def _read_value(data: bytes) -> JValue:
    inner = _unpack(data)
    if isinstance(inner, (JToken, list, dict, ResponseState)):
        raise ValueError
    return JValue(inner)


def _read_property(data: bytes) -> JProperty:
    name, value = _sequence(data)
    if type(name) is not str:
        raise ValueError
    if not isinstance(value, JToken) or isinstance(value, JProperty):
        raise ValueError
    made = JProperty(name, value)
    value.parent = made
    return made


class _Response(msgspec.Struct, array_like=True):
    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


def _read_response(data: bytes) -> ResponseState:
    found = _RESPONSES.decode(data)
    return ResponseState(found.status, found.reason, Headers.of(found.headers), Body(found.body))


def _read_big(data: bytes) -> int:
    if len(data) > 400:
        raise ValueError
    return int(data)


def _unboxed(kind: Any, name: str) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        value = _unpack(data)
        if name == "float":
            if type(value) is not float:
                raise ValueError
        else:
            low, high = RANGES[name]
            if type(value) is not int or not low <= value <= high:
                raise ValueError
        return kind(value)

    return read


_DECODER: Final = msgspec.msgpack.Decoder(ext_hook=_read)
_RESPONSES: Final = msgspec.msgpack.Decoder(_Response)
_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    _CHAR: _read_char,
    _WIDE: _wide,
    _DECIMAL: _read_decimal,
    _DATE: _read_date,
    _OFFSET: lambda data: DateTimeOffset(*_integers(data, 2)),
    _SPAN: _read_span,
    _GUID: _read_guid,
    _BYTES: bytearray,
    _LIST: _read_list,
    _DICTIONARY: _read_dictionary,
    _SET: _read_set,
    _OBJECT: _read_object,
    _ARRAY: _read_array,
    _VALUE: _read_value,
    _PROPERTY: _read_property,
    _RESPONSE: _read_response,
    _BIG: _read_big,
    **{
        code: _unboxed(kind, name)
        for (name, kind), code in zip(BOXES.items(), _BOX_CODES.values(), strict=True)
    },
}
