"""Debug credentials and traces: `listDebugCredentials` and `listTrace` of the managed gateway. It traces nothing itself.

Gateways write traces into a folder; they are other processes, so a trace can be asked for a moment before it is there.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from aforo.errors import Invalid, NotFound
from aforo.identity.debug_token import LONGEST_S, DebugToken, make
from aforo.model.graph import Graph
from aforo.model.ids import ResourceId
from aforo.model.kinds.api import API_TYPE
from aforo.model.kinds.service import SERVICE_TYPE

GATEWAY_TYPE: Final = f"{SERVICE_TYPE}/gateways"
MANAGED: Final = "managed"
_DURATION = re.compile(r"PT(?=\d)(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_PATIENCE_S = 1.0
_LOOK_S = 0.02


class Debugging:
    """`key` signs tokens, `folder` holds the traces."""

    def __init__(self, key: bytes, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._folder = folder
        self._clock = clock

    async def answer(
        self, name: str, gateway: ResourceId, body: Mapping[str, Any], graph: Graph
    ) -> dict[str, Any]:
        """What an action of the gateway answers with; `name` is one that `known` knows."""
        if name.lower() == "listtrace":
            return await self._trace(body)
        return self._credentials(gateway, body, graph)

    @staticmethod
    def known(name: str) -> str | None:
        """The action's own spelling; None for another."""
        return next(
            (n for n in ("listDebugCredentials", "listTrace") if n.lower() == name.lower()),
            None,
        )

    def _credentials(self, gateway: ResourceId, body: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
        purposes = body.get("purposes", ["tracing"])
        if purposes != ["tracing"]:
            raise Invalid("'purposes' has to be [\"tracing\"]", code="ValidationError", target="purposes")
        asked = body.get("apiId")
        if not isinstance(asked, str) or not asked:
            raise Invalid(
                "'apiId' has to be the id of the API to trace", code="ValidationError", target="apiId"
            )
        full = (
            asked if asked.lower().startswith("/subscriptions/") else f"{gateway.parent}/{asked.strip('/')}"
        )
        api = graph.get(full)
        if api is None or api.kind.type != API_TYPE or api.id.parent_key != gateway.parent_key:
            raise Invalid(
                f"there is no API {asked!r} in this service", code="ValidationError", target="apiId"
            )
        seconds = _seconds(body.get("credentialsExpireAfter", "PT1H"))
        return {"token": make(self._key, DebugToken(api.name, int(self._clock()) + seconds))}

    async def _trace(self, body: Mapping[str, Any]) -> dict[str, Any]:
        wanted = body.get("traceId")
        if not isinstance(wanted, str) or not _TRACE_ID.fullmatch(wanted):
            raise Invalid(
                "'traceId' has to be the value of an Apim-Trace-Id header",
                code="ValidationError",
                target="traceId",
            )
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                found: dict[str, Any] = orjson.loads((self._folder / f"{wanted}.json").read_bytes())
            except FileNotFoundError:
                if time.monotonic() > until:
                    raise NotFound(f"There is no trace {wanted!r} (any more).", target="traceId") from None
                await asyncio.sleep(_LOOK_S)
            else:
                return found


def _seconds(text: Any) -> int:
    """An ISO 8601 duration of up to an hour."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match is not None else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not 0 < total <= LONGEST_S:
        raise Invalid(
            "'credentialsExpireAfter' has to be an ISO 8601 duration of up to PT1H",
            code="ValidationError",
            target="credentialsExpireAfter",
        )
    return total
