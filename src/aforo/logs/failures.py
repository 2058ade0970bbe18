"""What went wrong in a query, as an answer in our own words. What can come from the author's text or data is told to
the author; anything else is a bug of ours and goes to the log. It knows no connection and no process.
"""

from __future__ import annotations

import logging
import uuid

import duckdb

from aforo.logs.external_rows import UnreadableError
from aforo.logs.question import Outcome, QueryAnswer

log = logging.getLogger("aforo.logs.failures")

_MEMORY = "The query needed more memory than a query may use."
# What a macro of ours says by `error(...)`.
_OURS = "aforo: "
# Why a value was refused, by the engine's class of error. The engine's own text speaks of its functions and types.
_OF_THE_DATA: tuple[tuple[type[duckdb.Error], str], ...] = (
    (duckdb.OutOfRangeException, "a number is beyond what its type, or the function that takes it, can hold"),
    (duckdb.ConversionException, "a value does not fit the type that is needed at its place"),
    (duckdb.InvalidInputException, "a function was given a value that it does not take"),
    (duckdb.TypeMismatchException, "a function was given a value of a type that it does not take"),
    (duckdb.SequenceException, "a number is beyond what its type can hold"),
)
_TOO_DEEP = "it is nested too deeply; 'extend' computes a part once and gives it a name"
# How a library says that the system gave it no memory for a thread.
_NO_THREAD = ("start new thread", "temporarily unavailable", "bad_alloc", "Cannot allocate memory")


def failed(error: Exception, ended: Outcome | None) -> QueryAnswer:
    """The answer to a question that raised `error`; `ended` is why it was ended from outside, if it was."""
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError) or _lacks_thread(error) or _lacks(error):
        return QueryAnswer(outcome=Outcome.MEMORY, message=_MEMORY)
    if ended is not None or isinstance(error, duckdb.InterruptException):
        return QueryAnswer(outcome=ended or Outcome.CANCELLED, message="The query was ended.")
    reason = str(error) if isinstance(error, UnreadableError) else _reason(error)
    if reason:
        log.debug("a query failed while it ran", exc_info=error)
        return QueryAnswer(outcome=Outcome.RUNTIME, message=f"The query failed while it ran: {reason}.")
    bug_id = uuid.uuid4().hex
    log.error("bug %s in a query", bug_id, exc_info=error)
    return QueryAnswer(
        outcome=Outcome.FAILED, message=f"The query failed inside; the log has it under {bug_id}."
    )


def _reason(error: Exception) -> str:
    """In our words why the text or the data did not allow it; empty when it is a bug of ours."""
    text = str(error).partition("\n")[0]
    if isinstance(error, duckdb.ParserException | duckdb.BinderException) and "expression depth" in text:
        return _TOO_DEEP
    if isinstance(error, duckdb.BinderException) and "LIMIT/OFFSET" in text:
        return "the number of rows is null or below 0"
    for kind, reason in _OF_THE_DATA:
        if isinstance(error, kind):
            _, ours, said = text.partition(_OURS)
            return said if ours and isinstance(error, duckdb.InvalidInputException) else reason
    return ""


def _lacks(error: Exception) -> bool:
    """Whether a function in Python got no memory: DuckDB hands on only the text of what it raised."""
    return isinstance(error, duckdb.InvalidInputException) and "MemoryError" in str(error)


def _lacks_thread(error: Exception) -> bool:
    return isinstance(error, RuntimeError | OSError) and any(sign in str(error) for sign in _NO_THREAD)
