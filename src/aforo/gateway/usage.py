"""Asking a model for the usage of a stream whose client did not ask. It sends nothing.

`stream_options.include_usage` is spliced into the body byte for byte where the wire and the api-version know it;
the extra chunk is hidden from the client again (streaming.UsageFilter). Source: Azure OpenAI's "API version lifecycle",
which has `stream_options` from 2024-09-01-preview on.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from aforo.policy.exchange import Body

_FIRST_VERSION = "2024-09-01-preview"
_SPLICE = b',"stream_options":{"include_usage":true}}'


class _Asked(msgspec.Struct):
    """What of a request tells whether it has to be asked for more. The rest is stepped over: quicker than to look whether a
    word occurs in it."""

    stream: Any = None
    stream_options: Any = msgspec.UNSET


_asked = msgspec.json.Decoder(_Asked).decode


def splice_usage(body: Body, wire: str, query: str) -> bool:
    """Ask for usage if this is a stream that would not tell it; whether the answer must be hidden."""
    data = body.data
    if not data or wire not in ("chat", "completions"):
        return False
    try:
        asked = _asked(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if asked.stream is not True or not _knows_usage(api_version_of(query)):
        return False
    options = asked.stream_options
    if options is msgspec.UNSET:
        # A large body is copied once.
        body.replace(b"".join((memoryview(data.rstrip())[:-1], _SPLICE)))
        return True
    if isinstance(options, dict) and options.get("include_usage") is True:
        return False
    try:
        request = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    request["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    body.replace(orjson.dumps(request))
    return True


def api_version_of(query: str) -> str:
    """The `api-version` of a query, as on the wire; "" where it names none."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "api-version":
            return value
    return ""


def _knows_usage(version: str) -> bool:
    """Dated versions before 2024-09 refuse the option; the v1 surface (no api-version) knows it."""
    return version >= _FIRST_VERSION if version[:4].isdigit() else True
