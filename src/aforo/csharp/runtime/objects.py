"""System.Object: text, equality, hash, casts at run time, and TypeInfo, what a generic method is given for a `T`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum, IntFlag
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    CsException,
    InvalidCastException,
    NullReferenceException,
)
from aforo.csharp.runtime.formatting import number_text
from aforo.csharp.runtime.limits import room, work
from aforo.csharp.runtime.numbers import BOXES, NET_NAMES
from aforo.csharp.types import Declared, TypeDecl, declare, member


class Char(str):
    """A boxed char."""

    __slots__ = ()


class Obj:
    """The base of our own .NET objects: each says its text and, where it is a value, defines `==` and hash."""

    __slots__ = ()
    net_name = "System.Object"

    def text(self, _spec: str | None = None) -> str:
        """`ToString()`, or `ToString(spec)` where the type formats."""
        return self.net_name


class Anonymous(Obj):
    """An object of an anonymous type: `names` are shared by all that one place in the text makes."""

    __slots__ = ("names", "values")

    def __init__(self, names: tuple[str, ...], *values: Any) -> None:
        self.names = names
        self.values = values

    def text(self, _spec: str | None = None) -> str:
        work(1)
        inner = ", ".join(f"{n} = {to_string(v)}" for n, v in zip(self.names, self.values, strict=True))
        room(len(inner) + 4)
        return "{ " + inner + " }"

    def __eq__(self, other: object) -> bool:
        work(1)
        return isinstance(other, Anonymous) and (self.names, self.values) == (other.names, other.values)

    def __hash__(self) -> int:
        work(1)
        return hash((self.names, self.values))


def anonymous_member(value: Anonymous, at: int) -> Any:
    return value.values[at]


def make_anonymous(names: tuple[str, ...], *values: Any) -> Anonymous:
    return Anonymous(names, *values)


def to_string(value: Any) -> str:
    """`ToString()` of anything; null is the empty text, as in concatenation and formatting."""
    kind = type(value)
    if kind is str:
        text: Any = value
        return text  # type: ignore[no-any-return]
    if value is None:
        return ""
    if kind is bool:
        return "True" if value else "False"
    if kind is int:
        return str(value)
    return format_value(value, None)


def object_text(value: Any) -> str:
    """`value.ToString()`: a null receiver is an exception."""
    if value is None:
        raise NullReferenceException
    return to_string(value)


def bool_text(value: bool) -> str:
    return "True" if value else "False"


def format_value(value: Any, spec: str | None) -> str:
    """`IFormattable.ToString(spec, InvariantCulture)`; types without formats ignore the spec."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Obj):
        return value.text(spec)
    if isinstance(value, bool):
        return bool_text(value)
    if isinstance(value, (IntEnum, IntFlag)):
        return (
            enum_text(value)
            if not spec or spec in "gGfF"
            else number_text(int(value), "D" if spec in "dD" else spec)
        )
    if isinstance(value, (int, float, Decimal)):
        return number_text(value, spec)
    if isinstance(value, CsException):
        return str(value)
    return net_type_name(value)


def enum_text(value: Any) -> str:
    """The name of an enum's value; several flags with commas between them; a number that has no name."""
    if isinstance(value, IntFlag) and int(value) not in type(value)._value2member_map_:
        parts = [enum_text(v) for v in type(value) if int(v) & int(value) == int(v)]
        return ", ".join(parts) or str(int(value))
    name = getattr(value, "name", None)
    if name is None:
        return "None" if isinstance(value, IntFlag) and not int(value) else str(int(value))
    if isinstance(value, IntFlag) and "|" in name:
        return ", ".join(name.split("|"))
    # `None` is no name in Python.
    return "None" if name in ("Nothing", "Plain") else str(name)


