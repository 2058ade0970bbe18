"""Clients that came to no call: what they sent was no request, or there was no room for them. They leave no row, so they are
counted, and told about once a second.
"""

from __future__ import annotations

import logging
from typing import Protocol

from aforo.gateway.metrics import NAMESPACE
from aforo.policy.services import Metrics

log = logging.getLogger("aforo.gateway")

METRIC = (NAMESPACE, "Refused Clients")


class Counted(Protocol):
    """A server, as far as it counts them."""

    refused: int
    turned_away: int


class Unserved:
    """Of one gateway process, `writer`."""

    def __init__(self, server: Counted, metrics: Metrics, writer: str) -> None:
        self._server = server
        self._metrics = metrics
        self._writer = writer
        self._told = {"NoRequest": 0, "NoRoom": 0}

    def tell(self) -> None:
        """What has come since the last time."""
        for reason, total in (("NoRequest", self._server.refused), ("NoRoom", self._server.turned_away)):
            more = total - self._told[reason]
            if not more:
                continue
            self._told[reason] = total
            self._metrics.emit(*METRIC, float(more), {"Reason": reason, "Gateway": self._writer})
            if reason == "NoRoom":
                log.warning(
                    "%d clients came when all connections were taken; idle ones made room, or they went", more
                )
