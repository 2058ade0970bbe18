"""What a long run calls flat, and how it is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from bench.plots import plot
from bench.soak import ROLES, SAMPLES, Run, grown, report, trend

Shape = Callable[[float], float]


def run_of(shape: Shape, noise: float = 0.5) -> Run:
    """A run whose shipper has that memory at each share of its time; all else is quiet."""
    chance = random.Random(3)
    run = Run()
    for sample in range(SAMPLES):
        share = sample / SAMPLES
        run.at_s.append(sample * 3.0)
        for role in ROLES:
            run.memory_mb[role].append(
                shape(share) + chance.uniform(-noise, noise) if role == "shipper" else 60.0
            )
            run.descriptors[role].append(20.0 + sample % 3)
        run.latency_ms["p50"].append(4.0 + chance.random())
        run.latency_ms["p99"].append(20.0 + 30 * chance.random())
        run.pending.append(float(chance.randrange(30)))
    return run


def saw(share: float) -> float:
    """Up by 60 MB again and again."""
    return 100.0 + 60.0 * (share * 23 % 1.0)


@pytest.mark.parametrize(
    "shape",
    [
        lambda _: 100.0,
        lambda share: 100.0 + min(share, 0.4) * 200,  # a plateau that is reached after the start
        lambda share: 180.0 - share * 60,
        saw,
        lambda share: 100.0 + (120.0 if share * 41 % 1.0 > 0.8 else 0.0),  # peaks
        lambda share: 100.0 + (1.5 if share > 0.75 else 0.0),
    ],
)
def test_what_is_held_or_comes_and_goes_is_flat(shape: Shape) -> None:
    assert grown(run_of(shape)) == []


@pytest.mark.parametrize(
    "shape",
    [
        lambda share: 100.0 + share * 10,
        lambda share: 100.0 + share * 200,
        lambda share: saw(share) + share * 30,
        lambda share: 100.0 + share * 20 + (120.0 if share * 41 % 1.0 > 0.8 else 0.0),
    ],
)
def test_what_rises_to_the_end_is_not(shape: Shape) -> None:
    (wrong,) = grown(run_of(shape))
    assert wrong.startswith("memory (MB) of shipper grew from ")


def test_descriptors_and_records_that_wait_count_too() -> None:
    run = run_of(lambda _: 100.0)
    run.descriptors["control"] = [20.0 + n // 12 for n in range(SAMPLES)]
    run.pending = [float(n) for n in range(SAMPLES)]
    assert [w.split(" grew")[0] for w in grown(run)] == ["descriptors of control", "records that wait: spool"]


def test_a_short_run_says_nothing_of_growth() -> None:
    assert trend([1.0, None, 2.0] * 5) is None


def test_the_report_has_a_line_for_each_series() -> None:
    text = report(run_of(saw), 3, 50, [])
    assert "**Flat**" in text
    assert [line.count("|") for line in text.splitlines() if line.startswith("| memory")] == [6] * len(ROLES)


def test_plots_are_sound_and_their_labels_stand_apart() -> None:
    lines = {"a": [1.0, 2.0, None, 4.0], "b & c": [1.0, 2.0, 3.0, 4.0], "d": [None] * 4, "e": [0.0] * 4}
    root = ElementTree.fromstring(plot("<Title>", "MB", [0, 60, 120, 180], lines, warm_s=90))
    ns = "{http://www.w3.org/2000/svg}"
    labels = {
        t.text: float(t.get("y", "")) for t in root.iter(f"{ns}text") if (t.get("class") or "")[0] == "t"
    }
    assert set(labels) == {"a 4", "b & c 4", "e 0"}
    places = sorted(labels.values())
    assert all(b - a >= 14 for a, b in pairwise(places))
    assert len(list(root.iter(f"{ns}polyline"))) == 4
