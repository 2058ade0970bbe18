"""What an expression may use up: steps and sizes. A limit is not an exception of .NET, no `catch` sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

# Characters, bytes or elements of any one value; steps of all loops and lambdas of one evaluation.
SIZE_LIMIT: Final = 64 * 1024 * 1024
COUNT_LIMIT: Final = 1_000_000
STEP_LIMIT: Final = 500_000
REGEX_TIMEOUT_S: Final = 1.0


class LimitExceeded(Exception):  # noqa: N818 - a limit, named as one
    """The evaluation stops here. The message names the limit and holds nothing of the call."""


def room(size: int) -> None:
    """Asked before a value of `size` characters or bytes is made."""
    if size > SIZE_LIMIT:
        raise LimitExceeded(
            f"an expression tried to make a value of more than {SIZE_LIMIT} characters or bytes"
        )


def count(size: int) -> None:
    """Asked before a collection of `size` elements is made."""
    if size > COUNT_LIMIT:
        raise LimitExceeded(f"an expression tried to make a collection of more than {COUNT_LIMIT} elements")


def _steps() -> Iterator[None]:
    for _ in range(STEP_LIMIT):
        yield
    raise LimitExceeded(f"an expression took more than {STEP_LIMIT} steps")


def ticker() -> Callable[[], None]:
    """A counter for one evaluation: call it once per turn of a loop and per call of a function."""
    return _steps().__next__
