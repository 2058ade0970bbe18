"""`aforo init`: writes a readable `aforo.yaml`: the lab, with the local account or with a real model server behind it, or
another template."""

from __future__ import annotations

import ipaddress
import json
import socket
from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit

import typer

from aforo.cli import terminal
from aforo.cli.exits import Exit, Failure, one_of
from aforo.cli.upstream import Identity, Upstream, probe
from aforo.cli.yaml_text import before, replaced

AZURE_RESOURCE = "https://cognitiveservices.azure.com"
MODELS_SHOWN = 20
MOST_DEPLOYMENTS = 1000
ACCOUNT = "upstream"
TEMPLATES = ("lab", "ha")

# Neither the caller's key nor a token of his may reach the server: only what the gateway itself presents.
_OWN_CREDENTIAL_ONLY = """\
      <set-header name="api-key" exists-action="delete" />
      <set-header name="Authorization" exists-action="delete" />"""

_IDENTITY = f"""\
      <set-header name="api-key" exists-action="delete" />
      <authentication-managed-identity resource="{AZURE_RESOURCE}" output-token-variable-name="token" ignore-error="false" />
      <set-header name="Authorization" exists-action="override">
        <value>@("Bearer " + (string)context.Variables["token"])</value>
      </set-header>"""


def init(
    path: Annotated[Path, typer.Argument(help="File to write; one that exists is not touched.")] = Path(
        "aforo.yaml"
    ),
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Model server: Azure OpenAI, OpenAI, vLLM, Ollama.")
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable with the server's key; read again by apply."),
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="Instead of a key: managed or workload (Azure).")
    ] = None,
    template: Annotated[
        str,
        typer.Option(help="lab: one local account. ha: two scripted regions, with failover between them."),
    ] = "lab",
) -> None:
    """Write a desired state to begin with."""
    one_of("--template", template, TEMPLATES)
    if upstream is not None and template != "lab":
        raise Failure(
            f"--upstream goes with the template lab, not with {template}.",
            hint="Write the addresses of your regions into the file.",
            code=Exit.USAGE,
        )
    if identity is not None:
        one_of("--identity", identity, ("managed", "workload"))
    if upstream is None and (key_env or identity):
        raise Failure("--key-env and --identity belong to --upstream.", code=Exit.USAGE)
    if path.is_dir():
        path = path / "aforo.yaml"
    if path.exists():
        raise Failure(f"{path} exists already.", hint="Name another file, or remove it.", code=Exit.USAGE)
    found = probe(upstream, key_env=key_env, identity=cast("Identity | None", identity)) if upstream else None
    from aforo.control.lab import ha_yaml, lab_yaml

    text = ha_yaml() if template == "ha" else lab_yaml()
    if found:
        text = with_upstream(text, found, key_env=key_env, identity=identity is not None)
    try:
        path.write_text(text)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}.") from error
    if template == "ha":
        _tell_regions(path)
    else:
        _tell(path, found)


def _tell_regions(path: Path) -> None:
    print(f"{path} written: two regions behind one pool, with breakers, retries and token limits.")
    print("Scripted regions, each in a terminal of its own:")
    print("  aforo demo region east")
    print("  aforo demo region west")
    print(f"Then: aforo up --workers 2 --config {path}")
    print("All of it at once, with faults: aforo demo outage")


def _tell(path: Path, found: Upstream | None) -> None:
    if found is None:
        print(f"{path} written: the lab, with the local account behind the gateway.")
        print(f"Change it, then run: aforo apply {path}")
        return
    speaks = "Azure OpenAI" if found.wire == "azure" else "OpenAI"
    print(terminal.printable(f"{path} written: a server that speaks {speaks} at {found.base_url}."))
    if found.models:
        print(f"It does not list its deployments: write those that you call under accounts, {ACCOUNT}.")
    else:
        names = [d.name if d.name == d.model else f"{d.name} ({d.model})" for d in found.deployments]
        print(terminal.printable(f"Its deployments: {_some(names)}."))
    print(f"Next: aforo apply {path}")
    name = next((d.name for d in found.deployments if "embed" not in d.model.lower()), None)
    if name or found.models:
        print(f'Then: aforo chat --deployment {name or "NAME"} "Hello!"')


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MODELS_SHOWN} more" if len(names) > MODELS_SHOWN else ""
    return (", ".join(names[:MODELS_SHOWN]) or "none") + more


