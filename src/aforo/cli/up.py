"""`aforo up`: the whole system in the foreground, and what to try first when it is ready."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from aforo.cli import http, running, terminal
from aforo.cli.exits import Exit, Failure, one_of
from aforo.settings import (
    ACCOUNT_PORT,
    CONTROL_PORT,
    CONTROL_TLS_PORT,
    GATEWAY_PORT,
    GATEWAY_TLS_PORT,
    Layout,
    Ports,
    Settings,
)

ENGINES = ("auto", "llama", "scripted", "none")
LOG_LEVELS = ("debug", "info", "warning", "error")


def _port(what: str) -> Any:
    return typer.Option(min=0, max=65535, help=f"{what}; 0 picks a free port.")


def up(
    data: running.Data = running.DATA,
    config: Annotated[
        Path | None,
        typer.Option(help="Desired state for an empty data directory: a file or folder. Default: the lab."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    gateway_port: Annotated[int, _port("Calls")] = GATEWAY_PORT,
    gateway_tls_port: Annotated[int, _port("Calls over https")] = GATEWAY_TLS_PORT,
    control_port: Annotated[int, _port("Resources, queries and tokens")] = CONTROL_PORT,
    control_tls_port: Annotated[int, _port("The same over https")] = CONTROL_TLS_PORT,
    account_port: Annotated[int, _port("The local model account")] = ACCOUNT_PORT,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Gateway processes.")] = 1,
    counters: Annotated[
        str,
        typer.Option(
            envvar="AFORO_COUNTERS",
            help="What limits count on: the URL of a Valkey or Redis server that several machines share (rather by the "
            "variable, where others see the command line), or `memory` of each worker. Default: memory for one worker, "
            "for more a server that is started with them.",
            show_default=False,
        ),
    ] = "",
    counters_away: Annotated[
        str,
        typer.Option(
            help="While that server is away: `open` lets each worker count by itself, `closed` answers 503 to what has "
            "a limit."
        ),
    ] = "open",
    certificate: Annotated[
        Path | None, typer.Option(help="PEM chain for https; reloaded when it changes.")
    ] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="PEM key of --certificate.")] = None,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain http on an address that others can reach.")
    ] = False,
    engine: Annotated[str, typer.Option(help=f"Local model account: {', '.join(ENGINES)}.")] = "auto",
    log_level: Annotated[str, typer.Option(help=f"One of {', '.join(LOG_LEVELS)}.")] = "warning",
) -> None:
    """Run the whole system until Ctrl-C or SIGTERM."""
    one_of("--engine", engine, ENGINES)
    one_of("--log-level", log_level, LOG_LEVELS)
    one_of("--counters-away", counters_away, ("open", "closed"))
    if (certificate is None) != (certificate_key is None):
        raise Failure("--certificate and --certificate-key belong together.", code=Exit.USAGE)
    for option, path in (
        ("--config", config),
        ("--certificate", certificate),
        ("--certificate-key", certificate_key),
    ):
        if path is not None and not path.exists():
            raise Failure(f"{option}: {path} does not exist.", code=Exit.USAGE)
    settings = Settings(
        data=data,
        config=config,
        host=host,
        ports=Ports(gateway_port, gateway_tls_port, control_port, control_tls_port, account_port),
        workers=workers,
        counters=counters.strip(),
        counters_closed=counters_away == "closed",
        insecure_http=insecure_http,
        certificate=certificate,
        certificate_key=certificate_key,
        engine=engine,
        log_level=log_level,
    )
    from aforo.app import supervisor
    from aforo.errors import Refusal

    # The supervisor owns this thread and its signals; the greeting waits beside it for the file that means "ready".
    threading.Thread(target=_greet, args=(Layout(data), time.time()), daemon=True).start()
    try:
        code = supervisor.run(settings)
    except Refusal as refusal:
        details = "\n".join(
            f"  {d.target}: {d.message}" if d.target else f"  {d.message}" for d in refusal.details
        )
        raise Failure(refusal.message, hint=details.strip()) from refusal
    raise typer.Exit(code)


def _greet(layout: Layout, started: float) -> None:
    """Waits until the system that this process starts is ready, then says where everything is."""
    while True:
        try:
            # An older file is what a former run left behind.
            if layout.endpoints.stat().st_mtime >= started - 0.01:
                break
        except OSError:
            pass
        time.sleep(0.02)
    system = running.read(layout.root)
    if system is not None:
        # Whoever does not read the greeting (a closed pipe) still has a system.
        with suppress(BrokenPipeError):
            _print_greeting(system, time.time() - started)
            _tell_about_model(system)


def _print_greeting(system: running.Running, seconds: float) -> None:
    names = system.endpoints
    data = "" if system.data == running.DATA else f" --data {system.data}"
    me = _command()
    rows: list[tuple[str, Any]] = [
        ("gateway", f"{names.get('gateway')}   {names.get('gateway_tls') or ''}"),
        ("control, query", f"{names.get('control')}   {names.get('control_tls') or ''}"),
        ("local account", names.get("account") if names.get("served_account") else None),
        ("subscription key", f"in {names.get('subscription_key_file')}"),
        ("admin token", f"in {names.get('admin_token_file')}"),
        ("certificate authority", names.get("ca")),
        ("workspace", names.get("workspace_id")),
    ]
    lines = [f"Aforo is ready ({seconds:.1f} s). Ctrl-C stops it.", ""]
    lines += [f"  {label:<22} {str(value).rstrip()}" for label, value in rows if value]
    lines += [
        "",
        "Try, in another terminal:",
        f'  {me} chat{data} "Hello! What does an API Management Service in Azure do?"',
        f'  {me} query{data} "ApiManagementGatewayLogs | project TimeGenerated, OperationId, ResponseCode | take 10"',
        f"  {me} status{data}",
        "",
    ]
    if not names.get("served_account"):
        lines += [
            "The configuration has no local account: models are those of the servers behind the gate.",
            "",
        ]
    else:
        sample = "The local account serves a small sample model, so that everything works without a cloud."
        lines += [
            sample if names.get("account") else "No local account was started (--engine none).",
            f"To put a real model behind the gate: {me} init --upstream URL --key-env NAME aforo.yaml,",
            f"then {me} apply{data} aforo.yaml",
            "",
        ]
    # One call, so that nothing of another thread stands between the lines.
    print("\n".join(lines), flush=True)


def _command() -> str:
    """How the person calls this program: by name where the shell finds it, else by path."""
    called = Path(sys.argv[0])
    found = shutil.which("aforo")
    if called.name != "aforo" or (found and Path(found).resolve() == called.resolve()):
        return "aforo"
    return os.path.relpath(called)


def _tell_about_model(system: running.Running) -> None:
    """Waits for the local model, which loads behind everything else, and says when it is there."""
    if not (system.endpoints.get("account") and system.endpoints.get("served_account")):
        return
    started = time.monotonic()
    url = f"{system['account']}/readyz"
    told = False
    while time.monotonic() - started < 600:
        try:
            if http.request("GET", url, timeout_s=5.0).ok:
                if told:
                    print(f"The local model is ready ({time.monotonic() - started:.1f} s).", flush=True)
                return
        except (http.Gone, Failure):
            pass
        if not told and terminal.is_terminal():
            print(
                "The local model is loading; calls to it answer 503 with Retry-After until then.", flush=True
            )
        told = True
        time.sleep(0.25)
