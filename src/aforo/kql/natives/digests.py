"""Digests that merge: of distinct values (hll), of a distribution (tdigest); and weighted percentiles.

A digest is a JSON array. While a set is small it holds all of it, so that its answers are exact.
"""

from __future__ import annotations

import base64
import math
from typing import Any

from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.ticks import format_datetime, parse_datetime, parse_timespan
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING
from aforo.stamps import timespan_text

# -- distinct values -------------------------------------------------------------------------------------
# [["hll", 1], [hashes]] of a small set, [["hll", 1], "base64 of the registers"] of a large one.

_HEAD = ["hll", 1]
_MOST_HASHES = 4096
_BITS = 14
_REGISTERS = 1 << _BITS


def hll_state(hashes: list[str]) -> str | None:
    """Of 64-bit hashes as decimal texts."""
    return None if not hashes else _hll_written({int(h) for h in hashes}, None)


def _hll_written(hashes: set[int], registers: bytearray | None) -> str | None:
    if registers is None and len(hashes) <= _MOST_HASHES:
        return written([_HEAD, sorted(hashes)])
    registers = registers or bytearray(_REGISTERS)
    for h in hashes:
        place, rest = h >> 64 - _BITS, h & (1 << 64 - _BITS) - 1
        rank = 64 - _BITS - rest.bit_length() + 1
        if rank > registers[place]:
            registers[place] = rank
    return written([_HEAD, base64.b64encode(bytes(registers)).decode()])


def _hll_read(json: str | None) -> tuple[set[int], bytearray | None] | None:
    match parsed(json):
        case [["hll", 1], list() as hashes] if all(isinstance(h, int) and 0 <= h < 1 << 64 for h in hashes):
            return set(hashes), None
        case [["hll", 1], str() as text]:
            try:
                registers = bytearray(base64.b64decode(text, validate=True))
            except ValueError:
                return None
            return (set(), registers) if len(registers) == _REGISTERS else None
        case _:
            return None


def hll_merge(given: list[str]) -> str | None:
    hashes: set[int] = set()
    merged: bytearray | None = None
    found = [state for json in given if (state := _hll_read(json)) is not None]
    for some, registers in found:
        hashes |= some
        if registers is not None:
            merged = registers if merged is None else bytearray(map(max, merged, registers))
    return _hll_written(hashes, merged) if found else None


def dcount_hll(json: str | None) -> int | None:
    state = _hll_read(json)
    if state is None:
        return None
    hashes, registers = state
    if registers is None:
        return len(hashes)
    empty = registers.count(0)
    raw = 0.7213 / (1 + 1.079 / _REGISTERS) * _REGISTERS**2 / sum(2.0**-r for r in registers)
    if raw <= 2.5 * _REGISTERS and empty:
        raw = _REGISTERS * math.log(_REGISTERS / empty)
    return round(raw)


# -- distributions ---------------------------------------------------------------------------------------
# [["tdigest", type], [values], [weights]]; values in order, ticks of times.

_MOST_CENTROIDS = 4096
# Centroids in the middle of a digest that had to be made smaller.
_COMPRESSION = 1000

Digest = tuple[str, list[float], list[float]]


def tdigest_state(json: str | None, type_: str) -> str | None:
    """Of an array of [value, weight]; null for none."""
    pairs = [(v, w) for v, w in parsed(json) or () if v is not None and w is not None and w > 0]
    return _digest_written(type_, pairs) if pairs else None


def _digest_written(type_: str, pairs: list[tuple[float, float]]) -> str | None:
    values: list[float] = []
    weights: list[float] = []
    for value, weight in sorted(pairs):
        if values and values[-1] == value:
            weights[-1] += weight
        else:
            values.append(value)
            weights.append(weight)
    if len(values) > _MOST_CENTROIDS:
        values, weights = _smaller(values, weights)
    return written([["tdigest", type_], values, weights])


def _smaller(values: list[float], weights: list[float]) -> tuple[list[float], list[float]]:
    """Neighbours become one, the more of them the farther they are from both ends."""
    total = sum(weights)
    out: list[float] = []
    sizes: list[float] = []
    done = 0.0
    for value, weight in zip(values, weights, strict=True):
        if sizes:
            q = (done + (sizes[-1] + weight) / 2) / total
            if sizes[-1] + weight <= max(4 * total * q * (1 - q) / _COMPRESSION, 1):
                sizes[-1] += weight
                out[-1] += (value - out[-1]) * weight / sizes[-1]
                continue
            done += sizes[-1]
        out.append(value)
        sizes.append(weight)
    return out, sizes


