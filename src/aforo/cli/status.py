"""`aforo status`: what of a system listens and answers, and where; which models are behind it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from aforo.cli import http, running, terminal
from aforo.cli.accounts import accounts
from aforo.cli.exits import Exit, Failure, one_of
from aforo.settings import Layout

MOST_SHOWN = 8
LISTENERS = ("gateway", "gateway_tls", "control", "control_tls", "account")


def status(
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",  # noqa: A002
    data: running.Data = running.DATA,
) -> None:
    """Say what runs and whether it answers."""
    one_of("--format", format, ("table", "json"))
    system = running.read(data)
    if system is None:
        raise Failure(
            f"No system runs on {data}.",
            hint="Start one with `aforo up`, or name its directory with --data.",
            code=Exit.UNREACHABLE,
        )
    found = [_listener(system, name) for name in LISTENERS if system.endpoints.get(name)]
    ready = bool(found) and all(entry["live"] for entry in found)
    models = _models(system) if ready else []
    held = _held(data) if ready else []
    delivered = _delivered(data) if ready else []
    workers = _workers(system)
    if format == "json":
        terminal.print_json(
            {
                "data": str(data),
                "ready": ready,
                "listeners": found,
                "accounts": models,
                "backendsTakenOut": held,
                "deliveries": delivered,
                "workers": workers,
                "counters": system.endpoints.get("counters"),
                "pids": system.endpoints.get("pids"),
            }
        )
    else:
        terminal.print_table(
            ("Listener", "URL", "Live", "Ready", "ms"),
            [(e["name"], e["url"], e["live"], e["ready"], e["ms"]) for e in found],
            numeric=(False, False, False, False, True),
        )
        if models:
            print()
            terminal.print_table(
                ("Account", "Stands", "Deployments"),
                [(m["name"], m["stands"], _listed(m["deployments"])) for m in models],
            )
            print()
        if held:
            terminal.print_table(
                ("Worker", "Backend", "Taken out by", "Rule", "For s"),
                [(h["worker"], h["backend"], h["why"], h["rule"], h["forSeconds"]) for h in held],
                numeric=(True, False, False, False, True),
            )
            print()
        if workers:
            terminal.print_table(
                ("Worker", "Process", "Revision in force"),
                [(w["name"], w["pid"], w["revision"]) for w in workers],
                numeric=(False, True, True),
            )
            print(f"Limits are counted {_where(system.endpoints.get('counters'))}.")
            print()
        if delivered:
            terminal.print_table(
                ("Logs of", "To", "Records", "Waiting", "Given up", "Trouble"),
                [
                    (d["setting"], d["place"], d["records"], d["pending"], d["skipped"], d["error"])
                    for d in delivered
                ],
                numeric=(False, False, True, True, True, False),
            )
            print()
        pids = system.endpoints.get("pids")
        if isinstance(pids, dict) and ready:
            print("pids: " + ", ".join(f"{role} {pid}" for role, pid in pids.items()))
    if not ready:
        dead = ", ".join(e["name"] for e in found if not e["live"])
        raise Failure(
            f"Not everything answers: {dead}." if dead else "Nothing listens.",
            hint=f"Start the system with `aforo up --data {data}`; its processes write to {data}/logs.",
            code=Exit.UNREACHABLE,
        )


def _held(data: Path) -> list[dict[str, Any]]:
    """The backends that gateways do not call now, each with how long still; None where a probe has to say so."""
    from aforo.app.held_backends import held_backends

    now = time.time()
    return [
        {
            "worker": h.worker,
            "backend": h.backend,
            "why": h.why,
            "rule": h.rule,
            "forSeconds": round(h.until - now, 1) if h.until else None,
        }
        for h in held_backends(Layout(data).snapshots)
    ]


def _delivered(data: Path) -> list[dict[str, Any]]:
    """How far the logs are that diagnostic settings deliver elsewhere; numbers are records and frames of spools."""
    from aforo.logs.delivery.state import states

    now = time.time()
    return [
        {
            "setting": s.destination.rpartition("/")[2],
            "kind": s.kind,
            "place": s.place or "an event hub per category",
            "records": s.records,
            "pending": s.pending,
            "skipped": s.skipped,
            "deliveredSecondsAgo": round(now - s.delivered_at, 1) if s.delivered_at else None,
            "failingForSeconds": round(now - s.failing_since, 1) if s.failing_since else None,
            "error": s.error,
        }
        for s in states(Layout(data).deliveries)
    ]


def _workers(system: running.Running) -> list[dict[str, Any]]:
    """The gateway processes, and the revision of the configuration that each has in force; None: it says none."""
    from aforo.app.in_force import revisions

    found = revisions(Layout(system.data).snapshots)
    pids: dict[str, int] = system.endpoints.get("pids") or {}
    names = sorted((n for n in pids if n.startswith("gateway-")), key=_number)
    return [
        {"name": n, "pid": pids[n], "revision": found[_number(n)][1] if _number(n) in found else None}
        for n in names
    ]


def _number(name: str) -> int:
    tail = name.rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1


def _where(counters: Any) -> str:
    return "in each gateway" if counters in (None, "in each gateway") else f"on {counters}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def _models(system: running.Running) -> list[dict[str, Any]]:
    """The accounts and what they are called for; none where control does not tell."""
    try:
        found = accounts(system)
    except Failure:
        return []
    return [
        {
            "name": a.name,
            "stands": "here" if a.served else a.endpoint,
            "deployments": [name for name, _ in a.deployments],
        }
        for a in found
    ]


def _listener(system: running.Running, name: str) -> dict[str, Any]:
    """Whether one listener lives and is ready, and how long it took to say so."""
    url = system[name]
    started = time.perf_counter()
    live = running.is_alive(url, system.ca)
    took_ms = round((time.perf_counter() - started) * 1000, 1)
    ready = False
    if live:
        try:
            ready = http.request("GET", f"{url}/readyz", ca=system.ca, timeout_s=5.0).ok
        except http.Gone:
            live = False
    return {"name": name, "url": url, "live": live, "ready": ready, "ms": took_ms if live else None}
