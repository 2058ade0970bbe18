"""Traces of calls that asked for one: who may have it, and the bounded folder of files that control reads.

A file is written after the answer has gone, for traced calls alone; old ones go by age and by number. Private files:
a trace shows bodies' sizes and headers, and no credentials.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from aforo.gateway.call import Call
from aforo.identity.debug_token import DebugToken, read
from aforo.policy.exchange import ResponseState
from aforo.policy.tracing import trace
from aforo.private_files import private_directory, write_private
from aforo.snapshot.runtime import ApiRuntime

log = logging.getLogger("aforo.gateway")

DEBUG_HEADER: Final = b"apim-debug-authorization"
KEPT: Final = 500
KEPT_S: Final = 3600.0
# `CallRecord.trace_flags`
REQUESTED, ALLOWED, EXPIRED, MASTER = 1, 2, 4, 8


class Traces:
    """The traces of one gateway. `key` is the subkey for debug tokens."""

    def __init__(self, folder: Path, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock

    def allow(self, call: Call, api: ApiRuntime) -> bool:
        """Whether the call's token lets it be traced; fills in the flags and tells the client what is wrong with it.

        The token does not go to the backend, whatever it is worth.
        """
        text = (call.headers.get(DEBUG_HEADER) or b"").decode("latin-1")
        call.request.headers.remove(DEBUG_HEADER)
        call.debug_header = (b"", b"")
        call.trace_flags = REQUESTED | (MASTER if _is_master(call) else 0)
        token = read(self._key, text)
        if token is None:
            return False
        refused = self._refused(token, api)
        if refused is not None:
            call.debug_header = refused
            if refused[0].endswith(b"expired"):
                call.trace_flags |= EXPIRED
            return False
        call.trace_flags |= ALLOWED
        call.debug_header = (b"apim-trace-id", secrets.token_hex(16).encode())
        return True

    def _refused(self, token: DebugToken, api: ApiRuntime) -> tuple[bytes, bytes] | None:
        subject = api.entry.subject
        name = subject.id if subject.is_current_revision else f"{subject.id};rev={subject.revision}"
        if token.api.lower() != name.lower():
            message = f"The token was made for the API '{token.api}', this is '{name}'."
            return b"apim-debug-authorization-wrongapi", message.encode("ascii", "replace")
        if token.expires <= self._clock():
            return b"apim-debug-authorization-expired", token.expires_text.encode()
        return None

    def keep(self, call: Call) -> None:
        """Write the trace of a call that has ended. What goes wrong here is told in the log, the call is over."""
        name = call.debug_header[1].decode()
        try:
            private_directory(self._folder)
            made = trace.document(call) | {"traceId": name, "response": _answered(call)}
            write_private(self._folder / f"{name}.json", orjson.dumps(made), durable=False)
            self.sweep()
        except OSError as error:
            log.error("the trace of call %s could not be written: %s", call.call_id, error)
        except Exception:
            log.exception("bug: the trace of call %s could not be made", call.call_id)

    def sweep(self) -> None:
        """Remove what is too old or too much."""
        try:
            files = [(file.stat().st_mtime, file) for file in self._folder.glob("*.json")]
        except OSError:
            return  # another gateway has removed one at this moment; the next sweep sees the rest
        files.sort(key=lambda found: found[0], reverse=True)
        oldest = time.time() - KEPT_S
        for number, (written, file) in enumerate(files):
            if number >= KEPT or written < oldest:
                file.unlink(missing_ok=True)


def tell(call: Call, response: ResponseState) -> None:
    """The header that says where the trace is, or why there is none."""
    if call.debug_header[0]:
        response.headers.set(*call.debug_header)


def _is_master(call: Call) -> bool:
    """Whether the key opens everything: the subscription's scope is the whole service."""
    name = call.admission.subscription_id
    return bool(name) and any(
        s.scope == "service" for s in call.runtime.bundle.subscriptions if s.subject.id == name
    )


def _answered(call: Call) -> dict[str, Any]:
    answer = call.answer
    return {
        "statusCode": answer.status if answer is not None else 0,
        "bodyBytes": call.sent,
        "aborted": call.aborted,
    }
