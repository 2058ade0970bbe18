"""Places in texts, and diagnostics as people read them."""

from __future__ import annotations

import pytest

from aforo.source import Diagnostic, Severity, Source, Span, has_errors, render


@pytest.mark.parametrize(
    ("offset", "place"),
    [
        (0, (1, 1)),
        (1, (1, 2)),
        (2, (1, 3)),
        (3, (2, 1)),
        (4, (3, 1)),
        (6, (3, 3)),
        (99, (3, 3)),
        (-5, (1, 1)),
    ],
)
def test_positions_count_from_one_and_stay_in_the_text(offset: int, place: tuple[int, int]) -> None:
    assert Source("t", "ab\n\ncd").position(offset) == place


def test_columns_are_characters() -> None:
    assert Source("t", "\U0001f600é x").position(3) == (1, 4)


@pytest.mark.parametrize(("number", "text"), [(1, "ab"), (2, ""), (3, "cd"), (4, "")])
def test_lines_come_without_their_ends(number: int, text: str) -> None:
    assert Source("t", "ab\r\n\ncd\n").line(number) == text


def test_an_empty_text_has_one_line() -> None:
    empty = Source("t", "")
    assert (empty.position(0), empty.line(1)) == ((1, 1), "")


def test_spans_cover_each_other_in_any_order() -> None:
    assert Span(5, 7).to(Span(1, 2)) == Span(1, 2).to(Span(5, 7)) == Span(1, 7)


def test_only_errors_stop() -> None:
    warning = Diagnostic("W", "w", Span(0, 1), Severity.WARNING)
    assert not has_errors([warning, Diagnostic("I", "i", Span(0, 1), Severity.INFO)])
    assert has_errors((warning, Diagnostic("E", "e", Span(0, 1))))


def test_a_mistake_stands_under_its_place_with_its_hints() -> None:
    found = Diagnostic("X1", "no", Span(5, 8), hints=("do this", "or that"))
    assert render(Source("a.xml", "one\n\tbad two"), found).splitlines() == [
        "a.xml:2:2: error X1: no",
        "    \tbad two",
        "    \t^^^",
        "    hint: do this",
        "    hint: or that",
    ]


@pytest.mark.parametrize(
    ("span", "carets"), [(Span(2, 2), "  ^"), (Span(1, 9), " ^^^^"), (Span(5, 5), "     ^")]
)
def test_carets_stay_in_the_first_line_and_are_never_none(span: Span, carets: str) -> None:
    shown = render(Source("t", "abcde\nfghij"), Diagnostic("X", "m", span)).splitlines()
    assert shown[2] == f"    {carets}"
