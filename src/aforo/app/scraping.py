"""`GET /metrics` of the control plane, for Prometheus: what the shipper has counted of all calls, how far the spools are,
what each gateway has in force. Whoever may read the service's metrics may have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aforo.app.held_backends import held_backends
from aforo.app.in_force import revisions
from aforo.errors import Denied
from aforo.identity.access import Principal
from aforo.logs.delivery.state import states
from aforo.logs.status import spool_status
from aforo.logs.tally import gauge
from aforo.settings import Layout

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def routes(
    layout: Layout,
    authenticate: Callable[[str | None], Awaitable[Principal]],
    may_read: Callable[[Principal], bool],
) -> list[Route]:
    """The one route. `may_read` says whether somebody may have the figures."""

    async def metrics(request: Request) -> Response:
        principal = await authenticate(request.headers.get("authorization"))
        if not may_read(principal):
            raise Denied(
                "these figures are for who may read the metrics of the service (Microsoft.Insights/metrics/read)",
                code="AuthorizationFailed",
            )
        text = await run_in_threadpool(_text, layout)
        return Response(text, media_type=_TYPE)

    return [Route("/metrics", metrics)]


def _text(layout: Layout) -> str:
    spools = spool_status(layout.spool)
    by = {s.folder: s for s in spools}
    running = revisions(layout.snapshots)
    parts = [
        _counted(layout.metrics),
        gauge(
            "aforo_spool_frames_accepted_total",
            "Records that a spool has taken.",
            "spool",
            {n: s.accepted for n, s in by.items()},
            "counter",
        ),
        gauge(
            "aforo_spool_frames_stored_total",
            "Records of a spool that are in the tables.",
            "spool",
            {n: s.stored for n, s in by.items()},
            "counter",
        ),
        gauge(
            "aforo_spool_frames_pending",
            "Records of a spool that are on their way.",
            "spool",
            {n: s.pending for n, s in by.items()},
        ),
        gauge(
            "aforo_spool_frames_damaged",
            "Records of a spool whose bytes were not sound, since the shipper began.",
            "spool",
            {n: s.damaged for n, s in by.items()},
        ),
        gauge(
            "aforo_gateway_revision",
            "The revision of the configuration that a gateway has in force.",
            "worker",
            {str(index): revision for index, (_, revision) in running.items()},
        ),
        gauge(
            "aforo_backend_taken_out",
            "By how many gateways a backend is not called now (breaker, probe).",
            "backend",
            dict(Counter(each.backend for each in held_backends(layout.snapshots))),
        ),
        *_delivered(layout),
    ]
    return "".join(parts)


def _delivered(layout: Layout) -> list[str]:
    """How far the logs are that diagnostic settings deliver elsewhere."""
    by = {s.destination.rpartition("/")[2]: s for s in states(layout.deliveries)}
    return [
        gauge(
            "aforo_delivery_records_total",
            "Records that were delivered to a destination of a diagnostic setting.",
            "destination",
            {n: s.records for n, s in by.items()},
            "counter",
        ),
        gauge(
            "aforo_delivery_frames_pending",
            "Frames of spools that a destination has not been given yet.",
            "destination",
            {n: s.pending for n, s in by.items()},
        ),
        gauge(
            "aforo_delivery_frames_skipped_total",
            "Frames of spools that were given up before a destination had them.",
            "destination",
            {n: s.skipped for n, s in by.items()},
            "counter",
        ),
        gauge(
            "aforo_delivery_failing",
            "Whether a destination cannot be reached now.",
            "destination",
            {n: int(s.failing_since > 0) for n, s in by.items()},
        ),
    ]


def _counted(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""  # the shipper has not begun yet
