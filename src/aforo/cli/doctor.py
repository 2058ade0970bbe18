"""`aforo doctor`: whether everything is as it should be, and what is not. It changes nothing."""

from __future__ import annotations

import time
from typing import Annotated
from urllib.parse import urlsplit

import typer

from aforo.cli import running, terminal
from aforo.cli.exits import Exit, Failure, one_of
from aforo.settings import Layout


def doctor(
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",  # noqa: A002
    data: running.Data = running.DATA,
) -> None:
    """Look at spools, deliveries, processes, certificates, disk, clock and backends; exit code 1 when something is wrong."""
    one_of("--format", format, ("table", "json"))
    if not data.is_dir():
        raise Failure(f"{data} is no data directory.", hint="Name one with --data.", code=Exit.USAGE)
    from aforo.app import examining, examining_reach
    from aforo.app.examining import GOOD, WRONG, Finding
    from aforo.errors import Refusal
    from aforo.identity.keys import Secrets
    from aforo.identity.seal import subkey
    from aforo.snapshot import bundle_file

    layout = Layout(data)
    now_s = time.time()
    system = running.read(data)
    found: list[Finding] = []
    if system is None:
        found.append(Finding("system", str(data), WRONG, "it does not run"))
    else:
        # Those with TLS are looked at with their certificates, whoever has signed them.
        for name in ("gateway", "control", "account"):
            if system.endpoints.get(name):
                live = running.is_alive(system[name], system.ca)
                says = system[name] if live else f"{system[name]} does not answer"
                found.append(Finding("listener", name, GOOD if live else WRONG, says))
        found += examining.workers(layout, dict(system.endpoints.get("pids") or {}))
    found += examining.spools(layout, now_s, running=system is not None)
    found += examining.deliveries(layout, now_s)
    found += [examining.disk(layout), examining.clock(layout, now_s)]
    bundle = None
    try:
        key = subkey(Secrets(layout.secrets).master_key, bundle_file.SIGNING_PURPOSE)
        bundle = bundle_file.load(layout.snapshots / bundle_file.CURRENT, key)
    except (Refusal, OSError) as error:
        found.append(Finding("configuration", "", WRONG, f"it cannot be read: {error}"))
    ca = layout.secrets / "ca.pem"
    if system is not None:
        for name in ("gateway_tls", "control_tls"):
            found.append(examining_reach.shown(name, system[name], now_s))
    found += examining_reach.carried(ca, bundle, now_s)
    if bundle is not None:
        own = []
        if system is not None and system.endpoints.get("account"):
            account = urlsplit(system["account"])
            own = [(account.hostname or "", account.port or 0)]
        found += examining_reach.reach(bundle, ca if ca.exists() else None, own)
    wrong = [f for f in found if f.state == WRONG]
    if format == "json":
        terminal.print_json(
            {
                "data": str(data),
                "healthy": not wrong,
                "findings": [
                    {
                        "check": f.check,
                        "subject": f.subject,
                        "state": f.state,
                        "says": f.says,
                        "facts": f.facts,
                    }
                    for f in found
                ],
            }
        )
    else:
        terminal.print_table(
            ("State", "Check", "Subject", "Says"), [(f.state, f.check, f.subject, f.says) for f in found]
        )
    if wrong:
        raise Failure(
            f"{len(wrong)} of {len(found)} looks found something wrong.",
            hint="; ".join(f"{f.check} {f.subject}: {f.says}" for f in wrong[:3]),
            code=Exit.FAILED,
        )
