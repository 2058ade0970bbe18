"""The program: exit codes, one sentence per mistake, no traceback, nothing heavy for `--help`."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from aforo.cli import stopped
from aforo.cli.exits import Exit, Failure
from aforo.cli.main import main
from aforo.settings import Layout


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the command line."""
    monkeypatch.setattr(sys, "argv", ["aforo", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["query", "--help"], ["policy", "check", "-h"]]
)
def test_questions_about_itself_are_answered(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, *arguments) == Exit.OK


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["query"],
        ["query", " "],
        ["query", "T", "--format", "xml"],
        ["up", "--gateway-port", "70000"],
        ["up", "--engine", "steam"],
        ["up", "--certificate", "x.pem"],
        ["up", "--config", "no/such/file"],
        ["init", "--key-env", "X"],
        ["init", "--identity", "mine"],
        ["apply", "no/such/file"],
        ["policy", "check", "no/such/file"],
        ["chat", "x", "--format", "xml"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_code_2_without_a_traceback(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == Exit.USAGE
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.err or said.out


def test_init_never_touches_a_file_that_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "aforo.yaml"
    file.write_text("mine")
    assert run(monkeypatch, "init", str(file)) == Exit.USAGE
    assert file.read_text() == "mine"
    assert str(file) in capsys.readouterr().err


def test_help_loads_nothing_that_takes_time() -> None:
    script = (
        "import sys; sys.argv = ['aforo', '--help']\n"
        "from aforo.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'rich', 'ssl', 'duckdb', 'deltalake', 'sqlglot', 'sqlalchemy', 'starlette', 'cryptography', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_directory_in_use_is_not_asked_behind_its_owners_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with layout.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Failure) as caught:
            stopped.ask(tmp_path, "T", None)
    assert caught.value.code == Exit.UNREACHABLE
    assert str(tmp_path) in caught.value.message
