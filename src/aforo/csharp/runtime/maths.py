"""Math, Random, BitConverter and the hashes."""

from __future__ import annotations

import hashlib
import hmac
import math
import random
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    ArgumentOutOfRangeException,
    OverflowException,
)
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import Declared, TypeDecl, declare, enumeration, member


class MidpointRounding(IntEnum):
    ToEven = 0
    AwayFromZero = 1


def round_to(value: Any, digits: int = 0, mode: int = 0) -> Any:
    if not 0 <= digits <= 28:
        raise ArgumentOutOfRangeException(
            "Rounding digits must be between 0 and 15, inclusive.\r\nParameter name: digits"
        )
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value) or abs(value) >= 1e16):
        return value
    exact = value if isinstance(value, Decimal) else Decimal(value) if digits == 0 else Decimal(repr(value))
    rounded = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP if mode else ROUND_HALF_EVEN)
    return rounded if isinstance(value, Decimal) else float(rounded)


def round_mode(value: Any, mode: int) -> Any:
    return round_to(value, 0, mode)


def ceiling(value: Any) -> Any:
    return Decimal(math.ceil(value)) if isinstance(value, Decimal) else _whole(value, math.ceil)


def floor(value: Any) -> Any:
    return Decimal(math.floor(value)) if isinstance(value, Decimal) else _whole(value, math.floor)


def truncate(value: Any) -> Any:
    return Decimal(int(value)) if isinstance(value, Decimal) else _whole(value, math.trunc)


def _whole(value: float, run: Any) -> float:
    return value if math.isnan(value) or math.isinf(value) else float(run(value))


def absolute_int(value: int) -> int:
    if value == -(2**31):
        raise OverflowException("Negating the minimum value of a twos complement number is invalid.")
    return abs(value)


def absolute(value: Any) -> Any:
    return abs(value)


def power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def square_root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan


def logarithm_10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf if value == 0 else math.nan


def sign(value: Any) -> int:
    return int(value > 0) - int(value < 0)


def larger(left: Any, right: Any) -> Any:
    return max(left, right)


def smaller(left: Any, right: Any) -> Any:
    return min(left, right)


class Random(Obj):
    __slots__ = ("source",)
    net_name = "System.Random"

    def __init__(self, seed: int | None = None) -> None:
        # Load balancing and jitter, as in the policies of the field; keys come from elsewhere.
        self.source = random.Random(seed)  # noqa: S311


def next_int(generator: Random) -> int:
    return generator.source.randrange(2**31 - 1)


def next_below(generator: Random, top: int) -> int:
    if top < 0:
        raise ArgumentOutOfRangeException("'maxValue' must be greater than zero.\r\nParameter name: maxValue")
    return generator.source.randrange(top) if top else 0


def next_between(generator: Random, low: int, top: int) -> int:
    if low > top:
        raise ArgumentOutOfRangeException(
            "'minValue' cannot be greater than maxValue.\r\nParameter name: minValue"
        )
    return generator.source.randrange(low, top) if low < top else low


def next_double(generator: Random) -> float:
    return generator.source.random()


def hex_text(data: bytearray | None) -> str:
    """`BitConverter.ToString`"""
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    return data.hex("-").upper()


def int_bytes(value: int) -> bytearray:
    return bytearray(value.to_bytes(4, "little", signed=True))


def int_from(data: bytearray, at: int) -> int:
    if not 0 <= at <= len(data) - 4:
        raise ArgumentOutOfRangeException
    return int.from_bytes(data[at : at + 4], "little", signed=True)


class Hash(Obj):
    """A hash or HMAC: `key` None for a plain hash."""

    __slots__ = ("key", "name")
    net_name = "System.Security.Cryptography.HashAlgorithm"

    def __init__(self, name: str, key: bytes | None) -> None:
        self.name = name
        self.key = key


def compute_hash(algorithm: Hash, data: bytearray | None) -> bytearray:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: buffer")
    if algorithm.key is None:
        return bytearray(hashlib.new(algorithm.name, data, usedforsecurity=False).digest())
    return bytearray(hmac.new(algorithm.key, data, algorithm.name).digest())


