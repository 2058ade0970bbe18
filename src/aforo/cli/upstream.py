"""What `aforo init` asks a model server: which wire it speaks, and which models it has under which deployments. It writes
no file."""

from __future__ import annotations

import ipaddress
import os
import re
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

_LONGEST = 64
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{_LONGEST - 1}}}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")

Wire = Literal["azure", "openai"]
Identity = Literal["managed", "workload"]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment: what callers name, and the model that it is, as far as the server tells."""

    name: str
    model: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A model server that answered. `base_url` is what comes before `/deployments/...` or `/chat/completions`.

    `models` are those of an Azure account that no longer lists its deployments: which of them are deployed is not told.
    """

    wire: Wire
    base_url: str
    deployments: tuple[Deployed, ...]
    models: tuple[str, ...] = ()

    @property
    def endpoint(self) -> str:
        """Where the account stands, as Azure writes it."""
        return f"{self.base_url.removesuffix('/openai')}/" if self.wire == "azure" else self.base_url


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
        listed = _entries(answer)
        if listed is None:
            continue
        if wire == "openai":
            return Upstream(wire, base, _by_model([str(entry["id"]) for entry in listed]))
        found = _deployments(base, _headers(wire, secret, bearer))
        if found:
            return Upstream(wire, base, found)
        return Upstream(wire, base, (), tuple(str(entry["id"]) for entry in listed))
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


def _entries(answer: http.Answer) -> list[dict[str, Any]] | None:
    """The entries of a list that have an `id`; None when the answer is no list."""
    body: Any = answer.json() if answer.ok else None
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        return None
    return [entry for entry in data if isinstance(entry, dict) and entry.get("id")]


def _deployments(base: str, headers: dict[str, str]) -> tuple[Deployed, ...]:
    """The deployments of an Azure OpenAI account, where it still lists them."""
    listed = _entries(_get(f"{base}/deployments?api-version={AZURE_DEPLOYMENTS_VERSION}", headers))
    # Names that no deployment can have are not Azure's; they would make a file that cannot be applied.
    return tuple(
        Deployed(str(entry["id"]), str(entry.get("model") or entry["id"]))
        for entry in listed or ()
        if _NAME.fullmatch(str(entry["id"]))
    )


def _by_model(models: list[str]) -> tuple[Deployed, ...]:
    """A deployment for each model, named like it as far as a name may: `llama3.1-8b` for `llama3.1:8b`,
    `Qwen3-8B` for `Qwen/Qwen3-8B`. A name that is taken is counted up."""
    found: list[Deployed] = []
    own: dict[str, str] = {}
    for model in models:
        if _NAME.fullmatch(model):
            own.setdefault(model.lower(), model)
    # What can have its own name has it: another model's shortened one must not lead its callers astray.
    taken = set(own)
    for model in dict.fromkeys(models):
        if own.get(model.lower()) == model:
            found.append(Deployed(model, model))
            continue
        short = model.rpartition("/")[2].removesuffix(":latest")
        name = _NO_NAME.sub("-", short).strip("-_.")[:_LONGEST] or "model"
        plain, count = name, 1
        while name.lower() in taken:
            count += 1
            name = f"{plain[: _LONGEST - len(str(count)) - 1]}-{count}"
        taken.add(name.lower())
        found.append(Deployed(name, model))
    return tuple(found)
