"""Bodies in and out of the store: JSON with every secret sealed under the resource's id and the property's path.

It knows sealers and bodies; files and keys of the installation are `identity.keys`'s.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from aforo.identity.seal import Sealer
from aforo.model.secret import MASK, Secret

_MARK = "$sealed"


class Keys(Protocol):
    """Where sealers come from (`identity.keys.Secrets` is one)."""

    def sealer(self, purpose: str) -> Sealer: ...


class BodyCodec:
    """Bodies as bytes for the store. A sealed value cannot be moved to another resource or property."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def encode(self, key: str, body: Mapping[str, Any]) -> bytes:
        """The body of the resource with that id key, secrets sealed."""
        return orjson.dumps(self._seal(body, key))

    def decode(self, key: str, data: bytes) -> dict[str, Any]:
        """The body again; secrets are opened when somebody first reveals them."""
        return self._open(orjson.loads(data), key)  # type: ignore[no-any-return]

    def _seal(self, value: Any, place: str) -> Any:
        if isinstance(value, Secret):
            sealed = self._sealer.seal(value.reveal().encode(), place.encode())
            return {_MARK: base64.b64encode(sealed).decode()}
        if isinstance(value, Mapping):
            return {k: self._seal(v, f"{place}|{k}") for k, v in value.items()}
        if isinstance(value, list):
            return [self._seal(v, f"{place}|{i}") for i, v in enumerate(value)]
        return value

    def _open(self, value: Any, place: str) -> Any:
        if isinstance(value, dict):
            if len(value) == 1 and _MARK in value:
                sealed = base64.b64decode(value[_MARK])
                return Secret.lazy(lambda: self._sealer.open(sealed, place.encode()).decode())
            return {k: self._open(v, f"{place}|{k}") for k, v in value.items()}
        if isinstance(value, list):
            return [self._open(v, f"{place}|{i}") for i, v in enumerate(value)]
        return value


def masked(value: Any) -> Any:
    """The value with every secret replaced by a mask: for diffs, audit rows and answers."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Mapping):
        return {k: masked(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [masked(v) for v in value]
    return value


def without_secrets(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body as GET answers and exports have it: secret properties left out, secrets deeper inside masked.

    The mask keeps the place: who sends it back means the secret that is there.
    """
    out = {k: masked(v) for k, v in body.items() if k != "properties"}
    properties = body.get("properties", {})
    out["properties"] = {k: masked(v) for k, v in properties.items() if not isinstance(v, Secret)}
    return out


def revealed(value: Any) -> Any:
    """The value with every secret in clear: only for an export that was asked for them."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {k: revealed(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [revealed(v) for v in value]
    return value