def with_upstream(text: str, found: Upstream, *, key_env: str | None, identity: bool) -> str:
    """The lab with a real server in the place of the local account. `text` is the lab's own YAML."""
    service = ("services", "*")
    _, _, rest = replaced(text, ("accounts",), _account(found)).partition("\n")
    text = f"# A gateway in front of a model server, everything recorded in one workspace.\n{rest}"
    reference = "{{upstream-key}}"
    if key_env:
        header = (
            f'header: {{api-key: ["{reference}"]}}'
            if found.wire == "azure"
            else f'authorization: {{scheme: Bearer, parameter: "{reference}"}}'
        )
        credentials = f"\n    credentials: {{{header}}}"
        values = f"""\
namedValues:
  # Read from the environment of `aforo apply`, kept sealed in the data directory.
  upstream-key:
    secret: true
    value: {{env: {key_env}}}"""
    else:
        credentials, values = "", ""
    backends = f"""\
# Where the account is called, and with which credential.
backends:
{_backend("upstream", found.base_url, credentials)}"""
    v1 = "upstream"
    if found.wire == "azure":
        v1 = "upstream-v1"
        backends += f"\n{_backend(v1, f'{found.base_url}/v1', credentials)}"
    text = replaced(text, (*service, "namedValues"), values)
    text = before(text, (*service, "loggers"), backends)
    private = _private_addresses(found.base_url)
    if private:
        entries = ", ".join(json.dumps(entry) for entry in private)
        leave = f"# The server has a private address; without this leave the gateway would not connect to it.\nprivateEgress: [{entries}]"
        text = before(text, (*service, "backends"), leave)
    own = _IDENTITY if identity else _OWN_CREDENTIAL_ONLY
    text = replaced(text, (*service, "apis", "azure-openai", "policy"), _policy(own, "upstream"))
    return replaced(text, (*service, "apis", "azure-openai-v1", "policy"), _policy(own, v1))


def _account(found: Upstream) -> str:
    """The account that stands elsewhere, with a deployment for each model; names of the server are hostile text."""
    lines = ["# The model server: an account that stands elsewhere. Callers name its deployments."]
    if found.wire == "openai":
        lines += [
            "# A deployment may have any name: `gpt-4o: {model: {name: llama3.1:8b}}` answers callers of gpt-4o.",
            "# What is not listed here is answered with Azure's 404.",
        ]
    lines += ["accounts:", f"  {ACCOUNT}:", f"    endpoint: {json.dumps(found.endpoint)}"]
    if found.wire == "openai":
        lines.append("    wire: openai")
    shown = found.deployments[:MOST_DEPLOYMENTS]
    if shown:
        lines.append("    deployments:")
    for deployed in shown:
        version = f", version: {json.dumps(deployed.version)}" if deployed.version else ""
        lines.append(
            f"      {json.dumps(deployed.name)}: {{model: {{name: {json.dumps(deployed.model)}{version}}}}}"
        )
    if len(found.deployments) > MOST_DEPLOYMENTS:
        lines.append(f"      # It lists {len(found.deployments) - MOST_DEPLOYMENTS} more.")
    if found.models:
        names = [json.dumps(name) for name in found.models]
        lines += [
            "    # It lists its models, not what is deployed; deployments that are written here are described, and",
            "    # those that are not can be called all the same: deployments: {NAME: {model: {name: MODEL}}}",
            f"    # Its models: {_some(names)}",
        ]
    return "\n".join(lines)


def _backend(name: str, url: str, credentials: str) -> str:
    return f"""\
  {name}:
    url: {json.dumps(url)}
    protocol: http
    resourceId: {ACCOUNT}{credentials}"""


def _policy(elements: str, backend: str) -> str:
    return f"""\
policy: |
  <policies>
    <inbound>
      <base />
{elements}
      <set-backend-service backend-id="{backend}" />
    </inbound>
  </policies>"""


def _private_addresses(url: str) -> list[str]:
    """`address:port` of a server that no public address leads to; nothing for a public one."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = sorted({str(entry[4][0]).partition("%")[0] for entry in found})
    private = [a for a in addresses if not ipaddress.ip_address(a).is_global]
    return [f"[{a}]:{port}" if ":" in a else f"{a}:{port}" for a in private]
