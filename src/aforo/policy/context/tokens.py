"""Tokens and basic credentials that an expression reads from a text; nothing is verified here."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from aforo.csharp.runtime import dates
from aforo.csharp.runtime.dates import DateTime
from aforo.csharp.runtime.objects import Obj
from aforo.policy.context.values import Values


class Basic(Obj):
    """`BasicAuthCredentials`"""

    __slots__ = ("password", "user_id")

    def __init__(self, user_id: str, password: str) -> None:
        self.user_id = user_id
        self.password = password


def as_basic(text: str | None) -> Basic | None:
    match = re.fullmatch(r"\s*Basic\s+([A-Za-z0-9+/=]+)\s*", text or "", re.IGNORECASE)
    if match is None:
        return None
    try:
        user, colon, password = base64.b64decode(match[1], validate=True).decode().partition(":")
    except ValueError:
        return None
    return Basic(user, password) if colon else None


def try_basic(text: str | None) -> tuple[bool, Basic | None]:
    found = as_basic(text)
    return found is not None, found


class Jwt(Obj):
    """A token's claims, read and not verified."""

    __slots__ = ("claims", "header")

    def __init__(self, header: dict[str, Any], claims: dict[str, Any]) -> None:
        self.header = header
        self.claims = claims


class Claims(Values):
    __slots__ = ("claims",)

    def __init__(self, claims: dict[str, Any]) -> None:
        self.claims = claims

    def all(self, name: str) -> list[str]:
        return _texts(self.claims[name]) if name in self.claims else []

    def pairs(self) -> Iterator[tuple[str, list[str]]]:
        for name, value in self.claims.items():
            yield name, _texts(value)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v if isinstance(v, str) else orjson.dumps(v).decode() for v in values]


def as_jwt(text: str | None) -> Jwt | None:
    parts = (text or "").strip().removeprefix("Bearer ").strip().split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (orjson.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in parts[:2])
    except ValueError:
        return None
    return Jwt(header, claims) if isinstance(header, dict) and isinstance(claims, dict) else None


def try_jwt(text: str | None) -> tuple[bool, Jwt | None]:
    found = as_jwt(text)
    return found is not None, found


def jwt_claims(token: Jwt) -> Claims:
    return Claims(token.claims)


def claim(name: str) -> Callable[[Jwt], str | None]:
    def read(token: Jwt) -> str | None:
        value = token.claims.get(name)
        return None if value is None else _texts(value)[0]

    read.__qualname__ = f"jwt_{name}"
    return read


def moment(name: str) -> Callable[[Jwt], DateTime | None]:
    def read(token: Jwt) -> DateTime | None:
        value = token.claims.get(name)
        return dates.from_unix(int(value)) if isinstance(value, (int, float)) else None

    read.__qualname__ = f"jwt_{name}"
    return read


def jwt_audiences(token: Jwt) -> list[str]:
    return _texts(token.claims["aud"]) if "aud" in token.claims else []


def jwt_algorithm(token: Jwt) -> str | None:
    value = token.header.get("alg")
    return value if isinstance(value, str) else None


def jwt_type(token: Jwt) -> str | None:
    value = token.header.get("typ")
    return value if isinstance(value, str) else None
