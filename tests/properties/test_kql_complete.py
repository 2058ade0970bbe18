"""Completion gives an answer at every place of every text, and its suggestions for a whole query keep it whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aforo.kql.complete import complete
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.types import KqlType
from tests.support.examples import examples

DATABASE = Database(
    "d", {"T": TableSymbol("T", (ColumnSymbol("a", KqlType.LONG), ColumnSymbol("b", KqlType.STRING)))}
)
PIECES = st.sampled_from(
    ["T", " ", " | ", "where", "a", "b", "==", "'x", "'", '"', "(", ")", "[", "]", "{", "}", ";", ",", "let x = ", "join", "on", "kind=",
     "summarize", "count(", " by ", "$left.", ".", "in", "//", "\n", "union", "mv-apply", "project-", "5", "datatable(", ":", "|", "-", "=",
     "render", "h'", "```", "(n:long) {", "toscalar(", "evaluate", "partition by", "é", "\u2028", "\x00"]
)  # fmt: skip


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join), st.integers(0, 120))
def test_it_answers_at_every_place(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    found = complete(text, offset, DATABASE)
    assert 0 <= found.span.start <= offset <= found.span.end <= len(text)
    assert len({(s.label, s.kind) for s in found.suggestions}) == len(found.suggestions)


@settings(max_examples=examples(100), deadline=None)
@given(st.text(max_size=60), st.integers(0, 60))
def test_it_answers_in_any_text(text: str, offset: int) -> None:
    complete(text, min(offset, len(text)), DATABASE)
