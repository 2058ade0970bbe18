"""What an expression may use up: steps, work, size and time, each counted anew for every evaluation.

A limit is not an exception of .NET, no `catch` sees it. The counters are this module's own: expressions never await,
so one process runs one evaluation at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

# Characters or bytes of any one value, and of all that one evaluation makes, kept or not.
SIZE_LIMIT: Final = 64 * 1024 * 1024
# Elements of one collection.
COUNT_LIMIT: Final = 1_000_000
# Turns of loops and calls of lambdas.
STEP_LIMIT: Final = 500_000
# Elements and JSON nodes that were visited, copied or compared.
WORK_LIMIT: Final = 2_000_000
# Wall clock, from the first look at it (after CLOCK_STEPS steps, CLOCK_WORK of work or CLOCK_SIZE made).
TIME_LIMIT_S: Final = 1.0
REGEX_TIMEOUT_S: Final = 1.0
CLOCK_STEPS: Final = 64
CLOCK_WORK: Final = 1024
CLOCK_SIZE: Final = 256 * 1024
# What a JSON node or another small object counts for, in bytes: twice what it costs, for the time that it takes.
NODE_SIZE: Final = 256


class LimitExceeded(Exception):  # noqa: N818 - a limit, named as one
    """The evaluation stops here. The message names the limit and holds nothing of the call."""


class Used:
    """What the evaluation that runs now has used. `began` is None until the clock is first looked at."""

    __slots__ = ("began", "made", "made_checked", "work", "work_checked")

    def __init__(self) -> None:
        self.made = self.made_checked = self.work = self.work_checked = 0
        self.began: float | None = None


USED: Final = Used()


def begin() -> None:
    """An evaluation begins: nothing is used yet."""
    used = USED
    if used.made or used.work or used.began is not None:
        used.made = used.work = 0
        if used.began is not None:  # what was checked was checked by the clock
            used.made_checked = used.work_checked = 0
            used.began = None


def look_at_clock() -> None:
    """Ends an evaluation that runs for too long."""
    now = perf_counter()
    if USED.began is None:
        USED.began = now
    elif now - USED.began > TIME_LIMIT_S:
        raise LimitExceeded(f"an expression ran for more than {TIME_LIMIT_S:g} s")


def fits(size: int) -> None:
    """Asked about one value whose size is only known as a bound; nothing is charged."""
    if size > SIZE_LIMIT:
        raise LimitExceeded(
            f"an expression tried to make a value of more than {SIZE_LIMIT} characters or bytes"
        )


def room(size: int) -> None:
    """Asked before `size` characters or bytes are made; all that one evaluation makes has one budget."""
    used = USED
    made = used.made + size
    if made > SIZE_LIMIT:
        fits(size)
        raise LimitExceeded(f"an expression made more than {SIZE_LIMIT} characters or bytes in all")
    used.made = made
    if made - used.made_checked > CLOCK_SIZE:
        used.made_checked = made
        look_at_clock()


def work(size: int) -> None:
    """Asked before `size` elements or nodes are visited, copied or compared."""
    used = USED
    done = used.work + size
    if done > WORK_LIMIT:
        raise LimitExceeded(f"an expression worked on more than {WORK_LIMIT} elements")
    used.work = done
    if done - used.work_checked > CLOCK_WORK:
        used.work_checked = done
        look_at_clock()


def read(text: str) -> str:
    """The text, charged as work where it is long: looking through it takes time, also when nothing is made."""
    if len(text) > 255:
        work(len(text) >> 8 if text.isascii() else len(text) >> 4)
    return text


def made(text: str) -> str:
    """A text that an operation made which cannot make more than it was given."""
    room(len(text))
    return text


def nodes(size: int) -> None:
    """Asked before `size` small objects, such as JSON nodes, are made."""
    work(size)
    room(size * NODE_SIZE)


def count(size: int) -> None:
    """Asked before a collection of `size` elements is made or grows to it."""
    if size > COUNT_LIMIT:
        raise LimitExceeded(f"an expression tried to make a collection of more than {COUNT_LIMIT} elements")


def _steps() -> Iterator[None]:
    for _ in range(STEP_LIMIT // CLOCK_STEPS):
        for _ in range(CLOCK_STEPS):
            yield
        look_at_clock()
    for _ in range(STEP_LIMIT % CLOCK_STEPS):
        yield
    raise LimitExceeded(f"an expression took more than {STEP_LIMIT} steps")


def ticker() -> Callable[[], None]:
    """A counter for one evaluation: call it once per turn of a loop and per call of a function."""
    return _steps().__next__
