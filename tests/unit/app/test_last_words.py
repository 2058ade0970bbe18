"""What processes and the supervisor write down when something fails."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aforo.app.child import how_it_ended
from aforo.app.journal import journal
from aforo.app.last_words import tell_of_tasks


def test_ends_are_named() -> None:
    assert how_it_ended(0) == "ended with exit code 0"
    assert how_it_ended(3) == "ended with exit code 3"
    assert how_it_ended(-signal.SIGSEGV) == "was ended by SIGSEGV"
    assert "SIGKILL" in how_it_ended(-signal.SIGKILL)
    assert "memory" in how_it_ended(-signal.SIGKILL)
    assert how_it_ended(-250) == "was ended by signal 250"


def test_a_task_that_nobody_waits_for_is_told_of_without_what_it_held(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(_prompt: str) -> None:
        raise ValueError("why")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        tell_of_tasks(loop)
        task = loop.create_task(fails("a prompt"), name="task with a prompt")
        await asyncio.sleep(0)
        del task
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert "never retrieved" in caplog.text
    assert "ValueError: why" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "a prompt" not in caplog.text


def test_the_journal_is_appended_to_private_and_begins_anew_when_large(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "supervisor.log"
    for text in ("first", "second"):
        with journal(path):
            logging.getLogger("aforo.supervisor").info(text)
    logging.getLogger("aforo.supervisor").warning("nobody listens")
    assert [line.split()[-1] for line in path.read_text().splitlines()] == ["first", "second"]
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("ab") as file:
        file.truncate(5 * 1024 * 1024)
    with journal(path):
        logging.getLogger("aforo.supervisor").info("third")
    assert path.read_text().endswith("INFO third\n")
    assert path.stat().st_size < 100
    assert path.with_name("supervisor.log.1").stat().st_size == 5 * 1024 * 1024


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        ("raise ValueError('why')", "CRITICAL aforo.app: not caught: ValueError"),
        (
            "import threading; t = threading.Thread(target=lambda: 1 / 0, name='work'); t.start(); t.join()",
            "CRITICAL aforo.app: not caught in thread work: ZeroDivisionError",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "Fatal Python error: Segmentation fault"),
    ],
)
def test_a_process_says_how_it_fails(does: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"from aforo.app.last_words import prepare; prepare('warning'); {does}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert expected in done.stderr


def test_a_role_that_is_none_is_refused_and_one_without_a_supervisor_ends() -> None:
    def run(role: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "aforo.app", role],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    assert (run("nobody").returncode, run("nobody").stderr) == (2, "no such role: nobody\n")
    done = run("shipper")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_gateway_writes_no_secret_down() -> None:
    """Exceptions of others tell their kind and place; what they say may quote a call."""
    text = (
        "import logging\n"
        "from aforo.app import last_words\n"
        "from aforo.policy.masking import Secrets\n"
        "last_words.prepare('info')\n"
        "last_words.keep_quiet(Secrets(['Canary-7f3a91']).mask)\n"
        "log = logging.getLogger('aforo.gateway')\n"
        "log.error('no answer from %s', 'https://canary-7F3A91.example/')\n"
        "try:\n"
        "    try:\n"
        "        {}['a prompt']\n"
        "    except KeyError as error:\n"
        "        raise ConnectionRefusedError(111, 'refused by Canary-7f3a91') from error\n"
        "except OSError:\n"
        "    log.exception('bug')\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert "no answer from https://*****.example/" in done.stderr
    assert "refused by *****" in done.stderr
    assert "builtins.KeyError" in done.stderr
    assert 'File "<string>", line 10' in done.stderr
    assert "canary" not in done.stderr.lower()
    assert "a prompt" not in done.stderr
