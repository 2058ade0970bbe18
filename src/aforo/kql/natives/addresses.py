"""IPv4 and IPv6 addresses with prefixes: compare, match, lie in ranges, format; and addresses inside texts."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.types import BOOL, DYNAMIC, LONG, STRING

_V4 = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})", re.ASCII)
# An address in a text stands between characters that are neither letters nor digits.
_WITHIN = re.compile(r"(?<![^\W_])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![^\W_])")
_PREFIX = re.compile(r"(?:\d{1,3}\.){1,3}", re.ASCII)
_ALL4 = (1 << 32) - 1
_ALL6 = (1 << 128) - 1
# What stands above an IPv4 address in its IPv6 form.
_MAPPED = 0xFFFF << 32

Address = tuple[int, int]


def _number(text: str) -> int | None:
    m = _V4.fullmatch(text)
    if m is None:
        return None
    a, b, c, d = (int(part) for part in m.groups())
    return a << 24 | b << 16 | c << 8 | d if max(a, b, c, d) < 256 else None


def _bits(text: str, most: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= most else None


def v4(text: str) -> Address | None:
    """(number, bits of its prefix) of `10.1.2.3` or `10.1.2.3/24`."""
    ip, slash, prefix = text.strip().partition("/")
    number = _number(ip)
    bits = _bits(prefix, 32) if slash else 32
    return None if number is None or bits is None else (number, bits)


def v6(text: str) -> Address | None:
    """The same of an IPv6 address; an IPv4 address stands for its mapped form."""
    text = text.strip()
    if (four := v4(text)) is not None:
        return four[0] | _MAPPED, four[1] + 96
    ip, slash, prefix = text.partition("/")
    bits = _bits(prefix, 128) if slash else 128
    if bits is None or ":" not in ip or "%" in ip:
        return None
    try:
        return int(ipaddress.IPv6Address(ip)), bits
    except ValueError:
        return None


def _network(number: int, bits: int, width: int) -> int:
    return number >> (width - bits) << (width - bits)


def _pair(
    one: Address | None, other: Address | None, prefix: int | None, width: int
) -> tuple[int, int] | None:
    prefix = width if prefix is None else prefix
    if one is None or other is None or not 0 <= prefix <= width:
        return None
    bits = min(one[1], other[1], prefix)
    return _network(one[0], bits, width), _network(other[0], bits, width)


def _order(pair: tuple[int, int] | None) -> int | None:
    return None if pair is None else (pair[0] > pair[1]) - (pair[0] < pair[1])


def _same(pair: tuple[int, int] | None) -> bool | None:
    return None if pair is None else pair[0] == pair[1]


def _inside(ip: Address | None, network: Address | None, width: int) -> bool | None:
    if ip is None or network is None:
        return None
    if ip[1] < network[1]:
        return False
    return _network(ip[0], network[1], width) == _network(network[0], network[1], width)


def _inside_any(given: list[str], *, six: bool) -> bool | None:
    """True in one of them; else null where one cannot be read, else false."""
    read, width = (v6, 128) if six else (v4, 32)
    ip = parsed(given[0])
    ranges = _texts(given[1:])
    if not isinstance(ip, str) or (address := read(ip)) is None:
        return None
    found = [_inside(address, read(r), width) for r in ranges]
    return True if any(found) else None if None in found else False


def _texts(given: list[str]) -> list[str]:
    """Texts, or the texts in arrays."""
    out: list[Any] = []
    for json in given:
        value = parsed(json)
        out += value if isinstance(value, list) else [value]
    return [v for v in out if isinstance(v, str)]


def ipv4_compare(a: str, b: str, prefix: int | None) -> int | None:
    return _order(_pair(v4(a), v4(b), prefix, 32))


def ipv4_is_match(a: str, b: str, prefix: int | None) -> bool | None:
    return _same(_pair(v4(a), v4(b), prefix, 32))


def ipv6_compare(a: str, b: str, prefix: int | None) -> int | None:
    return _order(_pair(v6(a), v6(b), prefix, 128))


def ipv6_is_match(a: str, b: str, prefix: int | None) -> bool | None:
    return _same(_pair(v6(a), v6(b), prefix, 128))


def ipv4_is_in_range(ip: str, network: str) -> bool | None:
    return _inside(v4(ip), v4(network), 32)


def ipv6_is_in_range(ip: str, network: str) -> bool | None:
    return _inside(v6(ip), v6(network), 128)


def ipv4_is_in_any_range(given: list[str]) -> bool | None:
    return _inside_any(given, six=False)


def ipv6_is_in_any_range(given: list[str]) -> bool | None:
    return _inside_any(given, six=True)


def ipv4_is_private(text: str) -> bool | None:
    ip = v4(text)
    if ip is None:
        return None
    return any(_inside(ip, network, 32) for network in _PRIVATE)


_PRIVATE = ((10 << 24, 8), (172 << 24 | 16 << 16, 12), (192 << 24 | 168 << 16, 16))


def ipv4_netmask_suffix(text: str) -> int | None:
    ip = v4(text)
    return None if ip is None else ip[1]


def parse_ipv4(text: str) -> int | None:
    return parse_ipv4_mask(text, 32)


def parse_ipv4_mask(text: str, prefix: int | None) -> int | None:
    ip = v4(text)
    if ip is None or prefix is None or not 0 <= prefix <= 32:
        return None
    return _network(ip[0], min(ip[1], prefix), 32)


def parse_ipv6(text: str) -> str:
    return parse_ipv6_mask(text, 128)


def parse_ipv6_mask(text: str, prefix: int | None) -> str:
    ip = v6(text)
    if ip is None or prefix is None or not 0 <= prefix <= 128:
        return ""
    return ipaddress.IPv6Address(_network(ip[0], min(ip[1], prefix), 128)).exploded


def _formatted(json: str | None, prefix: int | None) -> tuple[str, int] | None:
    value = parsed(json)
    prefix = 32 if prefix is None else prefix
    if isinstance(value, str):
        ip = v4(value)
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _ALL4:
        ip = (value, 32)
    else:
        ip = None
    if ip is None or not 0 <= prefix <= 32:
        return None
    bits = min(ip[1], prefix)
    return _dotted(_network(ip[0], bits, 32)), bits


def _dotted(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def format_ipv4(json: str | None, prefix: int | None) -> str:
    found = _formatted(json, prefix)
    return "" if found is None else found[0]


def format_ipv4_mask(json: str | None, prefix: int | None) -> str:
    found = _formatted(json, prefix)
    return "" if found is None else f"{found[0]}/{found[1]}"


def ipv4_range_to_cidr_list(start: str, end: str) -> str | None:
    first, last = v4(start), v4(end)
    if first is None or last is None or first[0] > last[0]:
        return None
    out: list[str] = []
    at = first[0]
    while at <= last[0]:
        # The largest block that begins here and ends in the range.
        size = min(at & -at or 1 << 32, 1 << (last[0] - at + 1).bit_length() - 1)
        out.append(f"{_dotted(at)}/{33 - size.bit_length()}")
        at += size
    return written(out)


# -- addresses in texts ----------------------------------------------------------------------------------


def _found(text: str) -> list[str]:
    return [m.group() for m in _WITHIN.finditer(text) if _number(m.group()) is not None]


def has_any_ipv4(given: list[str]) -> bool:
    source, wanted = parsed(given[0]), _texts(given[1:])
    if not isinstance(source, str):
        return False
    there = {_number(ip) for ip in _found(source)}
    return any(_number(ip) in there for ip in wanted if _number(ip) is not None)


def has_any_ipv4_prefix(given: list[str]) -> bool:
    """A prefix ends with a point, or is a whole address."""
    source, wanted = parsed(given[0]), _texts(given[1:])
    if not isinstance(source, str):
        return False
    there = _found(source)
    return any(
        any(ip == prefix if _number(prefix) is not None else ip.startswith(prefix) for ip in there)
        for prefix in wanted
        if _number(prefix) is not None or _PREFIX.fullmatch(prefix)
    )


NATIVES: tuple[Native, ...] = (
    native("ipv4_compare", ipv4_compare, LONG, STRING, STRING, LONG),
    native("ipv4_is_match", ipv4_is_match, BOOL, STRING, STRING, LONG),
    native("ipv4_is_in_range", ipv4_is_in_range, BOOL, STRING, STRING),
    native("ipv4_is_in_any_range", ipv4_is_in_any_range, BOOL, spread=True),
    native("ipv4_is_private", ipv4_is_private, BOOL, STRING),
    native("ipv4_netmask_suffix", ipv4_netmask_suffix, LONG, STRING),
    native("ipv4_range_to_cidr_list", ipv4_range_to_cidr_list, DYNAMIC, STRING, STRING),
    native("ipv6_compare", ipv6_compare, LONG, STRING, STRING, LONG),
    native("ipv6_is_match", ipv6_is_match, BOOL, STRING, STRING, LONG),
    native("ipv6_is_in_range", ipv6_is_in_range, BOOL, STRING, STRING),
    native("ipv6_is_in_any_range", ipv6_is_in_any_range, BOOL, spread=True),
    native("parse_ipv4", parse_ipv4, LONG, STRING),
    native("parse_ipv4_mask", parse_ipv4_mask, LONG, STRING, LONG),
    native("parse_ipv6", parse_ipv6, STRING, STRING),
    native("parse_ipv6_mask", parse_ipv6_mask, STRING, STRING, LONG),
    native("format_ipv4", format_ipv4, STRING, DYNAMIC, LONG),
    native("format_ipv4_mask", format_ipv4_mask, STRING, DYNAMIC, LONG),
    native("has_ipv4", has_any_ipv4, BOOL, spread=True),
    native("has_any_ipv4", has_any_ipv4, BOOL, spread=True),
    native("has_ipv4_prefix", has_any_ipv4_prefix, BOOL, spread=True),
    native("has_any_ipv4_prefix", has_any_ipv4_prefix, BOOL, spread=True),
)
