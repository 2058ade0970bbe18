"""What a caller of the account is told when it does not get what it asked for: every wording, in Azure's forms.

Azure mixes three shapes: its own `{"error": {code, message}}`, OpenAI's with `type` and `param`, and an older
`{"statusCode", "message"}`. Which one comes when was taken from its answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aforo.account.engines.engine import Trouble

_INVALID = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is a refusal: status, JSON body, further headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


def _azure(status: int, code: str, message: str, **headers: str) -> Fault:
    return Fault(status, {"error": {"code": code, "message": message}}, headers)


def invalid(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Fault:
    """The caller's body is wrong, in OpenAI's form; `param` names the field."""
    error = {"message": message, "type": _INVALID, "param": param, "code": code}
    return Fault(status, {"error": error})


def unrecognized(names: list[str]) -> Fault:
    plural = "s" if len(names) > 1 else ""
    return invalid(f"Unrecognized request argument{plural} supplied: {', '.join(names)}")


def no_json() -> Fault:
    return invalid("The body of this request is not a JSON object that can be read.")


def too_large(limit: int) -> Fault:
    return invalid(f"The request body is larger than {limit} bytes.", code="request_too_large", status=413)


def unknown_coding(coding: str) -> Fault:
    """A body with a content coding that this account does not undo; RFC 9110 15.5.16 wants to know which it does."""
    fault = invalid(
        f"The Content-Encoding '{coding}' is not supported: send the body as it is, or with gzip.",
        code="unsupported_content_encoding",
        status=415,
    )
    return Fault(fault.status, fault.body, {"Accept-Encoding": "gzip, identity"})


def broken_coding() -> Fault:
    return invalid("The body of this request is not gzip, as its Content-Encoding says.")


def resource_not_found() -> Fault:
    """No such path, or an api-version that is missing or none."""
    return _azure(404, "404", "Resource not found")


def method_not_allowed(allowed: str) -> Fault:
    return _azure(405, "405", f"This path answers {allowed} only.", Allow=allowed)


def bad_key() -> Fault:
    return _azure(
        401,
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
        "for an active subscription and use a correct regional API endpoint for your resource.",
    )


def no_token(audience: str) -> Fault:
    """Neither a key nor a token that is good."""
    message = f"Unauthorized. Access token is missing, invalid, audience is incorrect ({audience}), or have expired."
    return Fault(401, {"statusCode": 401, "message": message})


def permission_denied(principal: str, action: str, operation: str) -> Fault:
    """A good token of somebody without the role."""
    return _azure(
        401,
        "PermissionDenied",
        f"The principal `{principal}` lacks the required data action `{action}` to perform `{operation}` operation.",
    )


def deployment_not_found() -> Fault:
    return _azure(
        404,
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
        "minutes, please wait a moment and try again.",
    )


def model_not_found(model: str) -> Fault:
    return _azure(404, "ModelNotFound", f"The model '{model}' does not exist in this account.")


def operation_not_supported(operation: str, model: str) -> Fault:
    """A chat with an embeddings model, and the like."""
    return _azure(
        400,
        "OperationNotSupported",
        f"The {operation} operation does not work with the specified model, {model}. Please choose different "
        "model and try again. You can learn more about which models can be used with each operation here: "
        "https://go.microsoft.com/fwlink/?linkid=2197993.",
    )


def sample_has_none(what: str) -> Fault:
    """Parts of the service that this account does not have at all."""
    return _azure(
        400,
        "OperationNotSupported",
        f"This local sample account has no {what}: it serves chat completions, completions, embeddings and models. "
        "Put a real Azure OpenAI account behind the gateway for the rest.",
    )


def file_not_found(what: str, name: str) -> Fault:
    return _azure(
        404, "resourceNotFound", f"The {what} '{name}' was not found. This sample account has none."
    )


def not_provisioned() -> Fault:
    """Control has not published this account yet."""
    message = "The account is being set up: its configuration has not been published yet."
    return Fault(503, {"error": {"code": "ServiceUnavailable", "message": message}}, {"Retry-After": "1"})


def none_served() -> Fault:
    """No account of this system is the local one."""
    return _azure(
        404, "404", "No account is served here: those of this system stand elsewhere, or there is none."
    )


def rate_limited(operation: str, api_version: str, model: str, what: str, retry_after_s: int) -> Fault:
    message = (
        f"Your requests to {model} have exceeded the {what} rate limit of its deployment. This request was for "
        f"{operation} under Azure OpenAI API version {api_version}. Please retry after {retry_after_s} seconds."
    )
    headers = {"Retry-After": str(retry_after_s), "policy-id": f"DeploymentRatelimit-{what.title()}"}
    return Fault(429, {"error": {"code": "429", "message": message}}, headers)


def from_trouble(trouble: Trouble) -> Fault:
    """What the engine said, as the caller gets it."""
    error: dict[str, Any] = {"code": trouble.code, "message": trouble.message}
    if trouble.kind is not None or trouble.param is not None:
        error |= {"type": trouble.kind, "param": trouble.param}
    headers = {}
    if trouble.retry_after_s is not None:
        # Seconds are whole on this header; clients that know `retry-after-ms` prefer it.
        headers["Retry-After"] = str(max(1, round(trouble.retry_after_s)))
        headers["retry-after-ms"] = str(round(trouble.retry_after_s * 1000))
    return Fault(trouble.status, {"error": error}, headers)


def bug(bug_id: str) -> Fault:
    message = f"The server had an error processing your request; its log has it under {bug_id}."
    return _azure(500, "InternalServerError", message)
