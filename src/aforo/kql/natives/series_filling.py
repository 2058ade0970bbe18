"""What is missing in an array of numbers, put in: a constant, a neighbour, the line between two neighbours.

Missing is null, or the number that stands for it. All other elements stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from aforo.kql.natives.series import element
from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.types import DYNAMIC


def _missing(placeholder: str | None) -> Callable[[Any], bool]:
    wanted = element(parsed(placeholder))
    if wanted is None:
        return lambda value: value is None
    return lambda value: element(value) == wanted


def fill_const(json: str | None, constant: str | None, placeholder: str | None) -> str | None:
    values = parsed(json)
    if not isinstance(values, list):
        return None
    missing, filler = _missing(placeholder), parsed(constant)
    return written([filler if missing(v) else v for v in values])


def fill_forward(json: str | None, placeholder: str | None) -> str | None:
    """Each missing element becomes the last one before it; where there is none it stays."""
    values = parsed(json)
    return written(_forward(values, _missing(placeholder))) if isinstance(values, list) else None


def fill_backward(json: str | None, placeholder: str | None) -> str | None:
    values = parsed(json)
    if not isinstance(values, list):
        return None
    return written(_forward(reversed(values), _missing(placeholder))[::-1])


def _forward(values: Iterable[Any], missing: Callable[[Any], bool]) -> list[Any]:
    out: list[Any] = []
    last: Any = None
    seen = False
    for value in values:
        if missing(value):
            out.append(last if seen else value)
        else:
            out.append(value)
            last, seen = value, True
    return out


def fill_linear(arguments: list[str]) -> str | None:
    """(array, what stands for missing, whether to fill the ends, constant): as `linear` has it, with its defaults."""
    json, placeholder, edges, constant = [*arguments, *["null", "true", "0"][len(arguments) - 1 :]]
    values = parsed(json)
    return (
        linear(values, _missing(placeholder), edges != "false", element(parsed(constant)))
        if isinstance(values, list)
        else None
    )


def linear(
    values: list[Any], missing: Callable[[Any], bool], edges: bool, constant: float | None
) -> str | None:
    """Missing elements between two others lie on the line between them; those at the ends are as their neighbour.

    Between whole numbers only whole numbers are put in, without what is behind the point. Where all is missing, all
    becomes the constant. What is neither number nor missing is nothing to draw a line to.
    """
    known = [i for i, v in enumerate(values) if not missing(v)]
    if not known:
        return written(values if constant is None else [float(constant)] * len(values))
    out = list(values)
    if any(element(values[i]) is None for i in known):
        return None
    whole = all(isinstance(values[i], int) for i in known)
    for left, right in pairwise(known):
        for i in range(left + 1, right):
            out[i] = _between(element(values[left]), element(values[right]), i - left, right - left, whole)
    if edges:
        first, last = known[0], known[-1]
        out[:first] = [values[first]] * first
        out[last + 1 :] = [values[last]] * (len(values) - last - 1)
    return written(out)


def _between(start: Any, end: Any, step: int, steps: int, whole: bool) -> int | float:
    if not whole:
        return float(start) + (float(end) - float(start)) * step / steps
    scaled: int = start * steps + (end - start) * step
    return scaled // steps if scaled >= 0 else -(-scaled // steps)


NATIVES: tuple[Native, ...] = (
    native("series_fill_const", fill_const, DYNAMIC, DYNAMIC, DYNAMIC, DYNAMIC),
    native("series_fill_forward", fill_forward, DYNAMIC, DYNAMIC, DYNAMIC),
    native("series_fill_backward", fill_backward, DYNAMIC, DYNAMIC, DYNAMIC),
    native("series_fill_linear", fill_linear, DYNAMIC, spread=True),
)