def dispose(algorithm: Hash) -> None:
    """Nothing is held."""


def _hash(name: str) -> Any:
    def make() -> Hash:
        return Hash(name, None)

    make.__qualname__ = f"make_{name}"
    return make


def _hmac(name: str) -> Any:
    def make(key: bytearray | None) -> Hash:
        if key is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: key")
        return Hash(name, bytes(key))

    make.__qualname__ = f"make_hmac_{name}"
    return make


def _pairs(name: str, run: Any, *types: str) -> tuple[Declared, ...]:
    return tuple(member(f"static {t} {name}({t} val1, {t} val2)", run) for t in types)


def _singles(name: str, run: Any, *types: str) -> tuple[Declared, ...]:
    return tuple(member(f"static {t} {name}({t} value)", run) for t in types)


_CRYPTO: Final = "System.Security.Cryptography"
_ALL: Final = ("int", "long", "double", "decimal", "uint", "ulong", "float")

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Math",
        member("static double PI", const=math.pi),
        member("static double E", const=math.e),
        *_pairs("Max", larger, *_ALL),
        *_pairs("Min", smaller, *_ALL),
        member("static int Abs(int value)", absolute_int),
        *_singles("Abs", absolute, "long", "double", "decimal"),
        *_singles("Ceiling", ceiling, "double", "decimal"),
        *_singles("Floor", floor, "double", "decimal"),
        *_singles("Truncate", truncate, "double", "decimal"),
        *(m for t in ("double", "decimal") for m in (
            member(f"static {t} Round({t} value)", round_to),
            member(f"static {t} Round({t} value, int digits)", round_to),
            member(f"static {t} Round({t} value, MidpointRounding mode)", round_mode),
            member(f"static {t} Round({t} value, int digits, MidpointRounding mode)", round_to),
            member(f"static int Sign({t} value)", sign),
        )),
        member("static int Sign(int value)", sign),
        member("static double Pow(double x, double y)", power),
        member("static double Sqrt(double d)", square_root),
        member("static double Log(double d)", logarithm),
        member("static double Log10(double d)", logarithm_10),
        kind="static",
    ),
    enumeration("MidpointRounding", MidpointRounding),
    declare(
        "Random",
        member("new()", Random),
        member("new(int Seed)", Random),
        member("int Next()", next_int),
        member("int Next(int maxValue)", next_below),
        member("int Next(int minValue, int maxValue)", next_between),
        member("double NextDouble()", next_double),
        python=Random,
    ),
    declare(
        "BitConverter",
        member("static string ToString(byte[] value)", hex_text),
        member("static byte[] GetBytes(int value)", int_bytes),
        member("static int ToInt32(byte[] value, int startIndex)", int_from),
        kind="static",
    ),
    declare(
        "HashAlgorithm",
        member("byte[] ComputeHash(byte[] buffer)", compute_hash),
        member("void Dispose()", dispose),
        namespace=_CRYPTO,
        bases=("IDisposable",),
        python=Hash,
    ),
    *(
        declare(net, member(f"static {net} Create()", _hash(name)), namespace=_CRYPTO, bases=("HashAlgorithm",), python=Hash)
        for net, name in (("MD5", "md5"), ("SHA1", "sha1"), ("SHA256", "sha256"), ("SHA384", "sha384"), ("SHA512", "sha512"))
    ),
    *(
        declare(net, member("new()", _hash(name)), namespace=_CRYPTO, bases=(net.removesuffix("Managed"),), python=Hash)
        for net, name in (("SHA1Managed", "sha1"), ("SHA256Managed", "sha256"), ("SHA384Managed", "sha384"), ("SHA512Managed", "sha512"))
    ),
    *(
        declare(f"HMAC{name.upper()}", member("new(byte[] key)", _hmac(name)), namespace=_CRYPTO, bases=("HashAlgorithm",), python=Hash)
        for name in ("md5", "sha1", "sha256", "sha384", "sha512")
    ),
)  # fmt: skip
