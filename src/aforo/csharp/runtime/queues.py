"""Queue, Stack and Tuple."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from aforo.csharp.runtime.collections import array_copy_from, array_index_of, each
from aforo.csharp.runtime.exceptions import InvalidOperationException, given
from aforo.csharp.runtime.limits import count, made, work
from aforo.csharp.runtime.objects import Obj, to_string
from aforo.csharp.types import TypeDecl, declare, member

_GENERIC: Final = "System.Collections.Generic"


class Queue(Obj):
    __slots__ = ("items",)
    net_name = "System.Collections.Generic.Queue`1"

    def __init__(self, source: Any = None) -> None:
        self.items: deque[Any] = deque(each(source) if source is not None else ())

    def elements(self) -> list[Any]:
        return list(self.items)


class Stack(Obj):
    __slots__ = ("items",)
    net_name = "System.Collections.Generic.Stack`1"

    def __init__(self, source: Any = None) -> None:
        self.items: deque[Any] = deque(each(source) if source is not None else ())

    def elements(self) -> list[Any]:
        """The last one first."""
        return list(reversed(self.items))


def make_queue(source: Any = None) -> Queue:
    return Queue(source)


def make_stack(source: Any = None) -> Stack:
    return Stack(source)


def sized_queue(_capacity: int) -> Queue:
    return Queue()


def sized_stack(_capacity: int) -> Stack:
    return Stack()


def put(items: Queue | Stack, value: Any) -> None:
    count(len(items.items) + 1)
    items.items.append(value)


def _some(items: Queue | Stack) -> deque[Any]:
    if not items.items:
        raise InvalidOperationException(f"{'Queue' if isinstance(items, Queue) else 'Stack'} empty.")
    return items.items


def dequeue(items: Queue) -> Any:
    return _some(items).popleft()


def pop(items: Stack) -> Any:
    return _some(items).pop()


def peek_queue(items: Queue) -> Any:
    return _some(items)[0]


def peek_stack(items: Stack) -> Any:
    return _some(items)[-1]


def size(items: Queue | Stack) -> int:
    return len(items.items)


def clear(items: Queue | Stack) -> None:
    items.items.clear()


def has(items: Queue | Stack, value: Any) -> bool:
    return array_index_of(list(items.items), value) >= 0


def to_array(items: Queue | Stack) -> list[Any]:
    work(len(items.items))
    return items.elements()


def copy_to(items: Queue | Stack, target: Any, at: int) -> None:
    array_copy_from(to_array(items), 0, given(target, "array"), at, len(items.items))


def trim(_items: Queue | Stack) -> None:
    """Nothing is set aside."""


class Tuple(Obj):
    __slots__ = ("values",)
    net_name = "System.Tuple"

    def __init__(self, *values: Any) -> None:
        self.values = values

    def text(self, _spec: str | None = None) -> str:
        work(1)
        return made("(" + ", ".join(map(to_string, self.values)) + ")")

    def __eq__(self, other: object) -> bool:
        work(1)
        return isinstance(other, Tuple) and self.values == other.values

    def __lt__(self, other: Tuple) -> bool:
        return self.values < other.values

    def __gt__(self, other: Tuple) -> bool:
        return self.values > other.values

    def __hash__(self) -> int:
        work(1)
        return hash(self.values)


def _item(at: int) -> Any:
    def item(value: Tuple) -> Any:
        return value.values[at]

    item.__qualname__ = f"item_{at + 1}"
    return item


_LETTERS: Final = ("T1", "T2", "T3", "T4", "T5", "T6", "T7")


def _tuple(arity: int) -> TypeDecl:
    names = _LETTERS[:arity]
    given = ", ".join(f"{t} item{i}" for i, t in enumerate(names, 1))
    return declare(
        f"Tuple{arity}<{', '.join(names)}>",
        member(f"new({given})", Tuple),
        *(member(f"{t} Item{i + 1}", _item(i)) for i, t in enumerate(names)),
        aliases=(f"Tuple`{arity}",),
        python=Tuple,
    )


def _create(arity: int) -> Any:
    names = ", ".join(_LETTERS[:arity])
    given = ", ".join(f"{t} item{i}" for i, t in enumerate(_LETTERS[:arity], 1))
    return member(f"static Tuple{arity}<{names}> Create<{names}>({given})", Tuple)


_COMMON: Final = (
    member("int Count", size),
    member("void Clear()", clear),
    member("bool Contains(T item)", has),
    member("T[] ToArray()", to_array),
    member("void CopyTo(T[] array, int arrayIndex)", copy_to),
    member("void TrimExcess()", trim),
)


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Queue<T>",
        member("new()", make_queue),
        member("new(int capacity)", sized_queue),
        member("new(IEnumerable<T> collection)", make_queue),
        member("void Enqueue(T item)", put),
        member("T Dequeue()", dequeue),
        member("T Peek()", peek_queue),
        *_COMMON,
        namespace=_GENERIC,
        bases=("IEnumerable<T>",),
        python=Queue,
    ),
    declare(
        "Stack<T>",
        member("new()", make_stack),
        member("new(int capacity)", sized_stack),
        member("new(IEnumerable<T> collection)", make_stack),
        member("void Push(T item)", put),
        member("T Pop()", pop),
        member("T Peek()", peek_stack),
        *_COMMON,
        namespace=_GENERIC,
        bases=("IEnumerable<T>",),
        python=Stack,
    ),
    declare("Tuple", *(_create(n) for n in range(1, 8)), kind="static"),
    *(_tuple(n) for n in range(1, 8)),
)
