"""Arrays of several dimensions (`int[,]`): their elements row after row in one list, beside the sizes."""

from __future__ import annotations

from math import prod
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    IndexOutOfRangeException,
    OverflowException,
)
from aforo.csharp.runtime.limits import count, room
from aforo.csharp.types import TypeDecl, declare, member


class Grid(list[Any]):
    """Two or more `sizes`; as a list it is what `foreach` runs over."""

    __slots__ = ("sizes",)
    net_name = "System.Object[,]"

    def __init__(self, items: list[Any], sizes: tuple[int, ...]) -> None:
        super().__init__(items)
        self.sizes = sizes


def new_grid(default: Any, *sizes: int) -> Grid:
    if min(sizes) < 0:
        raise OverflowException
    whole = prod(sizes)
    count(whole)
    room(whole * 8)
    return Grid([default] * whole, sizes)


def grid_of(items: list[Any], sizes: tuple[int, ...]) -> Grid:
    return Grid(items, sizes)


def _place(grid: Grid, at: tuple[int, ...]) -> int:
    found = 0
    for each, size in zip(at, grid.sizes, strict=True):
        if not 0 <= each < size:
            raise IndexOutOfRangeException
        found = found * size + each
    return found


def grid_at(grid: Grid, *at: int) -> Any:
    return grid[_place(grid, at)]


def grid_put(grid: Grid, *rest: Any) -> None:
    """The indexes, then the value."""
    grid[_place(grid, rest[:-1])] = rest[-1]


def grid_size(grid: Grid, dimension: int) -> int:
    if not 0 <= dimension < len(grid.sizes):
        raise IndexOutOfRangeException
    return grid.sizes[dimension]


def grid_last(grid: Grid, dimension: int) -> int:
    return grid_size(grid, dimension) - 1


def grid_first(grid: Grid, dimension: int) -> int:
    return grid_size(grid, dimension) * 0


def grid_rank(grid: Grid) -> int:
    return len(grid.sizes)


def grid_value(grid: Grid, at: list[int]) -> Any:
    """`GetValue(1, 2)`"""
    if len(at) != len(grid.sizes):
        raise ArgumentException("The array was not a one-dimensional array.")
    return grid_at(grid, *at)


def rows(grid: Grid) -> list[Any]:
    """As lists in lists, which is how JSON shows it."""
    if len(grid.sizes) == 1:
        return list(grid)
    first, *rest = grid.sizes
    count(first)
    step = prod(rest)
    inner = (Grid(grid[at * step : (at + 1) * step], tuple(rest)) for at in range(first))
    return [rows(each) for each in inner]


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "_Grid<T>",
        member("int Length", len),
        member("long LongLength", len),
        member("int Rank", grid_rank),
        member("int GetLength(int dimension)", grid_size),
        member("int GetUpperBound(int dimension)", grid_last),
        member("int GetLowerBound(int dimension)", grid_first),
        member("object? GetValue(params int[] indices)", grid_value),
        bases=("object", "IEnumerable<T>"),
        python=Grid,
    ),
)
