"""The program: exit codes, one sentence per mistake, no traceback, nothing heavy for `--help`."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aforo.cli import stopped
from aforo.cli.exits import Exit, Failure
from aforo.cli.main import WITHOUT_OPTIMIZING, main
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
        ["chat", ""],
        ["chat", " \n"],
        ["init", "no-such-file.yaml", "--upstream", "http://169.254.169.254"],
        ["init", "no-such-file.yaml", "--upstream", "http://[::ffff:169.254.169.254]/v1"],
        ["init", "no-such-file.yaml", "--upstream", "http://2852039166/latest"],
        ["init", "no-such-file.yaml", "--upstream", "http://[fe80::1]:8080/v1"],
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


@pytest.mark.parametrize("where", ["/etc/passwd", "/etc/passwd/below", "/proc/x"])
def test_a_data_directory_that_cannot_be_one_is_told_in_one_line(where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aforo.cli.main", "up", "--data", where, "--engine", "none"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == Exit.FAILED
    assert done.stderr.startswith(f"aforo: the data directory {where} cannot be used: ")
    assert done.stderr.count("\n") == 1


def answered(rows: str, **streams: Any) -> subprocess.CompletedProcess[bytes]:
    """`aforo query` in a process of its own, with an answer of many rows in place of a system's."""
    prepared = (
        "import sys; sys.argv = ['aforo', 'query', 'T', '--format', 'csv']\n"
        "from aforo.cli import query\n"
        "from aforo.cli.main import main\n"
        "query.running.alive = lambda _: object()\n"
        f"rows = [[n] for n in range({rows})]\n"
        "table = {'columns': [{'name': 'n', 'type': 'long'}], 'rows': rows}\n"
        "query._ask = lambda *_: {'tables': [table]}\n"
        "main()\n"
    )
    return subprocess.run([sys.executable, "-c", prepared], stderr=subprocess.PIPE, timeout=60, **streams)


@pytest.mark.parametrize("rows", ["3", "200_000"])
def test_a_reader_who_has_enough_is_no_failure(rows: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = answered(rows, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.OK, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_failure_in_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = answered("3", stdout=full)
    assert done.returncode == Exit.FAILED
    assert done.stderr == b"aforo: the output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_it_does_not_start_without_its_docstrings_and_asserts(option: str) -> None:
    done = subprocess.run(
        [sys.executable, option, "-m", "aforo", "up"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert done.stderr == f"aforo: {WITHOUT_OPTIMIZING}\n"
