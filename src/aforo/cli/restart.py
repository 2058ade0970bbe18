"""`aforo restart`: replaces the gateways of a running system one after the other, without a dropped call."""

from __future__ import annotations

import os
import signal
import time
from typing import Annotated, Any

import typer

from aforo.cli import running
from aforo.cli.exits import Exit, Failure

_POLL_S = 0.05
# A gateway that is replaced lets its calls end, for as long as it would at its stop.
_EACH_S = 100.0


def restart(
    rolling: Annotated[
        bool, typer.Option("--rolling", help="One gateway after the other: the only way there is.")
    ] = True,
    data: running.Data = running.DATA,
) -> None:
    """Replace the gateways one after the other: a new process serves before the one before ends its calls."""
    del rolling
    system = running.read(data)
    pids = system.endpoints.get("pids") if system is not None else None
    if system is None or not isinstance(pids, dict) or "supervisor" not in pids:
        raise Failure(
            f"No system runs on {data}.",
            hint="Start one with `aforo up`, or name its directory with --data.",
            code=Exit.UNREACHABLE,
        )
    before = _reload(system)
    if before.get("under_way"):
        raise Failure("The gateways are being replaced already.")
    old = {name: pid for name, pid in pids.items() if name.startswith("gateway")}
    try:
        os.kill(int(pids["supervisor"]), signal.SIGUSR2)
    except (ProcessLookupError, PermissionError) as error:
        raise Failure(
            f"The supervisor (process {pids['supervisor']}) cannot be told: {error.strerror}.",
            code=Exit.UNREACHABLE,
        ) from error
    until = time.monotonic() + _EACH_S * max(1, len(old))
    while time.monotonic() < until:
        time.sleep(_POLL_S)
        system = running.read(data)
        if system is None:
            raise Failure(f"The system on {data} has stopped.", code=Exit.UNREACHABLE)
        now = _reload(system)
        if now.get("number", 0) > before.get("number", 0) and not now.get("under_way"):
            if now.get("error"):
                raise Failure(f"The gateways were not all replaced: {now['error']}")
            found = system.endpoints.get("pids") or {}
            for name, pid in old.items():
                print(f"{name}: process {found.get(name, '?')} in the place of {pid}")
            return
    raise Failure(f"The gateways were not replaced in time; {data}/logs/supervisor.log says how far it came.")


def _reload(system: running.Running) -> dict[str, Any]:
    found = system.endpoints.get("reload")
    return found if isinstance(found, dict) else {}
