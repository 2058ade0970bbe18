"""Policy cases: documents and a request in, diagnostics or what was sent and answered out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.policy_case import read, run

CASES = sorted(Path(__file__).parent.glob("*.policy"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_case(path: Path) -> None:
    case = read(path)
    result = run(case)
    traces: list[str] = []
    # Whatever is traced: the call comes to the same, but that a trace follows some secrets further.
    assert run(case, traces).replace(" (secret)", "") == result.replace(" (secret)", "")
    if os.environ.get("AFORO_GOLDEN") == "write":
        path.write_text(case.with_result(result, "\n".join(traces)), encoding="utf-8")
    assert case.one("result").strip("\n") == result.strip("\n")
    # A case that runs shows its trace too: an empty part `=== trace` is filled when it is written.
    assert case.all("trace") or "\nresponse: " not in f"\n{result}"
    if case.all("trace"):
        assert case.one("trace").strip("\n") == "\n".join(traces)


def test_there_are_cases() -> None:
    assert len(CASES) >= 20
