"""The metrics of generative AI by OpenTelemetry's semantic conventions (gen_ai.client.*), counted from records and said
in OTLP's JSON form. They count up from the start of this process (cumulative temporality)."""

from __future__ import annotations

from typing import Any

from aforo.llm.digest import Digest
from aforo.llm.prices import PriceList
from aforo.logs.spans import attributes, model_facts
from aforo.logs.spending import cost_of
from aforo.logs.tally import Counter, Histogram
from aforo.spool.records import CallRecord

Json = dict[str, Any]

# As the conventions want them.
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = (
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262144.0,
    1048576.0,
    4194304.0,
    16777216.0,
    67108864.0,
)
_COMMON = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
)
_CUMULATIVE = 2


class GenAiMetrics:
    """`began_ns` is the start of all series, unix nanoseconds."""

    def __init__(self, began_ns: int) -> None:
        self._began = str(began_ns)
        self._tokens = Histogram(
            "gen_ai.client.token.usage", "Tokens that were used.", (*_COMMON, "gen_ai.token.type"), _TOKENS
        )
        self._duration = Histogram(
            "gen_ai.client.operation.duration", "How long it took.", (*_COMMON, "error.type"), _SECONDS
        )
        self._first = Histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "Until the first byte of a stream.",
            _COMMON,
            _SECONDS,
        )
        self._cost = Counter("aforo.cost", "What calls cost.", (*_COMMON, "aforo.cost.currency"))

    def saw(self, call: CallRecord, read: Digest, prices: PriceList) -> None:
        """Count one call of a model."""
        facts = model_facts(call, read)
        common = tuple("" if facts[n] is None else str(facts[n]) for n in _COMMON)
        self._duration.observe(
            (call.ended_ns - call.started_ns) / 1e9, *common, str(facts["error.type"] or "")
        )
        if call.response.stream and call.first_byte_us:
            self._first.observe(call.first_byte_us / 1e6, *common)
        usage = read.usage
        if usage is None:
            return
        self._tokens.observe(usage.prompt, *common, "input")
        if usage.completion:
            self._tokens.observe(usage.completion, *common, "output")
        cost = cost_of(call, read, prices)
        if cost is not None:
            self._cost.add(cost.amount, *common, cost.currency)

    def said(self, now_ns: int) -> list[Json]:
        """All metrics with what they have come to."""
        out = [
            self._histogram(self._tokens, "{token}", now_ns),
            self._histogram(self._duration, "s", now_ns),
            self._histogram(self._first, "s", now_ns),
        ]
        points = [
            {**self._point(self._cost.labels, key, now_ns), "asDouble": value}
            for key, value in self._cost.values.items()
        ]
        if points:
            total = {"dataPoints": points, "aggregationTemporality": _CUMULATIVE, "isMonotonic": True}
            out.append({"name": self._cost.name, "description": self._cost.doc, "unit": "1", "sum": total})
        return [metric for metric in out if metric is not None]

    def _histogram(self, metric: Histogram, unit: str, now_ns: int) -> Json | None:
        if not metric.counts:
            return None
        points = [
            {
                **self._point(metric.labels, key, now_ns),
                "count": str(sum(counts)),
                "sum": metric.sums[key],
                "bucketCounts": [str(c) for c in counts],
                "explicitBounds": list(metric.bounds),
            }
            for key, counts in metric.counts.items()
        ]
        return {
            "name": metric.name,
            "description": metric.doc,
            "unit": unit,
            "histogram": {"dataPoints": points, "aggregationTemporality": _CUMULATIVE},
        }

    def _point(self, labels: tuple[str, ...], key: tuple[str, ...], now_ns: int) -> Json:
        values: Json = dict(zip(labels, key, strict=True))
        if values.get("server.port", "").isdigit():
            values["server.port"] = int(values["server.port"])
        return {
            "attributes": attributes(values),
            "startTimeUnixNano": self._began,
            "timeUnixNano": str(now_ns),
        }