def net_type_name(value: Any) -> str:
    """The name that .NET shows for the type of a value."""
    if value is None:
        return "null"
    for kind, name in (
        (bool, "System.Boolean"),
        (Char, "System.Char"),
        (str, "System.String"),
        (bytearray, "System.Byte[]"),
    ):
        if isinstance(value, kind):
            return name
    for name, box in BOXES.items():
        if type(value) is box:
            return f"System.{NET_NAMES[name]}"
    known = {int: "System.Int32", float: "System.Double", Decimal: "System.Decimal", list: "System.Object[]"}
    if type(value) in known:
        return known[type(value)]
    own = getattr(type(value), "net_name", None)
    return own if isinstance(own, str) else "System.Object"


def equals(left: Any, right: Any) -> bool:
    """`Object.Equals`: values by value of the same type, everything else by reference."""
    if left is right:
        return True
    if left is None or right is None:
        return False
    if isinstance(left, str) or isinstance(right, str):
        both = isinstance(left, str) and isinstance(right, str)
        return both and isinstance(left, Char) == isinstance(right, Char) and str(left) == str(right)
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, dict, set, bytearray)):
        return False
    # NaN equals itself, as a value of an object.
    return bool(left == right) or (isinstance(left, float) and left != left and right != right)


def method_equals(left: Any, right: Any) -> bool:
    """`left.Equals(right)`."""
    if left is None:
        raise NullReferenceException
    return equals(left, right)


def hash_code(value: Any) -> int:
    """Stable within and between processes, in the range of int. .NET promises no particular value either."""
    if value is None:
        raise NullReferenceException
    if isinstance(value, bool):
        return int(value)
    if type(value) is int:
        return int(value)
    digest = zlib.crc32(f"{net_type_name(value)}:{to_string(value)}".encode("utf-8", "surrogatepass"))
    return digest - 0x100000000 if digest >= 0x80000000 else digest


def hash_or_zero(value: Any) -> int:
    """`GetHashCode()` of a nullable value."""
    return 0 if value is None else hash_code(value)


# --- casts from object ------------------------------------------------------------------------------------------


def _fail(value: Any, target: str) -> InvalidCastException:
    return InvalidCastException(f"Unable to cast object of type '{net_type_name(value)}' to type '{target}'.")


def cast_string(value: Any) -> str | None:
    if type(value) is str:
        return value
    if value is None:
        return None
    if isinstance(value, str) and not isinstance(value, Char):
        return str(value)
    raise _fail(value, "System.String")


def cast_int(value: Any) -> int:
    if type(value) is int:
        return value
    return int(_unbox(value, int))


