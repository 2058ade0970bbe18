"""Spans and metrics on their way to an OpenTelemetry collector: OTLP over HTTP, as JSON, out of a thread beside the
shipper. What a collector does not take in time is dropped and counted; the tables have it all the same.

Configured by OpenTelemetry's own environment variables (OTEL_EXPORTER_OTLP_ENDPOINT and its kin).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from aforo.egress.fetch import fetch
from aforo.egress.policy import EgressPolicy, parse
from aforo.egress.pool import Pool
from aforo.errors import Refusal
from aforo.llm.digest import Digest
from aforo.logs.genai_metrics import GenAiMetrics
from aforo.logs.project import Context
from aforo.logs.spans import attributes, sampled, spans_of
from aforo.messages import Headers, parse_url
from aforo.spool.records import CallRecord

log = logging.getLogger("aforo.logs")

MOST_WAITING = 10_000
_BATCH = 512
_LINGER_S = 1.0
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_RETRIED = frozenset((429, 502, 503, 504))
_SCOPE = {"name": "aforo"}
# The operator names the collector: it may stand in a private network, or on this machine.
_PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
)


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where to, "" for nowhere. `headers` may hold credentials."""

    traces_url: str
    metrics_url: str
    headers: tuple[tuple[bytes, bytes], ...]
    resource: tuple[tuple[str, str], ...]
    metrics_every_s: float = 60.0
    timeout_s: float = 10.0


