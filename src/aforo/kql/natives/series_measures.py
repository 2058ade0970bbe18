"""One answer for a whole array of numbers: sums, products, statistics, likeness of two."""

from __future__ import annotations

import math

from aforo.kql.natives.series import Element, added, broadcast, divide, numbers, plain
from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.types import BOOL, DYNAMIC, REAL

STATISTICS = ("min", "min_idx", "max", "max_idx", "avg", "stdev", "variance")


def total(json: str | None) -> float | None:
    """The sum of the numbers, None when there is none."""
    values = [float(v) for v in numbers(json) or () if v is not None]
    return sum(values) if values else None


def product(json: str | None) -> float | None:
    values = [float(v) for v in numbers(json) or () if v is not None]
    return math.prod(values) if values else None


def magnitude(json: str | None) -> float | None:
    values = [float(v) for v in numbers(json) or () if v is not None]
    return math.sqrt(sum(v * v for v in values)) if values else None


def _pairs(one: str | None, other: str | None) -> list[tuple[float, float]] | None:
    """The pairs of numbers as far as both arrays go, None when there is no pair."""
    both = broadcast(parsed(one), parsed(other))
    if both is None:
        return None
    pairs = [(float(a), float(b)) for a, b in zip(*both, strict=False) if a is not None and b is not None]
    return pairs or None


def dot_product(one: str | None, other: str | None) -> float | None:
    pairs = _pairs(one, other)
    return None if pairs is None else sum(a * b for a, b in pairs)


def cosine_similarity(one: str | None, other: str | None) -> float | None:
    pairs = _pairs(one, other)
    if pairs is None:
        return None
    lengths = math.sqrt(sum(a * a for a, _ in pairs)) * math.sqrt(sum(b * b for _, b in pairs))
    return divide(sum(a * b for a, b in pairs), lengths)


def pearson_correlation(one: str | None, other: str | None) -> float | None:
    """None unless both arrays have the same number of elements, all of them numbers."""
    left, right = numbers(one), numbers(other)
    if not left or not right or len(left) != len(right):
        return None
    xs = [float(v) for v in left if v is not None]
    ys = [float(v) for v in right if v is not None]
    if len(xs) < len(left) or len(ys) < len(right):
        return None
    x0, y0 = added(xs) / len(xs), added(ys) / len(ys)
    both = added((x - x0) * (y - y0) for x, y in zip(xs, ys, strict=True))
    spread = math.sqrt(added((x - x0) * (x - x0) for x in xs) * added((y - y0) * (y - y0) for y in ys))
    return divide(both, spread)


def variance(values: list[float]) -> float:
    """Of a sample, added up as the values come; 0 for one value alone."""
    mean = squares = 0.0
    for i, value in enumerate(values, 1):
        off = value - mean
        mean += off / i
        squares += off * (value - mean)
    return squares / (len(values) - 1) if len(values) > 1 else 0.0


def statistics(json: str | None, ignore_nonfinite: bool | None) -> str | None:
    """A bag of `STATISTICS`, the sum and the number of elements; nulls when an element is not finite and counts."""
    values = numbers(json)
    if values is None:
        return None
    kept = [(i, v) for i, v in enumerate(values) if _is_finite(v)]
    if not kept or (len(kept) < len(values) and not ignore_nonfinite):
        return written(dict.fromkeys((*STATISTICS, "sum", "len")))
    reals = [float(v) for _, v in kept if v is not None]
    low, high = min(reals), max(reals)
    spread = variance(reals)
    found = {
        "min": low,
        "min_idx": next(i for i, v in kept if v == low),
        "max": high,
        "max_idx": next(i for i, v in kept if v == high),
        "avg": sum(reals) / len(reals),
        "stdev": math.sqrt(spread),
        "variance": spread,
        "sum": sum(reals),
        "len": len(reals),
    }
    return written({name: plain(value) for name, value in found.items()})


def _is_finite(value: Element) -> bool:
    return value is not None and math.isfinite(value)


NATIVES: tuple[Native, ...] = (
    native("series_sum", total, REAL, DYNAMIC),
    native("series_product", product, REAL, DYNAMIC),
    native("series_magnitude", magnitude, REAL, DYNAMIC),
    native("series_dot_product", dot_product, REAL, DYNAMIC, DYNAMIC),
    native("series_cosine_similarity", cosine_similarity, REAL, DYNAMIC, DYNAMIC),
    native("series_pearson_correlation", pearson_correlation, REAL, DYNAMIC, DYNAMIC),
    native("series_stats_dynamic", statistics, DYNAMIC, DYNAMIC, BOOL),
)