def cast_bool(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    _unbox(value, bool)
    raise _fail(value, "System.Boolean")


def cast_double(value: Any) -> float:
    return float(_unbox(value, float))


def cast_char(value: Any) -> str:
    return str(_unbox(value, Char))


def _unbox(value: Any, python: type) -> Any:
    if value is None:
        raise NullReferenceException
    if type(value) is not python:
        # .NET says this of a box with another type in it.
        raise InvalidCastException("Specified cast is not valid.")
    return value


def unbox(value: Any, python: type, name: str) -> Any:
    """`(T)object` for a value type: exactly that type or an exception."""
    if value is None:
        raise NullReferenceException
    if not isinstance(value, python) or (isinstance(value, bool) and python is not bool):
        raise InvalidCastException("Specified cast is not valid.")
    box = BOXES.get(name)
    if box is not None:
        plain: Any = value
        return int(plain) if box is not BOXES["float"] else float(plain)
    return value


def unbox_nullable(value: Any, python: type, name: str) -> Any:
    return None if value is None else unbox(value, python, name)


def cast_reference(value: Any, python: Any, name: str) -> Any:
    """`(T)object` for a reference type."""
    if value is None or isinstance(value, python):
        return value
    raise _fail(value, name)


def as_reference(value: Any, python: Any) -> Any:
    return value if isinstance(value, python) else None


def is_instance(value: Any, python: Any) -> bool:
    """`value is T`; int does not match a bool, string does not match a char."""
    if isinstance(value, bool):
        return python is bool or python is object
    if isinstance(value, Char):
        return python is Char or python is object
    if python is int:
        return type(value) is int
    if python is float:
        return type(value) is float
    return value is not None and isinstance(value, python)


def box(value: Any, kind: Callable[[Any], Any]) -> Any:
    return kind(value)


def box_nullable(value: Any, kind: Callable[[Any], Any]) -> Any:
    return None if value is None else kind(value)


class TypeInfo:
    """What a generic method of the runtime is told about a type argument. Made by the binder, one per type."""

    __slots__ = ("cast", "default", "element", "name", "python")

    def __init__(
        self, name: str, python: Any, default: Any, cast: Callable[[Any], Any], element: TypeInfo | None
    ) -> None:
        self.name = name
        self.python = python
        self.default = default
        self.cast = cast
        self.element = element


def type_name(value: Any) -> str:
    return net_type_name(value)


def reference_equals(left: Any, right: Any) -> bool:
    return left is right


def dispose_any(value: Any) -> None:
    if value is None:
        raise NullReferenceException


def exception_message(error: CsException) -> str:
    return error.message


def exception_inner(error: CsException) -> CsException | None:
    return error.inner


def exception_base(error: CsException) -> CsException:
    while error.inner is not None:
        work(1)
        error = error.inner
    return error


def exception_nothing(_error: CsException) -> None:
    """Where it happened is nothing that an expression is told."""


def exception_code(_error: CsException) -> int:
    return -2146233088  # COR_E_EXCEPTION


def _exceptions() -> tuple[TypeDecl, ...]:
    import inspect

    from aforo.csharp.runtime import exceptions as module

    out = []
    for name, kind in inspect.getmembers(module, inspect.isclass):
        if not issubclass(kind, CsException):
            continue
        shown = "Exception" if kind is CsException else name
        parent = kind.__mro__[1]
        base = () if kind is CsException else ("Exception" if parent is CsException else parent.__name__,)
        out.append(
            declare(
                shown,
                *_makers(kind),
                member("string Message", exception_message),
                member("Exception? InnerException", exception_inner),
                member("Exception GetBaseException()", exception_base),
                member("string? StackTrace", exception_nothing),
                member("string? Source", exception_nothing),
                member("string? HelpLink", exception_nothing),
                member("int HResult", exception_code),
                namespace=kind.net_name.rpartition(".")[0],
                bases=base,
                python=kind,
            )
        )
    return tuple(out)


def _makers(kind: type[CsException]) -> tuple[Declared, ...]:
    """Those of arguments name the parameter, two of them first of all."""
    maker = _maker(kind)
    usual = member("new()", maker), member("new(string message, Exception innerException)", maker)
    if kind is ArgumentException:
        named = _named(kind, lambda message, name: f"{message}\r\nParameter name: {name}")
        return (
            *usual,
            member("new(string message)", maker),
            member("new(string message, string paramName)", named),
        )
    if kind in (ArgumentNullException, ArgumentOutOfRangeException):
        own = (
            "Value cannot be null."
            if kind is ArgumentNullException
            else "Specified argument was out of the range of valid values."
        )
        first = _named(kind, lambda name, message=own: f"{message}\r\nParameter name: {name}")
        return (
            *usual,
            member("new(string paramName)", first),
            member("new(string paramName, string message)", first),
        )
    return *usual, member("new(string message)", maker)


def _named(kind: type[CsException], text: Callable[..., str]) -> Callable[..., CsException]:
    def make(*given: str | None) -> CsException:
        return kind(text(*given))

    make.__qualname__ = f"make_named_{kind.__name__}"
    return make


def _maker(kind: type[CsException]) -> Callable[..., CsException]:
    def make(message: str | None = None, inner: CsException | None = None) -> CsException:
        return kind(message, inner)

    make.__qualname__ = f"make_{kind.__name__}"
    return make


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "object",
        member("string ToString()", object_text),
        member("bool Equals(object obj)", method_equals),
        member("int GetHashCode()", hash_code),
        member("static bool Equals(object objA, object objB)", equals),
        member("static bool ReferenceEquals(object objA, object objB)", reference_equals),
        python=object,
        aliases=("Object",),
    ),
    declare("Array", bases=("object",)),
    declare("IDisposable", member("void Dispose()", dispose_any), kind="interface"),
    *_exceptions(),
)
