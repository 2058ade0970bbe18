"""The Logs Ingestion API: rows for the streams of data collection rules. It knows the shapes; `ingest` does it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from aforo.errors import Denied, Invalid, NotFound, Refusal
from aforo.identity.access import Principal
from aforo.logs.formats import LARGEST_BYTES, json_array, unpacked
from aforo.logs.ingest import Ingestion, Stream, identity_of
from aforo.logs.reader import Authenticate
from aforo.rest import on_refusal, read_body

# (principal, ARM id) -> whether he may send rows there
MayWrite = Callable[[Principal, str], bool]
# (immutable id of a rule, stream) -> the stream; NotFound says which of them there is not
ResolveStream = Callable[[str, str], Stream]


def routes(
    ingestion: Ingestion, authenticate: Authenticate, may_write: MayWrite, resolve_stream: ResolveStream
) -> list[BaseRoute]:
    """The route of the ingestion API, to be mounted at the root of the control plane."""
    api = _IngestApi(ingestion, authenticate, may_write, resolve_stream)
    return [Route("/dataCollectionRules/{rule}/streams/{stream}", api.upload, methods=["POST"])]


class _IngestApi:
    def __init__(
        self,
        ingestion: Ingestion,
        authenticate: Authenticate,
        may_write: MayWrite,
        resolve_stream: ResolveStream,
    ) -> None:
        self._ingestion = ingestion
        self._authenticate = authenticate
        self._may_write = may_write
        self._resolve_stream = resolve_stream

    async def upload(self, request: Request) -> Response:
        request_id = request.headers.get("x-ms-client-request-id")
        try:
            principal = await self._authenticate(request)
            await self._take(request, principal, request_id)
            response = Response(status_code=204)
        except Refusal as refusal:
            response = await on_refusal(request, refusal)
        if request_id is not None:
            response.headers["x-ms-client-request-id"] = request_id
        return response

    async def _take(self, request: Request, principal: Principal, request_id: str | None) -> None:
        rule, name = request.path_params["rule"], request.path_params["stream"]
        try:
            stream = self._resolve_stream(rule, name)
        except NotFound:
            # Who may send to no rule is not told which there are.
            if not self._may_write(principal, ""):
                raise _denied(principal, rule) from None
            raise
        if not self._may_write(principal, stream.rule_id):
            raise _denied(principal, rule)
        body = await read_body(request, LARGEST_BYTES)
        if body is None:
            raise Invalid(
                f"The body is larger than {LARGEST_BYTES:,} bytes.", code="ContentLengthLimitExceeded"
            )
        rows = json_array(unpacked(body, request.headers.get("content-encoding", "")))
        identity = identity_of(request_id, principal.object_id, rule, name, body)
        await self._ingestion.take_stream(stream, rows, identity)


def _denied(principal: Principal, rule: str) -> Denied:
    who = principal.name or principal.object_id
    return Denied(
        f"{who} may not send rows to {rule}: the role 'Monitoring Metrics Publisher' at the rule is needed.",
        code="OperationFailed",
    )
