"""Pictures of answers: which column is what, and that each picture says the numbers that it draws."""

from __future__ import annotations

import pytest

from aforo.cli import chart


def drawn(
    capsys: pytest.CaptureFixture[str], kind: str, rows: list[list[object]], *types: str, **hints: object
) -> list[str]:
    names = ["x", *(f"y{i}" for i in range(1, len(types)))]
    assert chart.show(names, types, rows, {"visualization": kind, **hints})
    return capsys.readouterr().out.splitlines()


def test_a_plot_over_time_has_its_scale_and_its_ends(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[list[object]] = [[f"2026-01-01T{h:02}:00:00Z", h] for h in range(24)]
    lines = drawn(capsys, "timechart", rows, "datetime", "long", title="Calls")
    assert lines[0] == "Calls"
    assert lines[1].startswith("23 ┤")
    assert lines[8].startswith(" 0 ┤")
    # The greatest value alone reaches the top, and the bottom line is full.
    assert lines[1].count("█") == 1
    assert lines[8].count("█") >= 20
    assert lines[9] == "2026-01-01T00:00:00Z to 2026-01-01T23:00:00Z"


def test_a_hole_in_time_stays_a_hole(capsys: pytest.CaptureFixture[str]) -> None:
    minutes = [*range(10), *range(50, 60)]
    rows: list[list[object]] = [[f"2026-01-01T00:{m:02}:00Z", 5] for m in minutes]
    bottom = drawn(capsys, "timechart", rows, "datetime", "long")[7]
    assert "█   " in bottom


def test_many_series_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[list[object]] = [[f"2026-01-01T0{h}:00:00Z", s, h] for h in range(5) for s in "abcde"]
    lines = drawn(capsys, "timechart", rows, "datetime", "string", "long")
    assert [line.split()[0] for line in lines[:5]] == list("abcde")
    assert "0 to 4" in lines[0]


def test_nulls_are_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[list[object]] = [
        ["2026-01-01T00:00:00Z", 5],
        ["2026-01-01T01:00:00Z", None],
        ["2026-01-01T02:00:00Z", 7],
    ]
    lines = drawn(capsys, "timechart", rows, "datetime", "long")
    assert lines[0].startswith("7 ┤")
    assert lines[7].startswith("0 ┤")


def test_shares_are_percents_and_the_greatest_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    lines = drawn(capsys, "piechart", [["a", 1], ["b", 3]], "string", "long")
    assert [line.split()[0] for line in lines] == ["b", "a"]
    assert "75.0% 3" in lines[0]
    assert "25.0% 1" in lines[1]


def test_columns_stand_beside_each_other_or_become_bars(capsys: pytest.CaptureFixture[str]) -> None:
    lines = drawn(capsys, "columnchart", [["a", 4], ["b", 2], ["c", 0]], "string", "long")
    assert lines[-1].split() == ["a", "b", "c"]
    assert lines[-2].split() == ["4", "2", "0"]
    assert sum("█" in line for line in lines) == 8
    many = drawn(capsys, "columnchart", [[f"category {i}", i] for i in range(40)], "string", "long")
    assert len(many) == 40


def test_the_hints_of_the_query_say_which_column_is_what(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[list[object]] = [["a", 1, 10], ["b", 2, 20]]
    lines = drawn(capsys, "barchart", rows, "string", "long", "long", ycolumns=["y2"])
    assert lines[1].endswith(" 20")
    assert len(lines) == 2


def test_numbers_that_are_none_do_not_break_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert drawn(capsys, "barchart", [["a", "NaN"], ["b", "1.5"], ["c", None]], "string", "decimal")[
        1
    ].endswith("1.5")


def test_names_in_data_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("timechart", "piechart", "columnchart", "barchart"):
        lines = drawn(
            capsys, kind, [["\x1b[2J", "\x1b]0;x\x07", 1], ["b", "c", 2]], "string", "string", "long"
        )
        assert all(c.isprintable() for line in lines for c in line)
