"""How a function is declared: name, parameters as text, result type, how its result column is called.

A parameter list reads like `source:string, start:long, length?:long, more:scalar...`. Types may be joined with `|`
(`datetime|timespan`) or be a class (`_CLASSES`): `number`, `integer`, `scalar`, `any`, `text` (any, read as its text). It knows neither
binder nor SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from aforo.kql.types import INTEGERS, NUMBERS, SCALARS, TYPE_NAMES, KqlType

_CLASSES = {"number": NUMBERS, "integer": INTEGERS, "scalar": SCALARS, "any": SCALARS, "text": SCALARS} | {
    "hashable": SCALARS - {KqlType.DYNAMIC, KqlType.DECIMAL},
    "countable": SCALARS - {KqlType.REAL, KqlType.BOOL},
    "plain": SCALARS - {KqlType.DYNAMIC},
    "string_or_array": frozenset({KqlType.STRING, KqlType.DYNAMIC}),
    "integer_or_array": INTEGERS | {KqlType.DYNAMIC},
    "number_or_array": NUMBERS | {KqlType.DYNAMIC},
}

ResultType = KqlType | Callable[[tuple[KqlType, ...]], KqlType]


class Naming(Enum):
    """What an unnamed result column is called."""

    NONE = "none"  # Column1, Column2, ...
    FIRST_ARGUMENT = "first"  # as the first argument: tostring(x) is x
    PREFIX_FIRST = "prefix"  # prefix and first argument: sum_x
    PREFIX = "only"  # the prefix alone: count_


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    types: frozenset[KqlType]
    preferred: KqlType | None
    optional: bool = False
    repeated: bool = False
    any: bool = False
    text: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """What all functions have. `operation` is what the dialect knows it by (its name, unless it is an alias)."""

    name: str
    parameters: tuple[Parameter, ...]
    result: ResultType
    operation: str
    doc: str

    @property
    def count(self) -> tuple[int, int | None]:
        """The least and the greatest number of arguments (None: no end)."""
        least = sum(1 for p in self.parameters if not p.optional)
        return least, None if any(p.repeated for p in self.parameters) else len(self.parameters)

    def parameter(self, index: int) -> Parameter:
        return self.parameters[min(index, len(self.parameters) - 1)]

    def result_type(self, types: tuple[KqlType, ...]) -> KqlType:
        return self.result if isinstance(self.result, KqlType) else self.result(types)


@dataclass(frozen=True, slots=True)
class Scalar(Function):
    """A function of one row's values."""

    naming: Naming = Naming.NONE
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Aggregate(Function):
    """A function of a group. An argument called `condition` says which rows count (`sumif`)."""

    naming: Naming = Naming.PREFIX_FIRST
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Window(Function):
    """A function over rows in their order."""


@dataclass(frozen=True, slots=True)
class Several(Function):
    """A function of one row's values that gives several columns: (name, type) of each."""

    columns: tuple[tuple[str, KqlType], ...] = ()


def parameters(text: str) -> tuple[Parameter, ...]:
    """Reads a parameter list."""
    return tuple(_parameter(part.strip()) for part in text.split(",") if part.strip())


def _parameter(text: str) -> Parameter:
    name, _, types = text.partition(":")
    repeated = types.endswith("...")
    types = types.removesuffix("...")
    accepted: frozenset[KqlType] = frozenset()
    for word in types.split("|"):
        accepted |= _CLASSES.get(word) or frozenset({TYPE_NAMES[word]})
    first = types.split("|")[0]
    preferred = TYPE_NAMES.get(first)
    return Parameter(
        name.rstrip("?"),
        accepted,
        preferred,
        name.endswith("?"),
        repeated,
        any=first in ("any", "scalar"),
        text=first == "text",
    )


def scalar(
    name: str, text: str, result: ResultType, doc: str, *, operation: str = "", naming: Naming = Naming.NONE, prefix: str = ""
) -> Scalar:  # fmt: skip
    return Scalar(name, parameters(text), result, operation or name, doc, naming, prefix or name)


def aggregate(
    name: str,
    text: str,
    result: ResultType,
    doc: str,
    *,
    operation: str = "",
    prefix: str = "",
    naming: Naming = Naming.PREFIX_FIRST,
) -> Aggregate:
    return Aggregate(name, parameters(text), result, operation or name, doc, naming, prefix or name)


def several(name: str, text: str, columns: str, doc: str, *, operation: str) -> Several:
    """`columns` reads like a parameter list; `operation` gives a bag with these names."""
    parts = [part.strip().partition(":") for part in columns.split(",")]
    types = tuple((column, TYPE_NAMES[type_]) for column, _, type_ in parts)
    return Several(name, parameters(text), KqlType.DYNAMIC, operation, doc, types)


def window(name: str, text: str, result: ResultType, doc: str) -> Window:
    return Window(name, parameters(text), result, name, doc)


def same(index: int = 0) -> Callable[[tuple[KqlType, ...]], KqlType]:
    """The result has the type of one of the arguments."""

    def of(types: tuple[KqlType, ...]) -> KqlType:
        return types[index]

    return of
