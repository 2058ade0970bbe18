"""Queries that cannot be answered: the author hears why in our words, and the evaluator ends what must end."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from aforo.logs.evaluate import Evaluator
from aforo.logs.failures import failed
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest
from aforo.logs.versions import TableVersions

_LONG = (
    "range x from 1 to 100000 step 1 | extend k = 1 "
    "| join kind=inner (range y from 1 to 100000 step 1 | extend k = 1) on k | summarize sum(x * y)"
)


@pytest.fixture
def evaluator(tmp_path: Path) -> Evaluator:
    return Evaluator(TableVersions(tmp_path), memory_bytes=1 << 28, threads=1)


def ask(evaluator: Evaluator, text: str, timeout_s: float = 60.0, number: int = 1) -> QueryAnswer:
    request = QueryRequest(text=text, workspace_ids=("w",), now_us=0, timeout_s=timeout_s)
    return evaluator.answer(request, number)


@pytest.mark.parametrize(
    "text",
    [
        "print timespan(10000000d) + timespan(10000000d)",
        "range x from 1 to 3 step 1 | extend y = 10000000d * x",
        "print todecimal('99999999999999999999999999') * todecimal('99999999999999999999999999')",
        "range x from 1 to 3 step 1 | take toscalar(print -1)",
        "range x from 1 to 3 step 1 | take toscalar(print long(null))",
    ],
)
def test_what_the_data_does_not_allow_is_said_in_our_words(evaluator: Evaluator, text: str) -> None:
    answer = ask(evaluator, text)
    assert answer.outcome is Outcome.RUNTIME, answer
    assert answer.message.startswith("The query failed while it ran: ")
    assert not any(word in answer.message for word in ("Error", "INT64", "DECIMAL", "aforo", "LINE"))


@pytest.mark.parametrize("count", ["-1", "1-2", "int(null)", "99999999999999999999"])
def test_a_wrong_row_count_is_the_authors_mistake(evaluator: Evaluator, count: str) -> None:
    answer = ask(evaluator, f"range x from 1 to 3 step 1 | take {count}")
    assert answer.outcome is Outcome.INVALID
    assert [m.token for m in answer.mistakes] == [count]


def test_a_length_beyond_the_engines_is_the_whole_text(evaluator: Evaluator) -> None:
    assert ask(evaluator, "print substring('abc', -5, 100000000000)").rows == b'["abc"]'


def test_time_is_kept_where_no_thread_can_start(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert ask(evaluator, _LONG, timeout_s=0.2).outcome is Outcome.TIMEOUT
    assert ask(evaluator, "print 1", number=2).rows == b"[1]"


def test_a_question_given_up_before_it_began_is_not_begun(evaluator: Evaluator) -> None:
    evaluator.cancel(2)
    assert ask(evaluator, "print 1", number=1).outcome is Outcome.OK
    assert ask(evaluator, "print 1", number=2).outcome is Outcome.CANCELLED
    assert ask(evaluator, "print 1", number=3).outcome is Outcome.OK


def test_the_watching_thread_ends_with_its_evaluator(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    evaluator = Evaluator(TableVersions(tmp_path), memory_bytes=1 << 28, threads=1)
    (watching,) = set(threading.enumerate()) - before
    del evaluator
    watching.join(5)
    assert not watching.is_alive()


def test_a_refused_thread_is_want_of_memory_and_a_bug_is_a_bug() -> None:
    assert failed(RuntimeError("can't start new thread"), None).outcome is Outcome.MEMORY
    assert failed(MemoryError(), Outcome.TIMEOUT).outcome is Outcome.MEMORY
    assert failed(duckdb.IOException("x"), Outcome.TIMEOUT).outcome is Outcome.TIMEOUT
    assert failed(duckdb.BinderException("Binder Error: no such macro"), None).outcome is Outcome.FAILED
    assert failed(KeyError("x"), None).outcome is Outcome.FAILED
