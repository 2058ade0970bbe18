"""What of a message is kept for the record: how much of a body, without its coding, and the listed fields, masked.

It knows no spool; the record as a whole is record.py's.
"""

from __future__ import annotations

from functools import lru_cache

from aforo.errors import Refusal
from aforo.gateway import encoding
from aforo.gateway.call import Call
from aforo.messages import Headers
from aforo.policy.masking import CREDENTIAL_HEADERS, MASK
from aforo.snapshot.snapshot import LogPlan, MessageLog
from aforo.spool.records import Message

MASKED = MASK.encode()
_SECRET_HEADERS = frozenset(name.encode() for name in CREDENTIAL_HEADERS)
# A body of which more is kept than this is marked as cut; the sizes are true all the same.
BODY_CAP = 8 * 1024 * 1024
# Bodies of which only the size is kept: nobody reads them in a table.
_OPAQUE = (b"multipart/", b"audio/", b"image/", b"video/", b"application/octet-stream", b"application/zip")


def body_limit(plan: LogPlan, part: MessageLog, content_type: bytes | list[bytes] | None, wire: str) -> int:
    """How many bytes of a message's body are kept; `wire` is the operation's."""
    if type(content_type) is bytes and _opaque(content_type):
        return 0
    if wire:
        return BODY_CAP
    if not plan.gateway_log:
        return 0
    return BODY_CAP if part.body_bytes is None else part.body_bytes


@lru_cache(maxsize=256)
def _opaque(content_type: bytes) -> bool:
    return content_type.startswith(_OPAQUE)


def request_message(
    call: Call, plan: LogPlan, names: frozenset[bytes], key_header: bytes, wire: str
) -> Message:
    fields = call.headers.fields
    limit = body_limit(plan, plan.frontend_request, fields.get(b"content-type"), wire)
    chunks = call.chunks
    body = b""
    if limit and chunks:
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    coding = call.headers.joined(b"content-encoding")
    size = len(body)
    if coding is not None and body:
        body = plain(body, coding)
    cut = limit != 0 and (size < call.received or len(body) > limit)
    return Message(
        fields_of(call.headers, names, frozenset((key_header,))) if names else [],
        body[:limit] if cut else body,
        call.received,
        cut,
    )


def decoded(call: Call, headers: Headers) -> tuple[bytes, bool]:
    """The kept part of an answer without its content coding, and whether it is less than all of it."""
    body = plain(call.kept, headers.joined(b"content-encoding") or b"")
    return body[: call.kept_limit], call.cut or len(body) > call.kept_limit


def plain(body: bytes, coding: bytes) -> bytes:
    try:
        return encoding.decode(body, coding, BODY_CAP)
    except Refusal:
        # It is kept as it came: a body that cannot be read is still what was sent.
        return body


def fields_of(
    headers: Headers, names: frozenset[bytes], own: frozenset[bytes] = frozenset()
) -> list[tuple[bytes, bytes]]:
    """The listed fields, masked where they are credentials: by their usual names, or by the names in `own`."""
    if not names:
        return []
    return [(n, MASKED if n in _SECRET_HEADERS or n in own else v) for n, v in headers if n in names]
