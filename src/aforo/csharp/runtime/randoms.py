"""Random: .NET's subtractive generator (Knuth), number for number.

Policies make one per call and ask it once (`new Random(...).Next(1, 101)`), so the first number is computed without
the 55 numbers of state: each of them is a linear form of the seed.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Final

from aforo.csharp.runtime.exceptions import ArgumentNullException, ArgumentOutOfRangeException
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, member

_BIG: Final = 2**31 - 1
_START: Final = 161803398
_SCALE: Final = 1.0 / _BIG


class Random(Obj):
    """`state` None: nothing was asked yet."""

    __slots__ = ("at", "seed", "state")
    net_name = "System.Random"

    def __init__(self, seed: int | None = None) -> None:
        # Load balancing and jitter, as in the policies of the field; keys come from elsewhere.
        self.seed = random.getrandbits(31) if seed is None else seed
        self.state: list[int] | None = None
        self.at = 0


def _first_value(seed: int) -> int:
    return _START - (_BIG if seed == -(2**31) else abs(seed))


def _wrap(value: int) -> int:
    """An overflow of 32 bits; what is negative then is made positive as the generator does it."""
    if not -(2**31) <= value <= _BIG:
        value = (value + 2**31) % 2**32 - 2**31
    return value + _BIG if value < 0 else value


def full_state(seed: int) -> list[int]:
    """The 56 numbers that .NET starts with; the first is never used."""
    state = [0] * 56
    last = _first_value(seed)
    state[55] = last
    now = 1
    for i in range(1, 55):
        at = 21 * i % 55
        state[at] = now
        now = last - now
        if now < 0:
            now += _BIG
        last = state[at]
    for _ in range(4):
        for i in range(1, 56):
            state[i] = _wrap(state[i] - state[1 + (i + 30) % 55])
    return state


def _draw(state: list[int], at: int) -> int:
    value = state[at] - state[(at + 20) % 55 + 1]
    if value == _BIG:
        value -= 1
    if value < 0:
        value += _BIG
    state[at] = value
    return value


# A number of the state as a linear form: constant, factor of the seed's value, and what an overflow of number 24 or 55
# in the first round adds.
_Form = tuple[int, int, int, int]


@lru_cache(maxsize=1)
def _forms() -> tuple[_Form, _Form, _Form]:
    """Of number 24 before the rounds, of number 31 after its first, and of the first sample."""

    def less(a: _Form, b: _Form) -> _Form:
        return (a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3])

    state: list[_Form] = [(0, 0, 0, 0)] * 56
    last: _Form = (0, 1, 0, 0)
    state[55] = last
    now: _Form = (1, 0, 0, 0)
    for i in range(1, 55):
        at = 21 * i % 55
        state[at] = now
        now = less(last, now)
        last = state[at]
    before = state[24]
    middle = before
    for turn in range(4):
        for i in range(1, 56):
            made = less(state[i], state[1 + (i + 30) % 55])
            if turn == 0 and i == 24:
                made = (made[0], made[1], 1, 0)
            if turn == 0 and i == 55:
                made = (made[0], made[1], made[2], 1)
            state[i] = made
            if turn == 0 and i == 31:
                middle = made
    c, f, o24, o55 = less(state[1], state[22])
    return before, middle, (c % _BIG, f % _BIG, o24, o55)


def first_sample(seed: int) -> int:
    """What `full_state` and one draw give, without them; the few seeds at the edges go the long way."""
    before, middle, sample = _forms()
    value = _first_value(seed)
    s24 = (before[0] + before[1] * value) % _BIG - value
    s55 = value - (middle[0] + middle[1] * value) % _BIG
    if s24 in (_BIG, _BIG + 1) or s55 == -(2**31):
        return _draw(full_state(seed), 1)
    # An overflow takes 2^32 away from number 24, or adds it to number 55: two, in arithmetic modulo 2^31 - 1.
    over = (-2 * sample[2] if s24 > _BIG else 0) + (2 * sample[3] if s55 < -(2**31) else 0)
    return (sample[0] + sample[1] * value + over) % _BIG


def next_int(generator: Random) -> int:
    state = generator.state
    if state is None:
        if generator.at == 0:
            generator.at = 1
            return first_sample(generator.seed)
        state = generator.state = full_state(generator.seed)
        _draw(state, 1)
    generator.at = at = generator.at % 55 + 1
    return _draw(state, at)


def next_below(generator: Random, top: int) -> int:
    if top < 0:
        raise ArgumentOutOfRangeException("'maxValue' must be greater than zero.\r\nParameter name: maxValue")
    return int(next_int(generator) * _SCALE * top)


def next_between(generator: Random, low: int, top: int) -> int:
    if low > top:
        raise ArgumentOutOfRangeException(
            "'minValue' cannot be greater than maxValue.\r\nParameter name: minValue"
        )
    span = top - low
    if span <= _BIG:
        return int(next_int(generator) * _SCALE * span) + low
    return int(_wide_sample(generator) * span) + low


def _wide_sample(generator: Random) -> float:
    """A sample for ranges of more than 31 bits: a second number gives the sign."""
    value = next_int(generator)
    if next_int(generator) % 2 == 0:
        value = -value
    return (value + (_BIG - 1)) / (2 * _BIG - 1)


def next_double(generator: Random) -> float:
    return next_int(generator) * _SCALE


def next_bytes(generator: Random, data: bytearray | None) -> None:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: buffer")
    for at in range(len(data)):
        if at & 255 == 0:
            work(32)
        data[at] = next_int(generator) % 256


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Random",
        member("new()", Random),
        member("new(int Seed)", Random),
        member("int Next()", next_int),
        member("int Next(int maxValue)", next_below),
        member("int Next(int minValue, int maxValue)", next_between),
        member("double NextDouble()", next_double),
        member("void NextBytes(byte[] buffer)", next_bytes),
        python=Random,
    ),
)
