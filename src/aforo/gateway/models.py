"""What a server that speaks OpenAI is asked for: the model of a deployment, in the body, where Azure's clients name the
deployment, in the path. It sends nothing. docs/decisions/0123-deployments-lead-to-models.md."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
import orjson

from aforo.gateway.call import Call
from aforo.llm.catalog import wire_of
from aforo.messages import Headers
from aforo.policy.answers import reason_of
from aforo.policy.exchange import Body, LastError, PolicyFailure, ResponseState

_DATED = re.compile(r"(?:/openai)?/deployments/([^/]+)(/.+)")
_SHOWN = 20
# Values stay as they were written; only the model's name is looked at.
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Asked(NamedTuple):
    """A request as such a server understands it."""

    path: str
    query: str
    body: Body


class Models:
    """The deployments of an account that stands elsewhere, and what its server calls their models."""

    __slots__ = ("_known", "_of")

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._known = tuple(sorted(name for name, _ in pairs))
        # A model goes by its own name too, unless a deployment has taken that.
        self._of = {model: model for _, model in pairs} | {name.lower(): model for name, model in pairs}

    def model_of(self, name: str) -> str | None:
        """The model of a deployment (names are compared as Azure does, without case), or of its own name."""
        return self._of.get(name.lower()) or self._of.get(name)

    async def asked(self, call: Call) -> Asked | ResponseState:
        """The request of this call, or the answer that an account without the deployment gives."""
        request = call.request
        query = _without_version(request.query)
        dated = _DATED.fullmatch(request.path)
        if dated is None:
            if not wire_of(request.method, request.path):
                return Asked(request.path, query, request.body)
            return await self._in_body(call, query)
        name, path = unquote(dated[1]), dated[2]
        model = self.model_of(name)
        if model is None:
            return self._missing(name)
        if not wire_of(request.method, path) and not _is_json(request.headers):
            # A form: it names the model itself, and its size is no limit that reading it could keep.
            if model != name:
                raise _no_form(name, model)
            return Asked(path, query, request.body)
        data = await request.body.read()
        fields = _read(data)
        # What is no object is the server's to judge.
        return Asked(path, query, request.body if fields is None else _naming(model, fields, request.body))

    async def _in_body(self, call: Call, query: str) -> Asked | ResponseState:
        request = call.request
        fields = _read(await request.body.read())
        name = _text(fields.get("model")) if fields is not None else None
        if fields is None or name is None:
            return Asked(request.path, query, request.body)
        model = self.model_of(name)
        if model is None:
            return self._missing(name)
        return Asked(request.path, query, _naming(model, fields, request.body))

    def _missing(self, name: str) -> ResponseState:
        """As an account answers: what policies and clients do about that, they do about this."""
        known = ", ".join(self._known[:_SHOWN]) + (", ..." if len(self._known) > _SHOWN else "")
        message = (
            f"The API deployment '{name[:64]}' does not exist. This account has: {known or 'none'}. "
            "Deployments are declared with the account."
        )
        data = orjson.dumps({"error": {"code": "DeploymentNotFound", "message": message}})
        headers = Headers(((b"content-type", b"application/json"),))
        return ResponseState(404, reason_of(404), headers, Body(data))


def _naming(model: str, fields: dict[str, msgspec.Raw], body: Body) -> Body:
    """The body with that model; the very same one when it names it already."""
    if _text(fields.get("model")) == model:
        return body
    return Body(_encode({**fields, "model": model}), changed=True)


def _read(data: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _fields.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text(value: msgspec.Raw | None) -> str | None:
    if value is None:
        return None
    text = msgspec.json.decode(value)
    return text if isinstance(text, str) else None


def _is_json(headers: Headers) -> bool:
    return b"json" in (headers.get(b"content-type") or b"").lower()


def _without_version(query: str) -> str:
    """The api-version is Azure's; such a server knows none."""
    if "api-version=" not in query:
        return query
    return "&".join(pair for pair in query.split("&") if not pair.startswith("api-version="))


def _no_form(name: str, model: str) -> PolicyFailure:
    message = (
        f"The deployment '{name[:64]}' is the model '{model}' of a server that wants its name in the body, and only a JSON "
        "body can be given it: name the deployment as the model, or call the server's own path."
    )
    error = LastError("forward-request", "ModelNotInForm", message, section="backend", http_status=400)
    return PolicyFailure(error)
