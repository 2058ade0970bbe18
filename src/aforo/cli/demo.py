"""`aforo demo`: a scripted region for the ha template, and the outage that is told in the README."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from aforo.cli import terminal
from aforo.cli.exits import Exit, Failure, one_of

REGIONS = ("east", "west")

app = typer.Typer(
    name="demo",
    help="See the gateway at work: scripted regions, and what happens when one of them dies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("region")
def region(
    name: Annotated[str, typer.Argument(help="east or west, as the ha template calls them.")],
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="0 picks a free one. Default: where the ha template expects it."),
    ] = None,
) -> None:
    """Serve one scripted region on 127.0.0.1 until Ctrl-C. Its key is its name; it has the deployment gpt-4o."""
    one_of("NAME", name, REGIONS)
    from aforo.app.region import serve
    from aforo.control.lab import REGION_PORTS
    from aforo.errors import Refusal

    wanted = REGION_PORTS[name] if port is None else port
    try:
        serve(name, "127.0.0.1", wanted, lambda at: _tell(name, at))
    except Refusal as refusal:
        raise Failure(refusal.message, code=Exit.FAILED) from refusal


def _tell(name: str, port: int) -> None:
    print(f"Region {name} answers on http://127.0.0.1:{port}. Ctrl-C ends it.", flush=True)


@app.command("outage")
def outage(
    seconds: Annotated[
        float,
        typer.Option(min=5, max=3600, help="How long the load lasts, at least; the faults spread over it."),
    ] = 20.0,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",  # noqa: A002
) -> None:
    """Kill a region and a worker under load, and count the calls that failed and the rows that were lost.

    Two scripted regions and a system with two workers are started in a temporary directory, on free ports. Exit code 0
    only when no call failed and each answer has exactly one row.
    """
    one_of("--format", format, ("text", "json"))
    import asyncio

    from aforo.cli.outage.picture import Picture
    from aforo.cli.outage.screen import Lines, Silent, print_end
    from aforo.cli.outage.stage import Stage
    from aforo.cli.outage.story import CLIENTS, TRIP, WORKERS, Outage

    # What was started here has to be stopped here, also when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    trip_s = max(1, round(seconds * TRIP))
    if format == "text":
        print(
            f"Two regions, {WORKERS} workers, {CLIENTS} clients, every second one streams; {seconds:g} s of load."
            f" Breakers open for {trip_s} s.",
            flush=True,
        )
    with Stage(WORKERS, trip_s) as stage:
        if format == "json":
            told = asyncio.run(Outage(stage, seconds, Silent()).play())
        elif terminal.is_terminal():
            with Picture() as picture:
                told = asyncio.run(Outage(stage, seconds, picture).play())
        else:
            told = asyncio.run(Outage(stage, seconds, Lines()).play())
    if format == "json":
        terminal.print_json(told.as_json())
    else:
        print_end(told)
    raise typer.Exit(Exit.OK if told.well else Exit.FAILED)
