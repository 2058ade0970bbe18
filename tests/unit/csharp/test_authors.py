"""Expressions as authors of policies write them, with the values that .NET gives: authors/*.cases.

A line is `expression ~> value`; a `{` in front makes a block. `<null>` is null, `REFUSED CS0203` the code of a
diagnostic. The first line of a file says what its values are derived from.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.expressions import evaluate, mistakes


def _cases() -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for path in sorted((Path(__file__).parent / "authors").glob("*.cases")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("# "):
                text, _, value = line.rpartition(" ~> ")
                out.append((text, value))
    return out


@pytest.mark.parametrize(("text", "expected"), _cases(), ids=[text[:80] for text, _ in _cases()])
def test_value(text: str, expected: str) -> None:
    if expected.startswith("REFUSED "):
        assert [d.code for d in mistakes(text)] == [expected.removeprefix("REFUSED ")]
    else:
        assert evaluate(text) == (None if expected == "<null>" else expected)
