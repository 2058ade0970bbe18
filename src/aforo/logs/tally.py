"""What has come of all calls since this process began, as Prometheus reads it: counted from their records, those of all
gateways together. It opens nothing and reads no clock.

Values of labels come from configuration and from answers: each label takes so many, and each metric so many series;
what comes after is counted under `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aforo.llm.azure import filtered
from aforo.llm.digest import Digest
from aforo.llm.prices import ONE, PriceList
from aforo.logs.spending import cost_of
from aforo.spool.records import BackendRoute, CallRecord

OTHER = "other"
MOST_VALUES = 200
MOST_SERIES = 2_000
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

Labels = tuple[str, ...]


class Metric:
    """One metric: its series, by the values of its labels."""

    kind = "counter"

    def __init__(self, name: str, doc: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.doc = doc
        self.labels = labels
        self._values: list[set[str]] = [set() for _ in labels]
        self._known: set[Labels] = set()

    def key(self, values: Labels) -> Labels:
        """The series that these values count in."""
        bounded = tuple(map(self._bounded, self._values, values))
        if bounded not in self._known:
            if len(self._known) >= MOST_SERIES:
                bounded = (OTHER,) * len(self.labels)
            self._known.add(bounded)
        return bounded

    def lines(self) -> Iterator[str]:
        """As text, with its head; nothing while there is no series."""
        if not self._known:
            return
        yield f"# HELP {self.name} {self.doc}"
        yield f"# TYPE {self.name} {self.kind}"
        for series in sorted(self._known):
            yield from self.series(series)

    def series(self, key: Labels) -> Iterator[str]:
        raise NotImplementedError

    def shown(self, key: Labels, *more: str) -> str:
        pairs = [f'{n}="{_escaped(v)}"' for n, v in zip(self.labels, key, strict=True)]
        inside = ",".join((*pairs, *more))
        return f"{{{inside}}}" if inside else ""

    @staticmethod
    def _bounded(seen: set[str], value: str) -> str:
        if value not in seen:
            if len(seen) >= MOST_VALUES:
                return OTHER
            seen.add(value)
        return value


class Counter(Metric):
    """Goes up."""

    def __init__(self, name: str, doc: str, labels: tuple[str, ...]) -> None:
        super().__init__(name, doc, labels)
        self.values: dict[Labels, float] = {}

    def add(self, amount: float, *labels: str) -> None:
        values = self.values
        if labels in values:
            values[labels] += amount
            return
        key = self.key(labels)
        values[key] = values.get(key, 0) + amount

    def series(self, key: Labels) -> Iterator[str]:
        yield f"{self.name}{self.shown(key)} {_number(self.values[key])}"


class Histogram(Metric):
    """How many were at most so large."""

    kind = "histogram"

    def __init__(
        self, name: str, doc: str, labels: tuple[str, ...], bounds: tuple[float, ...] = SECONDS
    ) -> None:
        super().__init__(name, doc, labels)
        self.bounds = bounds
        self.counts: dict[Labels, list[int]] = {}
        self.sums: dict[Labels, float] = {}

    def observe(self, value: float, *labels: str) -> None:
        counts = self.counts.get(labels)
        if counts is None:
            labels = self.key(labels)
            counts = self.counts.setdefault(labels, [0] * (len(self.bounds) + 1))
            self.sums.setdefault(labels, 0.0)
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[labels] += value

    def merge(self, counted: Counted, *labels: str) -> None:
        """What was counted apart, by the same bounds."""
        if not counted.some:
            return
        key = self.key(labels)
        known = self.counts.get(key) or [0] * (len(self.bounds) + 1)
        self.counts[key] = [one + other for one, other in zip(known, counted.counts, strict=True)]
        self.sums[key] = self.sums.get(key, 0.0) + counted.total

    def series(self, key: Labels) -> Iterator[str]:
        total = 0
        for bound, count in zip((*map(_number, self.bounds), "+Inf"), self.counts[key], strict=True):
            total += count
            le = f'le="{bound}"'
            yield f"{self.name}_bucket{self.shown(key, le)} {total}"
        yield f"{self.name}_sum{self.shown(key)} {_number(self.sums[key])}"
        yield f"{self.name}_count{self.shown(key)} {total}"


class Counted:
    """Values counted apart from their series, by SECONDS."""

    __slots__ = ("counts", "some", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0
        self.some = False

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds
        self.some = True


# API, product, subscription, status, backend, its status, whether one was tried without a route, model, where its usage is
# from, currency.
_Likeness = tuple[str, str, str, int, str, int, bool, str, str, str]


@dataclass(slots=True)
class _Alike:
    """Calls that count in the same series, since somebody looked. `pico` are 10^-12 of the currency."""

    calls: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    priced: int = 0
    pico: int = 0
    unpriced: int = 0
    duration: Counted = field(default_factory=Counted)
    first_byte: Counted = field(default_factory=Counted)
    backend: Counted = field(default_factory=Counted)


class Tally:
    """All metrics of calls."""

    def __init__(self) -> None:
        self._alike: dict[_Likeness, _Alike] = {}
        whose = ("api", "product", "subscription")
        self.calls = Counter(
            "aforo_calls_total", "Calls, by the status that the client got.", (*whose, "status")
        )
        self.duration = Histogram(
            "aforo_call_duration_seconds",
            "From the first byte of a request to the last of its response.",
            ("api",),
        )
        self.first_byte = Histogram(
            "aforo_call_first_byte_seconds", "Until the first byte of the response left.", ("api",)
        )
        self.backend = Histogram(
            "aforo_backend_duration_seconds", "What of it was the backend's.", ("backend",)
        )
        self.refused = Counter(
            "aforo_call_errors_total", "What calls failed of, by reason.", ("api", "reason")
        )
        self.aborted = Counter(
            "aforo_calls_aborted_total", "Calls that somebody left before their end.", ("api", "by")
        )
        self.attempts = Counter(
            "aforo_backend_attempts_total", "Tries of backends, by status or reason.", ("backend", "outcome")
        )
        self.passed = Counter(
            "aforo_backend_passed_over_total", "Backends that were not called, and why.", ("backend", "why")
        )
        self.tokens = Counter(
            "aforo_tokens_total",
            "Tokens; `cached` are part of `prompt`, `reasoning` of `completion`.",
            (*whose, "model", "type", "source"),
        )
        self.cost = Counter(
            "aforo_cost_total", "What calls cost, in units of the currency.", (*whose, "model", "currency")
        )
        self.unpriced = Counter(
            "aforo_calls_without_price_total", "Calls with tokens whose price is not known.", ("model",)
        )
        self.filtered = Counter(
            "aforo_content_filtered_total",
            "Prompts and answers that a content filter refused or cut.",
            (*whose, "side"),
        )

    def metrics(self) -> list[Metric]:
        """All of them."""
        return [metric for metric in vars(self).values() if isinstance(metric, Metric)]

    def saw(self, call: CallRecord, read: Digest | None, prices: PriceList) -> None:
        """Count one call. Most are like others: what they come to is put into the series when somebody looks."""
        usage = read.usage if read is not None else None
        cost = cost_of(call, read, prices)
        key = (
            call.api_id,
            call.product_id,
            call.subscription_id,
            call.status,
            call.backend_id,
            call.backend_status,
            call.attempts > 0 and call.route is None,
            (read.model or call.deployment) if read is not None else "",
            usage.source if usage is not None else "",
            cost.currency if cost is not None else "",
        )
        alike = self._alike.get(key)
        if alike is None:
            if len(self._alike) >= MOST_SERIES:
                self._settle()
            alike = self._alike[key] = _Alike()
        alike.calls += 1
        alike.duration.add((call.ended_ns - call.started_ns) / 1e9)
        if call.first_byte_us:
            alike.first_byte.add(call.first_byte_us / 1e6)
        if call.backend_us:
            alike.backend.add(call.backend_us / 1e6)
        if usage is not None:
            alike.prompt += usage.prompt
            alike.completion += usage.completion
            alike.cached += usage.cached or 0
            alike.reasoning += usage.reasoning or 0
            if cost is not None:
                alike.priced += 1
                alike.pico += cost.pico
            elif usage.total:
                alike.unpriced += 1
        if call.aborted:
            self.aborted.add(1, call.api_id, call.aborted)
        for error in call.errors:
            if not error.recovered:
                self.refused.add(1, call.api_id, error.reason)
        if call.route is not None:
            self._route(call.route)
        if read is not None and read.content_filter:
            verdicts = filtered(read.content_filter)
            for side, cut in (("prompt", verdicts.prompt), ("completion", verdicts.completion)):
                if cut:
                    self.filtered.add(1, call.api_id, call.product_id, call.subscription_id, side)

    def _route(self, route: BackendRoute) -> None:
        for attempt in route.attempts:
            self.attempts.add(1, attempt.backend, str(attempt.status) if attempt.status else attempt.reason)
        for passed in route.passed_over:
            self.passed.add(1, passed.backend, passed.why)

    def _settle(self) -> None:
        """Put what was counted apart into the series."""
        for key, alike in self._alike.items():
            api, product, subscription, status, backend, answered, tried, model, source, currency = key
            whose = (api, product, subscription)
            self.calls.add(alike.calls, *whose, str(status))
            self.duration.merge(alike.duration, api)
            self.first_byte.merge(alike.first_byte, api)
            self.backend.merge(alike.backend, backend)
            if tried:
                self.attempts.add(alike.calls, backend, str(answered or "none"))
            for kind in ("prompt", "completion", "cached", "reasoning"):
                if tokens := getattr(alike, kind):
                    self.tokens.add(tokens, *whose, model, kind, source)
            if alike.priced:
                self.cost.add(alike.pico / ONE, *whose, model, currency)
            if alike.unpriced:
                self.unpriced.add(alike.unpriced, model)
        self._alike.clear()

    def text(self) -> str:
        """All of it in Prometheus' text format, version 0.0.4."""
        self._settle()
        lines = [line for metric in self.metrics() for line in metric.lines()]
        return "".join(f"{line}\n" for line in lines)


def gauge(name: str, doc: str, label: str, values: Mapping[str, float], kind: str = "gauge") -> str:
    """A metric whose values somebody else knows."""
    if not values:
        return ""
    lines = [f"# HELP {name} {doc}", f"# TYPE {name} {kind}"]
    lines += [f'{name}{{{label}="{_escaped(k)}"}} {_number(v)}' for k, v in values.items()]
    return "".join(f"{line}\n" for line in lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
