"""Exit codes, and the exception with which a command stops. It knows no command."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a script can tell apart."""

    OK = 0
    FAILED = 1  # what was asked for failed
    USAGE = 2  # the command line is wrong
    UNREACHABLE = 3  # the system is not running, or does not answer
    DIAGNOSTICS = 4  # a text of the user has errors


class Failure(Exception):  # noqa: N818 - it ends a command, it is no bug
    """Ends the command with one clear sentence on stderr: what happened, and what to do about it."""

    def __init__(self, message: str, *, hint: str = "", code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Failure unless the option has one of the allowed words."""
    if value not in allowed:
        raise Failure(f"{option} must be one of {', '.join(allowed)}, not '{value}'.", code=Exit.USAGE)
