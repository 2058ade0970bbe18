"""Messages of a call in chunks of 32 KB, each a JSON array of whole messages. It knows no table and no spool.

A message that does not fit is split: its text goes on over several chunks, each piece with the role and with
`part` (from 1) and `parts`. Concatenating the `content` of the pieces gives the text again; a message whose
bulk is not plain text has `json` instead, the pieces of its JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

CHUNK_BYTES = 32 * 1024
_PIECE_BYTES = CHUNK_BYTES - 512  # room for role, part, parts and brackets


def chunks(messages: Sequence[Any], limit_bytes: int) -> tuple[list[str], bool]:
    """JSON arrays of up to CHUNK_BYTES, and whether anything beyond `limit_bytes` was left out."""
    if not messages:
        return [], False
    whole = orjson.dumps(messages)
    if len(whole) <= CHUNK_BYTES and len(whole) <= limit_bytes:
        return [whole.decode()], False
    # Large texts are written as JSON as seldom as can be: they are most of what a large call costs here.
    return _in_parts(messages, limit_bytes, whole[1:-1] if len(messages) == 1 else None)


def _in_parts(messages: Sequence[Any], limit_bytes: int, only: bytes | None) -> tuple[list[str], bool]:
    """`only`: the JSON of the message, where there is one."""
    out: list[str] = []
    current: list[bytes] = []
    size = 2
    left = limit_bytes
    truncated = False
    for message in messages:
        text = orjson.dumps(message) if only is None else only
        if len(text) > left:
            truncated = True
            message = _shortened(message, left - len(text))
            if message is None:
                break
            text = orjson.dumps(message)
        left -= len(text)
        pieces = [text] if len(text) + 2 <= CHUNK_BYTES else list(_split(message, text))
        for piece in pieces:
            if current and size + len(piece) + 1 > CHUNK_BYTES:
                out.append(_array(current))
                current, size = [], 2
            current.append(piece)
            size += len(piece) + 1
        if truncated:
            break
    if current:
        out.append(_array(current))
    return out, truncated


def _array(texts: list[bytes]) -> str:
    return f"[{b','.join(texts).decode()}]"


def _shortened(message: Any, change_bytes: int) -> Any:
    """The message with less text, at least `-change_bytes` fewer bytes of it; None where that leaves nothing."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str):
        return None
    raw = orjson.dumps(content)
    keep = len(raw) + change_bytes
    if keep <= 2:
        return None
    # Characters that need several bytes, or an escape, make the text shorter than its JSON.
    cut = content[: keep - 2]
    while cut and len(orjson.dumps(cut)) > keep:
        cut = cut[: len(cut) * keep // len(orjson.dumps(cut)) - 1] if len(cut) > 8 else cut[:-1]
    return {**message, "content": cut} if cut else None


def _split(message: Any, text: bytes) -> Iterator[bytes]:
    content = message.get("content") if isinstance(message, dict) else None
    name, bulk, rest = "json", text.decode(), {}
    if isinstance(content, str):
        rest = {k: v for k, v in message.items() if k != "content"}
        if len(orjson.dumps(rest)) <= 256:
            name, bulk = "content", content
        else:  # what else it has would not fit beside a piece
            rest = {}
    if not rest and isinstance(message, dict) and isinstance(message.get("role"), str):
        rest = {"role": message["role"][:32]}
    parts = list(_slices(bulk))
    # What is the same in all of them, up to the text and behind it.
    rest = {k: v for k, v in rest.items() if k not in (name, "part", "parts")}
    start = orjson.dumps({**rest, name: ""})[:-3]
    for number, part in enumerate(parts, 1):
        yield b'%b%b,"part":%d,"parts":%d}' % (start, part, number, len(parts))


def _slices(text: str) -> Iterator[bytes]:
    """Slices of a text as JSON, of at most _PIECE_BYTES each, as long as they can be by steps of quarters."""
    at = 0
    while at < len(text):
        size = _PIECE_BYTES - 2  # its quotes
        while len(piece := orjson.dumps(text[at : at + size])) > _PIECE_BYTES:
            size = size * 3 // 4
        yield piece
        at += size
