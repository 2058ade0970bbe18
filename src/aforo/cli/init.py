"""`aforo init`: writes a readable `aforo.yaml`: the lab, with the local account or with a real model server behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aforo.cli.exits import Exit, Failure
from aforo.cli.upstream import Identity, probe


def init(
    path: Annotated[Path, typer.Argument(help="File to write; an existing one is not touched.")] = Path(
        "aforo.yaml"
    ),
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Model server: Azure OpenAI, OpenAI, vLLM, Ollama.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable with the server's key.")
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="Instead of a key: managed or workload (Azure).")
    ] = None,
) -> None:
    """Write a desired state to begin with."""
    if identity not in (None, "managed", "workload"):
        raise Failure(f"--identity must be managed or workload, not '{identity}'.", code=Exit.USAGE)
    if upstream is None and (key_env or identity):
        raise Failure("--key-env and --identity belong to --upstream.", code=Exit.USAGE)
    if path.is_dir():
        path = path / "aforo.yaml"
    if path.exists():
        raise Failure(f"{path} exists already.", hint="Name another file, or remove it.", code=Exit.USAGE)
    source: Identity | None = identity  # type: ignore[assignment]
    found = probe(upstream, key_env=key_env, identity=source) if upstream else None
    from aforo.control import lab

    text = lab.text()
    path.write_text(text)
    print(f"{path} written.", found)
