"""How a connection string names a Valkey or Redis server: Azure's form, or a URL. It connects to nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

PORT = 6379
TLS_PORT = 6380
_SCHEMES = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_MOST_DATABASES = 1 << 14
# Words of Azure's form that say how its own client behaves: they change nothing here.
_OF_THE_CLIENT = frozenset(
    (
        "abortconnect", "allowadmin", "asynctimeout", "channelprefix", "configchannel", "configcheckseconds",
        "connectretry", "connecttimeout", "defaultversion", "highintegrity", "keepalive", "name", "protocol",
        "resolvedns", "responsetimeout", "sslprotocols", "synctimeout", "tiebreaker", "version",
        "writebuffer", "setclientlibrary",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValkeyAddress:
    """A server: `host` and `port`, or `path` of a Unix socket ("" for none). Without `password` nobody signs in.
    `tls_name` is the name that its certificate has to have, where that is not the host's."""

    host: str = ""
    port: int = PORT
    path: str = ""
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls_name: str = ""

    @property
    def where(self) -> str:
        """For people, without what signs in."""
        return self.path or f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def read_address(text: str) -> ValkeyAddress:
    """`host:6380,password=...,ssl=True,abortConnect=False` (also `user=`, `defaultDatabase=`),
    `valkey://user:password@host:6379/0` (`valkeys`, `redis`, `rediss`), `unix://user:password@/path?db=0`. ValueError says
    what is wrong and shows no secret."""
    text = text.strip()
    scheme, found, _ = text.partition("://")
    if found and "," not in scheme and "=" not in scheme:
        return _by_url(text, scheme.lower())
    return _by_pairs(text)


def _by_url(text: str, scheme: str) -> ValkeyAddress:
    if scheme not in (*_SCHEMES, "unix"):
        raise ValueError(f"'{scheme[:20]}' is no scheme of a cache; {', '.join(_SCHEMES)} and unix are")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        # Its own words would show the rest of the text.
        raise ValueError("the address of the cache is no URL") from error
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if scheme == "unix":
        path, query = unquote(parts.path), parts.query
        if parts.hostname or not path.startswith("/") or "\0" in path or len(path.encode()) > 100:
            raise ValueError(
                "a socket is named by its whole path, of at most 100 bytes: unix:///run/valkey.sock"
            )
        number = query.removeprefix("db=") if query else "0"
        return ValkeyAddress(path=path, port=0, user=user, password=password, database=_database(number))
    tls = _SCHEMES[scheme]
    if parts.query or parts.fragment:
        raise ValueError("the address of a cache has no query")
    return ValkeyAddress(
        host=_host(parts.hostname or ""),
        port=port or (TLS_PORT if tls else PORT),
        tls=tls,
        user=user,
        password=password,
        database=_database(parts.path.strip("/") or "0"),
    )


def _by_pairs(text: str) -> ValkeyAddress:
    first, *rest = text.split(",")
    host, port = _split(first.strip())
    given: dict[str, str] = {}
    for part in rest:
        if not part.strip():
            continue
        name, found, value = part.partition("=")
        name = name.strip().lower()
        if not found:
            # It may be a part of a password with a comma in it: it is not shown.
            more = _host_like(part.strip())
            raise ValueError(
                "a cache of several servers (a cluster) is not supported"
                if more
                else "after the server, a connection string has only 'name=value' with commas between them"
            )
        given[name] = value.strip()
    unknown = next((n for n in given if n not in _OF_THE_CLIENT and n not in _KNOWN), None)
    if unknown is not None:
        raise ValueError(f"a connection string of a cache has no '{unknown[:40]}'")
    if given.get("proxy", "none").lower() != "none" or given.get("servicename") or given.get("tunnel"):
        raise ValueError("proxies and sentinels before a cache are not supported")
    tls = _flag(given.get("ssl", "false"), "ssl")
    return ValkeyAddress(
        host=_host(host),
        port=port or (TLS_PORT if tls else PORT),
        tls=tls,
        user=given.get("user", ""),
        password=given.get("password", ""),
        database=_database(given.get("defaultdatabase", "0") or "0"),
        tls_name=_host(given["sslhost"]) if given.get("sslhost") else "",
    )


_KNOWN = frozenset(
    ("user", "password", "ssl", "sslhost", "defaultdatabase", "proxy", "servicename", "tunnel")
)


def _split(server: str) -> tuple[str, int]:
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = server.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("the port of the cache is a number from 1 to 65535")
    return host, int(port or 0)


def _host_like(text: str) -> bool:
    host, found, port = text.rpartition(":")
    return bool(found) and port.isdigit() and _HOST.fullmatch(host) is not None


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None and _IPV6.fullmatch(text) is None:
        raise ValueError("a connection string of a cache begins with 'host:port', or is a URL")
    return text


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text) < _MOST_DATABASES):
        raise ValueError("the database of a cache is a small number")
    return int(text)


def _flag(text: str, name: str) -> bool:
    lower = text.lower()
    if lower not in (*_YES, *_NO):
        raise ValueError(f"'{name}' is True or False")
    return lower in _YES
