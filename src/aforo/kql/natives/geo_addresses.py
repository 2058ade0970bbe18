"""Where an address is, by a database in MaxMind's format that the operator provides (read by the extra `geoip`).

The database is one per process: `look_in` says where it lies. Without it a query that asks is refused, never answered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from aforo.kql.natives.spec import Native, UnansweredError, native, written
from aforo.kql.types import DYNAMIC, STRING

_ASKED = "geo_info_from_ip_address()"
_WANTED = (
    f"{_ASKED} needs a database of where addresses are, which is not part of Aforo: "
    "put one in MaxMind's format (GeoLite2-City) into the data directory as 'geoip.mmdb'"
)
_EXTRA = f"{_ASKED} needs the extra 'geoip' to read 'geoip.mmdb' (pip install 'aforo[geoip]')"
_BROKEN = (
    f"{_ASKED} cannot read 'geoip.mmdb' of the data directory: it is no intact database in MaxMind's format"
)
# Addresses come back in logs; one answer has about 200 bytes.
_REMEMBERED = 10_000
_LONGEST = 64

_Address = IPv4Address | IPv6Address
_Find = Callable[[_Address], "str | None"]


class _Book:
    """The open database, or where it is going to be."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.find: _Find | None = None


_book = _Book()


def look_in(path: Path | None) -> None:
    """From now on this file has the answers. It is mapped, not read, when it is there already and fit to be read;
    otherwise each question looks again and says what is wrong."""
    _book.path, _book.find = path, None
    try:
        _opened()
    except UnansweredError:
        return


def geo_info(text: str) -> str | None:
    """Country, state (the most specific subdivision), city and coordinates, as far as they are known. Null for what is
    no address and for addresses that are not of the public Internet, with or without a database, and for those that it
    does not have."""
    return (_book.find or _opened())(address) if (address := _public(text)) is not None else None


def _opened() -> _Find:
    path = _book.path
    if path is None or not path.is_file():
        raise UnansweredError(_WANTED)
    if find_spec("maxminddb") is None:
        raise UnansweredError(_EXTRA)
    import maxminddb

    try:
        reader = maxminddb.open_database(path)
    except (maxminddb.InvalidDatabaseError, OSError, ValueError) as error:
        raise UnansweredError(_BROKEN) from error
    _book.find = lru_cache(_REMEMBERED)(lambda address: _found(reader, address))
    return _book.find


def _found(reader: Any, address: _Address) -> str | None:
    from maxminddb import InvalidDatabaseError

    # Asked for the wider kind, a database of IPv4 alone raises.
    if address.version == 6 and reader.metadata().ip_version == 4:
        return None
    try:
        record = reader.get(address)
    except (InvalidDatabaseError, UnicodeDecodeError) as error:
        raise UnansweredError(_BROKEN) from error
    if not isinstance(record, dict):
        return None
    parts = record.get("subdivisions")
    place = record.get("location")
    place = place if isinstance(place, dict) else {}
    known = {
        "country": _name(record.get("country")),
        "state": _name(parts[-1] if isinstance(parts, list) and parts else None),
        "city": _name(record.get("city")),
        "latitude": _degrees(place.get("latitude")),
        "longitude": _degrees(place.get("longitude")),
    }
    return written({name: value for name, value in known.items() if value is not None} or None)


@lru_cache(_REMEMBERED)
def _address(text: str) -> _Address | None:
    """The address of the public Internet that the text is."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address if address.is_global and not address.is_multicast else None


def _public(text: str) -> _Address | None:
    text = text.strip()
    return _address(text) if len(text) <= _LONGEST else None


def _name(part: Any) -> str | None:
    """The English name, which Kusto shows."""
    names = part.get("names") if isinstance(part, dict) else None
    name = names.get("en") if isinstance(names, dict) else None
    return name if isinstance(name, str) else None


def _degrees(value: Any) -> float | None:
    return value if isinstance(value, float) else None


NATIVES: tuple[Native, ...] = (native("geo_info_from_ip_address", geo_info, DYNAMIC, STRING),)
