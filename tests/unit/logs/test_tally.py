"""What is counted of calls, and how Prometheus reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aforo.logs.project import Context, read_call
from aforo.logs.shipper import Shipper
from aforo.logs.tally import MOST_SERIES, MOST_VALUES, Counter, Histogram, Tally, gauge
from aforo.logs.tally_file import TallyFile
from aforo.spool.records import Attempt, BackendRoute, CallError, CallRecord, ContextRecord, PassedOver
from tests.support.calls import RESOURCE, make_call, open_writer

CONTEXT = Context.of(ContextRecord(1, RESOURCE, "local", {}))


def counted(*calls: CallRecord) -> dict[str, float]:
    tally = Tally()
    for call in calls:
        tally.saw(call, read_call(call), CONTEXT.prices)
    return values(tally.text())


def values(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_a_call_of_a_model() -> None:
    got = counted(make_call(), make_call(number=2))
    whose = 'api="azure-openai",product="product",subscription="subscription"'
    assert got[f'aforo_calls_total{{{whose},status="200"}}'] == 2
    spent = f'{whose},model="gpt-35-turbo"'
    assert got[f'aforo_tokens_total{{{spent},type="prompt",source="provider"}}'] == 22
    assert got[f'aforo_tokens_total{{{spent},type="completion",source="provider"}}'] == 4
    assert got[f'aforo_cost_total{{{spent},currency="USD"}}'] == pytest.approx(2 * (11 * 0.5 + 2 * 1.5) / 1e6)
    assert got['aforo_call_duration_seconds_count{api="azure-openai"}'] == 2
    assert got['aforo_call_duration_seconds_bucket{api="azure-openai",le="0.05"}'] == 2
    assert got['aforo_call_duration_seconds_bucket{api="azure-openai",le="0.025"}'] == 0
    assert got['aforo_backend_attempts_total{backend="backend",outcome="200"}'] == 2


def test_calls_that_are_alike_count_as_each_of_them() -> None:
    """Whether somebody looks after each call, or after all."""
    tally, seen = Tally(), ""
    calls = [
        make_call(
            number=n, status=status, backend_us=n * 9_000, first_byte_us=n % 2, backend_status=status % 500
        )
        for n, status in enumerate((200, 200, 429, 500, 200, 429))
    ]
    for call in calls:
        tally.saw(call, read_call(call), CONTEXT.prices)
        seen = tally.text()
    assert values(seen) == pytest.approx(counted(*calls))
    assert values(seen)['aforo_backend_attempts_total{backend="backend",outcome="none"}'] == 1


def test_what_went_wrong() -> None:
    route = BackendRoute(
        "pool",
        "",
        [Attempt("east", 429, "", 9), Attempt("west", 0, "Timeout", 9)],
        [PassedOver("north", "BreakerOpen", "r", 1)],
    )
    errors = [CallError("s", "Timeout", "m"), CallError("s", "Earlier", "m", recovered=True)]
    got = counted(make_call(status=500, route=route, errors=errors, aborted="backend", attempts=2))
    assert got['aforo_backend_attempts_total{backend="east",outcome="429"}'] == 1
    assert got['aforo_backend_attempts_total{backend="west",outcome="Timeout"}'] == 1
    assert got['aforo_backend_passed_over_total{backend="north",why="BreakerOpen"}'] == 1
    assert got['aforo_call_errors_total{api="azure-openai",reason="Timeout"}'] == 1
    assert not any("Earlier" in name for name in got)
    assert got['aforo_calls_aborted_total{api="azure-openai",by="backend"}'] == 1


def test_labels_are_bounded_and_the_sum_stays_true() -> None:
    counter = Counter("c", "doc", ("a", "b"))
    for number in range(3 * MOST_VALUES):
        counter.add(1, f"v{number}", "x")
    got = values("\n".join(counter.lines()))
    assert len(got) == MOST_VALUES + 1
    assert got['c{a="other",b="x"}'] == 2 * MOST_VALUES
    many = Counter("m", "doc", ("a", "b"))
    for one in range(100):
        for two in range(100):
            many.add(1, str(one), str(two))
    got = values("\n".join(many.lines()))
    assert len(got) == MOST_SERIES + 1
    assert sum(got.values()) == 10_000


def test_every_metric_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "costs.md").read_text()
    for metric in Tally().metrics():
        assert f"| `{metric.name}` | {', '.join(f'`{n}`' for n in metric.labels)} | {metric.doc} |" in text


def test_hostile_values_stay_inside_of_their_quotes() -> None:
    counter = Counter("c", "doc", ("a",))
    counter.add(1, 'x"} 5\nc{a="\\')
    assert list(counter.lines())[2:] == ['c{a="x\\"} 5\\nc{a=\\"\\\\"} 1']
    assert gauge("g", "doc", "l", {"a": 1.5}).splitlines()[1:] == ["# TYPE g gauge", 'g{l="a"} 1.5']
    assert gauge("g", "doc", "l", {}) == ""


def test_a_histogram_s_bounds_include_themselves() -> None:
    histogram = Histogram("h", "doc", (), (1.0, 2.0))
    for value in (1.0, 2.0, 3.0):
        histogram.observe(value)
    assert list(histogram.lines())[2:] == [
        'h_bucket{le="1"} 1',
        'h_bucket{le="2"} 2',
        'h_bucket{le="+Inf"} 3',
        "h_sum 6",
        "h_count 3",
    ]


def test_the_shipper_counts_each_call_once_whatever_fails(tmp_path: Path) -> None:
    path = tmp_path / "run" / "metrics.txt"
    writer, _ = open_writer(tmp_path / "spool" / "gateway-0")
    writer.append_call(make_call())
    now = [1_795_000_000.0]
    with Shipper(
        tmp_path / "spool", tmp_path / "tables", clock=lambda: now[0], watchers=[TallyFile(path)]
    ) as shipper:
        broken = shipper._store

        def fails(_batch: object) -> None:
            raise OSError("away")

        shipper._store = fails  # type: ignore[method-assign]
        with pytest.raises(OSError, match="away"):
            shipper.run_once()
        shipper._store = broken  # type: ignore[method-assign]
        shipper.run_once()
        writer.append_call(make_call(number=2))
        now[0] += 5
        shipper.run_once()
    writer.close()
    name = 'aforo_calls_total{api="azure-openai",product="product",subscription="subscription",status="200"}'
    assert values(path.read_text())[name] == 2
    assert path.stat().st_mode & 0o077 == 0
