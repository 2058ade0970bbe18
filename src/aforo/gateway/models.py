"""What a server that speaks OpenAI is asked for: the model of a deployment, in the body, where Azure's clients name the
deployment, in the path. It sends nothing. docs/decisions/0123-deployments-lead-to-models.md."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
import orjson

from aforo.gateway.call import Call
from aforo.llm.catalog import UPLOADS, wire_of
from aforo.messages import Headers
from aforo.policy.answers import reason_of
from aforo.policy.exchange import Body, LastError, PolicyFailure, RequestState, ResponseState

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
            if not _in_json(request.method, request.path) and not _is_json(request):
                return Asked(request.path, query, request.body)
            return await self._in_body(call, query)
        name, path = unquote(dated[1]), dated[2]
        model = self.model_of(name)
        if model is None:
            return self._missing(name)
        if not _in_json(request.method, path) and not _is_json(request):
            # A form: it names the model itself, and its size is no limit that reading it could keep.
            if model != name:
                raise _no_form(name, model)
            return Asked(path, query, request.body)
        fields = _read(await request.body.read())
        return _no_object() if fields is None else Asked(path, query, _naming(model, fields, request.body))

    async def _in_body(self, call: Call, query: str) -> Asked | ResponseState:
        request = call.request
        fields = _read(await request.body.read())
        name = _text(fields.get("model")) if fields is not None else None
        if fields is None or name is None:
            if not _in_json(request.method, request.path):
                return Asked(request.path, query, request.body)
            # A model is wanted there: which one is not left to another reading of the same body.
            return _no_object() if fields is None else _no_model()
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
        return _answer(404, "DeploymentNotFound", message)


def _answer(status: int, code: str, message: str) -> ResponseState:
    """An error in the form that both families of clients read."""
    data = orjson.dumps({"error": {"code": code, "message": message}})
    return ResponseState(
        status, reason_of(status), Headers.of(((b"content-type", b"application/json"),)), Body(data)
    )


def _no_object() -> ResponseState:
    return _answer(400, "BadRequest", "The body of this request is not a JSON object.")


def _no_model() -> ResponseState:
    return _answer(400, "BadRequest", "The body of this request has to name its model, as a text.")


def _naming(model: str, fields: dict[str, msgspec.Raw], body: Body) -> Body:
    """The body with that model; the very same one when it names it already, and no reader could find another in it.

    Some take the first of two equal names, some compare names without case.
    """
    others = [name for name in fields if name != "model" and name.lower() == "model"]
    data = body.data or b""
    plain = not others and data.count(b'"model"') == 1 and b"\\u" not in data
    if plain and _text(fields.get("model")) == model:
        return body
    kept = {name: value for name, value in fields.items() if name not in others}
    return Body(_encode({**kept, "model": model}), changed=True)


def _read(data: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _fields.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text(value: msgspec.Raw | None) -> str | None:
    if value is None:
        return None
    try:
        text = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return text if isinstance(text, str) else None


def _in_json(method: str, path: str) -> bool:
    """Whether a model is asked there, in a JSON body that names it."""
    wire = wire_of(method, path)
    return bool(wire) and wire not in UPLOADS


def _is_json(request: RequestState) -> bool:
    return request.method == "POST" and b"json" in (request.headers.get(b"content-type") or b"").lower()


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
