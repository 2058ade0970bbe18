"""Asking a model for the usage of a stream whose client did not ask. It sends nothing.

`stream_options.include_usage` is spliced into the body byte for byte where the wire and the api-version know it;
the extra chunk is hidden from the client again (streaming.UsageFilter). Source: Azure OpenAI's "API version lifecycle",
which has `stream_options` from 2024-09-01-preview on.
"""

from __future__ import annotations

import orjson

from aforo.policy.exchange import Body

_FIRST_VERSION = "2024-09-01-preview"
_SPLICE = b',"stream_options":{"include_usage":true}}'


def splice_usage(body: Body, wire: str, query: str) -> bool:
    """Ask for usage if this is a stream that would not tell it; whether the answer must be hidden."""
    data = body.data
    if not data or wire not in ("chat", "completions"):
        return False
    if data.find(b'"stream"') < 0 and data.find(b"\\u00") < 0:
        return False
    if not _knows_usage(api_version_of(query)):
        return False
    try:
        request = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(request, dict) or request.get("stream") is not True:
        return False
    options = request.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        return False
    if "stream_options" in request:
        request["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        body.replace(orjson.dumps(request))
    else:
        body.replace(data.rstrip()[:-1] + _SPLICE)
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
