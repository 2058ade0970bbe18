"""What those try who know Kusto by heart: answers that were wrong or refused once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kql_run import answer


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("print a=6, b=3, c=2 | project x=a*b, y=a/b*c, z=(c+a*b), w=a%b*c", [[18, 4, 20, 0]]),
        ("print a=6, b=3 | summarize sum(a*b), m=max(a*b) | project m*sum_", [[324]]),
        ("print aTb=1, aTc=2, d=3 | project-away a*b", [[2, 3]]),
        ("print aTb=1, aTc=2, d=3 | project-reorder d, a* desc", [[3, 2, 1]]),
        ("let aXb = () {print 7}; let aYb = view () {print 8}; union a*b", [[8]]),
    ],
)
def test_products_without_blanks_are_no_wildcards(text: str, rows: list[list[Any]]) -> None:
    assert answer(text)[1] == rows