def settings_of(environ: Mapping[str, str]) -> OtlpSettings | None:
    """By the variables that OpenTelemetry declares; None where they name no collector, or a protocol that is not
    spoken here (which is told)."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    urls = {}
    for signal, path in (("TRACES", "/v1/traces"), ("METRICS", "/v1/metrics")):
        wanted = environ.get(f"OTEL_{signal}_EXPORTER", "otlp") == "otlp"
        url = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "") or (base + path if base else "")
        urls[signal] = url if wanted else ""
    if not any(urls.values()):
        return None
    if environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json") == "grpc":
        log.error("OTEL_EXPORTER_OTLP_PROTOCOL is grpc: only OTLP over HTTP is spoken; nothing is exported")
        return None
    for url in filter(None, urls.values()):
        try:
            parse_url(url)
        except ValueError as error:
            log.error("OTEL_EXPORTER_OTLP_ENDPOINT: %s; nothing is exported", error)
            return None
    named = dict(_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", "")))
    name = environ.get("OTEL_SERVICE_NAME", "") or named.get("service.name", "aforo")
    return OtlpSettings(
        urls["TRACES"],
        urls["METRICS"],
        tuple(
            (n.lower().encode("latin-1", "replace"), v.encode("latin-1", "replace"))
            for n, v in _pairs(environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""))
        ),
        tuple({**named, "service.name": name}.items()),
        max(1.0, _milliseconds(environ.get("OTEL_METRIC_EXPORT_INTERVAL", ""), 60_000) / 1e3),
        max(0.1, _milliseconds(environ.get("OTEL_EXPORTER_OTLP_TIMEOUT", ""), 10_000) / 1e3),
    )


class OtlpExporter:
    """A watcher of the shipper. `saw` belongs to the shipper's thread; sending is this one's own."""

    def __init__(self, settings: OtlpSettings, own_ports: frozenset[int] = frozenset()) -> None:
        self._settings = settings
        self._policy = EgressPolicy(parse(_PRIVATE).allowed, own_ports=own_ports)
        self._waiting: deque[dict[str, Any]] = deque()
        self._metrics = GenAiMetrics(time.time_ns())
        self._guard = threading.Lock()  # of the metrics
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp")
        self._not_taken = 0  # spans for which there was no room; the shipper's thread counts them
        self._not_sent = 0  # this one's own
        self.sent = 0

    @property
    def dropped(self) -> int:
        """Spans that no collector is going to see."""
        return self._not_taken + self._not_sent

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Send what waits, once, and end."""
        self._stop.set()
        self._thread.join()

    def saw(self, call: CallRecord, context: Context, read: Digest | None) -> None:
        if self._settings.traces_url and sampled(call):
            spans = spans_of(call, read, context.prices)
            if len(self._waiting) >= MOST_WAITING:
                self._not_taken += len(spans)
            else:
                self._waiting.extend(spans)
        if self._settings.metrics_url and read is not None and call.attempts:
            with self._guard:
                self._metrics.saw(call, read, context.prices)

    def tick(self, now_s: float) -> None:
        """Nothing to do: the thread has its own time."""

    def _run(self) -> None:
        asyncio.run(self._export())

    async def _export(self) -> None:
        pool = Pool(self._policy)
        next_metrics = time.monotonic() + self._settings.metrics_every_s
        told = 0
        try:
            while True:
                last = self._stop.is_set()
                try:
                    await self._send_spans(pool, last=last)
                    if self._settings.metrics_url and (last or time.monotonic() >= next_metrics):
                        next_metrics = time.monotonic() + self._settings.metrics_every_s
                        await self._send_metrics(pool, last=last)
                except Exception:
                    log.exception("bug: what was to be sent to the collector is lost; the next goes on")
                if self.dropped > told:
                    log.warning("%d spans could not be sent to the collector so far", self.dropped)
                    told = self.dropped
                if last:
                    return
                await asyncio.to_thread(self._stop.wait, _LINGER_S)
        finally:
            pool.close()

    async def _send_spans(self, pool: Pool, *, last: bool) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            body = {
                "resourceSpans": [
                    {"resource": self._resource(), "scopeSpans": [{"scope": _SCOPE, "spans": batch}]}
                ]
            }
            if await self._post(pool, self._settings.traces_url, body, last=last):
                self.sent += len(batch)
                continue
            self._not_sent += len(batch)
            if last or self._stop.is_set():
                # A stop does not wait for a collector again and again.
                self._not_sent += len(self._waiting)
                self._waiting.clear()

    async def _send_metrics(self, pool: Pool, *, last: bool) -> None:
        with self._guard:
            metrics = self._metrics.said(time.time_ns())
        if metrics:
            body = {
                "resourceMetrics": [
                    {"resource": self._resource(), "scopeMetrics": [{"scope": _SCOPE, "metrics": metrics}]}
                ]
            }
            # What is not taken comes again with the next one: they count up.
            await self._post(pool, self._settings.metrics_url, body, last=last)

    def _resource(self) -> dict[str, Any]:
        return {"attributes": attributes(dict(self._settings.resource))}

    async def _post(self, pool: Pool, url: str, body: dict[str, Any], *, last: bool) -> bool:
        data = orjson.dumps(body)
        headers = Headers.of(((b"content-type", b"application/json"), *self._settings.headers))
        why = ""
        for pause_s in (*_PAUSES_S, 0.0):
            try:
                answer = await fetch(pool, "POST", url, headers, data, timeout_s=self._settings.timeout_s)
            except Refusal as refusal:
                why = refusal.message
            else:
                if 200 <= answer.status < 300:
                    return True
                why = f"it answered {answer.status}"
                if answer.status not in _RETRIED:
                    break
            if last or self._stop.is_set():
                break
            await asyncio.to_thread(self._stop.wait, pause_s)
        log.warning("the collector at %s does not take what is sent: %s", url.partition("?")[0], why)
        return False


def _pairs(text: str) -> list[tuple[str, str]]:
    """`a=b,c=d`, percent-encoded, as W3C Baggage writes it."""
    found = (part.partition("=") for part in text.split(",") if "=" in part)
    return [(unquote(name.strip()), unquote(value.strip())) for name, _, value in found]


def _milliseconds(text: str, otherwise: int) -> int:
    return int(text) if text.isdigit() else otherwise
