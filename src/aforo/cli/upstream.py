"""What `aforo init` asks a model server: which wire it speaks and which models it has. It writes no file."""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from aforo.cli import http
from aforo.cli.exits import Exit, Failure

AZURE_API_VERSION = "2024-10-21"
# The one data-plane version that still lists the deployments of an account.
AZURE_DEPLOYMENTS_VERSION = "2023-03-15-preview"
AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")

Wire = Literal["azure", "openai"]
Identity = Literal["managed", "workload"]


@dataclass(frozen=True, slots=True)
class Upstream:
    """A model server that answered. `base_url` is what comes before `/deployments/...` or `/chat/completions`."""

    wire: Wire
    base_url: str
    models: tuple[str, ...]


def probe(url: str, *, key_env: str | None, identity: Identity | None) -> Upstream:
    """Asks the server which wire it speaks and which models it lists; Failure says why it cannot be told."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise Failure(
            f"'{url}' is no address of a model server.",
            hint="Wanted: http or https, host and path, such as https://NAME.openai.azure.com or http://127.0.0.1:11434/v1",
            code=Exit.USAGE,
        )
    _not_link_local(url, parts.hostname)
    secret, bearer = _credential(key_env, identity)
    root = url.rstrip("/")
    seen: list[str] = []
    for wire, base in _candidates(root, parts.hostname):
        address = f"{base}/models" + (f"?api-version={AZURE_API_VERSION}" if wire == "azure" else "")
        answer = _get(address, _headers(wire, secret, bearer))
        seen.append(f"GET {address}: {answer.status}")
        if answer.status in (401, 403):
            raise Failure(_refused(address, answer, key_env, identity))
        names = _names(answer)
        if names is not None:
            if wire == "azure":
                names = _deployments(base, _headers(wire, secret, bearer)) or names
            return Upstream(wire, base, tuple(names))
    raise Failure(
        f"{url} answers, but lists no models in the way of Azure OpenAI or of OpenAI.", hint="\n  ".join(seen)
    )


def _not_link_local(url: str, host: str) -> None:
    """Failure for an address that serves this machine alone: a cloud's metadata service stands there, no model."""
    try:
        found = {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return  # the request will say so
    for address in map(ipaddress.ip_address, found):
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        if (mapped or address).is_link_local:
            raise Failure(
                f"{url} leads to {address}, a link-local address: that is where a cloud's metadata service stands.",
                hint="Name the model server by an address that other machines could reach too.",
                code=Exit.USAGE,
            )


def _candidates(root: str, host: str) -> list[tuple[Wire, str]]:
    """The places where a list of models may be, the likeliest first."""
    openai: list[tuple[Wire, str]] = (
        [("openai", root)] if root.endswith("/v1") else [("openai", f"{root}/v1")]
    )
    azure: list[tuple[Wire, str]] = [("azure", root if root.endswith("/openai") else f"{root}/openai")]
    if root.endswith("/v1"):
        return openai
    return azure + openai if host.endswith(AZURE_HOSTS) or root.endswith("/openai") else openai + azure


def _credential(key_env: str | None, identity: Identity | None) -> tuple[str | None, bool]:
    """(secret, whether it is a token) from the chosen source; nothing is taken that was not named."""
    if key_env and identity:
        raise Failure("--key-env and --identity exclude each other.", code=Exit.USAGE)
    if key_env:
        value = os.environ.get(key_env, "").strip()
        if not value:
            raise Failure(f"The environment variable {key_env} is empty or not set.", code=Exit.USAGE)
        return value, False
    if identity is None:
        return None, False
    try:
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import ManagedIdentityCredential, WorkloadIdentityCredential
    except ImportError as error:
        raise Failure(
            "--identity needs the azure extra.", hint="Install it: pip install 'aforo[azure]'"
        ) from error
    source = ManagedIdentityCredential if identity == "managed" else WorkloadIdentityCredential
    try:
        return str(source().get_token(AZURE_SCOPE).token), True
    except (ClientAuthenticationError, ValueError) as error:
        raise Failure(f"The {identity} identity gives no token: {str(error).splitlines()[0]}") from error


def _headers(wire: Wire, secret: str | None, bearer: bool) -> dict[str, str]:
    if secret is None:
        return {}
    return {"api-key": secret} if wire == "azure" and not bearer else {"Authorization": f"Bearer {secret}"}


def _get(address: str, headers: dict[str, str]) -> http.Answer:
    try:
        return http.request("GET", address, headers=headers, timeout_s=15.0)
    except http.Gone as error:
        raise Failure(f"{address} cannot be reached: {error}.", code=Exit.UNREACHABLE) from error


def _refused(address: str, answer: http.Answer, key_env: str | None, identity: Identity | None) -> str:
    if key_env:
        return f"{address} refuses the key in {key_env} ({answer.status}): {answer.reason()}"
    if identity:
        return f"{address} refuses the {identity} identity ({answer.status}): {answer.reason()}"
    return f"{address} wants a credential ({answer.status}): name it with --key-env or --identity."


def _names(answer: http.Answer) -> list[str] | None:
    """The `id`s of a list of models; None when the answer is none."""
    body: Any = answer.json() if answer.ok else None
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        return None
    return [str(entry["id"]) for entry in data if isinstance(entry, dict) and entry.get("id")]


def _deployments(base: str, headers: dict[str, str]) -> list[str] | None:
    """The deployments of an Azure OpenAI account, where it still lists them."""
    return _names(_get(f"{base}/deployments?api-version={AZURE_DEPLOYMENTS_VERSION}", headers))
