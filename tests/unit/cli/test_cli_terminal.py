"""What the command prints: plain in a pipe, charts, and nothing that moves a cursor."""

from __future__ import annotations

import io
import json
import sys

import pytest

from aforo.cli import chart, query, terminal
from aforo.cli.exits import Exit, Failure


def test_a_table_in_a_pipe_is_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(("ip", "n"), [("10.0.0.1", 7), ("::1", 12345)], numeric=(False, True))
    assert capsys.readouterr().out == "ip            n\n10.0.0.1      7\n::1       12345\n"


def test_long_values_are_not_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(("text",), [("x" * 5000,)])
    assert "x" * 5000 in capsys.readouterr().out


def test_one_row_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(("text", "more"), [("a\nb\tc", "d")])
    assert capsys.readouterr().out.splitlines()[1] == "a\\nb\\tc  d"


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb", "\u202e"])
def test_a_logged_prompt_cannot_write_to_the_terminal(
    hostile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.print_table(("text",), [(hostile,)])
    terminal.print_json({"text": hostile})
    said = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in said)


def test_nulls_are_empty_and_objects_are_json() -> None:
    assert terminal.text_of(None) == ""
    assert terminal.text_of(True) == "true"
    assert terminal.text_of({"a": ["ü"]}) == '{"a": ["ü"]}'


def test_bars_are_as_long_as_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert chart.show(
        ["model", "n"], ["string", "long"], [["a", 10], ["bb", 5], ["c", 0]], {"visualization": "barchart"}
    )
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.count("█") == 2 * second.count("█") > 0
    assert third == "c    0"


def test_a_line_keeps_its_peak_when_points_share_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[f"2026-01-01T00:{i // 60:02}:{i % 60:02}Z", 100 if i == 777 else 1] for i in range(2000)]
    assert chart.show(["t", "n"], ["datetime", "long"], rows, {"visualization": "timechart"})
    assert capsys.readouterr().out.splitlines()[0].count("█") == 1


def test_series_are_named_by_their_text_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["2026-01-01T00:00:00Z", "x", 1], ["2026-01-01T00:00:00Z", "y", 2]]
    chart.show(["t", "series", "n"], ["datetime", "string", "long"], rows, {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:2]] == ["x", "y"]


def test_without_numbers_there_is_no_chart() -> None:
    assert not chart.show(["a"], ["string"], [["x"]], {})
    assert not chart.show(["a", "n"], ["string", "long"], [], {})


def test_a_refused_query_shows_each_place() -> None:
    error = {
        "code": "BadArgumentError",
        "details": [
            {
                "code": "KQL0002",
                "message": "a pipe is missing",
                "start": 2,
                "end": 6,
                "severity": "error",
                "hints": ["write | take"],
            },
            {"code": "KQL0200", "message": "odd", "start": 7, "end": 8, "severity": "warning", "hints": []},
        ],
    }
    said = query._explain("T\ntake 1", error)
    assert said == (
        "query:2:1: error KQL0002: a pipe is missing\n    take 1\n    ^^^^\n    hint: write | take\n"
        "query:2:6: warning KQL0200: odd\n    take 1\n         ^"
    )


def test_answers_in_all_formats(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [{"name": "who", "type": "string"}, {"name": "n", "type": "long"}],
                "rows": [["a,b", 1], [None, 2]],
            }
        ]
    }
    query._show(answer, "csv")
    assert capsys.readouterr().out == 'who,n\n"a,b",1\n,2\n'
    query._show(answer, "json")
    assert json.loads(capsys.readouterr().out) == answer
    query._show(answer, "table")
    assert capsys.readouterr().out == "who  n\na,b  1\n     2\n"
    query._show(answer, "chart")
    assert "█" in capsys.readouterr().out


def test_a_failure_carries_its_exit_code() -> None:
    with pytest.raises(Failure) as caught:
        query.query("  ")
    assert caught.value.code == Exit.USAGE


def test_numbers_are_never_cut_and_long_text_shares_what_is_left() -> None:
    cells = [["x" * 200, "123456789012345678", "y" * 100, "z"]]
    widths = terminal._widths(("a", "n", "b", "c"), cells, (False, True, False, False), 110)
    assert widths is not None
    assert widths[1] == 18
    assert widths[3] == 1
    assert sum(widths) + 3 * 4 + 1 <= 110
    assert abs(widths[0] - widths[2]) <= 1
    assert terminal._widths(("a", "n", "b", "c"), cells, (False, True, False, False), 70) is None


class Screen(io.StringIO):
    """A stream that says that a person looks at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "moves"),
    [
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
)
def test_progress_writes_no_codes_where_they_are_unwanted(
    environment: dict[str, str], moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with terminal.progress("asking"):
        pass
    assert ("\x1b" in screen.getvalue()) is moves
