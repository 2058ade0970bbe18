"""The running system as `DIR/endpoints.json` tells it: where it listens, and requests with its admin token."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from aforo.cli import http
from aforo.cli.exits import Exit, Failure
from aforo.settings import DEFAULT_DATA, Layout

Data = Annotated[
    Path,
    typer.Option("--data", envvar="AFORO_DATA", help="Data directory of the system.", show_default=True),
]
DATA = DEFAULT_DATA


@dataclass(frozen=True, slots=True)
class Running:
    """A system that answers. URLs have no slash at their end."""

    data: Path
    endpoints: dict[str, Any]

    def __getitem__(self, name: str) -> str:
        value = self.endpoints.get(name)
        if not isinstance(value, str):
            raise Failure(
                f"{Layout(self.data).endpoints} has no '{name}'.",
                hint="Was it written by another version of aforo? Start the system again.",
                code=Exit.UNREACHABLE,
            )
        return value.rstrip("/")

    @property
    def ca(self) -> Path | None:
        """The local CA, None when there is none."""
        return Path(self["ca"]) if self.endpoints.get("ca") else None

    def secret(self, name: str) -> str:
        """The content of the secret file that `endpoints.json` names under `name`."""
        path = Path(self[name])
        try:
            return path.read_text().strip()
        except OSError as error:
            raise Failure(
                f"{path} cannot be read: {error.strerror}.",
                hint="It belongs to the user who runs the system; run this command as that user.",
            ) from error

    def control(self, method: str, path: str, body: Any = None, *, timeout_s: float = 300.0) -> http.Answer:
        """One request to the control plane as administrator. Raises Failure when nobody answers."""
        headers = {
            "Authorization": f"Bearer {self.secret('admin_token_file')}",
            "Prefer": "include-render=true",
        }
        url = self["control"] + path
        try:
            return http.request(method, url, body=body, headers=headers, ca=self.ca, timeout_s=timeout_s)
        except http.Gone as error:
            raise Failure(
                f"The control plane at {self['control']} does not answer: {error}.",
                hint="Is the system running? `aforo status` tells.",
                code=Exit.UNREACHABLE,
            ) from error


def read(data: Path) -> Running | None:
    """The system of that data directory, whether it answers or not; None when it never ran."""
    path = Layout(data).endpoints
    try:
        endpoints = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read: {error}.", code=Exit.UNREACHABLE) from error
    if not isinstance(endpoints, dict):
        raise Failure(f"{path} is no JSON object.", code=Exit.UNREACHABLE)
    return Running(data, endpoints)


def is_alive(url: str, ca: Path | None = None) -> bool:
    """Whether the listener at `url` says that it lives."""
    try:
        return http.request("GET", f"{url}/livez", ca=ca, timeout_s=5.0).ok
    except http.Gone:
        return False


def alive(data: Path) -> Running | None:
    """The system of that data directory if its control plane answers, else None."""
    system = read(data)
    return system if system is not None and is_alive(system["control"], system.ca) else None


def required(data: Path) -> Running:
    """The system of that data directory; Failure when it does not run."""
    system = alive(data)
    if system is None:
        raise Failure(
            f"No system runs on {data}.",
            hint=f"Start one with `aforo up --data {data}`, or name another directory with --data.",
            code=Exit.UNREACHABLE,
        )
    return system