def _digest_read(json: str | None) -> Digest | None:
    match parsed(json):
        case [["tdigest", str() as type_], list() as values, list() as weights] if (
            values
            and len(values) == len(weights)
            and all(isinstance(v, int | float) and not isinstance(v, bool) for v in (*values, *weights))
        ):
            return type_, values, weights
        case _:
            return None


def tdigest_merge(given: list[str]) -> str | None:
    found = [digest for json in given if (digest := _digest_read(json)) is not None]
    if not found:
        return None
    pairs = [pair for _, values, weights in found for pair in zip(values, weights, strict=True)]
    return _digest_written(found[0][0], pairs)


def _ranked(values: list[float], weights: list[float], percentile: float) -> float:
    """The nearest rank: the least value that so many percent of the weight do not exceed."""
    target = sum(weights) * min(max(percentile, 0.0), 100.0) / 100
    reached = 0.0
    for value, weight in zip(values, weights, strict=True):
        reached += weight
        # The sum of weights and the share of it are rounded differently.
        if reached >= target - 1e-9:
            return value
    return values[-1]


def _shown(type_: str, value: float) -> Any:
    match type_:
        case "datetime":
            moment = format_datetime(round(value))
            return moment if "." in moment else moment.replace("Z", ".0000000Z")
        case "timespan":
            return timespan_text(round(value))
        case "int" | "long":
            return round(value)
        case _:
            return float(value)


def percentile_tdigest(json: str | None, percentile: float | None) -> str | None:
    digest = _digest_read(json)
    if digest is None or percentile is None:
        return None
    return written(_shown(digest[0], _ranked(digest[1], digest[2], percentile)))


def percentiles_array_tdigest(given: list[str]) -> str | None:
    digest = _digest_read(given[0])
    points: list[Any] = []
    for json in given[1:]:
        value = parsed(json)
        points += value if isinstance(value, list) else [value]
    if digest is None or not all(isinstance(p, int | float) for p in points):
        return None
    return written([_shown(digest[0], _ranked(digest[1], digest[2], p)) for p in points])


def _rank(json: str | None, value: str | None) -> tuple[float, float] | None:
    """(weight of what is not greater, whole weight)"""
    digest, wanted = _digest_read(json), parsed(value)
    if digest is None:
        return None
    if isinstance(wanted, str):
        wanted = {"datetime": parse_datetime, "timespan": parse_timespan}.get(digest[0], _none)(wanted)
    if not isinstance(wanted, int | float):
        return None
    below = sum(w for v, w in zip(digest[1], digest[2], strict=True) if v <= wanted)
    return below, sum(digest[2])


def _none(_text: str) -> int | None:
    return None


def rank_tdigest(json: str | None, value: str | None) -> float | None:
    found = _rank(json, value)
    return None if found is None else float(found[0])


def percentrank_tdigest(json: str | None, value: str | None) -> float | None:
    found = _rank(json, value)
    return None if found is None else found[0] * 100 / found[1]


# -- weighted percentiles --------------------------------------------------------------------------------


def _weighted(json: str | None, percentile: float | None) -> float | None:
    pairs = sorted((v, w) for v, w in parsed(json) or () if v is not None and w is not None and w > 0)
    if not pairs or percentile is None:
        return None
    return _ranked([v for v, _ in pairs], [w for _, w in pairs], percentile)


def percentile_weighted_long(json: str | None, percentile: float | None) -> int | None:
    found = _weighted(json, percentile)
    return None if found is None else int(found)


NATIVES: tuple[Native, ...] = (
    native("hll_state", hll_state, DYNAMIC, spread=True),
    native("hll_merge", hll_merge, DYNAMIC, spread=True),
    native("dcount_hll", dcount_hll, LONG, DYNAMIC),
    native("tdigest_state", tdigest_state, DYNAMIC, DYNAMIC, STRING),
    native("tdigest_merge", tdigest_merge, DYNAMIC, spread=True),
    native("percentile_tdigest", percentile_tdigest, DYNAMIC, DYNAMIC, REAL),
    native("percentiles_array_tdigest", percentiles_array_tdigest, DYNAMIC, spread=True),
    native("rank_tdigest", rank_tdigest, REAL, DYNAMIC, DYNAMIC),
    native("percentrank_tdigest", percentrank_tdigest, REAL, DYNAMIC, DYNAMIC),
    native("percentile_weighted_long", percentile_weighted_long, LONG, DYNAMIC, REAL),
    native("percentile_weighted_real", _weighted, REAL, DYNAMIC, REAL),
)
